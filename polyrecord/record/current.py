"""The active trace of the running code, as `record()` sees it: one context variable.

Tasks inherit it by themselves; `polyrecord.bind` carries it into threads. Nothing here takes a lock, so a
signal handler or a fork in the middle of anything cannot block a bot.
"""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar
from typing import Any, Final

from polyrecord.ids import generate_span_id

FOLD_AT: Final = 64  # timings kept one by one before they are added up


class Stages:
    """The stage timings of one trace, in milliseconds, added to by all of its tasks and threads.

    Lock-free: `deque.append`, `extend` and `popleft` are atomic. Whoever adds looks at `closed` afterwards,
    whoever closes takes afterwards; so every timing is taken by exactly one of them, and none is lost.
    `recorder` is where they go (None: the default recorder).
    """

    __slots__ = ("_timings", "closed", "recorder")

    def __init__(self, recorder: Any = None) -> None:
        self.recorder = recorder
        self.closed = False
        self._timings: deque[tuple[str, float]] = deque()

    def add(self, name: str, milliseconds: float) -> dict[str, float] | None:
        """Adds one timing; returns what the caller has to record itself when the trace is over already."""
        self._timings.append((name, milliseconds))
        if len(self._timings) > FOLD_AT:
            # A trace as long as the bot lives must not grow with every tick.
            self._timings.extend(self._take().items())
        return self._take() if self.closed else None

    def close(self) -> dict[str, float]:
        """Ends the collection; returns the sum per stage."""
        self.closed = True
        return self._take()

    def _take(self) -> dict[str, float]:
        sums: dict[str, float] = {}
        try:
            while True:
                name, milliseconds = self._timings.popleft()
                sums[name] = sums.get(name, 0.0) + milliseconds
        except IndexError:
            return sums


class Scope:
    """One span of a trace while it is active; `parent` is the scope it was opened in, of whatever trace.

    `stages` is shared by all scopes of the trace. `span_id` is None until somebody needs it.
    """

    __slots__ = ("_spans", "parent", "parent_span_id", "span_id", "stages", "trace_id")

    def __init__(
        self,
        trace_id: str,
        span_id: str | None = None,
        parent_span_id: str | None = None,
        parent: Scope | None = None,
        stages: Stages | None = None,
    ) -> None:
        self.trace_id = trace_id
        self.span_id = span_id
        self.parent_span_id = parent_span_id
        self.parent = parent
        self.stages = Stages() if stages is None else stages
        self._spans: list[str] = []

    def ensure_span(self) -> str:
        """The span id, made now if there was none yet."""
        if self.span_id is None:
            # Two threads may ask at once: both append, and both take the first.
            self._spans.append(generate_span_id())
            self.span_id = self._spans[0]
        return self.span_id


SCOPE: ContextVar[Scope | None] = ContextVar("polyrecord_scope", default=None)


def current_scope() -> Scope | None:
    """The innermost active scope, or None outside of any trace."""
    return SCOPE.get()
