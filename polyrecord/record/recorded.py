"""What the awaitable helpers return: the work is done at the call, awaiting is a courtesy to async code."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import Any, Final, Never, cast


class _Ended:
    """The iterator behind `await`: at its end from the start, so it never suspends and never wears out."""

    __slots__ = ("_value",)

    def __init__(self, value: bool) -> None:
        self._value = value

    def __iter__(self) -> _Ended:
        return self

    def __next__(self) -> Never:
        raise StopIteration(self._value)


class Recorded(Coroutine[Any, Any, bool]):
    """Whether an event was kept: true or false, at once and when awaited.

    There are two objects of this class, RECORDED and DROPPED. A real coroutine would do nothing until it is
    awaited, and warn when it never is; these may be awaited any number of times, by any number of tasks, or
    not at all.
    """

    __slots__ = ("_ended", "_kept")

    def __init__(self, kept: bool) -> None:
        self._kept = kept
        self._ended = _Ended(kept)

    def __bool__(self) -> bool:
        return self._kept

    def __repr__(self) -> str:
        return "RECORDED" if self._kept else "DROPPED"

    def __await__(self) -> Generator[Any, Any, bool]:
        return cast("Generator[Any, Any, bool]", self._ended)  # `await` asks for no more than an iterator

    def send(self, value: Any) -> Any:
        """Ends at once; part of the coroutine protocol, which is what `create_task` asks for."""
        raise StopIteration(self._kept)

    def throw(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> Any:
        """Raises what it is given: a task cancelled before its first step is cancelled."""
        if isinstance(typ, BaseException):
            raise typ
        raise val if isinstance(val, BaseException) else typ()

    def close(self) -> None:
        """Does nothing: there is nothing left to stop."""


RECORDED: Final = Recorded(True)
DROPPED: Final = Recorded(False)
