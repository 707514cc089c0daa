"""What an archive holds, told from headers: the figures are those of the files themselves."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.report.info import ArchiveInfo, describe
from polyrecord.report.question import Question
from polyrecord.times import SECOND
from tests.report.archives import NOON, Given, latency, open_again, write

EVENTS = [
    event
    for at in range(0, 300, 3)
    for event in (
        Given(NOON + at * SECOND, "signal", {"n": at}),
        Given(NOON + (at + 1) * SECOND, "trade", {"n": at}),
        latency({"send_ms": 1.0}, NOON + (at + 2) * SECOND),
    )
]


def info_of(root: Path, selection: Selection | None = None, explain: Explain | None = None) -> ArchiveInfo:
    return describe(Question(Archive(root), selection or Selection(), explain or Explain()))


def test_each_shard_is_what_its_file_says(tmp_path: Path) -> None:
    paths = write(tmp_path, EVENTS, shard_events=40)

    info = info_of(tmp_path)

    assert {row.path for row in info.shards} == {str(path.relative_to(tmp_path)) for path in paths}
    for row in info.shards:
        packed = (tmp_path / row.path).read_bytes()
        events = [json.loads(line) for line in gzip.decompress(packed).splitlines()]
        assert (row.events, row.bytes, row.content_bytes) == (
            len(events), len(packed), len(gzip.decompress(packed)),
        )  # fmt: skip
        assert (row.first_ts, row.last_ts) == (events[0]["ts"], events[-1]["ts"])
        assert (row.first_seq, row.last_seq) == (events[0]["seq"], events[-1]["seq"])
        assert row.types == {events[0]["event_type"]: len(events)}
        assert row.ratio == round(row.content_bytes / row.bytes, 3)


def test_streams_are_their_shards_added_up(tmp_path: Path) -> None:
    write(tmp_path, EVENTS, shard_events=40)

    info = info_of(tmp_path)

    assert [(row.stream, row.events, row.writers) for row in info.streams] == [
        ("data/books", 100, 1), ("data/events", 100, 1), ("logs/metrics", 100, 1),
    ]  # fmt: skip
    assert sum(row.shards for row in info.streams) == len(info.shards)
    assert info.coverage.events == 300


def test_nothing_is_decompressed(tmp_path: Path) -> None:
    write(tmp_path, EVENTS)
    explain = Explain()

    info_of(tmp_path, explain=explain)

    assert (explain.blocks_read, explain.bytes_inflated, explain.lines_read) == (0, 0, 0)
    assert explain.blocks_found > 10


def test_types_and_window_pick_shards(tmp_path: Path) -> None:
    write(tmp_path, EVENTS, shard_events=40)

    by_type = info_of(tmp_path, Selection(types=frozenset({"trade"})))
    by_time = info_of(tmp_path, Selection(since_ns=NOON + 290 * SECOND))

    assert {row.stream for row in by_type.shards} == {"data/books"}
    assert len(by_time.shards) == 3
    assert all(row.last_ts is not None and row.last_ts >= "2026-11-20T12:04:50" for row in by_time.shards)


def test_an_open_shard_is_told_from_its_block_headers(tmp_path: Path) -> None:
    paths = write(tmp_path, [Given(NOON + at, "signal", {"n": at}) for at in range(100)])
    opened = open_again(paths[0])
    opened.write_bytes(opened.read_bytes()[:-200])

    (row,) = info_of(tmp_path).shards

    assert (row.sealed, "_open" in row.path) == (False, True)
    assert row.events == 100


def test_a_plain_shard_is_told_as_such(tmp_path: Path) -> None:
    (path,) = write(tmp_path, [Given(NOON, "signal")])
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())))

    (row,) = info_of(tmp_path).shards

    assert (row.plain, row.blocks, row.ratio) == (True, 0, None)
    assert (row.events, row.types, row.first_ts) == (1, {"signal": 1}, "2026-11-20T12:00:00.000000000Z")
    assert row.bytes == path.stat().st_size
