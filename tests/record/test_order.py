"""Sequence, ordinals and time: gapless over streams and threads, never back, by UTC day."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.events.routes import BOOKS, EVENTS, METRICS, TELEMETRY
from polyrecord.record.policy import FlushPolicy, RetryPolicy
from polyrecord.record.recorder import EventRecorder
from polyrecord.record.timeline import STEP_NS, Timeline
from polyrecord.testing import FrozenClock, read_lines
from polyrecord.times import SECOND, parse_ts
from tests.record.archives import assert_accounted, blocks, footers, names, of_type


def test_events_are_numbered_without_a_gap_over_all_streams(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        for number in range(400):
            recorder.record(("signal", "trade", "latency", "event_received")[number % 4], {"n": number})
    events = read_lines(tmp_path)
    assert [event["seq"] for event in events] == list(range(1, 401))
    assert [event["data"]["n"] for event in events] == list(range(400))
    assert {block.shard.stream for block in blocks(tmp_path)} == {EVENTS, BOOKS, METRICS, TELEMETRY}
    assert_accounted(tmp_path)


def test_every_stream_counts_its_own_events_from_one(tmp_path: Path) -> None:
    with EventRecorder(tmp_path, buffer_size=10) as recorder:
        for number in range(100):
            recorder.record("signal" if number % 10 else "trade", {})
    ordinals: dict[str, list[tuple[int, int]]] = {}
    for block in blocks(tmp_path):
        ordinals.setdefault(block.shard.stream, []).append(
            (block.header.first_ordinal, block.header.last_ordinal)
        )
    for stream, count in ((EVENTS, 90), (BOOKS, 10)):
        edges = sorted(ordinals[stream])
        assert (edges[0][0], edges[-1][1]) == (1, count)
        assert all(after[0] == before[1] + 1 for before, after in itertools.pairwise(edges))


def test_threads_share_one_sequence_and_each_keeps_its_order(tmp_path: Path) -> None:
    def work(name: int) -> None:
        for number in range(500):
            recorder.record("signal", {"thread": name, "n": number})

    with EventRecorder(tmp_path) as recorder:
        threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    events = read_lines(tmp_path)
    assert len(events) == 4000
    for name in range(8):
        mine = [event["data"]["n"] for event in events if event["data"]["thread"] == name]
        assert mine == list(range(500))
    assert [event["ts"] for event in events] == sorted(event["ts"] for event in events)
    assert_accounted(tmp_path)


def test_the_header_of_a_block_is_what_its_lines_say(tmp_path: Path) -> None:
    with EventRecorder(tmp_path, buffer_size=7) as recorder:
        for number in range(100):
            recorder.record(("signal", "fill", "trade", "latency")[number % 4], {"n": number})
    for block in blocks(tmp_path):
        seqs = [event["seq"] for event in block.events]
        stamps = [parse_ts(event["ts"]) for event in block.events]
        types = [event["event_type"] for event in block.events]
        h = block.header
        assert (h.events, h.first_seq, h.last_seq) == (len(seqs), seqs[0], seqs[-1])
        assert (h.min_ts, h.max_ts) == (min(stamps), max(stamps))
        assert h.types == {name: types.count(name) for name in set(types)}


def test_a_wall_clock_that_steps_back_leaves_time_going_forward(tmp_path: Path) -> None:
    clock = FrozenClock("2026-11-20T12:00:00Z")
    with EventRecorder(tmp_path, clock=clock) as recorder:
        recorder.record("signal", {"n": 1})
        recorder.flush().wait(5)
        clock.step(-3600)
        clock.advance(1)
        recorder.record("signal", {"n": 2})
        wait_for_step(recorder, tmp_path, 1)
    events = read_lines(tmp_path)
    assert [event["ts"] for event in of_type(events, "signal")] == [
        "2026-11-20T12:00:00.000000000Z",
        "2026-11-20T12:00:01.000000000Z",
    ]
    (step,) = of_type(events, "clock_step")
    assert step["data"] == {
        "step_ns": -3600 * SECOND,
        "offset_ns": -3600 * SECOND,
        "direction": "back",
        "wall_ts": "2026-11-20T11:00:01.000000000Z",
    }


def test_a_wall_clock_that_steps_forward_is_followed(tmp_path: Path) -> None:
    clock = FrozenClock("2026-11-20T12:00:00Z")
    with EventRecorder(tmp_path, clock=clock) as recorder:
        recorder.record("signal", {"n": 1})
        recorder.flush().wait(5)
        clock.step(7200)
        wait_for_step(recorder, tmp_path, 1)
        recorder.record("signal", {"n": 2})
    events = read_lines(tmp_path)
    assert [event["ts"][11:19] for event in of_type(events, "signal")] == ["12:00:00", "14:00:00"]
    (step,) = of_type(events, "clock_step")
    assert (step["data"]["offset_ns"], step["data"]["direction"]) == (7200 * SECOND, "forward")


def wait_for_step(recorder: EventRecorder, root: Path, count: int) -> None:
    """The drain looks at the clock every 25 ms; an event that it recorded shows in the statistics."""
    before = recorder.stats().recorded
    pause = threading.Event()
    for _ in range(200):
        recorder.flush().wait(5)
        if len(of_type(read_lines(root), "clock_step")) >= count:
            return
        pause.wait(0.01)
    pytest.fail(f"no clock step after {before} events")


@given(
    st.lists(
        st.tuples(st.sampled_from(["advance", "step"]), st.integers(-10 * SECOND, 10 * SECOND)), max_size=30
    )
)
def test_no_timestamp_is_before_the_one_given_out_last(moves: list[tuple[str, int]]) -> None:
    clock = FrozenClock()
    timeline, last, steps = Timeline(clock), 0, 0
    for move, amount in moves:
        if move == "advance":
            clock.advance(abs(amount) / SECOND)
        else:
            clock.step(amount / SECOND)
        steps += timeline.check() is not None
        stamp, *more = timeline.stamps([clock.mono_ns() - 50, clock.mono_ns() - 80, clock.mono_ns()])
        assert [last, stamp, *more] == sorted([last, stamp, *more])
        last = timeline.stamp(clock.mono_ns() - 20)
        assert last >= more[-1]
    assert steps <= sum(move == "step" for move, _ in moves)


def test_a_step_back_is_told_once_and_told_again_when_it_grows() -> None:
    clock = FrozenClock()
    timeline = Timeline(clock)
    assert timeline.check() is None
    clock.step(-1)
    told = [timeline.check() for _ in range(3)]
    assert [step and step.offset_ns for step in told] == [-SECOND, None, None]
    clock.step(-1)
    step = timeline.check()
    assert step is not None
    assert step.offset_ns == -2 * SECOND


def test_a_slewed_clock_is_no_step() -> None:
    clock = FrozenClock()
    timeline = Timeline(clock)
    for _ in range(50):
        clock.advance(1)
        clock.wall += STEP_NS // 3
        assert timeline.check() is None
    assert timeline.stamp(clock.mono_ns()) == clock.wall_ns()


@pytest.mark.parametrize(
    ("before", "after"),
    [("2026-11-20", "2026-11-21"), ("2024-02-28", "2024-02-29"), ("2024-02-29", "2024-03-01"),
     ("2025-12-31", "2026-01-01")],
)  # fmt: skip
def test_a_new_utc_date_starts_new_shards(tmp_path: Path, before: str, after: str) -> None:
    clock = FrozenClock(f"{before}T23:59:59.5Z")
    with EventRecorder(tmp_path, clock=clock) as recorder:
        for _ in range(10):
            recorder.record("signal", {})
            recorder.record("trade", {})
            recorder.flush().wait(5)
            clock.advance(0.1)
    for block in blocks(tmp_path):
        assert {event["ts"][:10] for event in block.events} == {block.shard.date}
    assert [(n.stream, n.number, n.date) for n in names(tmp_path)] == [
        (BOOKS, 1, before), (BOOKS, 2, after), (EVENTS, 1, before), (EVENTS, 2, after),
    ]  # fmt: skip
    assert [footer.clean for _, footer in sorted(footers(tmp_path).items())] == [False, True, False, True]
    assert_accounted(tmp_path)


def test_yesterdays_shard_is_sealed_while_the_recorder_goes_on(tmp_path: Path) -> None:
    clock = FrozenClock("2026-11-20T23:59:59Z")
    with EventRecorder(tmp_path, clock=clock) as recorder:
        recorder.record("signal", {})
        recorder.flush().wait(5)
        assert [name.sealed for name in names(tmp_path)] == [False]
        clock.advance(2)
        pause = threading.Event()
        for _ in range(200):
            recorder.flush().wait(5)
            found = names(tmp_path)  # a shard that moves while the folders are listed is in neither of them
            if found and found[0].sealed:
                break
            pause.wait(0.01)
        assert [(name.date, name.sealed) for name in names(tmp_path)] == [("2026-11-20", True)]


@pytest.mark.parametrize(
    ("pending", "age", "due"),
    [(0, 9.0, False), (1, 0.0, False), (1, 0.99, False), (1, 1.0, True), (99, 0.0, False), (100, 0.0, True)],
)
def test_a_flush_is_due_by_events_or_by_age(pending: int, age: float, due: bool) -> None:
    assert FlushPolicy(events=100, seconds=1.0).due(pending, round(age * SECOND)) is due


def test_retries_wait_longer_each_time_up_to_a_ceiling() -> None:
    delays = [RetryPolicy(first=0.1, ceiling=1.0).delay(attempt) for attempt in (1, 2, 3, 4, 5, 6, 10_000)]
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]


def test_events_that_wait_for_a_slow_disk_keep_the_time_they_were_recorded_at(tmp_path: Path) -> None:
    """The drain stops when 8 MB wait for the disk; its ticks must not age what is behind them."""
    root, clock = tmp_path / "archive", FrozenClock("2026-11-20T12:00:00Z")
    root.write_text("in the way")
    with EventRecorder(root, buffer_size=1, clock=clock, retry=RetryPolicy(0.005, 0.02)) as recorder:
        for _ in range(100):
            recorder.record("signal", {"note": "x" * 300_000})
        pause = threading.Event()
        pause.wait(0.2)
        clock.advance(30)
        pause.wait(0.2)
        root.unlink()
    assert {event["ts"] for event in read_lines(root)} == {"2026-11-20T12:00:00.000000000Z"}
