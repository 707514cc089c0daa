"""The bounded buffer between the callers and the drain: appends never wait, and what gives way is counted."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import repeat, starmap
from operator import itemgetter
from typing import Any, Final, TypeAlias, TypeGuard, cast

from polyrecord.events.routes import stream_of
from polyrecord.record.outcomes import FlushTicket
from polyrecord.record.policy import Overload
from polyrecord.record.priority import HIGHEST, priority_of

CLOSE = b"}"  # of the line, behind its data
OVERHEAD = 200  # bytes of an item beside its payload: tuple, bytes header, slot in the deque
_SHARE = 4  # part of the bound that may be pending, and again as much on its way to the disk
_MOST_TYPES = 200  # types that a loss names one by one
_MOST_SIFTED = 512  # events looked at in one call: a caller must not pay for a long queue at once
_PATIENCE = 0.02  # seconds that the drain waits for who records
_OVERSHOOT = 16  # part of the bound that what matters most may exceed it by, while another thread makes room

LIGHT: Final = ""  # as the stream of an item: light
LIGHT_BYTES: Final = 4000  # of a light payload at most: with its header it fits the encoder's first buffer
_LIGHT_COST: Final = 4096 + OVERHEAD  # bytes of memory that a light item holds, however short its payload is
_LIGHT_SHARE: Final = 8  # part of the bound that is kept for light items
_MOST_LIGHT: Final = 1024


Payload: TypeAlias = bytes | tuple[bytes, str, int | None]
"""Encoded data and CLOSE; or a raw frame, its source and its receive time, which the drain encodes."""

Envelope: TypeAlias = Mapping[str, str] | None

Item: TypeAlias = tuple[int, str, str | None, Payload, Envelope, str | None]
"""One event on its way to the drain: monotonic ns, type, trace id, payload, envelope fields, stream.

