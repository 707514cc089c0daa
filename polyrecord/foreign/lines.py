"""What the parsers of flat JSON lines share: the line itself becomes `data`, as it is written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Final

from polyrecord.foreign.fields import pick_exact, text_of
from polyrecord.foreign.moments import to_ns
from polyrecord.foreign.objects import Loaded, load_object
from polyrecord.foreign.outcome import Parsed, Reject

_IN_ENVELOPE: Final = ("span_id", "parent_span_id", "bot_id", "intent_id", "level", "reason_code")
_NAMED: Final = frozenset(_IN_ENVELOPE)
TRACE_FIELDS: Final = ("trace_id", "traceId", "trace")


def one_line(text: bytes) -> bytes:
    """JSON text without line breaks: only white space can hold a bare carriage return in valid JSON."""
    return text.replace(b"\r", b" ") if b"\r" in text else text


def envelope_of(value: dict[str, Any]) -> dict[str, str] | None:
    """The members of an object that an event line carries beside `data`."""
    if _NAMED.isdisjoint(value):
        return None
    found = {name: text for name in _IN_ENVELOPE if (text := text_of(value.get(name))) is not None}
    return found or None


def trace_of(value: dict[str, Any]) -> str | None:
    """The trace id of an object, by the usual names."""
    for name in TRACE_FIELDS:
        if name in value and (text := text_of(value[name])) is not None:
            return text
    return None


def time_of(loaded: Loaded, names: tuple[str, ...], *, zone_seconds: int = 0) -> int | Reject:
    """Nanoseconds of the first of these fields that is there; `zone_seconds` is for text without a zone."""
    name = next((name for name in names if loaded.value.get(name) is not None), None)
    if name is None:
        return Reject("no timestamp", f"there is no {' or '.join(names)}")
    try:
        return to_ns(pick_exact(loaded.value, name, loaded.text), "auto", zone_seconds)
    except ValueError as error:
        return Reject("unusable timestamp", f"{name}: {error}")


def flat_event(loaded: Loaded, ts_ns: int, event_type: str) -> Parsed:
    """An event whose data is the whole line."""
    value = loaded.value
    return Parsed(
        ts_ns, event_type, trace_of(value), one_line(loaded.text), loaded.rewritten, envelope_of(value)
    )


class ObjectParser(ABC):
    """A parser of lines that are JSON objects: each has a time, and is one event."""

    def is_whole(self, line: bytes) -> bool:
        """True: a JSON object cannot be longer than one that parsed."""
        return True

    def parse(self, line: bytes) -> Parsed | Reject:
        """The event of one line, or why it is none."""
        loaded = load_object(line)
        if isinstance(loaded, Reject):
            return loaded
        ts_ns = self.time(loaded)
        return ts_ns if isinstance(ts_ns, Reject) else self.event(ts_ns, loaded)

    @abstractmethod
    def time(self, loaded: Loaded) -> int | Reject:
        """Nanoseconds since 1970, or why there is no time."""

    @abstractmethod
    def event(self, ts_ns: int, loaded: Loaded) -> Parsed | Reject:
        """The event of an object at its time."""
