"""Compacting: tables hold what the lines hold, once, and go with their shards."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from polyrecord.derived.place import Derivable, derivable, hidden_of
from polyrecord.derived.tables import read_made
from polyrecord.errors import DataError, UsageError
from polyrecord.read.archive import Archive
from polyrecord.read.selection import Selection
from polyrecord.times import parse_ts
from polyrecord.upkeep.compact import compact
from polyrecord.upkeep.compact_files import derived_files, remove_derived
from polyrecord.upkeep.repack import repack
from tests.report.archives import NOON, Given, decision, latency, read, write

TRACE = "4f1c09aa-37d2-4b8e-9d55-0a6be0c1d2{:02x}"


def some_events(count: int = 40) -> list[Given]:
    return [
        event
        for at in range(count)
        for event in (
            latency({"book_to_signal_ms": at / 8, "own_ms": at}, NOON + at, TRACE.format(at)),
            decision(at=NOON + at, net_edge="0.10", n=at),
        )
    ]


def shards(root: Path) -> list[Derivable]:
    found = [derivable(info) for info in Archive(root).shards()]
    return [shard for shard in found if shard is not None]


def table_of(root: Path, event_type: str) -> Path:
    (path,) = root.glob(f"*/*/date=*/_derived/*.{event_type}.parquet")
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    found = duckdb.connect().execute(
        "select * from read_parquet($path, hive_partitioning = false)", {"path": str(path)}
    )
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def test_a_table_holds_the_events_of_its_type_by_time_with_typed_columns(tmp_path: Path) -> None:
    events = some_events()
    write(tmp_path, events[::-1])

    compact(tmp_path)

    recorded = [event for event in read(tmp_path) if event["event_type"] == "latency"]
    recorded.sort(key=lambda event: (event["ts"], event["seq"]))
    found = rows(table_of(tmp_path, "latency"))
    assert [row["ts"] for row in found] == [parse_ts(event["ts"]) for event in recorded]
    assert [row["seq"] for row in found] == [event["seq"] for event in recorded]
    assert [row["trace_id"] for row in found] == [event["trace_id"] for event in recorded]
    assert [row["book_to_signal_ms"] for row in found] == [
        event["data"]["book_to_signal_ms"] for event in recorded
    ]
    assert [row["own_ms"] for row in found] == [event["data"]["own_ms"] for event in recorded]
    assert [json.loads(row["data"]) for row in found] == [event["data"] for event in recorded]
    assert {row["net_edge"] for row in rows(table_of(tmp_path, "decision"))} == {Decimal("0.10")}


def test_a_table_is_compressed_and_finds_a_trace_without_being_read(tmp_path: Path) -> None:
    write(tmp_path, some_events())
    compact(tmp_path)
    path = str(table_of(tmp_path, "latency"))
    connection = duckdb.connect()

    told = connection.execute(
        "select path_in_schema, compression, bloom_filter_offset, stats_min_value "
        "from parquet_metadata($path)",
        {"path": path},
    ).fetchall()
    columns = {name: rest for name, *rest in told}
    probed = connection.execute(
        "select bloom_filter_excludes from parquet_bloom_probe($path, 'trace_id', 'no such trace')",
        {"path": path},
    ).fetchall()

    assert {compression for compression, *_ in columns.values()} == {"ZSTD"}
    assert columns["trace_id"][1] is not None
    assert columns["ts"][2] == str(NOON)
    assert probed == [(True,)]


def test_a_second_run_finds_nothing_to_do(tmp_path: Path) -> None:
    write(tmp_path, some_events())
    first = compact(tmp_path)
    there = {path: path.stat().st_mtime_ns for path in derived_files(tmp_path)}

    second = compact(tmp_path)

    assert len(first.shards) == first.looked == 2
    assert (second.shards, second.left, second.removed) == ([], [], [])
    assert {path: path.stat().st_mtime_ns for path in derived_files(tmp_path)} == there


def test_a_dry_run_makes_nothing(tmp_path: Path) -> None:
    write(tmp_path, some_events())

    answer = compact(tmp_path, dry_run=True)

    assert len(answer.shards) == 2
    assert list(derived_files(tmp_path)) == []


def test_only_what_is_selected_is_made(tmp_path: Path) -> None:
    write(tmp_path, some_events())

    compact(tmp_path, Selection(streams=frozenset({"logs/metrics"})))

    assert {path.parts[-4] for path in derived_files(tmp_path)} == {"metrics"}


def test_a_table_that_was_changed_is_made_anew(tmp_path: Path) -> None:
    write(tmp_path, some_events())
    compact(tmp_path)
    table_of(tmp_path, "latency").write_bytes(b"")

    answer = compact(tmp_path)

    assert [shard.name.stream for shard in answer.shards] == ["logs/metrics"]
    assert len(rows(table_of(tmp_path, "latency"))) == 40


def test_what_was_made_of_other_contents_is_removed(tmp_path: Path) -> None:
    write(tmp_path, some_events(), block_bytes=300)
    compact(tmp_path)
    before = set(derived_files(tmp_path))
    assert repack(tmp_path).shards

    answer = compact(tmp_path)

    assert set(answer.removed) == before
    assert len(answer.shards) == 2
    assert not before & set(derived_files(tmp_path))


def test_what_was_made_of_a_deleted_shard_is_removed_with_its_folder(tmp_path: Path) -> None:
    write(tmp_path, some_events())
    compact(tmp_path)
    gone = [info.path for info in Archive(tmp_path).shards() if info.name.stream == "logs/metrics"]
    gone[0].unlink()

    answer = compact(tmp_path)

    assert {path.parts[-4] for path in answer.removed} == {"metrics"}
    assert not gone[0].parent.exists()


def test_removing_what_was_made_of_one_shard_leaves_that_of_others(tmp_path: Path) -> None:
    first, second = write(
        tmp_path, [latency({"a_ms": 1.0}, NOON + at) for at in range(2)], block_bytes=1, shard_events=1
    )
    compact(tmp_path)

    removed = remove_derived(first)

    assert removed
    assert {path.name.split(".jsonl")[0] for path in removed} != set()
    assert all(
        path.name.startswith(second.name.removesuffix(".jsonl.gz")) for path in derived_files(tmp_path)
    )
    remove_derived(second)
    assert not (second.parent / "_derived").exists()


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_makes_stays(tmp_path: Path) -> None:
    write(tmp_path, some_events())
    compact(tmp_path)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    shard = shards(tmp_path)[0]
    mine = hidden_of(shard.path("fill"))
    theirs = mine.with_name(mine.name.replace(f".{os.getpid()}", f".{gone.pid}"))
    for path in (mine, theirs):
        path.write_bytes(b"half")

    answer = compact(tmp_path)

    assert answer.removed == [theirs]
    assert mine.exists()


def test_a_damaged_shard_has_no_table_and_is_looked_at_once(tmp_path: Path) -> None:
    (path,) = write(tmp_path, [latency({"a_ms": 1.0}, NOON + at) for at in range(60)])
    content = bytearray(path.read_bytes())
    content[300] ^= 0xFF
    path.write_bytes(content)

    answer = compact(tmp_path)

    assert [left.reason for left in answer.left] == ["it is damaged"]
    assert [found.reason for found in map(read_made, shards(tmp_path)) if found] == ["it is damaged"]
    assert [path.suffix for path in derived_files(tmp_path)] == [".json"]


def test_an_open_shard_is_not_touched(tmp_path: Path) -> None:
    (path,) = write(tmp_path, [latency({"a_ms": 1.0})])
    (path.parent / "_open").mkdir()
    path.rename(path.parent / "_open" / path.name)

    assert compact(tmp_path).looked == 0


def test_types_that_cannot_be_names_of_files_have_no_table(tmp_path: Path) -> None:
    write(
        tmp_path,
        [Given(NOON, "../x"), Given(NOON, "Odd Type"), Given(NOON, "histograms"), Given(NOON, "good")],
    )

    compact(tmp_path)

    (made,) = (
        {
            name: table
            for shard in shards(tmp_path)
            if (told := read_made(shard))
            for name, table in told.tables.items()
        },
    )
    assert {name for name, table in made.items() if table is None} == {"../x", "Odd Type", "histograms"}
    assert sorted(
        path.name.split(".")[-2] for path in derived_files(tmp_path) if path.suffix == ".parquet"
    ) == ["good"]


def test_two_at_once_make_everything_once(tmp_path: Path) -> None:
    write(tmp_path, some_events(), shard_events=10)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(compact, [tmp_path] * 2))

    made = [shard.name for answer in answers for shard in answer.shards]
    assert len(made) == len(set(made)) == answers[0].looked
    assert compact(tmp_path).shards == []


def test_a_full_disk_is_said_and_nothing_half_made_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, some_events())
    sync = os.fsync

    def full(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name.endswith(f".latency.parquet.{os.getpid()}"):
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(DataError, match="no space left"):
        compact(tmp_path, Selection(streams=frozenset({"logs/metrics"})))

    assert list(derived_files(tmp_path)) == []


def test_a_path_that_is_a_pattern_to_the_engine_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a[1]", some_events(2))

    with pytest.raises(UsageError, match="path has"):
        compact(tmp_path / "a[1]")
