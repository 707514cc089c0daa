"""The two clocks of a recorder: one that tells the time, one that never goes back."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of wall and monotonic time, both in nanoseconds."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z; may step either way."""

    def mono_ns(self) -> int:
        """Nanoseconds since an arbitrary moment; never goes back."""


class SystemClock:
    """The machine's own clocks."""

    # Bound to the C functions themselves: the hot path pays no Python frame for the time.
    wall_ns = staticmethod(time.time_ns)
    mono_ns = staticmethod(time.monotonic_ns)