A light one, with LIGHT for a stream, has the payload as the encoder left it: without CLOSE, in a buffer of
4 KiB whatever its length. Copying and counting it is the drain's work. So that the bound holds, room for the
few that may wait is set aside.
"""

Queue: TypeAlias = deque[Item | FlushTicket]


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


class Buffer:
    """Events in the order they were recorded, at most `limit` bytes of them, counted until they are written.

    `room` is the bytes still free. Callers take from it without a lock: between the load and the store of
    `room` CPython does not switch threads. Where it may (free-threaded builds, which are not supported) an
    update is lost, of a whole block at worst, until nothing is pending. Before `open` and after `close` there
    is no room, so the hot path has one test for full, not started and closed.

    `items` is where callers append. With the priority policy the events that survived while others gave way
    are older than those: they wait in a queue for each priority, and `take` begins with the highest. Before
    all of them come flushes of which every event has given way.

    A signal handler, or an object that is collected, may record while this very thread is anywhere in here:
    no lock is waited for while one records. Whoever drains waits for one only so long, for a handler may
    wait for the drain while the code it interrupted holds the lock.
    """

    __slots__ = ("_counting", "_limit", "_loss", "_most_light", "_overload", "_reserve", "_sifting",
                 "_survivors", "_uncounted", "closed", "dropped", "dropped_by", "items", "light",
                 "loss_since", "room")  # fmt: skip

    def __init__(self, limit: int, overload: Overload) -> None:
        self.items: Queue = deque()
        # Of priority 1 and more; of 2; flushes alone.
        self._survivors: list[Queue] = [deque() for _ in range(HIGHEST + 1)]
        self._most_light = min(_MOST_LIGHT, limit // _LIGHT_SHARE // _LIGHT_COST)
        self._reserve = self._most_light * _LIGHT_COST
        self._limit = limit
        self._overload = overload
        self.closed = False
        self.room = -1
        self.light = 0
        self._forget()

    def _forget(self) -> None:
        self._counting = threading.Lock()
        self._sifting = threading.Lock()
        self._uncounted: deque[tuple[int, str, str | None, str]] = deque()
        self._loss = Loss()
        self.dropped = 0  # over the recorder's life
        self.dropped_by: Counter[str] = Counter()
        self.loss_since = 0  # monotonic time of the first loss the drain has not taken; 0: none

    @property
    def used(self) -> int:
        """Bytes recorded and not yet written or dropped."""
        room = self.room + (_SHUT if self.closed else 0)
        if room == -1:
            return 0
        light = sum(item_size(item) for item in self.items.copy() if _is_light(item))
        return self._limit - (self._reserve if self.light else 0) - room + light

    @property
    def share(self) -> int:
        """Bytes that the drain may hold in each of its stages.

        What it has taken no policy can drop any more: of a small buffer it must not hold the most.
        """
        return self._limit // _SHARE

    @property
    def waiting(self) -> int:
        """Events, and flushes, that the drain has not taken."""
        return len(self.items) + sum(map(len, self._survivors))

    def open(self) -> None:
        """Let events in."""
        self.room = self._limit - self._reserve
        self.light = self._most_light

    def close(self) -> None:
        """Let nothing in any more; what is in is still drained."""
        self.closed = True
        if self.light:
            self.light = 0
            self.room += self._reserve
        self.room -= _SHUT

    def empty(self) -> None:
        """Forget everything, as before `open`; a lock that another thread held at a fork is a new one."""
        self._forget()
        for queue in (self.items, *self._survivors):
            queue.clear()
        self.room = -1 if not self.closed else -_SHUT
        self.light = 0

    def put(self, item: Item, size: int) -> bool:
        """Append an event; False when it, and not an older one, had to give way. Never waits."""
        if self.offer(item, size):
            return True
        self.drop(item, "buffer_full")
        return False

    def offer(self, item: Item, size: int) -> bool:
        """Append an event if there is room, or can be made; else False, and it is not counted as dropped."""
        if size > self.room and not self._make_room(item, size):
            return False
        self.room -= size
        self.items.append(item)
        return True

    def take(self, most: int) -> list[Item | FlushTicket]:
        """The next events and flushes, oldest first, at most so many; none of them is light any more."""
        held = self._sifting.acquire(timeout=_PATIENCE)  # held for microseconds, but see the class
        try:
            taken: list[Item | FlushTicket] = []
            for queue in (*reversed(self._survivors), self.items):
                if queue:
                    taken += _pop(queue, most - len(taken))
        finally:
            if held:
                self._sifting.release()
        taken = self._counted(taken)
        self._give_back()
        return taken

    def _counted(self, taken: list[Item | FlushTicket]) -> list[Item | FlushTicket]:
        """Light items made like the others, and counted like them."""
        if set(map(type, taken)) == _TUPLES and LIGHT not in set(map(_STREAM_OF, taken)):
            return taken
        size = 0
        for at, item in enumerate(taken):
            if _is_light(item):
                whole = taken[at] = _made_whole(item)
                size += item_size(whole)
        self.room -= size
        return taken

    def _lend(self) -> None:
        """Make no event light until all are taken: the room set aside for them is used like the rest.

        Light ones are among the first of `items`, for each was appended where few waited.
        """
        if not self._sifting.acquire(blocking=False):  # another thread is at it
            return
        try:
            self.light, light = 0, self.light
            first = self._counted(_pop(self.items, light))
            self.items.extendleft(reversed(first))
            self.room += self._reserve
        finally:
            self._sifting.release()

    def _give_back(self) -> None:
        """Set room aside for light events again, when nothing waits and there is that much."""
        if self._most_light and not self.light and self.room >= self._reserve and not self.waiting:
            self.room -= self._reserve
            self.light = self._most_light

    def release(self, size: int) -> None:
        """Give back the bytes of events that are written or gone."""
        self.room += size

    def settle(self) -> None:
        """End the drift of the byte count; the drain calls this when nothing is pending anywhere."""
        if not self.waiting and not self.closed:
            self.room = self._limit - (self._reserve if self.light else 0)

    def drop(self, item: Item, reason: str) -> None:
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
            self.dropped += 1
            self.dropped_by[entry[3]] += 1
            self._loss.add(*entry)
            self.loss_since = self._loss.since_mono

    def take_loss(self, *, last: bool = False) -> Loss | None:
        """What was dropped since the last call; None if nothing, or while another thread counts it.

        The `last` is taken even then: that thread may have been interrupted by a handler that closes.
        """
        if not self._loss.events:
            return None
        held = self._counting.acquire(timeout=_PATIENCE if last else 0)
        if not held and not last:
            return None
        try:
            loss, self._loss, self.loss_since = self._loss, Loss(), 0
        finally:
            if held:
                self._counting.release()
        return replace(loss, events=Counter(loss.events))  # to the other one it may still be counted

    def _make_room(self, item: Item, size: int) -> bool:
        """Drop by policy until `size` bytes fit; False when the new event itself has to give way."""
        if size > self._limit or self.closed:
            return False
        if self.light:
            self._lend()
        if size <= self.room:
            return True
        if self._overload is Overload.DROP_OLDEST:
            while size > self.room and self._drop_oldest():
                pass
        elif self._overload is Overload.PRIORITY:
            return self._sift(priority_of(item[1], item[5]), size)
        return size <= self.room

    def _drop_oldest(self) -> bool:
        return self._drop_first(self.items)

    def _drop_first(self, queue: Queue) -> bool:
        """Drop the oldest event of a queue; a flush before it keeps its place, unless it is answered."""
        try:
            oldest = queue.popleft()
            while isinstance(oldest, FlushTicket):
                if oldest.closing or not oldest.done:
                    self._survivors[HIGHEST].append(oldest)
                oldest = queue.popleft()
        except IndexError:
            return False
        return self._give_way(oldest)

    def _sift(self, priority: int, size: int) -> bool:
        """Let events of at most this priority give way, the lowest and oldest first."""
        if self._sifting.acquire(blocking=False):  # else another thread is at it
            try:
                self._sift_some(priority, size)
            finally:
                self._sifting.release()
        return size <= self.room or (priority == HIGHEST and self.room > -(self._limit // _OVERSHOOT))

    def _sift_some(self, priority: int, size: int) -> None:
        left = _MOST_SIFTED
        for level, queue in enumerate((self.items, *self._survivors[:HIGHEST])):
            while level <= priority and left and size > self.room and self._sift_one(queue, level):
                left -= 1

    def _sift_one(self, queue: Queue, level: int) -> bool:
        """Drop the oldest of a queue if it is of this priority, else pass it on; False at the queue's end."""
        if level < HIGHEST:
            try:
                oldest = queue.popleft()
            except IndexError:
                return False
            if isinstance(oldest, FlushTicket) or priority_of(oldest[1], oldest[5]) > level:
                self._survivors[level].append(oldest)
                return True
            return self._give_way(oldest)
        return self._drop_first(queue)

    def _give_way(self, item: Item) -> bool:
        self.drop(item, "buffer_full")
        if not _is_light(item):
            self.release(item_size(item))
        return True


_SHUT: Final = 1 << 62
_TUPLES: Final = {tuple}
_STREAM_OF: Final = cast("Callable[[Any], str | None]", itemgetter(5))


def _pop(queue: Queue, most: int) -> list[Item | FlushTicket]:
    taken: list[Item | FlushTicket] = []
    with contextlib.suppress(IndexError):  # callers drop from it at the same time: its length says nothing
        # A loop in C; what was taken before the end is in the list.
        taken.extend(starmap(queue.popleft, repeat((), most)))
    return taken


def _is_light(item: Item | FlushTicket) -> TypeGuard[Item]:
    return item.__class__ is tuple and item[5] == LIGHT


def _made_whole(item: Item) -> Item:
    mono_ns, event_type, trace_id, payload, envelope, _ = item
    assert isinstance(payload, bytes)
    return mono_ns, event_type, trace_id, payload + CLOSE, envelope, None


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
