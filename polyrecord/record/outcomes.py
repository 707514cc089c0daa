"""What a recorder answers: flush outcomes, tickets to wait for them, statistics."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FlushOutcome:
    """What a flush did. `events` and `bytes` count everything written so far by this recorder.

    `durable`: the bytes were forced to the disk (survive a crash of the machine); without it they are with
    the operating system (survive a crash of the process). `error` says why something is still not written.
    """

    events: int
    bytes: int
    durable: bool
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether everything recorded before the flush is written."""
        return self.error is None


@dataclass(frozen=True, slots=True)
class LossNotice:
    """What an `on_loss` hook is told: `count` events were lost since it was told last, `total` in all.

    `by_reason` splits the total. The same is written into the archive, as `loss` events.
    """

    count: int
    total: int
    by_reason: dict[str, int]


@dataclass(frozen=True, slots=True)
class RecorderStats:
    """A recorder's counters since its start; bytes are of compressed files except `buffered_bytes`.

    `dropped` were lost, `dropped_by` says why; `sampled_out` were left out on purpose.
    """

    recorded: int
    written: int
    dropped: int
    dropped_by: dict[str, int]
    sampled_out: int
    buffered_bytes: int
    blocks: int
    bytes: int
    shards_sealed: int
    kept_as_repr: int
    refused: int
    write_errors: int
    last_error: str | None


class FlushTicket(Coroutine[Any, Any, FlushOutcome]):
    """A flush under way: `await` it, or `wait()` for it. The flush happens even if nobody does."""

    def __init__(self, *, closing: bool = False) -> None:
        self.closing = closing
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._outcome: FlushOutcome | None = None
        self._callbacks: list[Callable[[FlushOutcome], object]] = []

    def wait(self, timeout: float | None = None) -> FlushOutcome:
        """Block until it is done; raises TimeoutError after `timeout` seconds."""
        if not self._done.wait(timeout) or self._outcome is None:
            raise TimeoutError(f"not flushed within {timeout} s")
        return self._outcome

    @property
    def done(self) -> bool:
        """Whether the outcome is known."""
        return self._outcome is not None

    def resolve(self, outcome: FlushOutcome) -> None:
        """Say how it went, from a recorder's thread; what was said first stays."""
        with self._lock:
            if self._outcome is not None:
                return
            self._outcome = outcome
            callbacks, self._callbacks = self._callbacks, []
        self._done.set()
        for callback in callbacks:
            try:
                callback(outcome)
            except Exception:
                logging.getLogger("polyrecord").exception("a callback of a flush raised")

    def __await__(self) -> Generator[Any, None, FlushOutcome]:
        if self._outcome is None:
            return (yield from self._waiter())
        return self._outcome

    def _waiter(self) -> Generator[Any, None, FlushOutcome]:
        import asyncio

        loop = asyncio.get_running_loop()
        future: asyncio.Future[FlushOutcome] = loop.create_future()
        self.when_done(lambda outcome: _hand_over(loop, future, outcome))
        return future.__await__()

    def when_done(self, callback: Callable[[FlushOutcome], object]) -> None:
        """Call something with the outcome: on a recorder's thread once it is known, at once if it is."""
        with self._lock:
            if self._outcome is None:
                self._callbacks.append(callback)
                return
        callback(self._outcome)

    # The methods of a coroutine, so that asyncio.create_task(recorder.flush()) works too. They keep no
    # state between steps: any number of tasks may wait for one ticket, and again after a timeout.
    def send(self, value: Any) -> Any:
        """Advance the wait, as an event loop does."""
        if self._outcome is None:
            return next(self._waiter())
        raise StopIteration(self._outcome)

    def throw(self, typ: Any, val: Any = None, tb: Any = None) -> Any:
        """Raise what it is given, as an event loop does on cancel; the flush itself goes on."""
        if isinstance(typ, BaseException):
            raise typ
        raise val if isinstance(val, BaseException) else typ()

    def close(self) -> None:
        """Stop waiting; the flush itself goes on."""


def _hand_over(loop: Any, future: Any, outcome: FlushOutcome) -> None:
    """Resolve a loop's future from another thread; a loop that is closed no longer waits."""

    def resolve() -> None:
        if not future.done():
            future.set_result(outcome)

    try:
        loop.call_soon_threadsafe(resolve)
    except RuntimeError:
        return
