"""Holding back what overtook: blocks of one writer go out once nothing before them can still come. Pure.

A writer numbers its events over all its streams, flushes the streams one after the other, and a full block
of one stream before the rest. So a block may be seen before another that holds earlier events. Counting
tells: nothing is missing where as many events are there, kept or declared lost, as there are numbers.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from polyrecord.read.tail.shards import Found

PATIENCE: Final = 1.5  # seconds: a recorder's usual flush interval, and what a flush takes
_POLLS: Final = 2  # and at least so many looks at everything


_Entry: TypeAlias = tuple[Found, float, int]
"""A block, and when it was found: monotonic seconds and the number of the poll."""


class WriterQueue:
    """The blocks of one writer that were found and not delivered."""

    __slots__ = ("_is_steady", "_through", "_waiting")

    def __init__(self, through: int | None, *, is_steady: bool = True) -> None:
        """`through` is the seq up to which all went out already, None where nobody can tell.

        A writer that is not steady writes a stream to several shards by turns, as an import does: one may be
        read before and another after both have grown.
        """
        self._through = through
        self._is_steady = is_steady
        self._waiting: list[_Entry] = []

    @property
    def is_waiting(self) -> bool:
        """Whether blocks are held back."""
        return bool(self._waiting)

    def add(self, found: Found, now: float, poll: int) -> None:
        """Take a block that was found in poll number `poll`, at `now` in monotonic seconds."""
        self._waiting.append((found, now, poll))

    def take(self, now: float, poll: int, *, at_once: bool = False) -> list[Found]:
        """The blocks that may go out, by seq; those held longest go whatever is missing before them."""
        self._waiting.sort(key=lambda entry: entry[0].first_seq)
        sure = self._waiting if self._is_steady else self._sure(poll)
        if not sure:
            return []
        if self._through is None:
            self._through = sure[0][0].first_seq - 1
        ready = len(sure) if at_once else max(_complete(sure, self._through), _overdue(sure, now, poll))
        taken = sure[:ready]
        gone = {id(found) for found, _, _ in taken}
        self._waiting = [entry for entry in self._waiting if id(entry[0]) not in gone]
        self._through = max([self._through, *(found.last_seq for found, _, _ in taken)])
        return [found for found, _, _ in taken]

    def _sure(self, poll: int) -> list[_Entry]:
        """The blocks that nothing of their stream can be missing before.

        What was written before a block that an earlier poll found is found by this one.
        """
        known: dict[str, int] = {}
        for found, _, seen in self._waiting:
            if seen < poll:
                known[found.info.name.stream] = found.first_seq
        return [e for e in self._waiting if e[0].first_seq <= known.get(e[0].info.name.stream, -1)]


def _complete(waiting: list[_Entry], through: int) -> int:
    """How many blocks have everything before them."""
    complete = events = 0
    top = through
    for number, (found, _, _) in enumerate(waiting, 1):
        if found.last_seq > through:
            events += found.events + found.lost
            top = max(top, found.last_seq)
        if events >= top - through:
            complete = number
    return complete


def _overdue(waiting: list[_Entry], now: float, poll: int) -> int:
    """How many blocks have to go out for the sake of one that waited long enough."""
    late = 0
    for number, (_, since, seen) in enumerate(waiting, 1):
        if now - since >= PATIENCE and poll - seen >= _POLLS:
            late = number
    return late
