"""Overload by priority and by waiting, the loss hook, and losses while nothing can be written."""

from __future__ import annotations

import asyncio
import gc
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.record.buffer import Buffer
from polyrecord.record.item import OVERHEAD, Item, item_size
from polyrecord.record.outcomes import FlushTicket, LossNotice
from polyrecord.record.policy import Overload, RetryPolicy
from polyrecord.record.priority import priority_of
from polyrecord.record.recorder import EventRecorder
from polyrecord.testing import read_lines
from tests.record.archives import assert_accounted, of_type

PAYLOAD = b'{"n":1}\n'
SIZE = OVERHEAD + len(PAYLOAD)
QUICK = RetryPolicy(first=0.005, ceiling=0.02, at_close=0.5)
TYPES = ("orderbook_delta", "latency", "order_request")  # priorities 0, 1, 2


def event(number: int, event_type: str) -> Item:
    return (number, event_type, None, PAYLOAD, None, None)


def by_priority(events: int) -> Buffer:
    buffer = Buffer(events * SIZE, Overload.PRIORITY)
    buffer.open()
    return buffer


def drained(buffer: Buffer) -> list[tuple[int, str]]:
    return [(item[0], item[1]) for item in buffer.take(10_000) if isinstance(item, tuple)]


@contextmanager
def failing(root: Path) -> Iterator[None]:
    """A file stands where the archive should be."""
    root.write_text("in the way")
    yield
    root.unlink()


@pytest.mark.parametrize(
    ("event_type", "stream", "priority"),
    [("orderbook_snapshot", None, 0), ("raw_frame", None, 0), ("latency", None, 1), ("loss", None, 1),
     ("signal", None, 2), ("fill", None, 2), ("decision", None, 2), ("made up", None, 2),
     ("signal", "data/books", 0), ("orderbook_delta", "data/events", 2), ("x", "data/own", 1), (7, None, 2)],
)  # fmt: skip
def test_what_the_bot_did_matters_most_and_what_the_market_did_least(
    event_type: str, stream: str | None, priority: int
) -> None:
    assert priority_of(event_type, stream) == priority


def test_books_give_way_to_orders_whichever_came_first() -> None:
    buffer = by_priority(4)
    for number in (1, 2):
        assert buffer.put(event(number, "order_request"), SIZE)
    for number in (3, 4):
        assert buffer.put(event(number, "orderbook_delta"), SIZE)
    assert buffer.put(event(5, "fill"), SIZE)
    assert buffer.put(event(6, "orderbook_delta"), SIZE)
    assert [number for number, _ in drained(buffer)] == [1, 2, 5, 6]
    assert buffer.drops.total == 2


def test_a_book_does_not_displace_an_order() -> None:
    buffer = by_priority(3)
    for number in (1, 2, 3):
        assert buffer.put(event(number, "order_request"), SIZE)
    assert not buffer.put(event(4, "orderbook_delta"), SIZE)
    assert [number for number, _ in drained(buffer)] == [1, 2, 3]
    assert buffer.drops.by_reason == {"buffer_full": 1}


def test_among_equals_the_oldest_gives_way() -> None:
    buffer = by_priority(3)
    for number in range(1, 6):
        assert buffer.put(event(number, "fill"), SIZE)
    assert [number for number, _ in drained(buffer)] == [3, 4, 5]


def test_a_flush_keeps_its_place_among_what_survives() -> None:
    buffer = by_priority(3)
    ticket = FlushTicket()
    buffer.put(event(1, "fill"), SIZE)
    buffer.items.append(ticket)
    for number in (2, 3):
        buffer.put(event(number, "trade"), SIZE)
    buffer.put(event(4, "fill"), SIZE)
    taken = buffer.take(10)
    assert taken.index(ticket) == 1
    assert [item[0] for item in taken if isinstance(item, tuple)] == [1, 3, 4]


@given(st.lists(st.sampled_from(TYPES), max_size=80), st.integers(1, 20), st.integers(0, 30))
def test_nothing_is_dropped_while_something_that_matters_less_is_kept(
    types: list[str], limit: int, taken_at: int
) -> None:
    """Against a model: drop the oldest of the lowest priority, and order is kept."""
    buffer = by_priority(limit)
    model: list[tuple[int, str]] = []
    got: list[tuple[int, str]] = []
    for number, event_type in enumerate(types, start=1):
        if number == taken_at:
            part = [(item[0], item[1]) for item in buffer.take(3) if isinstance(item, tuple)]
            buffer.release(len(part) * SIZE)
            assert part == model[:3]
            got, model = part, model[3:]
        kept = buffer.put(event(number, event_type), SIZE)
        assert kept == _put(model, (number, event_type), limit)
    rest = drained(buffer)
    assert rest == model
    assert len(got) + len(rest) + buffer.drops.total == len(types)


def _put(model: list[tuple[int, str]], new: tuple[int, str], limit: int) -> bool:
    if len(model) >= limit:
        lowest = min(priority_of(event_type, None) for _, event_type in model)
        if lowest > priority_of(new[1], None):
            return False
        model.remove(next(entry for entry in model if priority_of(entry[1], None) == lowest))
    model.append(new)
    return True


def test_a_caller_never_looks_through_a_long_queue_at_once() -> None:
    """What matters most gets in all the same, a little over the bound; the rest gives way."""
    buffer = by_priority(20_000)
    for number in range(20_000):
        buffer.put(event(number, "fill"), SIZE)
    assert not buffer.put(event(20_000, "trade"), SIZE)
    assert buffer.waiting == 20_000
    assert len(buffer.items) >= 20_000 - 512
    assert buffer.put(event(20_001, "fill"), SIZE)


