"""Several archives become one: every event once, whatever the order they are named in."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import time
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrecord.errors import ArchiveMissing, NotFound, UsageError
from polyrecord.read.archive import Archive
from polyrecord.read.coverage import coverage
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.where import parse_condition
from polyrecord.record.policy import RotatePolicy
from polyrecord.record.recorder import EventRecorder
from polyrecord.testing import shard_files, tear
from polyrecord.times import SECOND
from polyrecord.transfer.merge import merge
from polyrecord.upkeep.labels import labels_of, remark
from polyrecord.upkeep.prune import prune
from polyrecord.upkeep.retention import Policy, Retention
from tests.read.archives import NOON, ArchiveMaker, Given, open_again
from tests.transfer.recordings import (
    ONE,
    START,
    TWO,
    Lost,
    covered,
    cut_out,
    lines_by_gzip,
    manifest_of,
    merged,
    record,
    replayed,
)

LOSSES = (Lost(20, "signal", 4), Lost(50, "orderbook_snapshot", 9), Lost(70, "latency", 2))


def window(start: int, end: int, *types: str) -> Selection:
    return Selection(START + start * SECOND, START + end * SECOND, frozenset(types))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An archive of two writers, one of which lost events."""
    record(tmp_path / "source", losses=LOSSES)
    return record(tmp_path / "source", 60, TWO, block_bytes=400)


def test_writers_of_two_archives_come_together(tmp_path: Path) -> None:
    record(tmp_path / "a", losses=LOSSES)
    record(tmp_path / "b", 60, TWO)
    done = merged(tmp_path / "out", tmp_path / "a", tmp_path / "b")
    record(tmp_path / "both", losses=LOSSES)
    record(tmp_path / "both", 60, TWO)
    assert replayed(tmp_path / "out") == replayed(tmp_path / "both")
    assert covered(tmp_path / "out") == covered(tmp_path / "both")
    assert done.written.events == len(replayed(tmp_path / "both"))


def test_shards_of_one_source_only_are_copied_as_they_are(tmp_path: Path) -> None:
    record(tmp_path / "a")
    record(tmp_path / "b", 60, TWO)
    done = merged(tmp_path / "out", tmp_path / "a", tmp_path / "b")
    assert done.copied == done.written.shards == len(shard_files(tmp_path / "out"))
    for path in shard_files(tmp_path / "out"):
        place = path.relative_to(tmp_path / "out")
        source = "a" if ONE in path.name else "b"
        assert path.read_bytes() == (tmp_path / source / place).read_bytes()


def test_overlapping_cuts_have_each_event_once(source: Path, tmp_path: Path) -> None:
    cut_out(source, tmp_path / "a", window(10, 60))
    cut_out(source, tmp_path / "b", window(40, 100))
    done = merged(tmp_path / "out", tmp_path / "a", tmp_path / "b")
    assert replayed(tmp_path / "out") == replayed(source, window(10, 100))
    assert done.conflicts == 0
    for lines in lines_by_gzip(tmp_path / "out").values():
        seqs = [json.loads(line)["seq"] for line in lines]
        assert seqs == sorted(set(seqs))


def test_losses_are_counted_once(source: Path, tmp_path: Path) -> None:
    cut_out(source, tmp_path / "a", window(10, 60))
    cut_out(source, tmp_path / "b", window(40, 100))
    merged(tmp_path / "out", tmp_path / "a", tmp_path / "b")
    cut_out(source, tmp_path / "whole", window(10, 100))
    for streams in ((), ("data/events",), ("data/books",), ("logs/metrics",)):
        selection = Selection(streams=frozenset(streams))
        ours, expected = covered(tmp_path / "out", selection), covered(tmp_path / "whole", selection)
        assert (ours.events, ours.lost, ours.unknown) == (expected.events, expected.lost, expected.unknown)


