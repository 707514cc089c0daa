"""Bulk writes: all of it or none of it, once."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import UsageError
from polyrecord.format.block import parse_header
from polyrecord.record.bulk import BulkWriter
from polyrecord.record.policy import BlockPolicy, RotatePolicy
from polyrecord.testing import read_lines, shard_files
from polyrecord.times import SECOND, parse_ts
from tests.record.archives import assert_accounted, blocks, footers, names

WRITER = "import.0123456789abcdef"
NOON = parse_ts("2026-11-20T12:00:00Z")
DAY = 86_400 * SECOND


def manifest(root: Path) -> dict[str, Any]:
    told: dict[str, Any] = orjson.loads((root / "logs" / "_writers" / f"{WRITER}.json").read_bytes())
    return told


def fill(bulk: BulkWriter, count: int = 10, start: int = NOON) -> None:
    for number in range(count):
        bulk.add(start + number, "trade" if number % 2 else "signal", b'{"n":%d}' % number)


def test_events_are_sealed_with_the_times_they_came_with(tmp_path: Path) -> None:
    with BulkWriter(tmp_path, WRITER, metadata={"source": "x.log"}) as bulk:
        fill(bulk)
        outcome = bulk.finish(lines=10)
    assert outcome.events == 10
    assert sorted(outcome.shards) == shard_files(tmp_path)
    assert all(name.sealed and name.writer == WRITER for name in names(tmp_path))
    assert [event["ts"][-10:] for event in read_lines(tmp_path)] == [f"00000000{n}Z" for n in range(10)]
    assert [event["seq"] for event in read_lines(tmp_path)] == list(range(1, 11))
    told = manifest(tmp_path)
    assert (bool(told["ended"]), told["metadata"]) == (True, {"source": "x.log", "lines": 10})
    assert_accounted(tmp_path)


def test_leaving_the_block_finishes(tmp_path: Path) -> None:
    with BulkWriter(tmp_path, WRITER) as bulk:
        fill(bulk)
    assert manifest(tmp_path)["ended"]
    assert len(read_lines(tmp_path)) == 10


def test_an_error_discards_what_was_written_sealed_shards_too(tmp_path: Path) -> None:
    def interrupted() -> None:
        with BulkWriter(tmp_path, WRITER, rotate=RotatePolicy(max_events=2), blocks=BlockPolicy(1)) as bulk:
            fill(bulk, 20)
            assert any(name.sealed for name in names(tmp_path))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert shard_files(tmp_path) == []


def test_what_was_discarded_may_be_written_again(tmp_path: Path) -> None:
    bulk = BulkWriter(tmp_path, WRITER, blocks=BlockPolicy(1))
    fill(bulk)
    bulk.discard()
    assert shard_files(tmp_path) == []
    with BulkWriter(tmp_path, WRITER) as again:
        fill(again)
    assert len(read_lines(tmp_path)) == 10


def test_what_an_interrupted_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """A crash leaves open and sealed shards, and a manifest that does not say complete."""
    crashed = BulkWriter(tmp_path, WRITER, rotate=RotatePolicy(max_events=2), blocks=BlockPolicy(1))
    fill(crashed, 20)
    assert {name.sealed for name in names(tmp_path)} == {True, False}
    assert not manifest(tmp_path)["ended"]
    with BulkWriter(tmp_path, WRITER) as bulk:
        assert shard_files(tmp_path) == []
        fill(bulk)
    assert [event["data"]["n"] for event in read_lines(tmp_path)] == list(range(10))


def test_the_shards_of_others_are_left_alone(tmp_path: Path) -> None:
    with BulkWriter(tmp_path, "import.fedcba9876543210") as other:
        fill(other)
    with BulkWriter(tmp_path, WRITER) as bulk:
        fill(bulk)
        bulk.discard()
    assert {name.writer for name in names(tmp_path)} == {"import.fedcba9876543210"}


def test_a_run_that_is_complete_is_not_written_again(tmp_path: Path) -> None:
    with BulkWriter(tmp_path, WRITER) as bulk:
        fill(bulk)
    before = [path.read_bytes() for path in shard_files(tmp_path)]
    with pytest.raises(UsageError, match="complete"):
        BulkWriter(tmp_path, WRITER)
    assert [path.read_bytes() for path in shard_files(tmp_path)] == before


@pytest.mark.parametrize("writer", ["../x", "", "A", "a-b", "*"])
def test_a_writer_that_is_no_name_is_refused(tmp_path: Path, writer: str) -> None:
    with pytest.raises(UsageError, match="not a writer id"):
        BulkWriter(tmp_path, writer)


@pytest.mark.parametrize("data", [b'{"a":\n1}', b"{}\n", b"\r{}", b"\n"])
def test_data_with_a_line_break_is_refused(tmp_path: Path, data: bytes) -> None:
    bulk = BulkWriter(tmp_path, WRITER)
    with pytest.raises(ValueError, match="line break"):
        bulk.add(NOON, "signal", data)
    bulk.discard()


def test_times_may_go_back_and_each_date_has_its_own_shard(tmp_path: Path) -> None:
    with BulkWriter(tmp_path, WRITER) as bulk:
        for number, day in enumerate((3, 1, 2, 1, 3)):
            bulk.add(NOON + day * DAY, "signal", b'{"n":%d}' % number)
    assert [(name.number, name.date) for name in names(tmp_path)] == [
        (1, "2026-11-23"),
        (2, "2026-11-21"),
        (3, "2026-11-22"),
    ]
    assert [event["data"]["n"] for event in read_lines(tmp_path)] == [0, 1, 2, 3, 4]
    for block in blocks(tmp_path):
        assert {event["ts"][:10] for event in block.events} == {block.shard.date}
    assert [footer.clean for _, footer in sorted(footers(tmp_path).items())] == [False, False, True]


def test_times_of_all_centuries_are_kept(tmp_path: Path) -> None:
    stamps = (
        "1700-01-01T00:00:00.000000000Z",
        "1969-12-31T23:59:59.999999999Z",
        "2262-01-01T00:00:00.000000000Z",
    )
    with BulkWriter(tmp_path, WRITER) as bulk:
        for stamp in stamps:
            bulk.add(parse_ts(stamp), "signal", b"{}")
    assert [event["ts"] for event in read_lines(tmp_path)] == list(stamps)
    assert sorted(name.date for name in names(tmp_path)) == [stamp[:10] for stamp in stamps]


def test_ids_envelope_and_streams_are_kept_and_indexed(tmp_path: Path) -> None:
    with BulkWriter(tmp_path, WRITER, index_keys=["data.market"]) as bulk:
        bulk.add(
            NOON, "custom", b'{"market":"m"}', trace_id="4F1C", envelope={"bot_id": "b"}, stream="data/mine"
        )
    (path,) = shard_files(tmp_path)
    (event,) = read_lines(tmp_path)
    assert (event["trace_id"], event["bot_id"], names(tmp_path)[0].stream) == ("4F1C", "b", "data/mine")
    header = parse_header(path.read_bytes())
    assert (list(header.trace_keys), len(header.value_keys), header.paths) == (
        [0x4F1C0000], 1, ("data.market",),
    )  # fmt: skip


def test_data_is_kept_byte_for_byte(tmp_path: Path) -> None:
    odd = b'{"b" : 1.0,  "a":1e400, "s":"\\u00e9\\/", "n": 123456789012345678901234567890}'
    with BulkWriter(tmp_path, WRITER) as bulk:
        bulk.add(NOON, "signal", odd)
    (block,) = blocks(tmp_path)
    assert block.events[0]["data"] == json.loads(odd)
    assert block.header.content_length == len(b'{"ts":"2026-11-20T12:00:00.000000000Z","seq":1,') + len(
        b'"event_type":"signal","data":'
    ) + len(odd) + len(b"}\n")


def test_a_writer_of_nothing_is_complete_and_leaves_no_shard(tmp_path: Path) -> None:
    with BulkWriter(tmp_path, WRITER) as bulk:
        assert bulk.finish().shards == ()
    assert shard_files(tmp_path) == []
    assert manifest(tmp_path)["ended"]


def test_a_time_that_64_bits_cannot_hold_is_refused(tmp_path: Path) -> None:
    with BulkWriter(tmp_path, WRITER) as bulk:
        with pytest.raises(ValueError, match="1677 to 2262"):
            bulk.add(1 << 63, "signal", b"{}")
        bulk.add((1 << 63) - 1, "signal", b"{}")
    assert [line["ts"] for line in read_lines(tmp_path)] == ["2262-04-11T23:47:16.854775807Z"]


@given(
    st.lists(st.integers(-3 * DAY, 3 * DAY), min_size=1, max_size=40),
    st.booleans(),
    st.sampled_from([1, 500, 1 << 18]),
)
def test_events_in_any_order_of_time_keep_their_times_and_order(
    times: list[int], in_order: bool, content_bytes: int
) -> None:
    times = sorted(times) if in_order else times
    with TemporaryDirectory() as folder:
        root = Path(folder)
        with BulkWriter(root, WRITER, blocks=BlockPolicy(content_bytes)) as bulk:
            for ts in times:
                bulk.add(NOON + ts, "signal", b"{}")
        events = sorted(read_lines(root), key=lambda event: int(event["seq"]))
        assert [parse_ts(event["ts"]) for event in events] == [NOON + ts for ts in times]
        for block in blocks(root):
            own = [parse_ts(event["ts"]) for event in block.events]
            assert (block.header.min_ts, block.header.max_ts) == (min(own), max(own))
            assert len({event["ts"][:10] for event in block.events}) == 1
        assert_accounted(root)


def test_an_event_that_cannot_be_recorded_is_an_error_and_nothing_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"signal at .*000005Z cannot be recorded"):
        _record_broken(tmp_path)
    assert list(tmp_path.rglob("*.gz")) == []


def _record_broken(root: Path) -> None:
    """The broken one is looked at as the writer finishes, when much of the rest is written and sealed."""
    with BulkWriter(root, WRITER, blocks=BlockPolicy(1_000), rotate=RotatePolicy(max_events=50)) as bulk:
        for number in range(200):
            bulk.add(NOON - 200 + number, "signal", b'{"why":"%b"}' % (b"x" * 150))
        assert shard_files(root)
        bulk.add(NOON + 5, "signal", b'{"order_id":')
