"""What a victim is told to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from polyrecord.record.policy import RetryPolicy, RotatePolicy, SyncMode, SyncPolicy
from polyrecord.record.recorder import EventRecorder

_POLICIES: Final[dict[str, Callable[..., Any]]] = {
    "rotate": RotatePolicy,
    "sync": lambda mode, **rest: SyncPolicy(SyncMode(mode), **rest),
    "retry": RetryPolicy,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a victim does: `threads` record `rate` events a second each until `events` or `seconds` are over.

    Both 0: until it is killed. `recorder` are options of EventRecorder, with policies as dicts. About every
    `flush_every` seconds a flush is awaited. `children` are forked `fork_after` seconds after the start.
    `end` says how it ends, see ENDS in victim.py.
    """

    root: str
    journal: str
    who: str
    threads: int = 2
    rate: float = 2_000
    events: int = 0
    seconds: float = 0.0
    flush_every: float = 0.05
    padding: int = 0
    end: str = "close"
    children: int = 0
    fork_after: float = 0.05
    recorder: dict[str, Any] = field(default_factory=dict)


def recorder_of(plan: Plan) -> EventRecorder:
    """The recorder that a plan asks for."""
    options = {
        name: _POLICIES[name](**value) if name in _POLICIES else value
        for name, value in plan.recorder.items()
    }
    return EventRecorder(plan.root, **options)
