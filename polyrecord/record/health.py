"""How a recorder is: one word, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class HealthState(StrEnum):
    """What a monitor should know of a recorder; worse comes later.

    `idle` has recorded nothing yet, `closed` records nothing more. `degraded` writes, but cannot sync, seal
    or keep up. `retrying` could not write and tries again; `failing` did so many times (the circuit is open);
    `stalled` waits in a call that the disk does not answer; `disk_full` left the last `min_free` bytes alone.
    """

    IDLE = "idle"
    OK = "ok"
    CLOSED = "closed"
    DEGRADED = "degraded"
    RETRYING = "retrying"
    FAILING = "failing"
    STALLED = "stalled"
    DISK_FULL = "disk_full"


@dataclass(frozen=True, slots=True)
class Health:
    """A recorder's health now.

    `error` is what failed last and has not worked since; `failures` how often in a row. `waiting_bytes` of
    the buffer's bound are taken. `dropped` events were lost since the start.
    """

    state: HealthState
    error: str | None
    failures: int
    waiting_bytes: int
    dropped: int

    @property
    def ok(self) -> bool:
        """Whether recording works as it should."""
        return self.state in {HealthState.IDLE, HealthState.OK, HealthState.CLOSED}
