"""Wall time that never goes back: one anchor plus the monotonic clock (docs/format.md, section 2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from polyrecord.clock import Clock
from polyrecord.times import format_ts

STEP_NS = 100_000_000  # a clock that is off by more has stepped; less is slew
_SLOWEST = 10  # slewed back, our time runs at least at 9/10 of its pace: it must go on, and events keep apart


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The wall clock moved by `step_ns` against the monotonic one, and is `offset_ns` from our time now."""

    step_ns: int
    offset_ns: int
    wall_ns: int


class Timeline:
    """Turns monotonic times into timestamps and watches the wall clock for steps."""

    __slots__ = ("_anchor", "_checked", "_clock", "_last", "_reported")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._checked = clock.mono_ns()
        self._anchor = clock.wall_ns() - self._checked
        self._last = 0
        self._reported = 0

    def wall(self, mono_ns: int) -> int:
        """Wall nanoseconds of a monotonic time, which may be earlier than one given out."""
        return mono_ns + self._anchor

    def stamp(self, mono_ns: int) -> int:
        """Wall nanoseconds of a monotonic time; never less than the last one given out.

        Threads may hand over events a few microseconds out of order: the later one gets the same time.
        """
        ts = mono_ns + self._anchor
        if ts > self._last:
            self._last = ts
        return self._last

    def stamps(self, mono_ns: Iterable[int]) -> list[int]:
        """The same for several, in the order of the events; at least one."""
        anchor = self._anchor
        stamps = [mono + anchor for mono in mono_ns]
        if stamps[0] < self._last or stamps != sorted(stamps):
            stamps = list(accumulate(stamps, max, initial=self._last))[1:]
        self._last = stamps[-1]
        return stamps

    def check(self) -> ClockStep | None:
        """Compare with the wall clock and follow it: forward at once, back only by going slower.

        After a step back the anchor stays, so timestamps go on from where they were; the offset is
        reported once, and again when it changes by more than a step. A clock that is slewed back is followed.
        """
        wall, mono = self._clock.wall_ns(), self._clock.mono_ns()
        passed, self._checked = mono - self._checked, mono
        offset = wall - mono - self._anchor
        step = offset - self._reported
        if offset > 0:
            self._anchor += offset
            self._reported = 0
        elif offset > -STEP_NS:
            self._anchor -= min(-offset, passed // _SLOWEST)
            self._reported = 0
        elif abs(step) >= STEP_NS:
            self._reported = offset
        return ClockStep(step, offset, wall) if abs(step) >= STEP_NS else None


def clock_step_data(step: ClockStep) -> dict[str, Any]:
    """The data of a `clock_step` event."""
    return {
        "step_ns": step.step_ns,
        "offset_ns": step.offset_ns,
        "direction": "back" if step.step_ns < 0 else "forward",
        "wall_ts": format_ts(step.wall_ns),
    }