def test_orders_survive_a_disk_that_fails_while_books_flood_the_buffer(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    with failing(root):
        recorder = EventRecorder(root, overload="priority", buffer_bytes=100_000, retry=QUICK)
        for number in range(3_000):
            recorder.record("orderbook_delta", {"n": number})
            if number % 50 == 0:
                assert recorder.record("order_request", {"n": number})
    assert recorder.close().wait(20).ok
    events = read_lines(root)
    assert [e["data"]["n"] for e in of_type(events, "order_request")] == list(range(0, 3_000, 50))
    assert sum(e["data"]["count"] for e in of_type(events, "loss")) == recorder.stats().dropped > 1_000
    assert_accounted(root)


async def test_a_helper_that_is_awaited_waits_for_room_instead_of_losing_its_event(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    with failing(root):
        recorder = EventRecorder(root, overload="wait", buffer_bytes=20_000, retry=QUICK)
        while recorder.record("trade", {"n": 0}):
            pass
        waiting = asyncio.create_task(recorder.record_signal(strategy="arb"))
        again = recorder.log_event("note", {"n": 1})
        assert not again
        await asyncio.sleep(0.05)
        assert not waiting.done()
    assert await asyncio.wait_for(waiting, 10)
    assert await again
    assert again
    await recorder.close()
    events = read_lines(root)
    assert [len(of_type(events, name)) for name in ("signal", "note")] == [1, 1]
    assert_accounted(root)


async def test_a_wait_that_is_cancelled_or_never_begun_is_a_loss_that_is_declared(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    with failing(root):
        recorder = EventRecorder(root, overload="wait", buffer_bytes=5_000, retry=QUICK)
        while recorder.record("trade", {"n": 0}):
            pass
        before = recorder.stats().dropped
        forgotten = recorder.record_signal(strategy="forgotten")
        assert not forgotten
        del forgotten
        gc.collect()
        cancelled = asyncio.create_task(recorder.record_signal(strategy="cancelled"))
        await asyncio.sleep(0.01)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert recorder.stats().dropped_by["not_awaited"] == 2 == recorder.stats().dropped - before
    await recorder.close()
    assert_accounted(root)


async def test_a_close_ends_the_waiting(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    with failing(root):
        recorder = EventRecorder(root, overload="wait", buffer_bytes=5_000, retry=QUICK)
        while recorder.record("trade", {"n": 0}):
            pass
        waiting = asyncio.create_task(recorder.record_signal(strategy="arb"))
        await asyncio.sleep(0.01)
        closing = recorder.close()
        assert await asyncio.wait_for(waiting, 10) is False
        await closing


def test_the_hook_is_told_of_every_loss_once_however_it_behaves(tmp_path: Path) -> None:
    notices: list[LossNotice] = []

    def hook(notice: LossNotice) -> None:
        notices.append(notice)
        raise RuntimeError("the bot's own trouble")

    root = tmp_path / "archive"
    with failing(root):
        recorder = EventRecorder(root, buffer_bytes=5_000, retry=QUICK, on_loss=hook)
        for number in range(500):
            recorder.record("signal", {"n": number})
        recorder.record("signal", {}, stream="nowhere")
        deadline = time.monotonic() + 10
        while not notices:
            assert time.monotonic() < deadline
            time.sleep(0.005)
    assert recorder.close().wait(10).ok
    stats = recorder.stats()
    assert sum(notice.count for notice in notices) == notices[-1].total == stats.dropped > 400
    assert Counter(notices[-1].by_reason) == Counter(stats.dropped_by)
    assert stats.dropped_by["bad_stream"] == 1


def test_losses_while_the_disk_fails_are_declared_together_when_it_works_again(tmp_path: Path) -> None:
    """Declared one by one they would fill the memory that the bound protects."""
    root = tmp_path / "archive"
    with failing(root):
        recorder = EventRecorder(root, buffer_bytes=20_000, retry=QUICK)
        for number in range(60):
            for _ in range(100):
                recorder.record("signal", {"n": number})
            time.sleep(0.005)
        assert recorder.stats().buffered_bytes <= 20_000
    assert recorder.close().wait(10).ok
    losses = of_type(read_lines(root), "loss")
    assert 1 <= len(losses) < 10
    assert_accounted(root)


def test_with_the_oldest_dropped_the_newest_are_there_after_a_failing_disk(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    with failing(root):
        recorder = EventRecorder(root, buffer_bytes=50_000, retry=QUICK)
        for number in range(2_000):
            recorder.record("signal", {"n": number})
            if number % 20 == 0:
                time.sleep(0.001)
    assert recorder.close().wait(10).ok
    kept = [e["data"]["n"] for e in of_type(read_lines(root), "signal")]
    assert kept[-50:] == list(range(1_950, 2_000))
    assert_accounted(root)


def test_a_small_buffer_is_written_before_its_time_when_it_fills(tmp_path: Path) -> None:
    """By events and by age nothing is due yet."""
    with EventRecorder(tmp_path, buffer_bytes=64_000, flush_interval=60, buffer_size=100_000) as recorder:
        for number in range(250):
            assert recorder.record("signal", {"n": number})
        deadline = time.monotonic() + 10
        while not recorder.stats().written:
            assert time.monotonic() < deadline
            time.sleep(0.005)


def test_types_made_up_at_run_time_do_not_make_a_loss_endless(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    with failing(root):
        recorder = EventRecorder(root, buffer_bytes=2_000, retry=QUICK)
        for number in range(1_000):
            recorder.record(f"type-{number}", {}, stream="data/own" if number % 2 else None)
    assert recorder.close().wait(10).ok
    losses = of_type(read_lines(root), "loss")
    assert max(len(loss["data"]["event_types"]) for loss in losses) <= 202
    assert_accounted(root)


def test_an_item_counts_what_it_takes() -> None:
    assert item_size(event(1, "signal")) == SIZE
