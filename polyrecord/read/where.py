"""Conditions on events, as people type them: `data.strategy=atomic`, `net_edge>0.5`, `level!=info`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import Any, Final, TypeAlias

from polyrecord.errors import UsageError
from polyrecord.foreign.fields import pick
from polyrecord.format.constants import COVERED_PATHS
from polyrecord.ids import normal_id, value_key
from polyrecord.times import parse_ts

ENVELOPE: Final = (
    "ts", "seq", "event_type", "trace_id", "span_id", "parent_span_id", "bot_id", "intent_id", "level",
    "reason_code",
)  # fmt: skip
_SYNTAX: Final = re.compile(r"\s*([^\s=!<>~][^=!<>~]*?)\s*(!=|<=|>=|=|<|>|!~|~)\s*(.*)", re.DOTALL)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_ORDERINGS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {"<": lt, "<=": le, ">": gt, ">=": ge}
_HINT: Final = "FIELD=VALUE, or !=, <, <=, >, >=, ~ (contains), as in data.net_edge>0.5"


def field_path(name: str) -> tuple[str, ...]:
    """The paths a field name may mean, first found wins: a member of the line, else one of `data`.

    `strategy` is short for `data.strategy`. A path goes into objects by name and into lists by number.
    """
    if name == "data" or name.startswith("data."):
        return (name,)
    head = name.partition(".")[0]
    return (name, f"data.{name}") if head in ENVELOPE else (f"data.{name}",)


def value_at(document: Any, paths: tuple[str, ...]) -> Any:
    """What an event's JSON object holds at the first of these paths that holds anything."""
    for path in paths:
        value = pick(document, path)
        if value is not None:
            return value
    return None


def text_of(value: Any) -> str | None:
    """A scalar as people write it: `true`, `0.5`, the text itself; None of anything else."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. What is missing equals only `null`, and no comparison holds of it but `!=` and `!~`.

    Two numbers compare as exact decimals, whether they are written as numbers or as text; `ts` compares as
    time, anything else as text. `~` asks whether the value contains the text, upper and lower case alike.
    """

    name: str
    operator: str
    value: str
    paths: tuple[str, ...]
    _number: Decimal | None = field(default=None, repr=False)

    def holds(self, document: Any) -> bool:
        """Whether it holds of an event's JSON object."""
        found = value_at(document, self.paths)
        if self.operator in _ORDERINGS:
            return self._orders(found)
        if self.operator in ("~", "!~"):
            text = text_of(found)
            return (text is not None and self.value.lower() in text.lower()) == (self.operator == "~")
        return self._equals(found) == (self.operator == "=")

    def may_hold_in(self, line: bytes) -> bool:
        """False when the bytes of a line already rule it out; cheap."""
        needle = self.needle
        return needle is None or needle in line or b"\\u" in line

    @property
    def needle(self) -> bytes | None:
        """Bytes that every line it holds of has in it, unless that has `\\u` escapes; None where unknown."""
        if self.operator != "=" or self._number is not None or self.value in ("null", "true", "false", ""):
            return None
        plain = self.value.isascii() and self.value.isprintable() and not set(self.value) & set('"\\/')
        return self.value.encode() if plain and self.name not in ("ts", "trace_id") else None

    def key_in(self, indexed: tuple[str, ...]) -> int | None:
        """The index key that an event it holds of must have, where all its paths are indexed; else None."""
        if self.operator != "=" or self._number is not None or self.value in ("null", "true", "false", ""):
            return None
        covered = (*COVERED_PATHS, *indexed)
        return value_key(self.value) if all(path in covered for path in self.paths) else None

    def _equals(self, found: Any) -> bool:
        if found is None or self.value == "null":
            return found is None and self.value == "null"
        if self.name == "ts":
            return self._compares(found, lambda a, b: bool(a == b))
        text = text_of(found)
        if text is None:
            return False
        if self.name == "trace_id":
            return normal_id(text) == normal_id(self.value)
        if text == self.value:
            return True
        number = _number(text) if self._number is not None and not isinstance(found, bool) else None
        return number is not None and number == self._number

    def _orders(self, found: Any) -> bool:
        return self._compares(found, _ORDERINGS[self.operator])

    def _compares(self, found: Any, compare: Callable[[Any, Any], bool]) -> bool:
        text = text_of(found)
        if text is None or isinstance(found, bool):
            return False
        if self.name == "ts":
            return compare(_time(text), _time(self.value))
        if self._number is None:
            return compare(text, self.value)
        number = _number(text)
        return number is not None and compare(number, self._number)


Conditions: TypeAlias = tuple[Condition, ...]


def parse_condition(text: str) -> Condition:
    """The condition of a text such as `data.net_edge>0.5`; raises UsageError."""
    match = _SYNTAX.fullmatch(text)
    if match is None:
        raise UsageError(f"not a condition: {text[:80]!r}", hint=_HINT)
    name, operator, value = match.groups()
    if name == "ts":
        try:
            parse_ts(value)
        except (ValueError, OverflowError):
            raise UsageError(f"not a time: {value[:80]!r}", hint="ts>=2026-11-20T12:00:00Z") from None
    number = None if _is_id(name) else _number(value)
    return Condition(name, operator, value, field_path(name), number)


def _is_id(name: str) -> bool:
    """Whether a field holds ids: they may be digits, but 7 and 7.0 are two of them."""
    return name.rpartition(".")[2].lower().endswith("id")


def _number(text: str) -> Decimal | None:
    return Decimal(text) if len(text) <= _LONGEST and _NUMBER.fullmatch(text) else None


_LONGEST: Final = 400


def _time(text: str) -> int:
    try:
        return parse_ts(text)
    except (ValueError, OverflowError):
        return -(1 << 63)
