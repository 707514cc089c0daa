"""What becomes of one line of a foreign log: an event, several, none, or a reject with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Parsed:
    """An event: nanoseconds since 1970, its type and trace, and `data` as the bytes of one JSON value.

    `rewritten` counts the values of the line that JSON cannot carry and that were kept as strings. `envelope`
    holds further members of the event line: span_id, parent_span_id, bot_id, intent_id, level, reason_code.
    """

    ts_ns: int
    event_type: str
    trace_id: str | None
    data: bytes
    rewritten: int = 0
    envelope: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """Why a line is no event: a reason from a short fixed list, and what this line in particular had."""

    reason: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


Outcome: TypeAlias = Parsed | Reject | tuple[Parsed, ...]
"""One event or why there is none; several where a line holds several; none where it is only a header."""


def events_of(outcome: Outcome) -> tuple[Parsed, ...]:
    """The events of an outcome that is no reject."""
    if isinstance(outcome, Reject):
        return ()
    return (outcome,) if isinstance(outcome, Parsed) else outcome


class Parser(Protocol):
    """Reads the lines of one file, in order; may remember what it saw above (a header)."""

    def parse(self, line: bytes) -> Outcome:
        """What one line, without its line feed, becomes."""
        ...

    def is_whole(self, line: bytes) -> bool:
        """Whether a last line that parsed but has no line feed is complete: no writer is still at it."""
        ...


def shorten(value: object) -> str:
    """A value of somebody else's file, fit for a message: quoted, no control characters, at most 80."""
    text = ascii(value[:80] if isinstance(value, str | bytes) else value)
    return text if len(text) <= 80 else f"{text[:77]}..."
