"""The writer thread: compresses blocks, appends them, syncs, seals. Only it touches the disk."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import TypeAlias

from polyrecord.clock import Clock
from polyrecord.record.blocks import PendingBlock
from polyrecord.record.breaker import Breaker
from polyrecord.record.chores import Chores
from polyrecord.record.compacting import Compacting
from polyrecord.record.faults import Faults
from polyrecord.record.health import HealthState
from polyrecord.record.outcomes import FlushOutcome, FlushTicket
from polyrecord.record.policy import RetryPolicy, SyncMode, SyncPolicy
from polyrecord.record.shards import ShardSet
from polyrecord.record.space import DiskFloor, FreeSpace
from polyrecord.record.trouble import TroubleFile


@dataclass(frozen=True, slots=True)
class Tick:
    """Do what time asks for: sync, restore what was removed, seal by age, seal the dates before `day`."""

    day: int


Order: TypeAlias = PendingBlock | FlushTicket | Tick


class Writer:
    """Takes orders in sequence on a thread of its own.

    A block that cannot be written is tried again with growing pauses while the buffer holds what it can;
    nothing is skipped. `on_written` gets the bytes to give back to the buffer, `on_lost` a block that was
    given up, `on_end` is called when an orderly close has sealed everything.
    """

    def __init__(
        self,
        shards: ShardSet,
        clock: Clock,
        sync: SyncPolicy,
        retry: RetryPolicy,
        space: FreeSpace,
        trouble: TroubleFile,
        *,
        on_written: Callable[[int], None],
        on_lost: Callable[[PendingBlock], None],
        on_end: Callable[[], None],
        join_seconds: float | None = None,
        compacting: Compacting | None = None,
    ) -> None:
        """`join_seconds`: so often small blocks of open shards are joined; None: never.

        `compacting` is told of sealed shards.
        """
        self._faults = faults = Faults(trouble)
        self._chores = Chores(shards, clock, faults, trouble, join_seconds, compacting)
        self.given_up = 0  # events that could not be written
        self._given_up_error: str | None = None
        self._give_up_at = 0.0  # monotonic seconds; 0 until an orderly close meets a failing disk
        self._orders: SimpleQueue[Order] = SimpleQueue()
        self._tickets: deque[FlushTicket] = deque()  # flushes under way, oldest first
        self._shards = shards
        self._clock = clock
        self._sync = sync
        self._retry = retry
        self._breaker = Breaker(retry)
        self._space = space
        self._trouble = trouble
        self._on_written, self._on_lost, self._on_end = on_written, on_lost, on_end
        self._closing = threading.Event()
        self._synced_ns = clock.mono_ns()
        self._queued = 0
        self._taken = 0
        self._ticking = False  # a tick waits, or is under way: a disk that hangs must not collect them
        self._thread = threading.Thread(target=self._run, name="polyrecord-writer", daemon=True)

    def start(self) -> None:
        """Start the thread; raises RuntimeError when the system has none left, and may be called again."""
        if not self._thread.is_alive():
            self._thread.start()

    def hasten(self) -> None:
        """Give up what cannot be written soon: a close has begun, and its ticket may be behind all of it."""
        self._closing.set()

    @property
    def errors(self) -> int:
        """How many there were."""
        return self._faults.errors

    @property
    def last_error(self) -> str | None:
        """What failed and has not worked since; of several the oldest."""
        return self._faults.last

    @property
    def backlog(self) -> int:
        """Bytes of blocks ordered and not yet written."""
        return self._queued - self._taken

    @property
    def stuck(self) -> bool:
        """Whether the disk fails or does not answer: what is not ordered yet waits in the buffer."""
        return self._breaker.failing or self._faults.stalled

    def refusal(self) -> FlushOutcome | None:
        """What a flush is told at once while the circuit is open, else None.

        Waiting in the buffer for a disk to come back, the flushes of a weekend would fill the memory.
        """
        outcome = self.outcome(durable=False)  # first: it must not be that of a disk that works again
        return outcome if self._breaker.open and outcome.error is not None else None

    @property
    def failures(self) -> int:
        """Writes that failed in a row."""
        return self._breaker.failures

    def health(self) -> HealthState:
        """How writing goes now."""
        if self._space.stopped:
            return HealthState.DISK_FULL
        if self._faults.stalled:
            return HealthState.STALLED
        if self._breaker.failing:
            return HealthState.FAILING if self._breaker.open else HealthState.RETRYING
        return HealthState.OK if self.last_error is None else HealthState.DEGRADED

    def write(self, block: PendingBlock) -> None:
        """Order a block to be written; only the drain calls this."""
        self._queued += block.charge
        self._orders.put(block)

    def order(self, order: FlushTicket | Tick) -> None:
        """Order a flush or a tick, done after all blocks before it; of ticks one waits at most."""
        if isinstance(order, Tick):
            if self._ticking:
                return
            self._ticking = True
        self._orders.put(order)

    def expect(self, ticket: FlushTicket) -> None:
        """Know of a flush that will be ordered: it is told should writing fail meanwhile."""
        self._tickets.append(ticket)

    def _run(self) -> None:
        while True:
            order = self._orders.get()
            if isinstance(order, PendingBlock):
                self._write(order)
            elif isinstance(order, Tick):
                self._tick(order.day)
                self._ticking = False
            elif order.closing:
                self._close(order)
                return
            else:
                self._flush(order)

    def _flush(self, ticket: FlushTicket) -> None:
        self._chores.restore()
        ticket.resolve(self.outcome(durable=self._sync_if_due(flushed=True)))
        while self._tickets and self._tickets[0].done:
            self._tickets.popleft()

    def _close(self, ticket: FlushTicket) -> None:
        whole = not self.given_up  # else this was no orderly end, and neither footer nor manifest says so
        if self._insist("seal", partial(self._shards.close, clean=whole)) and whole:
            self._insist("manifest", self._on_end)
            self._faults.works("sync")  # each seal was one
        self._chores.compact(last=True)
        self._shards.abandon()  # what could not be sealed is for the next start: nobody holds it any more
        if self.last_error is not None:
            self._trouble.tell("closed with errors", error=self.last_error, given_up=self.given_up)
        ticket.resolve(self.outcome(durable=self.last_error is None))
        self._tell_waiting(len(self._tickets))

    def _write(self, block: PendingBlock) -> None:
        written = self._persist(block)
        self._on_written(block.charge)
        self._taken += block.charge  # after it: the drain takes an empty backlog for all given back
        if written:
            self._sync_if_due(flushed=False)
            self._chores.compact()
            return
        self.given_up += block.index.events
        self._given_up_error = self.last_error
        self._on_lost(block)

    def _persist(self, block: PendingBlock) -> bool:
        """Write a block, trying again until it works or an orderly close has waited long enough."""
        while True:
            waiting = len(self._tickets)  # those that come during the try are not told of its failure
            with self._faults.calling():
                try:
                    self._space.check()
                    self._bound_unsynced()
                    self._shards.write(block)
                except (OSError, MemoryError) as error:
                    self._failed(error, waiting)
                    if self._gives_up():
                        return False
                except Exception as error:  # noqa: BLE001 - one bad block must not end the recording
                    self._faults.note("block", error)
                    if self._breaker.succeeded():  # it is not the disk: others need not wait for it
                        self._faults.works("write")
                    return False
                else:
                    self._succeeded()
                    return True

    def _bound_unsynced(self) -> None:
        """What no sync has forced to the disk is held in memory: while syncs fail, no more than so much."""
        if "sync" in self._faults and self._shards.unsynced >= self._sync.most_bytes:
            self._shards.sync()
            self._faults.works("sync")

    def _failed(self, error: OSError | MemoryError, waiting: int) -> None:
        delay = self._breaker.failed()
        self._faults.note("write", error)
        if self._breaker.failures == 1 and isinstance(error, DiskFloor):
            self._faults.guard("seal", self._shards.seal_all)
        if self._breaker.open:
            if self._breaker.failures == self._retry.trip_after:
                self._trouble.tell("circuit open", error=self.last_error, failures=self._breaker.failures)
            self._tell_waiting(waiting)
        self._faults.pausing()
        # Wakes early when a close begins; from then on it polls.
        if self._closing.wait(delay):
            time.sleep(self._retry.first)

    def _succeeded(self) -> None:
        self._faults.forget("block")
        self._chores.tell_restored()
        if self._breaker.succeeded():
            self._faults.works("write")

    def _gives_up(self) -> bool:
        if not self._closing.is_set():
            return False
        # One deadline for all that is left: a full queue must not wait for each block anew.
        self._give_up_at = self._give_up_at or time.monotonic() + self._retry.at_close
        return time.monotonic() >= self._give_up_at

    def _tell_waiting(self, count: int) -> None:
        """Resolve flushes whose events cannot be written now; they are still written when that works."""
        outcome = self.outcome(durable=False)
        for _ in range(count):
            self._tickets.popleft().resolve(outcome)

    def _insist(self, what: str, action: Callable[[], object]) -> bool:
        """Do something for an orderly end, again until it works or the close has waited enough."""
        while not self._faults.guard(what, action):
            if self._gives_up():
                return False
            time.sleep(self._retry.first)
        return True

    def _tick(self, day: int) -> None:
        self._sync_if_due(flushed=False)
        self._chores.restore()
        self._chores.seal(day)
        self._chores.join()
        self._trouble.write()

    def _sync_if_due(self, *, flushed: bool) -> bool:
        """Whether all that is written is on the disk now."""
        now = self._clock.mono_ns()
        if self._sync.due(self._shards.unsynced, now - self._synced_ns, flushed=flushed):
            self._synced_ns = now
            self._faults.guard("sync", self._shards.sync)
        if self._shards.unsynced == 0:
            self._faults.works("sync")
        return self._shards.unsynced == 0 and self._sync.mode is not SyncMode.NEVER

    def outcome(self, *, durable: bool) -> FlushOutcome:
        """How things stand; `durable` if all that is written is on the disk."""
        error = self.last_error
        if self.given_up:
            error = f"{self.given_up} events could not be written: {self._given_up_error}"
        return FlushOutcome(self._shards.events, self._shards.bytes, durable and error is None, error)
