"""What was dropped: counted over the recorder's life, and kept until the drain declares it."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass, field, replace

from polyrecord.events.routes import stream_of
from polyrecord.record.item import Item, text_of

_MOST_TYPES = 200  # types that a loss names one by one
_PATIENCE = 0.02  # seconds that the drain waits for who records


@dataclass(slots=True)
class Loss:
    """Events dropped since the drain last looked: how many of which (type, stream), and when."""

    reason: str = ""
    events: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    since_mono: int = 0
    until_mono: int = 0

    def add(self, mono_ns: int, event_type: str, stream: str | None, reason: str) -> None:
        """Count one more."""
        if not self.events:
            self.reason, self.since_mono, self.until_mono = reason, mono_ns, mono_ns
        self.events[self._entry(event_type, stream)] += 1
        self.since_mono = min(self.since_mono, mono_ns)
        self.until_mono = max(self.until_mono, mono_ns)

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.events.values())

    def _entry(self, event_type: str, stream: str | None) -> tuple[str, str | None]:
        """Types made up at run time must not fill the memory: the many are counted as one of their stream."""
        entry = (event_type, stream)
        if len(self.events) < _MOST_TYPES or entry in self.events:
            return entry
        return "other", stream or stream_of(event_type)


class Drops:
    """Counts what is dropped. Never waits: who finds another thread at it leaves the counting to that one."""

    __slots__ = ("_counting", "_loss", "_uncounted", "by_reason", "since", "total")

    def __init__(self) -> None:
        self._counting = threading.Lock()
        self._uncounted: deque[tuple[int, str, str | None, str]] = deque()
        self._loss = Loss()
        self.total = 0  # over the recorder's life
        self.by_reason: Counter[str] = Counter()
        self.since = 0  # monotonic time of the first loss the drain has not taken; 0: none

    def add(self, item: Item, reason: str) -> None:
        """Count an event that is not kept."""
        self._uncounted.append((item[0], text_of(item[1]), item[5] or None, reason))
        # Who finds another at it leaves it to that one, which looks again when it is done.
        while self._uncounted and self._counting.acquire(blocking=False):
            try:
                self._count()
            finally:
                self._counting.release()

    def _count(self) -> None:
        while self._uncounted:
            entry = self._uncounted.popleft()
            self.total += 1
            self.by_reason[entry[3]] += 1
            self._loss.add(*entry)
            self.since = self._loss.since_mono

    def take(self, *, last: bool = False) -> Loss | None:
        """What was dropped since the last call; None if nothing, or while another thread counts it.

        The `last` is taken even then: that thread may have been interrupted by a handler that closes.
        """
        if not self._loss.events:
            return None
        held = self._counting.acquire(timeout=_PATIENCE if last else 0)
        if not held and not last:
            return None
        try:
            loss, self._loss, self.since = self._loss, Loss(), 0
        finally:
            if held:
                self._counting.release()
        return replace(loss, events=Counter(loss.events))  # to the other one it may still be counted
