"""When to try a failing disk again: pauses that double, with jitter, and a circuit that opens. Pure."""

from __future__ import annotations

import os
from collections.abc import Callable

from polyrecord.record.policy import RetryPolicy


def _random() -> float:
    """From 0 to 1. The module `random` is a millisecond of a bot's start."""
    return int.from_bytes(os.urandom(2)) / 0xFFFF


class Breaker:
    """Counts failures in a row. Open: nobody should wait for the disk; one try at a time finds out."""

    __slots__ = ("_jitter", "_policy", "failures")

    def __init__(self, policy: RetryPolicy, jitter: Callable[[], float] = _random) -> None:
        """`jitter` gives numbers from 0 to 1: many bots on one disk must not try at the same moments."""
        self.failures = 0
        self._policy = policy
        self._jitter = jitter

    @property
    def failing(self) -> bool:
        """Whether the last try failed."""
        return self.failures > 0

    @property
    def open(self) -> bool:
        """Whether so many tries in a row failed that nobody should wait for the next."""
        return self.failures >= self._policy.trip_after

    def failed(self) -> float:
        """Count a failure; returns the seconds to wait before the next try."""
        self.failures += 1
        return self._policy.delay(self.failures, self._jitter())

    def succeeded(self) -> int:
        """Close the circuit; returns how many tries had failed."""
        failures, self.failures = self.failures, 0
        return failures
