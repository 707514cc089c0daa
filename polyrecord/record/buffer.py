"""The bounded buffer between the callers and the drain: appends never wait, and what gives way is counted."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from polyrecord.record.outcomes import FlushTicket
from polyrecord.record.policy import Overload

LINE_END = b"}\n"
OVERHEAD = 200  # bytes of an item beside its payload: tuple, bytes header, slot in the deque


Payload: TypeAlias = bytes | tuple[bytes, str, int | None]
"""Encoded data and LINE_END; or a raw frame, its source and its receive time, which the drain encodes."""

Item: TypeAlias = tuple[int, str, str | None, Payload, Mapping[str, str] | None, str | None]
"""One event on its way to the drain: monotonic ns, type, trace id, payload, envelope fields, stream."""


@dataclass(slots=True)
class Loss:
    """Events dropped since the drain last looked: how many of which (type, stream), and when."""

    reason: str = ""
    events: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    count: int = 0
    since_mono: int = 0
    until_mono: int = 0

    def add(self, event_type: str, stream: str | None, mono_ns: int, reason: str) -> None:
        """Count one more."""
        if not self.count:
            self.reason, self.since_mono, self.until_mono = reason, mono_ns, mono_ns
        self.count += 1
        self.events[text_of(event_type), stream] += 1
        self.since_mono = min(self.since_mono, mono_ns)
        self.until_mono = max(self.until_mono, mono_ns)


class Buffer:
    """Events in the order they were recorded, at most `limit` bytes of them, counted until they are written.

    `room` is the bytes still free. Callers take from it without a lock: between the load and the store of
    `room` CPython does not switch threads. Where it may (free-threaded builds) a lost update makes the bound
    a few events soft, and the drift ends whenever nothing is pending. Before `open` and after `close` there
    is no room, so the hot path has one test for full, not started and closed.
    """

    __slots__ = ("_limit", "_lock", "_loss", "_overload", "closed", "dropped", "items", "loss_since", "room")

    def __init__(self, limit: int, overload: Overload) -> None:
        self.items: deque[Item | FlushTicket] = deque()
        self.room = -1
        self.closed = False
        self.dropped = 0  # over the recorder's life
        self.loss_since = 0  # monotonic time of the first loss the drain has not taken; 0: none
        self._limit = limit
        self._overload = overload
        self._lock = threading.Lock()
        self._loss = Loss()

    @property
    def used(self) -> int:
        """Bytes recorded and not yet written or dropped."""
        return 0 if self.room == -1 else self._limit - self.room - (_SHUT if self.closed else 0)

    def open(self) -> None:
        """Let events in."""
        self.room = self._limit

    def close(self) -> None:
        """Let nothing in any more; what is in is still drained."""
        self.closed = True
        self.room -= _SHUT

    def empty(self) -> None:
        """Forget everything, as before `open`; a lock that another thread held at a fork is a new one."""
        self._lock = threading.Lock()
        self._loss, self.loss_since, self.dropped = Loss(), 0, 0
        self.items.clear()
        self.room = -1 if not self.closed else -_SHUT

    def put(self, item: Item, size: int) -> bool:
        """Append an event; False when it, and not an older one, had to give way. Never waits."""
        if size > self.room and not self._make_room(item, size):
            return False
        self.room -= size
        self.items.append(item)
        return True

    def release(self, size: int) -> None:
        """Give back the bytes of events that are written or gone."""
        self.room += size

    def settle(self) -> None:
        """End the drift of the byte count; the drain calls this when nothing is pending anywhere."""
        if not self.items and not self.closed:
            self.room = self._limit

    def drop(self, item: Item, reason: str) -> None:
        """Count an event that is not kept."""
        with self._lock:
            self.dropped += 1
            self._loss.add(item[1], item[5], item[0], reason)
            self.loss_since = self._loss.since_mono

    def take_loss(self) -> Loss | None:
        """What was dropped since the last call, or None."""
        if not self._loss.count:
            return None
        with self._lock:
            loss, self._loss, self.loss_since = self._loss, Loss(), 0
        return loss

    def _make_room(self, item: Item, size: int) -> bool:
        """Drop by policy until `size` bytes fit; False when the new event itself was dropped."""
        if self._overload is Overload.DROP_OLDEST and size <= self._limit and not self.closed:
            while size > self.room and self._drop_oldest():
                pass
            if size <= self.room:
                return True
        self.drop(item, "buffer_full")
        return False

    def _drop_oldest(self) -> bool:
        try:
            oldest = self.items.popleft()
        except IndexError:
            return False
        if isinstance(oldest, FlushTicket):  # somebody waits for it: it keeps its place
            self.items.appendleft(oldest)
            return False
        self.drop(oldest, "buffer_full")
        self.release(item_size(oldest))
        return True


_SHUT = 1 << 62


def text_of(value: Any) -> str:
    """A type or an id as text; a bot may hand over an enum's member, or anything."""
    if isinstance(value, str):
        return str.__str__(value)  # of a member of `class E(str, Enum)` its value, not its name
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - __str__ may raise anything
        return f"<{type(value).__name__}>"


def item_size(item: Item) -> int:
    """What an event counts for against the bound."""
    payload = item[3]
    return OVERHEAD + (len(payload) if isinstance(payload, bytes) else len(payload[0]))
