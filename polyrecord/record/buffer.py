"""The bounded buffer between the callers and the drain: appends never wait, and what gives way is counted."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from itertools import repeat, starmap
from operator import itemgetter
from typing import Any, Final, TypeAlias, cast

from polyrecord.record.drops import Drops
from polyrecord.record.item import LIGHT, LIGHT_COST, Item, is_light, item_size, made_whole
from polyrecord.record.outcomes import FlushTicket
from polyrecord.record.policy import Overload
from polyrecord.record.priority import HIGHEST, priority_of

_SHARE = 4  # part of the bound that may be pending, and again as much on its way to the disk
_MOST_SIFTED = 512  # events looked at in one call: a caller must not pay for a long queue at once
_PATIENCE = 0.02  # seconds that the drain waits for who records
_OVERSHOOT = 16  # part of the bound that what matters most may exceed it by, while another thread makes room

_LIGHT_SHARE: Final = 8  # part of the bound that is kept for light items
_MOST_LIGHT: Final = 1024


Queue: TypeAlias = deque[Item | FlushTicket]


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

    __slots__ = (
        "_limit", "_most_light", "_overload", "_reserve", "_sifting", "_survivors", "closed", "drops",
        "items", "light", "room",
    )  # fmt: skip

    def __init__(self, limit: int, overload: Overload) -> None:
        self.items: Queue = deque()
        # Of priority 1 and more; of 2; flushes alone.
        self._survivors: list[Queue] = [deque() for _ in range(HIGHEST + 1)]
        self._most_light = min(_MOST_LIGHT, limit // _LIGHT_SHARE // LIGHT_COST)
        self._reserve = self._most_light * LIGHT_COST
        self._limit = limit
        self._overload = overload
        self.closed = False
        self.room = -1
        self.light = 0
        self._forget()

    def _forget(self) -> None:
        self._sifting = threading.Lock()
        self.drops = Drops()

    @property
    def used(self) -> int:
        """Bytes recorded and not yet written or dropped."""
        room = self.room + (_SHUT if self.closed else 0)
        if room == -1:
            return 0
        light = sum(item_size(item) for item in self.items.copy() if is_light(item))
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
            if is_light(item):
                whole = taken[at] = made_whole(item)
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
        self.drops.add(item, reason)

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
        if not is_light(item):
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
