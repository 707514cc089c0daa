"""The pace of a replay: how long to wait before an event."""

from __future__ import annotations

import math

from polyrecord.errors import UsageError

Speed = float | str


def check_speed(speed: Speed) -> float | None:
    """Times as fast as recorded, None for as fast as can be; raises UsageError."""
    if speed == "max":
        return None
    number = float("nan") if isinstance(speed, str | bool) else float(speed)
    if not (math.isfinite(number) and number > 0):
        raise UsageError(f"not a speed: {speed!r}", hint="a number over 0, such as 0.5, 1 or 10, or max")
    return number


class Pacer:
    """Gives each event a due time: gaps are kept, divided by the speed; a step back adds nothing."""

    __slots__ = ("_due_ns", "_last_ns", "_speed")

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._due_ns = 0.0
        self._last_ns: int | None = None

    def wait_seconds(self, ts_ns: int, now_ns: int) -> float:
        """Seconds from `now_ns` (monotonic) until the event is due, 0 when it is late."""
        if self._last_ns is None:
            self._due_ns = float(now_ns)
            self._last_ns = ts_ns
        if ts_ns > self._last_ns:
            self._due_ns += (ts_ns - self._last_ns) / self._speed
            self._last_ns = ts_ns
        return max(self._due_ns - now_ns, 0.0) / 1e9
