"""Why an event does not fit its model, in words: field path, reason, hint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from polyrecord.errors import InvalidEvent

_LONGEST: Final = 60  # characters of a value in a message

Words: TypeAlias = Callable[[Mapping[str, Any], Any], str]
"""Turns an error's context and the value it is about into a reason."""


def _needs(what: str) -> Words:
    return lambda _context, value: f"needs {what}, not {_named(value)}"


def _is(what: str) -> Words:
    return lambda _context, value: f"{_short(value)} is {what}"


_REASONS: Final[dict[str, Words]] = {
    "missing": lambda _context, _value: "is missing",
    "string_type": _needs("text"),
    "string_unicode": lambda _context, _value: "has a surrogate in it, which UTF-8 cannot hold",
    "string_too_short": lambda _context, _value: "is empty",
    "int_type": _needs("a whole number"),
    "float_type": _needs("a number or null"),
    "finite_number": _is("not finite"),
    "greater_than_equal": lambda context, value: f"{_short(value)} is less than {context['ge']}",
    "less_than_equal": lambda context, value: f"{_short(value)} is more than {context['le']}",
    "list_type": _needs("a list"),
    "dict_type": _needs("an object"),
    "model_type": _needs("an object"),
    "model_attributes_type": _needs("an object"),
    "literal_error": lambda context, value: (
        f"needs {context['expected'].replace(chr(39), '')}, not {_short(value)}"
    ),
    "decimal_type": _needs("decimal text"),
    "decimal_text": _is("not decimal text"),
    "decimal_sign": _is("negative"),
    "stamp": _is("not a timestamp"),
}

_HINTS: Final = {
    "decimal_type": 'a float cannot hold every price: give text such as "0.48", or a Decimal',
    "decimal_text": 'digits with at most one dot, such as "0.48": no exponent, NaN or thousands separator',
    "decimal_sign": "the side says the direction; sizes count from 0",
    "finite_number": "a stage that was not measured is null",
    "stage_number": "a stage that was not measured is null",
    "stage_unit": "a stage is named with its unit, such as book_to_signal_ms; anything else here is text",
    "stage_missing": "a stage that was not measured is null",
    "stamp": "UTC with nine fractional digits: 2026-11-20T12:34:56.789123456Z",
    "frame_form": "record_raw() picks the right one",
}


def explain(event_type: str, error: ValidationError) -> InvalidEvent:
    """The first thing wrong, as `signal: data.strategy: is missing`, and how many more there are."""
    details = error.errors(include_url=False)
    first = details[0]
    more = "" if len(details) == 1 else f" (and {len(details) - 1} more)"
    return InvalidEvent(
        f"{event_type}: {_path(first)}: {_reason(first)}{more}",
        hint=_HINTS.get(first["type"], f"docs/events.md lists the fields of {event_type}"),
    )


class Problem(NamedTuple):
    """One thing that is wrong: where in the line, why, and which rule it breaks."""

    field: str
    reason: str
    rule: str


def problems(error: ValidationError) -> list[Problem]:
    """Everything that is wrong."""
    return [Problem(_path(each), _reason(each), each["type"]) for each in error.errors(include_url=False)]


def not_an_object(event_type: str, data: object) -> InvalidEvent:
    """The error for data that is no mapping at all."""
    return InvalidEvent(
        f"{event_type}: data: needs an object, not {_named(data)}",
        hint=f"docs/events.md lists the fields of {event_type}",
    )


def _path(details: ErrorDetails) -> str:
    steps: list[int | str] = [*details["loc"], *_field(details)]
    return "data" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)


def _field(details: ErrorDetails) -> list[str]:
    """The field that a check of the whole model is about."""
    field = details.get("ctx", {}).get("field")
    return [] if field is None else [field]


def _reason(details: ErrorDetails) -> str:
    words = _REASONS.get(details["type"])
    if words is None:
        return details["msg"][:1].lower() + details["msg"][1:]
    return words(details.get("ctx", {}), details["input"])


def _named(value: object) -> str:
    return "null" if value is None else f"the {type(value).__name__} {_short(value)}"


def _short(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - an integer of 5,000 digits, an object that cannot describe itself
        return "beyond description"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
