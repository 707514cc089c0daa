"""Which trace the running code belongs to."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from polyrecord.errors import UsageError
from polyrecord.ids import (
    format_traceparent,
    generate_trace_id,
    normal_id,
    parse_traceparent,
)
from polyrecord.instrument.latency import emit_latency
from polyrecord.record.current import SCOPE, Scope, Stages

P = ParamSpec("P")
R = TypeVar("R")


class TraceContext(Scope):
    """Everything recorded inside belongs to one trace: `with TraceContext():` or `async with`.

    The id is that of a W3C `traceparent` header, else the one given, else that of the active trace, else a
    new one. A header that breaks W3C's rules starts a new trace unless an id is given too.

    A context inside another of the same trace is a child span of it. Leaving the outermost one records a
    latency event if a stage was timed: into its `recorder`, or the default recorder. Tasks started inside
    belong to the trace; for threads see `bind`.

    Each object is entered once; entering it again raises UsageError.
    """

    __slots__ = ("_caller", "_outermost", "_used")

    def __init__(
        self, trace_id: str | None = None, *, traceparent: str | None = None, recorder: Any = None
    ) -> None:
        self._caller: str | None = None
        self._used = False
        self._outermost = False
        super().__init__(self._choose_id(trace_id, traceparent), stages=Stages(recorder))

    def _choose_id(self, trace_id: str | None, traceparent: str | None) -> str:
        called = parse_traceparent(traceparent) if isinstance(traceparent, str) else None
        if called is not None:
            self._caller = called[1]
            return called[0]
        if trace_id:
            return str(trace_id)  # a UUID object is welcome
        active = SCOPE.get()
        return generate_trace_id() if active is None or traceparent is not None else active.trace_id

    @staticmethod
    def current() -> TraceContext | None:
        """The innermost active context, or None outside of any trace."""
        scope = SCOPE.get()
        return scope if isinstance(scope, TraceContext) else None

    @staticmethod
    def current_trace_id() -> str | None:
        """The id of the active trace, or None outside of any."""
        scope = SCOPE.get()
        return None if scope is None else scope.trace_id

    @property
    def traceparent(self) -> str | None:
        """The W3C `traceparent` header that makes a callee a child of this span.

        None when the trace id is not 32 hex digits.
        """
        return format_traceparent(self.trace_id, self.ensure_span())

    def __enter__(self) -> Self:
        if self._used:
            raise UsageError(
                f"this context of trace {self.trace_id} was entered before",
                hint="make a new TraceContext with the same id: it is a child span or continues the trace",
            )
        self._used = True
        self.parent = SCOPE.get()
        self._join(_enclosing(self.parent, self.trace_id))
        SCOPE.set(self)
        return self

    def _join(self, enclosing: Scope | None) -> None:
        """Becomes a child of the caller or of the enclosing span, and shares the stages of an open trace."""
        if enclosing is None or enclosing.stages.closed:
            self._outermost = True
        else:
            self.stages = enclosing.stages
        if self._caller is None and enclosing is None:
            return
        self.parent_span_id = self._caller or (enclosing.ensure_span() if enclosing else None)
        self.ensure_span()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            stages = self.stages.close() if self._outermost else {}
            if stages:
                emit_latency(stages, self)
        finally:
            self._leave()

    def _leave(self) -> None:
        # Not by a token: an async generator may be closed in another context than it was opened in, where
        # resetting would raise into the strategy.
        if SCOPE.get() is self:
            SCOPE.set(self.parent)
        # Tasks that start tasks in a chain would otherwise keep every trace there ever was.
        self.parent = None

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def _enclosing(scope: Scope | None, trace_id: str) -> Scope | None:
    """The nearest scope outwards that is of the same trace."""
    wanted = normal_id(trace_id)
    while scope is not None and scope.trace_id != trace_id and normal_id(scope.trace_id) != wanted:
        scope = scope.parent
    return scope


def bind(function: Callable[P, R]) -> Callable[P, R]:
    """The function as one that runs in the trace that is active now, in whatever thread it is called.

    For `Thread(target=bind(work))` and `executor.submit(bind(work))`; tasks and `asyncio.to_thread` need
    nothing. It may be called any number of times, also at the same time.
    """
    context = copy_context()

    @wraps(function)
    def bound(*args: P.args, **kwargs: P.kwargs) -> R:
        # A context can be entered by one thread at a time, so every call has a copy (its cost is constant).
        return context.copy().run(function, *args, **kwargs)

    return bound
