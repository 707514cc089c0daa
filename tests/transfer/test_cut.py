"""A cut is a small archive of its own that answers as its source did."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrecord.errors import NotFound, UsageError
from polyrecord.format.block import BlockHeader, header_length, parse_header
from polyrecord.format.layout import parse_shard_path
from polyrecord.format.scan import Block, scan
from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.single import SingleFile
from polyrecord.read.sources import How, open_source
from polyrecord.read.where import parse_condition
from polyrecord.testing import shard_files, tear
from polyrecord.times import SECOND
from polyrecord.transfer.cut import Wanted, cut
from tests.read.archives import NOON, ArchiveMaker, Given, open_again
from tests.record.archives import blocks, footers, names
from tests.transfer.recordings import (
    ONE,
    START,
    TWO,
    Lost,
    covered,
    cut_out,
    lines_by_gzip,
    manifest_of,
    record,
    replayed,
)

MIDDLE = Selection(START + 30 * SECOND, START + 90 * SECOND)
SIGNALS = Selection(types=frozenset({"signal"}))
LOSSES = (Lost(20, "signal", 4), Lost(50, "orderbook_snapshot", 9), Lost(70, "latency", 2))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An archive of two writers, one of which lost events."""
    record(tmp_path / "source", losses=LOSSES)
    return record(tmp_path / "source", 60, TWO, block_bytes=400)


@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        MIDDLE,
        replace(MIDDLE, types=frozenset({"decision", "orderbook_snapshot"})),
        replace(MIDDLE, where=(parse_condition("n>=40"), parse_condition("market=m-3"))),
        Selection(trace="0000000"),
    ],
)
def test_a_cut_replays_as_its_source_does(source: Path, tmp_path: Path, selection: Selection) -> None:
    written = cut_out(source, tmp_path / "cut", selection)
    lines = replayed(source, selection)
    assert lines
    assert replayed(tmp_path / "cut", selection) == lines
    assert written.events == len(lines) + written.ledger == len(replayed(tmp_path / "cut"))


def test_what_was_not_asked_for_is_not_there_but_what_the_ledger_says(source: Path, tmp_path: Path) -> None:
    written = cut_out(source, tmp_path / "cut", replace(MIDDLE, types=frozenset({"decision"})))
    events = [json.loads(line) for line in replayed(tmp_path / "cut")]
    losses = [event for event in events if event["event_type"] == "loss"]
    assert {event["event_type"] for event in events} == {"decision", "loss"}
    assert [event["data"]["count"] for event in losses] == [9, 2]  # of 4, 9 and 2: one is before the window
    assert written.ledger == 2


def test_lines_numbers_streams_and_dates_are_as_recorded(source: Path, tmp_path: Path) -> None:
    cut_out(source, tmp_path / "cut", MIDDLE)
    theirs, ours = lines_by_gzip(source), lines_by_gzip(tmp_path / "cut")
    for place, lines in ours.items():
        first = theirs[place].index(lines[0])
        assert theirs[place][first : first + len(lines)] == lines
    for path in shard_files(tmp_path / "cut"):
        for line in gzip.decompress(path.read_bytes()).splitlines():
            assert path.parent.name == f"date={json.loads(line)['ts'][:10]}"


def test_shards_are_sealed_and_numbered_from_one(source: Path, tmp_path: Path) -> None:
    cut_out(source, tmp_path / "cut", MIDDLE)
    found = names(tmp_path / "cut")
    assert all(name.sealed for name in found)
    for stream, writer in {(name.stream, name.writer) for name in found}:
        numbers = [name.number for name in found if (name.stream, name.writer) == (stream, writer)]
        assert numbers == list(range(1, len(numbers) + 1))
    assert footers(tmp_path / "cut").keys() == set(found)


def test_ordinals_run_from_one_without_gaps_where_nothing_was_lost(tmp_path: Path) -> None:
    record(tmp_path / "source", block_bytes=700)
    cut_out(tmp_path / "source", tmp_path / "cut", replace(MIDDLE, types=frozenset({"signal", "decision"})))
    expected = 1
    for block in sorted(blocks(tmp_path / "cut"), key=lambda block: (block.shard.stream, block.shard.number)):
        assert block.shard.stream == "data/events"
        assert block.header.first_ordinal == expected
        expected = block.header.last_ordinal + 1
    assert expected - 1 == len(replayed(tmp_path / "cut")) > 0


