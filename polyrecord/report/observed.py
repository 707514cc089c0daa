"""What events of a type really hold: each path in their data, its JSON types, how often, between what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from polyrecord.read.blocks import lines
from polyrecord.read.event import NotAnEvent, read_json
from polyrecord.report.question import Coverage, Question, Window

_MOST_PATHS: Final = 2_000
_EXAMPLE: Final = 60  # characters


@dataclass(frozen=True, slots=True)
class ObservedField:
    """One path in the data (`[]` for a place in a list).

    `share` of the events have it; `least` and `most` are of its numbers, None where it has none.
    """

    path: str
    types: tuple[str, ...]
    events: int
    share: float
    least: float | None
    most: float | None
    example: str


@dataclass(frozen=True, slots=True)
class Observed:
    """The fields of one event type as they occur; `left_out` more paths were too many to keep."""

    event_type: str
    window: Window
    coverage: Coverage
    events: int
    fields: tuple[ObservedField, ...]
    left_out: int


@dataclass(slots=True)
class _Seen:
    types: Counter[str] = field(default_factory=Counter)
    events: int = 0
    least: float | None = None
    most: float | None = None
    example: str = ""


def observe(question: Question, event_type: str) -> Observed:
    """Look at every selected event, which must be of this type."""
    seen: dict[str, _Seen] = {}
    beyond: set[str] = set()
    events = 0
    for line in lines(question.source, question.selection, question.explain):
        try:
            data = read_json(line).get("data")
        except (NotAnEvent, AttributeError):
            continue
        events += 1
        _look(data, seen, beyond)
    fields = tuple(_field(path, one, events) for path, one in seen.items())
    return Observed(event_type, question.window, question.coverage(), events, fields, len(beyond))


def _look(data: Any, seen: dict[str, _Seen], beyond: set[str]) -> None:
    once: set[str] = set()
    for path, value in _paths(data, ""):
        if path not in seen:
            if len(seen) >= _MOST_PATHS:
                if len(beyond) < _MOST_PATHS:
                    beyond.add(path)
                continue
            seen[path] = _Seen()
        _note(seen[path], value, first=path not in once)
        once.add(path)


def _note(one: _Seen, value: Any, *, first: bool) -> None:
    one.events += first
    one.types[_type(value)] += 1
    if isinstance(value, int | float) and not isinstance(value, bool):
        one.least = value if one.least is None else min(one.least, value)
        one.most = value if one.most is None else max(one.most, value)
    if not one.example and value is not None and not isinstance(value, dict | list):
        one.example = str(value)[:_EXAMPLE]


def _paths(value: Any, above: str) -> Iterator[tuple[str, Any]]:
    """Every value with its path, the whole first; lists by what is in them."""
    if above:
        yield above, value
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _paths(inner, f"{above}.{name}" if above else str(name))
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner, f"{above}[]")


def _type(value: Any) -> str:
    kinds = {bool: "boolean", dict: "object", list: "list", str: "text", int: "integer", float: "number"}
    return "null" if value is None else kinds.get(type(value), type(value).__name__)


def _field(path: str, one: _Seen, events: int) -> ObservedField:
    types = tuple(name for name, _ in one.types.most_common())
    return ObservedField(
        path, types, one.events, round(one.events / events, 6), one.least, one.most, one.example
    )
