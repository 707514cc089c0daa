"""When to flush, sync, rotate and drop: policies are values, their decisions are pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class FlushPolicy:
    """Hand what is pending to the operating system after so many events or seconds, whichever is first.

    The seconds bound what a crash of the process can take.
    """

    events: int = 1000
    seconds: float = 1.0

    def due(self, pending: int, oldest_age_ns: int) -> bool:
        """Whether `pending` events, the oldest of that age, must go now."""
        return pending >= self.events or (pending > 0 and oldest_age_ns >= self.seconds * 1e9)


@dataclass(frozen=True, slots=True)
class BlockPolicy:
    """How large a block may grow before it is cut, in bytes of lines and of index.

    Smaller blocks are found faster and compress worse: docs/performance.md has how much.
    """

    content_bytes: int = 256 << 10
    index_bytes: int = 30_000


class SyncMode(StrEnum):
    """What has to survive: a crash of the process (never) or of the machine (the others)."""

    NEVER = "never"
    INTERVAL = "interval"
    FLUSH = "flush"


@dataclass(frozen=True, slots=True)
class SyncPolicy:
    """When written bytes are forced to the disk. A seal always is."""

    mode: SyncMode = SyncMode.INTERVAL
    seconds: float = 1.0
    most_bytes: int = 16 * MIB  # held in memory until the disk has them, to make a failed sync good

    def __post_init__(self) -> None:
        """Take a mode by its name, too; raises ValueError for one there is not."""
        object.__setattr__(self, "mode", SyncMode(self.mode))

    def due(self, unsynced_bytes: int, age_ns: int, *, flushed: bool) -> bool:
        """Whether to fsync now; `flushed` says that somebody waits for a flush."""
        if self.mode is SyncMode.NEVER or not unsynced_bytes:
            return False
        if unsynced_bytes >= self.most_bytes:
            return True
        if self.mode is SyncMode.FLUSH:
            return flushed
        return age_ns >= self.seconds * 1e9


@dataclass(frozen=True, slots=True)
class RotatePolicy:
    """When a shard is sealed and the next one opened; a new UTC date always rotates."""

    max_bytes: int = 256 * MIB
    max_events: int | None = None
    max_seconds: float | None = None
    join_seconds: float | None = None  # so often small blocks of open shards are joined into large ones
    max_blocks: int = 65_000  # a directory in the making holds about 100 bytes of memory a block

    def due(self, size: int, events: int, blocks: int, age_ns: int) -> bool:
        """Whether a shard of this size (bytes), number of events and blocks, and age is full."""
        return (
            size >= self.max_bytes
            or blocks >= self.max_blocks
            or (self.max_events is not None and events >= self.max_events)
            or (self.max_seconds is not None and age_ns >= self.max_seconds * 1e9)
        )


class Overload(StrEnum):
    """What gives way when the buffer is full; the loss is recorded either way.

    `wait`: the awaitable helpers wait for room, and `record()`, which cannot, drops the newest.
    """

    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"
    PRIORITY = "priority"
    WAIT = "wait"


class Recover(StrEnum):
    """Whose open shards a starting recorder makes whole, of writers that are dead: those of this boot of this
    host, all, or none."""

    BOOT = "boot"
    ALL = "all"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a failed write is tried again: pauses that double up to a ceiling, in seconds, each with jitter.

    After `trip_after` failures in a row the circuit is open: whoever waits for a flush is told that it
    failed, instead of being kept waiting.
    """

    first: float = 0.05
    ceiling: float = 5.0
    at_close: float = 5.0  # how long an orderly close goes on trying
    trip_after: int = 4

    def delay(self, attempt: int, jitter: float = 1.0) -> float:
        """Seconds to wait after failure number `attempt`, from 1; `jitter` 0 to 1 scales the upper half."""
        longest = min(self.ceiling, self.first * 2.0 ** min(attempt - 1, 20))
        return longest * (0.5 + 0.5 * jitter)


@dataclass(frozen=True, slots=True)
class DiskPolicy:
    """How much of the disk is left to others: below `min_free` bytes nothing more is written.

    What is open is sealed then, and writing goes on once a quarter more than that is free.
    """

    min_free: int = 16 * MIB

    def refuses(self, free: int, *, stopped: bool) -> bool:
        """Whether nothing may be written with so many bytes free; `stopped` says that nothing is."""
        return free < self.min_free * (1.25 if stopped else 1.0)