def test_index_keys_are_those_a_recorder_would_have_written(tmp_path: Path) -> None:
    """The same lines in blocks of the same sizes have the same headers."""
    record(tmp_path / "source", block_bytes=256 << 10, shard_events=10**6, index_keys=("data.market",))
    cut_out(tmp_path / "source", tmp_path / "cut")
    theirs = {(b.shard, b.header.first_seq): b.header for b in blocks(tmp_path / "source")}
    ours = {(b.shard, b.header.first_seq): b.header for b in blocks(tmp_path / "cut")}
    assert ours == theirs
    assert all(header.paths == ("data.market",) and len(header.value_keys) for header in ours.values())


@pytest.mark.parametrize("wanted", ["data.order_id=o-61", "data.market=m-4"])
def test_declared_keys_prune_in_the_cut_too(tmp_path: Path, wanted: str) -> None:
    record(tmp_path / "source", index_keys=("data.market",), count=400)
    cut_out(tmp_path / "source", tmp_path / "cut", SIGNALS)
    selection = replace(SIGNALS, where=(parse_condition(wanted),))
    assert replayed(tmp_path / "cut", selection) == replayed(tmp_path / "source", selection)


def test_large_blocks_come_as_they_were_compressed(tmp_path: Path) -> None:
    record(tmp_path / "source", 4000, block_bytes=100_000, shard_events=10**6, step=SECOND // 1000)
    cut_out(tmp_path / "source", tmp_path / "cut", Selection(since_ns=START + SECOND))
    theirs = {header.first_seq: member for header, member in members(tmp_path / "source")}
    kept = [
        (header, member)
        for header, member in members(tmp_path / "cut")
        if header.first_seq in theirs and header.content_length >= 100_000
    ]
    assert kept
    for header, member in kept:
        recorded = theirs[header.first_seq]
        start = header_length(member)
        assert member[start:] == recorded[start:]
        assert parse_header(recorded) != header  # its ordinals are others


def members(root: Path) -> Iterator[tuple[BlockHeader, bytes]]:
    """The blocks of an archive with their bytes."""
    for path in shard_files(root):
        data = path.read_bytes()
        for part in scan(lambda at, length, data=data: data[at : at + length], len(data)):  # type: ignore[misc]
            if isinstance(part, Block):
                yield part.header, data[part.offset :][: part.header.member_length]


@pytest.mark.parametrize("streams", [(), ("data/events",), ("data/books",), ("logs/metrics",)])
def test_losses_are_known_in_the_cut_stream_by_stream(
    source: Path, tmp_path: Path, streams: tuple[str, ...]
) -> None:
    selection = Selection(streams=frozenset(streams))
    cut_out(source, tmp_path / "cut", Selection(until_ns=START + 100 * SECOND))
    ours, theirs = covered(tmp_path / "cut", selection), covered(source, selection)
    assert (ours.lost, ours.unknown, ours.unclean) == (theirs.lost, theirs.unknown, theirs.unclean)


@pytest.mark.parametrize(
    ("stream", "lost"), [("data/events", 0), ("data/books", 9), ("logs/metrics", 2), (None, 11)]
)
def test_losses_before_the_window_are_not_among_them(
    source: Path, tmp_path: Path, stream: str | None, lost: int
) -> None:
    """The source counts whole blocks: 4 events that were lost before the window are in its first one."""
    cut_out(source, tmp_path / "cut", MIDDLE)
    found = covered(tmp_path / "cut", Selection(streams=frozenset({stream} if stream else ())))
    assert (found.lost, found.unknown) == (lost, 0)


def test_losses_are_known_of_a_stream_that_is_cut_by_type(source: Path, tmp_path: Path) -> None:
    cut_out(source, tmp_path / "cut", Selection(types=frozenset({"signal"})))
    events = Selection(streams=frozenset({"data/events"}))
    assert covered(tmp_path / "cut", events).lost == covered(source, events).lost == 4


def test_what_is_missing_without_a_word_is_so_in_the_cut(tmp_path: Path) -> None:
    record(tmp_path / "source", 400, shard_events=30)
    gone = sorted(shard_files(tmp_path / "source" / "data/events"))[1]
    events = len(gzip.decompress(gone.read_bytes()).splitlines())
    gone.unlink()
    cut_out(tmp_path / "source", tmp_path / "cut")
    assert covered(tmp_path / "cut").unknown == covered(tmp_path / "source").unknown == events > 0


def test_what_is_left_out_is_no_loss(source: Path, tmp_path: Path) -> None:
    cut_out(source, tmp_path / "cut", replace(MIDDLE, where=(parse_condition("n>=70"),)))
    assert covered(tmp_path / "cut").unknown == 0


def test_a_damaged_block_is_missing_in_the_cut(tmp_path: Path) -> None:
    (path, *_) = ArchiveMaker(tmp_path / "source").signals(100)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 40] = bytes(40)
    path.write_bytes(raw)
    explain = Explain()
    written = cut(Archive(tmp_path / "source"), Wanted(Selection()), tmp_path / "cut", explain)
    assert explain.damage
    assert written.events < 100
    assert covered(tmp_path / "cut").unknown == 100 - written.events


