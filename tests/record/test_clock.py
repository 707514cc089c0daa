"""Time that steps, slews, stands still or passes midnight: what the timestamps and the ledger say."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.record.policy import SyncPolicy
from polyrecord.record.recorder import EventRecorder
from polyrecord.record.timeline import Timeline
from polyrecord.testing import FrozenClock, read_lines, shard_files
from polyrecord.times import SECOND
from tests.record.archives import assert_accounted, names


def test_a_clock_slewed_back_is_followed_slowly_and_no_time_repeats() -> None:
    """At 500 ppm, as NTP does: after an hour of it the timestamps are still the clock's."""
    clock = FrozenClock()
    line = Timeline(clock)
    last = 0
    for _ in range(36_000):
        clock.advance(0.1)
        clock.wall -= 50_000
        assert line.check() is None
        now = line.stamp(clock.mono_ns())
        assert now > last
        last = now
    assert abs(last - clock.wall_ns()) < 100_000


def test_a_clock_slewed_forward_is_followed_at_once() -> None:
    clock = FrozenClock()
    line = Timeline(clock)
    for _ in range(100):
        clock.advance(0.1)
        clock.wall += 50_000
        assert line.check() is None
    assert line.stamp(clock.mono_ns()) == clock.wall_ns()


def test_a_machine_that_was_suspended_wakes_to_the_right_time(tmp_path: Path) -> None:
    """The monotonic clock stood still meanwhile: a step forward, and the right date."""
    clock = FrozenClock("2026-11-20T23:30:00Z")
    with EventRecorder(tmp_path, clock=clock) as recorder:
        recorder.record("signal", {"n": 1})
        recorder.flush().wait(10)
        clock.step(8 * 3600)
        deadline_events(recorder)
        recorder.record("signal", {"n": 2})
    events = read_lines(tmp_path)
    (step,) = [event for event in events if event["event_type"] == "clock_step"]
    assert (step["data"]["direction"], step["data"]["offset_ns"]) == ("forward", 8 * 3600 * SECOND)
    assert [e["ts"][:13] for e in events if e["event_type"] == "signal"] == ["2026-11-20T23", "2026-11-21T07"]
    dates = {name.date for name in names(tmp_path) if name.stream == "data/events"}
    assert dates == {"2026-11-20", "2026-11-21"}


def deadline_events(recorder: EventRecorder) -> None:
    """Wait until the drain has looked at the clock."""
    import time

    before = recorder.stats().recorded
    deadline = time.monotonic() + 10
    while recorder.stats().recorded == before:
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    ("start", "dates"),
    [
        ("2028-02-28T23:59:59Z", ["2028-02-28", "2028-02-29"]),
        ("2028-02-29T23:59:59Z", ["2028-02-29", "2028-03-01"]),
        ("2026-02-28T23:59:59Z", ["2026-02-28", "2026-03-01"]),
        ("2026-12-31T23:59:59Z", ["2026-12-31", "2027-01-01"]),
        ("2026-03-29T00:59:59Z", ["2026-03-29"]),  # summer time begins, in zones that are not ours
    ],
)
def test_events_lie_under_their_own_utc_date(tmp_path: Path, start: str, dates: list[str]) -> None:
    clock = FrozenClock(start)
    with EventRecorder(tmp_path, clock=clock) as recorder:
        for at in range(4):
            recorder.record("signal", {"n": at})
            recorder.flush().wait(10)
            clock.advance(0.5)
    assert [name.date for name in names(tmp_path)] == dates
    for path in shard_files(tmp_path):
        lines = [line for line in read_lines(tmp_path) if f"date={line['ts'][:10]}" in str(path)]
        assert lines
    assert_accounted(tmp_path)


MOVES = st.lists(
    st.tuples(st.sampled_from(["step", "advance", "slew"]), st.floats(-90_000, 90_000)), max_size=30
)


@given(MOVES)
def test_whatever_the_wall_clock_does_timestamps_never_go_back(moves: list[tuple[str, float]]) -> None:
    clock = FrozenClock()
    line = Timeline(clock)
    last = line.stamp(clock.mono_ns())
    for kind, amount in moves:
        if kind == "step":
            clock.step(amount)
        elif kind == "slew":
            clock.wall += round(amount * 1_000)
        else:
            clock.advance(abs(amount) / 1_000)
        line.check()
        now = line.stamp(clock.mono_ns())
        assert now >= last
        last = now


def test_each_step_is_told_with_its_own_size_and_direction_whatever_came_before() -> None:
    """Also one that is undone: the clock is right again, and that too is a step."""
    clock = FrozenClock()
    line = Timeline(clock)
    for seconds in (-3600, 3600, 2, -86_400, 2, 86_398, -2, -2, 5):
        clock.step(seconds)
        step = line.check()
        assert step is not None
        assert step.step_ns == seconds * SECOND
        assert line.check() is None
    assert line.stamp(clock.mono_ns()) == clock.wall_ns()


def test_a_sync_mode_may_be_given_by_its_name() -> None:
    assert SyncPolicy("flush").due(1, 0, flushed=True)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="sometimes"):
        SyncPolicy("sometimes")  # type: ignore[arg-type]
