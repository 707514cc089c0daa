"""Timing one hop of the pipeline."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from time import perf_counter_ns
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

from polyrecord.errors import UsageError
from polyrecord.events.latency_data import stage_name
from polyrecord.instrument.latency import emit_latency
from polyrecord.record.current import SCOPE

P = ParamSpec("P")
R = TypeVar("R")


class Stage:
    """A stopwatch on the monotonic clock; `stage(name)` makes one."""

    __slots__ = ("_started_ns", "name")

    def __init__(self, name: str) -> None:
        self.name = stage_name(name)
        self._started_ns: int | None = None

    def __enter__(self) -> Self:
        if self._started_ns is not None:
            raise UsageError(
                f"stage {self.name} is running already",
                hint=f'write `with stage("{self.name}"):` at each place instead of sharing one object',
            )
        self._started_ns = perf_counter_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stopped_ns = perf_counter_ns()
        if self._started_ns is None:
            return
        milliseconds = (stopped_ns - self._started_ns) / 1e6
        self._started_ns = None
        _add(self.name, milliseconds)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Times every call of a function, or every run of a coroutine function, by a stopwatch of its own."""
        from inspect import iscoroutinefunction  # costly to load; a bot that uses no decorator does not

        name = self.name
        if iscoroutinefunction(function):

            @wraps(function)
            async def timed_run(*args: P.args, **kwargs: P.kwargs) -> Any:
                with Stage(name):
                    return await function(*args, **kwargs)

            return cast(Callable[P, R], timed_run)

        @wraps(function)
        def timed_call(*args: P.args, **kwargs: P.kwargs) -> R:
            with Stage(name):
                return function(*args, **kwargs)

        return timed_call


def stage(name: str) -> Stage:
    """Times a stage: `with stage("book_to_signal_ms"):`, `async with`, or as a decorator.

    The time goes into the latency event of the active trace, where the same stage adds up; it counts when the
    block raises too. Outside of any trace, or when the trace is over, it is recorded at once as an event of
    its own. `_ms` is appended where it is missing.
    """
    return Stage(name)


def _add(name: str, milliseconds: float) -> None:
    scope = SCOPE.get()
    if scope is None:
        emit_latency({name: milliseconds}, None)
        return
    late = scope.stages.add(name, milliseconds)
    if late:
        emit_latency(late, scope)
