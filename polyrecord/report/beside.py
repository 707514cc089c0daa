"""Work done beside other work: a thread makes the next item while the one before is being used."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Final, Generic, TypeVar

T = TypeVar("T")
THREAD: Final = "polyrecord-beside"


@contextmanager
def made_beside(items: Iterable[T]) -> Iterator[Iterator[T]]:
    """The items, made by a thread; it begins now and has ended when the context does.

    The item after the next one is made only when the next one is asked for: of two things that are used by
    turns, one is always free.
    """
    maker = _Maker(iter(items))
    thread = threading.Thread(target=maker.run, name=THREAD, daemon=True)
    thread.start()
    try:
        yield maker.given()
    finally:
        maker.stop()
        thread.join()


class _Maker(Generic[T]):
    def __init__(self, items: Iterator[T]) -> None:
        self._items = items
        self._made: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()
        self._asked = threading.Semaphore(1)
        self._is_wanted = True

    def run(self) -> None:
        """Make one item for every one that is asked for, and one more; an error is given in place of one."""
        try:
            while self._asked.acquire() and self._is_wanted:
                item = next(self._items, _END)
                self._made.put(None if isinstance(item, _End) else (item,))
                if isinstance(item, _End):
                    return
        except BaseException as error:  # noqa: BLE001  # raised where it is asked for
            self._made.put(error)

    def given(self) -> Iterator[T]:
        """The items, or the error."""
        while True:
            self._asked.release()
            made = self._made.get()
            if isinstance(made, BaseException):
                raise made
            if made is None:
                return
            yield made[0]

    def stop(self) -> None:
        """Make no more."""
        self._is_wanted = False
        self._asked.release()


class _End:
    """Stands for the end of the items."""


_END: Final = _End()
