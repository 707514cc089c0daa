"""Blocks of a writer go out once everything before them is there, or after a while."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from polyrecord.format.layout import ShardName
from polyrecord.read.archive import ShardInfo
from polyrecord.read.blocks import PlannedBlock
from polyrecord.read.tail.settle import PATIENCE, WriterQueue
from polyrecord.read.tail.shards import Found


def block(
    first: int, last: int, events: int | None = None, *, lost: int = 0, stream: str = "data/a"
) -> Found:
    info = ShardInfo(Path(), ShardName(stream, "w", 1, "2026-11-20", sealed=False))
    count = last - first + 1 if events is None else events
    return Found(PlannedBlock(info, 0, 1, count, first, last, 0, 0, 1), first, last, count, lost)


def taken(queue: WriterQueue, now: float = 0.0, poll: int = 1) -> list[int]:
    return [found.first_seq for found in queue.take(now, poll)]


def test_what_follows_on_goes_out_at_once() -> None:
    queue = WriterQueue(0)
    queue.add(block(1, 10), 0, 1)
    assert taken(queue) == [1]
    queue.add(block(11, 12), 0, 2)
    assert taken(queue) == [11]
    assert not queue.is_waiting


def test_a_block_that_overtook_another_streams_waits_for_it() -> None:
    queue = WriterQueue(0)
    queue.add(block(2, 9, 4), 0, 1)
    assert taken(queue) == []
    assert queue.is_waiting
    queue.add(block(1, 8, 5, stream="data/b"), 0.2, 2)
    assert taken(queue, 0.2, 2) == [1, 2]


def test_what_is_complete_goes_out_although_something_after_it_is_not() -> None:
    queue = WriterQueue(0)
    for found in (block(1, 4, 2), block(2, 3, 2), block(6, 9, 4)):
        queue.add(found, 0, 1)
    assert taken(queue) == [1, 2]
    assert queue.is_waiting


def test_events_declared_lost_are_not_waited_for() -> None:
    queue = WriterQueue(0)
    queue.add(block(1, 3), 0, 1)
    queue.add(block(9, 9, lost=5, stream="logs/telemetry"), 0, 1)
    assert taken(queue) == [1, 9]


def test_after_a_while_a_block_goes_out_whatever_is_missing() -> None:
    queue = WriterQueue(0)
    queue.add(block(5, 9), 0, 1)
    assert taken(queue, PATIENCE - 0.1, 8) == []
    assert taken(queue, PATIENCE, 9) == [5]
    queue.add(block(10, 12), PATIENCE, 9)
    assert taken(queue, PATIENCE, 9) == [10]


def test_a_slow_poll_alone_makes_nothing_overdue() -> None:
    """One that took long may itself have missed what it now looks for."""
    queue = WriterQueue(0)
    queue.add(block(5, 9), 0, 1)
    assert taken(queue, 60, 2) == []
    assert taken(queue, 60, 3) == [5]


def test_of_a_writer_met_half_way_the_first_block_is_the_beginning() -> None:
    queue = WriterQueue(None)
    queue.add(block(41, 50), 0, 1)
    assert taken(queue) == [41]


def test_what_comes_too_late_goes_out_at_once() -> None:
    queue = WriterQueue(50)
    queue.add(block(30, 40), 0, 1)
    assert taken(queue) == [30]


def test_of_a_writer_that_is_not_steady_a_block_goes_out_once_another_poll_found_nothing_before_it() -> None:
    """Its shards of two dates grew between the looks at the one and at the other."""
    queue = WriterQueue(0, is_steady=False)
    queue.add(block(11, 20), 0, 1)
    assert taken(queue, 0, 1) == []
    queue.add(block(1, 10), 0, 2)
    queue.add(block(31, 40), 0, 2)
    assert taken(queue, 0, 2) == [1, 11]
    queue.add(block(21, 30), 0, 3)
    assert taken(queue, 0, 3) == [21, 31]


def test_whoever_cannot_wait_still_takes_only_what_is_sure() -> None:
    queue = WriterQueue(0, is_steady=False)
    queue.add(block(11, 20), 0, 1)
    queue.add(block(21, 30), 0, 2)
    queue.add(block(1, 10, stream="data/b"), 0, 2)
    assert [found.first_seq for found in queue.take(0, 2, at_once=True)] == [11]


@given(st.permutations(range(8)), st.lists(st.integers(0, 2), min_size=40, max_size=40))
def test_whatever_the_order_of_discovery_the_order_of_delivery_is_by_seq(
    order: list[int], streams: list[int]
) -> None:
    """Eight flushes of five events each over three streams: the blocks of each are found in any order."""
    flushes = []
    for flush in range(8):
        seqs = range(flush * 5 + 1, flush * 5 + 6)
        of_stream = [[seq for seq in seqs if streams[seq - 1] == stream] for stream in range(3)]
        flushes.append([block(own[0], own[-1], len(own)) for own in of_stream if own])
    queue = WriterQueue(0)
    out: list[Found] = []
    for flush in order:
        for found in flushes[flush]:
            queue.add(found, 0, 1)
            out += queue.take(0, 1)
    assert not queue.is_waiting
    assert [found.first_seq for found in out] == sorted(found.first_seq for found in out)
