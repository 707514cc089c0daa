"""An event for which the buffer has no room: put in as its policy says, or held for one who can wait."""

from __future__ import annotations

import threading
from collections.abc import Callable

from polyrecord.record.buffer import Buffer
from polyrecord.record.item import Item
from polyrecord.record.recorded import DROPPED, RECORDED
from polyrecord.record.typed import Kept
from polyrecord.record.waiting import Waiting


class Held(threading.local):
    """Hands an event that found no room from `record()` to the helper that called it, within a thread."""

    wanted = False
    event: tuple[Item, int] | None = None


class NoRoom:
    """One for each buffer. What is held is so within a thread."""

    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer
        self._held = Held()

    def take(self, item: Item, size: int) -> bool:
        """Take an event from `record()`; False where it had to be dropped, or is held."""
        if not self._held.wanted:
            return self._buffer.put(item, size)
        if self._buffer.offer(item, size):
            return True
        self._held.event = item, size
        return False

    def hold(self, record: Callable[[], bool]) -> Kept:
        """Record an event that can wait: where there is no room, the answer waits for it when awaited."""
        held = self._held
        held.wanted, held.event = True, None
        try:
            if record():
                return RECORDED
        finally:
            held.wanted = False
        return DROPPED if held.event is None else Waiting(self._buffer, *held.event)
