"""While few events wait, the caller leaves the copying and counting of one to the drain."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyrecord import EventRecorder
from polyrecord.clock import SystemClock
from polyrecord.record.buffer import Buffer
from polyrecord.record.hotpath import Record, make_record
from polyrecord.record.item import CLOSE, LIGHT, LIGHT_BYTES, Item, item_size
from polyrecord.record.policy import Overload
from tests.record.archives import blocks

LARGE = 64 << 20


def recording(limit: int, overload: Overload = Overload.DROP_OLDEST) -> tuple[Buffer, Record]:
    """An open buffer and `record()` over it, with nobody who drains."""
    buffer = Buffer(limit, overload)
    buffer.open()
    record = make_record(
        buffer, SystemClock(), None, check=None, check_stream=lambda stream: True,
        rescue=lambda data: b"null", no_room=buffer.put,
    )  # fmt: skip
    return buffer, record


def items(buffer: Buffer) -> list[Item]:
    return [item for item in buffer.items if isinstance(item, tuple)]


def test_an_event_among_few_is_light_until_it_is_taken() -> None:
    buffer, record = recording(LARGE)
    room = buffer.room
    assert record("note", {"n": 1}, "t1")
    (light,) = items(buffer)
    assert (light[5], light[3]) == (LIGHT, b'{"n":1}')
    assert buffer.room == room
    (whole,) = buffer.take(10)
    assert isinstance(whole, tuple)
    assert whole == (light[0], "note", "t1", b'{"n":1}' + CLOSE, None, None)
    assert buffer.room == room - item_size(whole)
    buffer.release(item_size(whole))
    assert buffer.room == room


def test_an_event_that_waits_counts_as_used_whether_it_is_light_or_not() -> None:
    buffer, record = recording(LARGE)
    for number in range(3000):
        record("note", number)
    assert {item[5] for item in items(buffer)} == {LIGHT, None}
    used = buffer.used
    assert used == pytest.approx(3000 * 205, rel=0.02)
    buffer.take(10_000)
    assert buffer.used == pytest.approx(used, rel=0.02)


def test_so_many_events_are_light_that_the_bound_holds_with_their_large_buffers() -> None:
    """The encoder's buffer is 4 KiB, whatever is in it."""
    for limit in (10_000, 1 << 20, LARGE):
        buffer, record = recording(limit)
        before, most = buffer.room, 0
        for number in range(2500):
            record("note", number)
            if number % 20 == 0:
                most = max(most, sum(item[5] == LIGHT for item in items(buffer)))
        assert most * (4096 + 200) + before <= limit
        assert (most > 0) == (limit > 40_000)


@pytest.mark.parametrize("data", ["x" * LIGHT_BYTES, "x" * 100_000])
def test_a_large_event_is_counted_at_once(data: str) -> None:
    buffer, record = recording(LARGE)
    room = buffer.room
    record("note", data)
    assert buffer.room == room - len(data) - 2 - len(CLOSE) - 200


def test_an_event_with_a_stream_of_its_own_is_counted_at_once() -> None:
    buffer, record = recording(LARGE)
    record("note", 1, stream="data/books")
    assert items(buffer)[0][5] == "data/books"


def test_nothing_is_light_before_the_buffer_opens_and_after_it_closes() -> None:
    buffer, _ = recording(LARGE)
    assert (Buffer(LARGE, Overload.DROP_OLDEST).light, buffer.light > 0) == (0, True)
    buffer.close()
    assert buffer.light == 0
    buffer.empty()
    assert buffer.light == 0


@pytest.mark.parametrize("overload", [Overload.DROP_OLDEST, Overload.DROP_NEWEST, Overload.PRIORITY])
def test_light_events_give_way_like_the_others_and_are_counted(overload: Overload) -> None:
    buffer, record = recording(1 << 20, overload)
    room = buffer.room
    kinds = ("trade", "signal", "fill")
    for number in range(9000):
        record(kinds[number % 3], number)
    taken: list[Item] = []
    while some := buffer.take(1000):
        taken += [item for item in some if isinstance(item, tuple)]
    assert len(taken) + buffer.drops.total == 9000
    assert sum(map(item_size, taken)) <= (1 << 20)
    loss = buffer.drops.take()
    assert loss is not None
    assert (loss.count, {stream for _, stream in loss.events}) == (buffer.drops.total, {None})
    for item in taken:
        buffer.release(item_size(item))
    assert buffer.take(1) == []
    assert (buffer.room, buffer.light > 0) == (room, True)
    if overload is Overload.PRIORITY:
        assert {item[1] for item in taken} == {"signal", "fill"}


def test_light_and_counted_events_are_read_back_alike(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        for number in range(20_000):
            assert recorder.record("note", {"n": number, "large": "x" * (5000 * (number % 500 == 0))}, "ab")
    found = [event for block in blocks(tmp_path) for event in block.events]
    assert [event["data"]["n"] for event in found] == list(range(20_000))
    assert recorder.stats().buffered_bytes == 0
