"""The drain thread: takes small slices from the buffer, has them numbered, and orders blocks written.

Small slices with a pause between, because this thread holds the interpreter lock while it formats: 128
events take about 150 us, the longest a strategy has to wait for it. The pause is a real one: after sleep(0)
this thread has the lock back before another wakes, and that one waits the whole switch interval of 5 ms.
Under a backlog slices grow, for a busy strategy lets this thread in only every 5 ms.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import orjson

from polyrecord.clock import Clock
from polyrecord.events.routes import TELEMETRY
from polyrecord.record.admission import Admission
from polyrecord.record.blocks import DAY_NS, PendingBlock
from polyrecord.record.buffer import Buffer
from polyrecord.record.item import CLOSE, Item
from polyrecord.record.losses import LossHook
from polyrecord.record.numbering import Numbering
from polyrecord.record.outcomes import FlushTicket, LossNotice
from polyrecord.record.policy import FlushPolicy
from polyrecord.record.steps import Steps
from polyrecord.record.timeline import Timeline, clock_step_data
from polyrecord.record.trouble import LOG
from polyrecord.record.writer import Tick, Writer
from polyrecord.times import format_ts

_SLICE = 128  # events
_LARGEST_SLICE = 2048
_BACKLOG_SHARE = 16  # a slice takes this part of what waits
_IDLE_SECONDS = 0.025
_PAUSE_SECONDS = 0.00005
_MAX_BACKLOG = 8 << 20  # bytes handed to the writer and not yet written
_TICK_NS = 1_000_000_000


class Drain:
    """Moves events from the buffer to the writer until a closing ticket comes along."""

    def __init__(
        self,
        buffer: Buffer,
        numbering: Numbering,
        writer: Writer,
        flush: FlushPolicy,
        clock: Clock,
        steps: Steps,
        on_loss: Callable[[LossNotice], object] | None = None,
    ) -> None:
        self.lost_blocks: deque[PendingBlock] = deque()  # numbered, and given up by the writer
        self._hook = None if on_loss is None else LossHook(on_loss)
        self._hastened = False
        self._most_backlog = min(_MAX_BACKLOG, buffer.share)
        self._buffer = buffer
        self._numbering = numbering
        self._writer = writer
        self._flush = flush
        self._clock = clock
        self._timeline = Timeline(clock)
        self._admission = Admission(buffer, numbering, self._timeline, steps)
        # Locked until the drain is to wake. Not an Event, which has a lock: a signal handler that records
        # while the code it interrupted is setting it would wait for itself.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._ticked_ns = clock.mono_ns()
        self._thread = threading.Thread(target=self._run, name="polyrecord-drain", daemon=True)

    def start(self) -> None:
        """Start the thread; raises RuntimeError when the system has none left, and may be called again."""
        if not self._thread.is_alive():
            self._thread.start()

    def hasten(self) -> None:
        """Take everything, even if the disk fails: a close has begun."""
        self._hastened = True

    def wake(self) -> None:
        """Look at the buffer now rather than in 25 ms."""
        with contextlib.suppress(RuntimeError):  # it was rung already
            self._bell.release()

    def _run(self) -> None:
        while True:
            self._bell.acquire(timeout=_IDLE_SECONDS)
            try:
                if self._pass():
                    return
            except Exception:  # noqa: BLE001 - without this thread nothing would be recorded any more
                LOG.exception("the drain failed, and goes on")

    def _pass(self) -> bool:
        """Drain what is there; True when a closing ticket was met."""
        while self._buffer.waiting and not self._holds_back:
            if self._slice(slice_size(self._buffer.waiting)):
                return True
            self._cut_if_due()
            time.sleep(_PAUSE_SECONDS)
        if not self._holds_back:
            self._declare_losses()
        self._tell_of_losses()
        self._watch_clock()
        self._cut_if_due()
        self._tick_if_due()
        return False

    @property
    def _holds_back(self) -> bool:
        """Whether events had better wait in the buffer, where the policy decides which of them give way.

        Losses too: declared one by one while the disk fails, they would fill the memory themselves.
        """
        if self._writer.backlog >= self._most_backlog:
            return True
        return self._writer.stuck and not self._hastened

    def _slice(self, size: int) -> bool:
        taken = self._buffer.take(size)
        start = 0
        for at in _tickets(taken):
            self._number_all(cast("list[Item]", taken[start:at]))
            if self._finish_flush(cast(FlushTicket, taken[at]), taken[at + 1 :]):
                return True
            start = at + 1
        self._number_all(cast("list[Item]", taken[start:]))
        return False

    def _number_all(self, items: list[Item]) -> None:
        """Number events, and what was dropped before or among them."""
        since = self._buffer.drops.since
        if since and items and since <= items[-1][0]:
            at = next(at for at, item in enumerate(items) if since <= item[0])
            self._admission.take(items[:at])
            self._number_loss()
            items = items[at:]
        self._admission.take(items)

    def _finish_flush(self, ticket: FlushTicket, behind: list[Item | FlushTicket]) -> bool:
        if ticket.closing:
            self._take_stragglers(behind)
        self._declare_losses(last=ticket.closing)
        self._numbering.cut()
        if ticket.closing:
            self._tell_of_losses(finally_=True)
        self._writer.order(ticket)
        return ticket.closing

    def _take_stragglers(self, behind: list[Item | FlushTicket]) -> None:
        """Events that other threads appended while the recorder was being closed, and flushes."""
        while behind:
            for item in behind:
                if isinstance(item, FlushTicket):
                    self._writer.order(item)
                else:
                    self._admission.take([item])
            behind = self._buffer.take(_LARGEST_SLICE)

    def _cut_if_due(self) -> None:
        pending = self._numbering.pending
        if not pending:
            return
        # Where the buffer is small, what is not cut yet may be most of what fills it.
        crowded = self._numbering.pending_bytes >= self._buffer.share
        if crowded or self._flush.due(pending, self._clock.mono_ns() - self._admission.oldest_ns):
            self._numbering.cut()

    def _declare_losses(self, *, last: bool = False) -> None:
        self._number_loss(last=last)
        while self.lost_blocks:
            now = self._clock.mono_ns()
            if not self._numbering.pending:
                self._admission.oldest_ns = now
            self._numbering.give_up(self._timeline.stamp(now), self.lost_blocks.popleft())

    def _tell_of_losses(self, *, finally_: bool = False) -> None:
        """Let the bot's hook know, if there is one."""
        given_up = self._writer.given_up
        total = self._buffer.drops.total + given_up
        if self._hook is None or not total:
            return
        tell = self._hook.tell_last if finally_ else self._hook.tell
        by_reason = {**self._buffer.drops.by_reason, **({"write_error": given_up} if given_up else {})}
        tell(total, by_reason, self._clock.mono_ns())

    def _number_loss(self, *, last: bool = False) -> None:
        loss = self._buffer.drops.take(last=last)
        if loss is None:
            return
        if not self._numbering.pending:
            self._admission.oldest_ns = self._clock.mono_ns()
        wall = self._timeline.wall
        since, until = wall(loss.since_mono), wall(loss.until_mono)
        self._numbering.lose(self._timeline.stamp(loss.since_mono), loss, since, until)

    def _watch_clock(self) -> None:
        step = self._timeline.check()
        if step is not None:
            self._record_own("clock_step", clock_step_data(step))

    def _record_own(self, event_type: str, data: dict[str, Any]) -> None:
        now = self._clock.mono_ns()
        if not self._numbering.pending:
            self._admission.oldest_ns = now
        ts = self._timeline.stamp(now)
        payload = orjson.dumps(data) + CLOSE
        self._numbering.add(ts, format_ts(ts), event_type, payload, stream=TELEMETRY)

    def _tick_if_due(self) -> None:
        now = self._clock.mono_ns()
        if now - self._ticked_ns >= _TICK_NS:
            # wall(), not stamp(): events that wait in the buffer are older and must keep their times.
            self._writer.order(Tick(self._timeline.wall(now) // DAY_NS))
            self._ticked_ns = now
        if not self._numbering.pending and not self._writer.backlog:
            self._buffer.settle()


def _tickets(taken: list[Item | FlushTicket]) -> list[int]:
    """The places of flushes."""
    if FlushTicket not in set(map(type, taken)):
        return []
    return [at for at, item in enumerate(taken) if item.__class__ is FlushTicket]


def slice_size(waiting: int) -> int:
    """How many events to take before the interpreter lock is given up again."""
    return min(max(_SLICE, waiting // _BACKLOG_SHARE), _LARGEST_SLICE)
