"""Waiting for DuckDB in a way that Ctrl-C ends: its own calls do not look for signals while they fetch."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Final, TypeVar

T = TypeVar("T")
_AGAIN: Final = 0.05  # seconds


class Patience:
    """Does the work of one connection in a thread of its own."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="polyrecord-sql")

    def wait(self, work: Callable[[], T]) -> T:
        """What the work gives; an interrupt stops the query first."""
        future = self._worker.submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            while not future.done():  # an interrupt that comes before the query does is lost
                self._connection.interrupt()
                wait([future], timeout=_AGAIN)
            raise

    def close(self) -> None:
        """End the thread."""
        self._worker.shutdown()