def test_losses_are_counted_once_in_cuts_by_type(source: Path, tmp_path: Path) -> None:
    """Both cuts have the gap of the same stream, each before another line."""
    for name in ("signal", "decision"):
        cut_out(source, tmp_path / name, Selection(types=frozenset({name})))
    merged(tmp_path / "out", tmp_path / "signal", tmp_path / "decision")
    both = Selection(types=frozenset({"signal", "decision", "loss"}))
    assert replayed(tmp_path / "out") == replayed(source, both)
    assert (covered(tmp_path / "out").lost, covered(tmp_path / "out").unknown) == (15, 0)
    assert covered(tmp_path / "out", Selection(streams=frozenset({"data/events"}))).lost == 4


@pytest.mark.parametrize("types", [("event_received",), ("signal", "latency"), ("decision",)])
def test_losses_of_a_whole_archive_and_a_sparse_cut_of_it_are_counted_once(
    tmp_path: Path, types: tuple[str, ...]
) -> None:
    """One gap of the cut stands for several of the archive."""
    losses = [Lost(at, "signal", at // 10) for at in range(10, 190, 9)]
    record(tmp_path / "source", 200, losses=losses)
    record(tmp_path / "source", 10, TWO)
    selection = replace(window(0, 180, *types), where=(parse_condition("n>=150"),))
    cut_out(tmp_path / "source", tmp_path / "cut", selection)
    for at, roots in enumerate(permutations(("source", "cut"))):
        merged(tmp_path / f"out{at}", *(tmp_path / root for root in roots))
        assert replayed(tmp_path / f"out{at}") == replayed(tmp_path / "source")
        for streams in ((), ("data/events",)):
            selection = Selection(streams=frozenset(streams))
            assert covered(tmp_path / f"out{at}", selection) == covered(tmp_path / "source", selection)


def test_a_merge_with_itself_changes_nothing(source: Path, tmp_path: Path) -> None:
    shutil.copytree(source, tmp_path / "copy")
    done = merged(tmp_path / "out", source, tmp_path / "copy")
    assert done.copied == done.written.shards
    assert replayed(tmp_path / "out") == replayed(source)
    merged(tmp_path / "again", tmp_path / "out", source)
    assert lines_by_gzip(tmp_path / "again") == lines_by_gzip(source)
    assert covered(tmp_path / "again") == covered(source)


def test_a_later_copy_has_what_an_earlier_one_had(tmp_path: Path) -> None:
    """Shards with the same names and contents count once; those of the fuller copy are taken."""
    record(tmp_path / "later", 200)
    shutil.copytree(tmp_path / "later", tmp_path / "earlier")
    for path in shard_files(tmp_path / "earlier"):
        if not path.name.endswith("-0001.jsonl.gz"):
            path.unlink()
    for at, roots in enumerate(permutations(("earlier", "later"))):
        done = merged(tmp_path / f"out{at}", *(tmp_path / root for root in roots))
        assert done.copied == done.written.shards
        assert replayed(tmp_path / f"out{at}") == replayed(tmp_path / "later")


def test_any_order_of_the_sources_gives_the_same(source: Path, tmp_path: Path) -> None:
    cut_out(source, tmp_path / "a", window(0, 50, "signal", "latency"))
    cut_out(source, tmp_path / "b", window(30, 90))
    cut_out(source, tmp_path / "c", window(80, 120, "orderbook_snapshot"))
    results = []
    for at, roots in enumerate(permutations("abc")):
        merged(tmp_path / f"out{at}", *(tmp_path / root for root in roots))
        found = covered(tmp_path / f"out{at}")
        results.append((replayed(tmp_path / f"out{at}"), found))
    assert all(result == results[0] for result in results)


def test_different_lines_under_one_number_are_told_and_kept_aside(tmp_path: Path) -> None:
    for name, text in (("a", b'{"from":"a"}'), ("b", b'{"from":"b"}')):
        maker = ArchiveMaker(tmp_path / name)
        maker.write([Given(NOON, data=b'{"n":1}'), Given(NOON, data=text), Given(NOON, data=b'{"n":3}')])
    explain = Explain()
    done = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out", explain)
    assert done.conflicts == 1
    assert [(conflict.writer, conflict.stream, conflict.seq) for conflict in done.named] == [
        (ONE, "data/events", 2)
    ]
    assert [json.loads(line)["data"] for line in replayed(tmp_path / "out")] == [
        {"n": 1},
        {"from": "a"},
        {"n": 3},
    ]
    aside = (tmp_path / "out/logs/_rejects/conflicts.jsonl").read_text().splitlines()
    told = json.loads(aside[0])
    assert (len(aside), told["reason"]) == (1, "conflict")
    assert told["detail"] == f"{ONE} 2 of data/events in {tmp_path / 'b'}"
    assert json.loads(told["text"])["data"] == {"from": "b"}


def test_what_one_copy_lost_to_damage_the_other_gives_back(tmp_path: Path) -> None:
    ArchiveMaker(tmp_path / "a").signals(200)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    expected = replayed(tmp_path / "a")
    _damage(next(iter(shard_files(tmp_path / "b"))))
    for at, roots in enumerate(permutations("ab")):
        explain, out = Explain(), tmp_path / f"out{at}"
        merge([tmp_path / root for root in roots], out, explain)
        assert replayed(out) == expected
        assert covered(out).ratio == 1.0


def test_damage_of_the_only_copy_is_told_and_the_rest_kept(tmp_path: Path) -> None:
    ArchiveMaker(tmp_path / "a").signals(200)
    ArchiveMaker(tmp_path / "b").signals(10, TWO)
    _damage(next(iter(shard_files(tmp_path / "a"))))
    explain = Explain()
    done = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out", explain)
    assert explain.damage
    assert 10 < done.written.events < 210
    assert covered(tmp_path / "out").unknown == 210 - done.written.events


def _damage(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 20] = bytes(20)
    path.write_bytes(raw)


def test_open_shards_are_taken_up_to_their_torn_tail(tmp_path: Path) -> None:
    record(tmp_path / "a", 100, shard_events=10**6, clean=False)
    for path in shard_files(tmp_path / "a"):
        tear(open_again(path), -400)
    record(tmp_path / "b", 10, TWO)
    explain = Explain()
    merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out", explain)
    assert explain.torn_bytes
    assert not explain.damage
    assert not [path for path in shard_files(tmp_path / "out") if path.parent.name == "_open"]
    assert [line for line in replayed(tmp_path / "a") if line not in set(replayed(tmp_path / "out"))] == []
    assert covered(tmp_path / "out").unclean == (ONE,)


def test_an_orderly_end_that_one_source_knows_of_is_one(tmp_path: Path) -> None:
    record(tmp_path / "later")
    shutil.copytree(tmp_path / "later", tmp_path / "earlier")
    manifest = tmp_path / "earlier/logs/_writers" / f"{ONE}.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "ended": None}))
    for stream in ("data/events", "data/books", "logs/telemetry", "logs/metrics"):
        open_again(max(shard_files(tmp_path / "earlier" / stream)))
    assert covered(tmp_path / "earlier").unclean == (ONE,)
    for at, roots in enumerate(permutations(("earlier", "later"))):
        merged(tmp_path / f"out{at}", *(tmp_path / root for root in roots))
        assert covered(tmp_path / f"out{at}").unclean == ()
        assert manifest_of(tmp_path / f"out{at}")["ended"]


def test_the_manifest_says_what_it_was_merged_from(source: Path, tmp_path: Path) -> None:
    cut_out(source, tmp_path / "a", window(10, 60))
    cut_out(source, tmp_path / "b", window(40, 100))
    merged(tmp_path / "out", tmp_path / "a", tmp_path / "b")
    told = manifest_of(tmp_path / "out")
    about = told.pop("merged")
    assert told == manifest_of(source)
    assert [origin["name"] for origin in about["sources"]] == ["a", "b"]
    assert about["sources"][0]["cut"] == manifest_of(tmp_path / "a")["cut"]


def test_imports_whose_days_alternate_merge(tmp_path: Path) -> None:
    day = 86_400 * SECOND
    maker = ArchiveMaker(tmp_path / "source")
    maker.write(
        [Given(NOON + (at % 2) * day) for at in range(100)], "import.00000000000000aa", shard_events=30
    )
    cut_out(tmp_path / "source", tmp_path / "a", Selection(NOON, NOON + SECOND))
    cut_out(tmp_path / "source", tmp_path / "b", Selection(NOON + day, NOON + day + SECOND))
    merged(tmp_path / "out", tmp_path / "a", tmp_path / "b", tmp_path / "source")
    assert replayed(tmp_path / "out") == replayed(tmp_path / "source")
    assert covered(tmp_path / "out").ratio == 1.0


def test_what_is_no_archive_is_refused_and_nothing_written(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ArchiveMissing):
        merged(tmp_path / "out", source, tmp_path / "none")
    with pytest.raises(UsageError):
        merged(source, source)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def declared_of(line: bytes, stream: str) -> int:
    """How many events of a stream a line declares lost."""
    event = json.loads(line)
    count: int = (
        event["data"]["streams"].get(stream, {}).get("count", 0) if event["event_type"] == "loss" else 0
    )
    return count


_LENGTH = 60
_TYPES = st.sets(st.sampled_from(["signal", "decision", "latency", "orderbook_snapshot"]), max_size=3)
_CUTS = st.lists(st.tuples(st.integers(0, _LENGTH), st.integers(1, _LENGTH), _TYPES), min_size=1, max_size=3)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("shared") / "source"
    record(
        root, _LENGTH, losses=[Lost(7, "signal", 3), Lost(31, "latency", 5)], block_bytes=400, shard_events=9
    )
    return record(root, _LENGTH // 2, TWO, block_bytes=300, step=SECOND * 2)


@settings(max_examples=20)
@given(cuts=_CUTS, seed=st.integers(0, 99))
def test_a_merge_of_any_cuts_has_what_any_of_them_has(
    shared: Path, cuts: list[tuple[int, int, set[str]]], seed: int
) -> None:
    place = shared.parent / f"{os.getpid()}-{time.monotonic_ns()}"
    roots, expected = [], set()
    for at, (start, length, types) in enumerate(cuts):
        selection = window(start, start + length, *types)
        try:
            cut_out(shared, place / str(at), selection)
        except NotFound:
            continue
        roots.append(place / str(at))
        ledger = replace(selection, types=frozenset({"loss"}))
        expected |= {*replayed(shared, selection), *replayed(shared, ledger)}
    if not roots:
        return
    random.Random(seed).shuffle(roots)
    merged(place / "out", *roots)
    assert replayed(place / "out") == [line for line in replayed(shared) if line in expected]
    declared = sum(json.loads(line)["data"]["count"] for line in expected if b'"loss"' in line)
    assert (covered(place / "out").lost, covered(place / "out").unknown) == (declared, 0)
    for stream in {path.parent.parent.relative_to(place / "out") for path in shard_files(place / "out")}:
        found = covered(place / "out", Selection(streams=frozenset({str(stream)})))
        assert found.lost == sum(declared_of(line, str(stream)) for line in expected)
    for path in shard_files(place / "out"):
        assert gzip.decompress(path.read_bytes()).endswith(b"}\n")
    assert Archive(place / "out").has_shards()
    shutil.rmtree(place)


def test_what_was_deleted_on_purpose_and_noted_about_runs_comes_along(tmp_path: Path) -> None:
    """Else a pruned archive would look as if it had lost events once it is merged."""
    pruned, other = tmp_path / "pruned", tmp_path / "other"
    for root in (other, pruned):
        with EventRecorder(root, rotate=RotatePolicy(max_events=2), buffer_size=1) as recorder:
            for number in range(6):
                recorder.record("signal", {"n": number})
                recorder.flush().wait(10)
    remark(pruned, recorder.writer, label="baseline")
    prune(pruned, Retention({"*": Policy(max_shards=1)}), time.time_ns())
    before = coverage(Archive(pruned))
    assert (before.events, before.pruned, before.unknown) == (2, 4, 0)
    merge([pruned, other], tmp_path / "out", Explain())
    after = coverage(Archive(tmp_path / "out"))
    assert (after.events, after.pruned, after.unknown, after.unclean) == (8, 4, 0, ())
    assert labels_of(tmp_path / "out", recorder.writer) == ["baseline"]
