"""The writer thread: compresses blocks, appends them, syncs, seals. Only it touches the disk."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import TypeAlias

from polyrecord.clock import Clock
from polyrecord.record.blocks import PendingBlock
from polyrecord.record.outcomes import FlushOutcome, FlushTicket
from polyrecord.record.policy import RetryPolicy, SyncMode, SyncPolicy
from polyrecord.record.shards import ShardSet


@dataclass(frozen=True, slots=True)
class Tick:
    """Do what time asks for: sync, seal by age, seal the dates before `day`."""

    day: int


Order: TypeAlias = PendingBlock | FlushTicket | Tick


class Writer:
    """Takes orders in sequence on a thread of its own.

    A block that cannot be written is tried again with growing pauses while the buffer holds what it can;
    nothing is skipped. `on_written` gets the bytes to give back to the buffer,
    `on_end` is called when an orderly close has sealed everything.
    """

    def __init__(
        self,
        shards: ShardSet,
        clock: Clock,
        sync: SyncPolicy,
        retry: RetryPolicy,
        on_written: Callable[[int], None],
        on_end: Callable[[], None],
    ) -> None:
        self.errors = 0
        self.last_error: str | None = None
        self.given_up = 0  # events that an orderly close could not write
        self._given_up_error: str | None = None
        self._give_up_at = 0.0  # monotonic seconds; 0 until an orderly close meets a failing disk
        self._orders: SimpleQueue[Order] = SimpleQueue()
        self._shards = shards
        self._clock = clock
        self._sync = sync
        self._retry = retry
        self._on_written = on_written
        self._on_end = on_end
        self._closing = threading.Event()
        self._synced_ns = clock.mono_ns()
        self._queued = 0
        self._taken = 0
        self._thread = threading.Thread(target=self._run, name="polyrecord-writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def hasten(self) -> None:
        """Give up what cannot be written soon: a close has begun, and its ticket may be behind all of it."""
        self._closing.set()

    @property
    def backlog(self) -> int:
        """Bytes of blocks ordered and not yet written."""
        return self._queued - self._taken

    def write(self, block: PendingBlock) -> None:
        """Order a block to be written; only the drain calls this."""
        self._queued += block.charge
        self._orders.put(block)

    def order(self, order: FlushTicket | Tick) -> None:
        """Order a flush or a tick, done after all blocks before it."""
        self._orders.put(order)

    def _run(self) -> None:
        while True:
            order = self._orders.get()
            if isinstance(order, PendingBlock):
                self._write(order)
            elif isinstance(order, Tick):
                self._guard(partial(self._tick, order.day))
            elif order.closing:
                whole = (
                    not self.given_up
                )  # else this was no orderly end, and neither footer nor manifest says so
                if self._guard(partial(self._shards.close, clean=whole)) and whole:
                    self._guard(self._on_end)
                order.resolve(self.outcome(durable=self.last_error is None))
                return
            else:
                order.resolve(self.outcome(durable=self._sync_if_due(flushed=True)))

    def _write(self, block: PendingBlock) -> None:
        try:
            written = self._persist(block)
        except Exception as error:  # noqa: BLE001 - one bad block must not end the recording
            written = False
            self.errors += 1
            self.last_error = f"{type(error).__name__}: {error}"
        self._on_written(block.charge)
        self._taken += block.charge  # after it: the drain takes an empty backlog for all given back
        if written:
            self._sync_if_due(flushed=False)
        else:
            self.given_up += block.index.events
            self._given_up_error = self.last_error

    def _persist(self, block: PendingBlock) -> bool:
        """Write a block, trying again until it works or an orderly close has waited long enough."""
        attempt = 0
        while not self._guard(partial(self._shards.write, block)):
            attempt += 1
            if self._closing.is_set():
                # One deadline for all that is left: a full queue must not wait for each block anew.
                self._give_up_at = self._give_up_at or time.monotonic() + self._retry.at_close
                if time.monotonic() >= self._give_up_at:
                    return False
            # Wakes early when a close begins; from then on it polls.
            if self._closing.wait(self._retry.delay(attempt)):
                time.sleep(self._retry.first)
        return True

    def _guard(self, action: Callable[[], None]) -> bool:
        try:
            action()
        except OSError as error:
            self.errors += 1
            self.last_error = _describe(error)
            return False
        self.last_error = None
        return True

    def _tick(self, day: int) -> None:
        self._sync_if_due(flushed=False)
        self._shards.seal_before(day)
        self._shards.seal_aged()

    def _sync_if_due(self, *, flushed: bool) -> bool:
        """Whether all that is written is on the disk now."""
        now = self._clock.mono_ns()
        if self._sync.due(self._shards.unsynced, now - self._synced_ns, flushed=flushed):
            self._synced_ns = now
            self._guard(self._shards.sync)
        return self._shards.unsynced == 0 and self._sync.mode is not SyncMode.NEVER

    def outcome(self, *, durable: bool) -> FlushOutcome:
        """How things stand; `durable` if all that is written is on the disk."""
        error = self.last_error
        if self.given_up:
            error = f"{self.given_up} events could not be written: {self._given_up_error}"
        return FlushOutcome(self._shards.events, self._shards.bytes, durable and error is None, error)


def _describe(error: OSError) -> str:
    reason = os.strerror(error.errno) if error.errno is not None else str(error)
    return f"{reason}: {error.filename}" if error.filename else reason
