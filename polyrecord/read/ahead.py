"""Inflating ahead: a thread undoes deflate while lines are worked on, for isal lets other threads run.

It is given a span of adjacent blocks and inflates them in one call: between two calls it would have to wait
until the other thread lets go of the interpreter, which takes longer than a block does. One thread belongs to
one iteration, starts with the first span and ends with the iteration, also with one that is left half way.
After a fork the child, which has no such thread, inflates for itself.
"""

from __future__ import annotations

import os
import threading
from queue import SimpleQueue
from typing import Final, TypeAlias

from polyrecord.format.compress import inflate_members

THREAD: Final = "polyrecord-inflate"


class Ticket:
    """Gzip members given to be inflated."""

    __slots__ = ("_claim", "_content", "_done", "_pid", "length", "members")

    def __init__(self, members: bytes, length: int) -> None:
        """`length` is how much they should hold together."""
        self.members, self.length = members, length
        self._content: memoryview | None = None
        self._claim, self._done = threading.Lock(), threading.Lock()
        self._done.acquire()
        self._pid = os.getpid()

    def inflate(self) -> None:
        """Inflate them, unless somebody else has begun to."""
        if self._claim.acquire(blocking=False):
            content = inflate_members(self.members, self.length)
            self._content = None if content is None else memoryview(content)
            self._done.release()

    def content(self) -> memoryview | None:
        """What they hold, as soon as it is there; None where it is not as long as it should be."""
        if os.getpid() != self._pid:  # the thread that was at it is not in this process
            return None
        self.inflate()
        with self._done:
            return self._content


_Queue: TypeAlias = "SimpleQueue[Ticket | None]"


class Ahead:
    """The thread of one iteration."""

    def __init__(self) -> None:
        self._queue: _Queue | None = None
        self._pid = 0

    def give(self, members: bytes, length: int) -> Ticket:
        """Have some members inflated."""
        if self._queue is None or self._pid != os.getpid():  # no thread outlives a fork
            self._queue, self._pid = SimpleQueue(), os.getpid()
            # A daemon: an iterator that nobody closes must not keep the process from ending.
            threading.Thread(target=_work, args=(self._queue,), name=THREAD, daemon=True).start()
        ticket = Ticket(members, length)
        self._queue.put(ticket)
        return ticket

    def close(self) -> None:
        """Let the thread end after what it was given."""
        if self._queue is not None:
            self._queue.put(None)
            self._queue = None


def _work(queue: _Queue) -> None:
    while (ticket := queue.get()) is not None:
        ticket.inflate()
        del ticket  # its lines are not to stay in memory while this waits