def test_an_import_whose_days_alternate_misses_nothing(tmp_path: Path) -> None:
    day = 86_400 * SECOND
    maker = ArchiveMaker(tmp_path / "source")
    maker.write(
        [Given(NOON + (at % 2) * day) for at in range(200)], "import.00000000000000aa", shard_events=30
    )
    for number, window in enumerate([Selection(), Selection(NOON, NOON + SECOND)]):
        out = tmp_path / f"cut{number}"
        cut_out(tmp_path / "source", out, window)
        assert replayed(out) == replayed(tmp_path / "source", window)
        assert covered(out).ratio == 1.0


def test_manifests_come_along_and_say_what_was_cut(source: Path, tmp_path: Path) -> None:
    cut_out(source, tmp_path / "cut", MIDDLE, words=("--window", "60"))
    told = manifest_of(tmp_path / "cut")
    about = told.pop("cut")
    assert told == manifest_of(source)
    assert about["selection"] == {
        "since": "2026-11-20T23:59:30.000000000Z", "until": "2026-11-21T00:00:30.000000000Z",
        "words": ["--window", "60"],
    }  # fmt: skip
    assert (about["coverage"]["lost"], about["coverage"]["unknown"]) == (15, 0)  # 4 of its first block
    cut_out(tmp_path / "cut", tmp_path / "again", SIGNALS)
    assert manifest_of(tmp_path / "again")["cut"]["of"] == about


@pytest.mark.parametrize("clean", [True, False])
def test_a_cut_is_unclean_exactly_if_its_source_was(tmp_path: Path, clean: bool) -> None:
    record(tmp_path / "source", clean=clean)
    cut_out(tmp_path / "source", tmp_path / "cut", SIGNALS)
    assert (
        covered(tmp_path / "source").unclean == covered(tmp_path / "cut").unclean == (() if clean else (ONE,))
    )


def test_an_open_shard_is_cut_up_to_its_torn_tail(tmp_path: Path) -> None:
    record(tmp_path / "source", 100, shard_events=10**6, clean=False)
    for path in shard_files(tmp_path / "source"):
        tear(open_again(path), -400)
    explain = Explain()
    cut(Archive(tmp_path / "source"), Wanted(Selection()), tmp_path / "cut", explain)
    assert explain.torn_bytes
    assert not explain.damage
    assert replayed(tmp_path / "cut") == replayed(tmp_path / "source")
    assert covered(tmp_path / "cut").unclean == (ONE,)


def test_several_traces_and_what_is_around_them(source: Path, tmp_path: Path) -> None:
    ids = ("0000000a" + "0" * 24, "0000000c")
    cut_out(source, tmp_path / "cut", traces=ids)
    numbers = {json.loads(line)["data"].get("n") for line in replayed(tmp_path / "cut")} - {None}
    assert numbers == {*range(50, 55), *range(60, 65)}
    cut_out(source, tmp_path / "wide", traces=ids, around_ns=3 * SECOND)
    around = Selection(START + 47 * SECOND, START + 67 * SECOND + 1)
    assert replayed(tmp_path / "wide") == replayed(source, around)


def test_a_whole_trace_id_wins_over_longer_ones(tmp_path: Path) -> None:
    maker = ArchiveMaker(tmp_path / "source")
    maker.write(
        [Given(NOON, trace_id="run-1"), Given(NOON, trace_id="run-12"), Given(NOON, trace_id="run-1")]
    )
    assert cut_out(tmp_path / "source", tmp_path / "cut", traces=("run-1",)).events == 2


def test_only_some_streams(source: Path, tmp_path: Path) -> None:
    cut_out(source, tmp_path / "cut", Selection(streams=frozenset({"data/books"})))
    found = [json.loads(line)["event_type"] for line in replayed(tmp_path / "cut")]
    assert set(found) == {"orderbook_snapshot", "loss"}
    assert {name.stream for name in names(tmp_path / "cut")} == {"data/books", "logs/telemetry"}


def test_lines_in_plain_gzip_become_blocks(tmp_path: Path) -> None:
    lines = [
        b'{"ts":"2026-11-20T12:00:0%d.000000000Z","seq":%d,"event_type":"x","data":{}}' % (n, n + 1)
        for n in range(5)
    ]
    spaced = b'{"data": {"order_id": "o-9"}, "event_type": "x", "ts": "2026-11-20T13:00:00+01:00", "seq": 6}'
    ArchiveMaker(tmp_path / "source").plain([*lines, spaced])
    cut_out(tmp_path / "source", tmp_path / "cut")
    assert replayed(tmp_path / "cut") == [*lines, spaced]
    order = Selection(value="o-9")
    assert replayed(tmp_path / "cut", order) == [spaced]


