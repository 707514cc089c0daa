"""An event that waits for room in the buffer, for code that can wait: the policy `wait`."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import Any

from polyrecord.record.buffer import Buffer
from polyrecord.record.item import Item

_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.05


class Waiting(Coroutine[Any, Any, bool]):
    """An event that is recorded once there is room: awaiting it waits for that, and is True then.

    It is False when the recorder was closed meanwhile. An event that nobody awaits, or whose wait is
    cancelled, is dropped, and counted as such.
    """

    def __init__(self, buffer: Buffer, item: Item, size: int) -> None:
        self._buffer = buffer
        self._event: tuple[Item, int] | None = (item, size)
        self._kept = False
        self._steps: Coroutine[Any, Any, bool] | None = None

    def __bool__(self) -> bool:
        return self._kept

    def __await__(self) -> Generator[Any, Any, bool]:
        return self._wait().__await__()

    async def _wait(self) -> bool:
        import asyncio

        pause = _FIRST_PAUSE
        try:
            while self._event is not None and not self._offer():
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        except BaseException:
            self.close()
            raise
        return self._kept

    def _offer(self) -> bool:
        assert self._event is not None
        if self._buffer.closed:
            self.close()
            return True
        self._kept = self._buffer.offer(*self._event)
        if self._kept:
            self._event = None
        return self._kept

    # The methods of a coroutine, so that asyncio.create_task(recorder.record_signal(...)) works too.
    def send(self, value: Any) -> Any:
        """Advance the wait, as an event loop does."""
        self._steps = self._steps or self._wait()
        return self._steps.send(value)

    def throw(self, typ: Any, val: Any = None, tb: Any = None) -> Any:
        """Raise what it is given, as an event loop does on cancel; the event is dropped."""
        self.close()
        if isinstance(typ, BaseException):
            raise typ
        raise val if isinstance(val, BaseException) else typ()

    def close(self) -> None:
        """Give the event up, if it is not recorded yet."""
        event, self._event = self._event, None
        if event is not None:
            self._buffer.drop(event[0], "not_awaited")

    def __del__(self) -> None:
        self.close()
