"""The drain thread: takes events from the buffer in small slices, numbers them, and orders blocks written.

Small slices with a pause between, because this thread holds the interpreter lock while it formats: 128
events take about 150 us, the longest a strategy has to wait for it. The pause is a real one: after sleep(0)
this thread has the lock back before another wakes, and that one waits the whole switch interval of 5 ms.
Under a backlog slices grow, for a busy strategy lets this thread in only every 5 ms.
"""

from __future__ import annotations

import base64
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import orjson

from polyrecord.clock import Clock
from polyrecord.events.routes import TELEMETRY
from polyrecord.record.blocks import DAY_NS, PendingBlock
from polyrecord.record.buffer import CLOSE, Buffer, Item, item_size, text_of
from polyrecord.record.losses import LossHook
from polyrecord.record.numbering import Numbering
from polyrecord.record.outcomes import FlushTicket, LossNotice
from polyrecord.record.policy import FlushPolicy
from polyrecord.record.portion import Portion
from polyrecord.record.steps import Steps
from polyrecord.record.timeline import Timeline, clock_step_data
from polyrecord.record.trouble import LOG
from polyrecord.record.writer import Tick, Writer
from polyrecord.times import format_ts

_SLICE = 128  # events
_LARGEST_SLICE = 2048
_PORTION = 128  # events numbered at once, fewer where that is much beside a block's bounds
_PORTION_STEP = 8
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
        self._steps = steps
        self._hook = None if on_loss is None else LossHook(on_loss)
        self._hastened = False
        self._most_backlog = min(_MAX_BACKLOG, buffer.share)
        self._buffer = buffer
        self._numbering = numbering
        self._writer = writer
        self._flush = flush
        self._clock = clock
        self._timeline = Timeline(clock)
        # Locked until the drain is to wake. Not an Event, which has a lock: a signal handler that records
        # while the code it interrupted is setting it would wait for itself.
        self._bell = threading.Lock()
        self._bell.acquire()
        self._at_once = _PORTION
        self._oldest_ns = 0  # monotonic time of the oldest event not yet cut
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
        since = self._buffer.loss_since
        if since and items and since <= items[-1][0]:
            at = next(at for at, item in enumerate(items) if since <= item[0])
            self._number_kept(items[:at])
            self._number_loss()
            items = items[at:]
        self._number_kept(items)

    def _number_kept(self, items: list[Item]) -> None:
        items = self._sampled(items)
        if not items:
            return
        if not self._numbering.pending:
            self._oldest_ns = items[0][0]
        self._number_slice(items)

    def _number_slice(self, items: list[Item]) -> None:
        try:
            portion = Portion.of(items, self._timeline.stamps, encode_frame)
        except Exception:  # noqa: BLE001 - a frame that is none: which, shows in halves
            self._number_halves(items)
            return
        start = 0
        for at in sorted(self._steps.look(portion)):
            self._number_portions(items[start:at], portion.part(start, at))
            self._number_safely(items[at], portion.stamps[at], suspect=True)
            start = at + 1
        self._number_portions(items[start:], portion.part(start, len(items)))

    def _number_halves(self, items: list[Item]) -> None:
        if len(items) == 1:
            self._number_safely(items[0], self._timeline.stamp(items[0][0]), suspect=True)
            return
        middle = len(items) // 2
        self._number_slice(items[:middle])
        self._number_slice(items[middle:])

    def _sampled(self, items: list[Item]) -> list[Item]:
        """The events that are kept; the room of the others is given back."""
        if not self._steps.samples:
            return items
        kept = []
        for item in items:
            if self._steps.takes(text_of(item[1]), None if item[2] is None else text_of(item[2])):
                kept.append(item)
            else:
                self._buffer.release(item_size(item))
        return kept

    def _number_portions(self, items: list[Item], portion: Portion) -> None:
        """Number events that hold no secrets, as many at once as a block can take."""
        if self._steps.localizes:
            portion = self._localized(portion)
        start = 0
        while start < len(items):
            end = min(start + self._at_once, len(items))
            self._number_portion(items[start:end], portion.part(start, end))
            start = end

    def _localized(self, portion: Portion) -> Portion:
        told = zip(portion.stamps, portion.envelopes, strict=True)
        return replace(portion, envelopes=[self._steps.localized(ts, envelope) for ts, envelope in told])

    def _number_portion(self, items: list[Item], portion: Portion) -> None:
        try:
            if self._numbering.add_all(portion):
                self._at_once = min(self._at_once + _PORTION_STEP, _PORTION)
                return
        except Exception:  # noqa: BLE001 - one of them is unusual: which, shows one by one
            for item, ts in zip(items, portion.stamps, strict=True):
                self._number_safely(item, ts, suspect=False)
            return
        middle = len(items) // 2
        self._at_once = max(middle, _PORTION_STEP)
        self._number_portion(items[:middle], portion.part(0, middle))
        self._number_portion(items[middle:], portion.part(middle, len(items)))

    def _number_safely(self, item: Item, ts: int, *, suspect: bool) -> None:
        try:
            self._number(item, ts, suspect=suspect)
        except Exception:  # noqa: BLE001 - one bad event must not end the recording; it is declared lost
            self._buffer.drop(item, "unrecordable")
            self._buffer.release(item_size(item))

    def _number(self, item: Item, ts: int, *, suspect: bool) -> None:
        """Number one event, whatever a bot took for a type or an id."""
        _, event_type, trace_id, payload, envelope, stream = item
        event_type = text_of(event_type) or "unnamed"
        if trace_id is not None:
            trace_id = text_of(trace_id)
        tail = payload if isinstance(payload, bytes) else encode_frame(*payload)
        tail, trace_id, envelope = self._steps.clean(ts, tail, trace_id, envelope, suspect=suspect)
        self._numbering.add(ts, format_ts(ts), event_type, tail, trace_id, envelope, stream, item_size(item))

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
                    self._number_kept([item])
            behind = self._buffer.take(_LARGEST_SLICE)

    def _cut_if_due(self) -> None:
        pending = self._numbering.pending
        if not pending:
            return
        # Where the buffer is small, what is not cut yet may be most of what fills it.
        crowded = self._numbering.pending_bytes >= self._buffer.share
        if crowded or self._flush.due(pending, self._clock.mono_ns() - self._oldest_ns):
            self._numbering.cut()

    def _declare_losses(self, *, last: bool = False) -> None:
        self._number_loss(last=last)
        while self.lost_blocks:
            now = self._clock.mono_ns()
            if not self._numbering.pending:
                self._oldest_ns = now
            self._numbering.give_up(self._timeline.stamp(now), self.lost_blocks.popleft())

    def _tell_of_losses(self, *, finally_: bool = False) -> None:
        """Let the bot's hook know, if there is one."""
        given_up = self._writer.given_up
        total = self._buffer.dropped + given_up
        if self._hook is None or not total:
            return
        tell = self._hook.tell_last if finally_ else self._hook.tell
        by_reason = {**self._buffer.dropped_by, **({"write_error": given_up} if given_up else {})}
        tell(total, by_reason, self._clock.mono_ns())

    def _number_loss(self, *, last: bool = False) -> None:
        loss = self._buffer.take_loss(last=last)
        if loss is None:
            return
        if not self._numbering.pending:
            self._oldest_ns = self._clock.mono_ns()
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
            self._oldest_ns = now
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


def encode_frame(frame: bytes, source: str, received_ns: int | None) -> bytes:
    """A raw frame's data and CLOSE: its bytes as text where they are UTF-8, else as base64."""
    data: dict[str, Any] = {"source": source}
    if received_ns is not None:
        data["received_ns"] = received_ns
    try:
        data["frame"] = frame.decode()
    except UnicodeDecodeError:
        data["frame_b64"] = base64.b64encode(frame).decode()
    return orjson.dumps(data) + CLOSE