def test_a_single_shard_is_a_source(source: Path, tmp_path: Path) -> None:
    path = next(path for path in shard_files(source) if "telemetry" in path.name)
    cut(SingleFile(path), Wanted(Selection()), tmp_path / "cut", Explain(strict=True))
    assert gzip.decompress(path.read_bytes()).splitlines() == replayed(tmp_path / "cut")
    assert {name.stream for name in names(tmp_path / "cut")} == {"logs/telemetry"}


def test_logs_of_another_system_become_an_archive(tmp_path: Path) -> None:
    log = tmp_path / "bot.jsonl"
    log.write_text(
        "".join(json.dumps({"ts": 1763640000000 + n, "type": "loss", "count": 3}) + "\n" for n in range(9))
    )
    logs = open_source(files=[log], how=How("generic", ts="ts:ms", type_field="type"))
    cut(logs, Wanted(Selection()), tmp_path / "cut", Explain(strict=True))
    events = [json.loads(line) for line in replayed(tmp_path / "cut")]
    assert [(event["event_type"], event["seq"]) for event in events] == [("loss", n + 1) for n in range(9)]
    assert {name.writer for name in names(tmp_path / "cut")} == {logs.shards()[0].name.writer}
    assert covered(tmp_path / "cut").ratio == 1.0  # their word for what a trade cost is no ledger of ours


def test_a_place_that_is_taken_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        cut_out(source, source)
    (tmp_path / "x.tar").touch()
    with pytest.raises(UsageError):
        cut_out(source, tmp_path / "x.tar")
    (tmp_path / "empty").mkdir()
    assert cut_out(source, tmp_path / "empty").events


def test_nothing_selected_writes_nothing(source: Path, tmp_path: Path) -> None:
    for selection in (Selection(types=frozenset({"none"})), Selection(until_ns=0)):
        with pytest.raises(NotFound):
            cut_out(source, tmp_path / "deep" / "cut", selection)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_a_tar_holds_the_same_archive(source: Path, tmp_path: Path) -> None:
    cut_out(source, tmp_path / "case.tar", MIDDLE)
    cut_out(source, tmp_path / "case", MIDDLE)
    with tarfile.open(tmp_path / "case.tar") as tar:
        assert {(entry.uid, entry.uname) for entry in tar} == {(0, "")}
        tar.extractall(tmp_path / "there", filter="data")
    assert [path.relative_to(tmp_path / "there") for path in shard_files(tmp_path / "there")] == [
        path.relative_to(tmp_path) for path in shard_files(tmp_path / "case")
    ]
    assert replayed(tmp_path / "there" / "case") == replayed(source, MIDDLE)


def test_a_killed_cut_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    record(tmp_path / "source", 20)
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from polyrecord.transfer.place import new_archive\n"
        "with new_archive(Path(sys.argv[1])) as root:\n"
        "    (root / 'data').mkdir()\n"
        "    print(root, flush=True)\n"
        "    time.sleep(60)\n"
    )
    out = tmp_path / "cut"
    with subprocess.Popen([sys.executable, "-c", script, out], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        room = Path(process.stdout.readline().strip()).parent
        os.kill(process.pid, signal.SIGKILL)
    assert not out.exists()
    assert room.name.startswith(".cut.")
    assert cut_out(tmp_path / "source", out).events == 20


@pytest.fixture(scope="module")
def lossy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording with losses, for the property test, whose examples share it."""
    return record(tmp_path_factory.mktemp("lossy") / "source", losses=LOSSES, block_bytes=300)


@settings(max_examples=25)
@given(
    start=st.integers(0, 130),
    length=st.integers(1, 130),
    types=st.sets(st.sampled_from(["signal", "decision", "latency"])),
)
def test_any_window_and_types_replay_and_are_covered_as_in_the_source(
    lossy: Path, start: int, length: int, types: set[str]
) -> None:
    window = Selection(START + start * SECOND, START + (start + length) * SECOND, frozenset(types))
    lines = replayed(lossy, window)
    out = lossy.parent / f"cut-{time.monotonic_ns()}"
    if not lines:
        with pytest.raises(NotFound):
            cut_out(lossy, out, window)
        return
    cut_out(lossy, out, window)
    assert replayed(out, window) == lines
    ledger = replayed(lossy, replace(window, types=frozenset({"loss"})))
    assert covered(out).lost == sum(json.loads(line)["data"]["count"] for line in ledger)
    assert covered(out).unknown == 0
    assert all(parse_shard_path(PurePosixPath(path.relative_to(out))) for path in shard_files(out))
