"""What a reader is asked for: a window, event types, streams, a trace, a value."""

from __future__ import annotations

from dataclasses import dataclass

from polyrecord.errors import UsageError
from polyrecord.format.block import cut_name
from polyrecord.ids import is_hex, normal_id, prefix_range, trace_key, value_key
from polyrecord.read.text import TextQuery
from polyrecord.read.where import Condition
from polyrecord.times import date_of, parse_moment

_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1
_FULL_ID = 32  # hex digits of a W3C trace id; a text this long is no beginning of an opaque id


@dataclass(frozen=True, slots=True)
class Selection:
    """A question to the archive; what is left out does not restrict.

    Times are ns, `since_ns` inclusive, `until_ns` exclusive. `trace` is a trace id or its beginning
    (with `exact` the whole id); `value` is an order id, intent id or a value at a declared key path. Every
    condition of `where` has to hold; `text` is looked for in the line as it is recorded.
    """

    since_ns: int | None = None
    until_ns: int | None = None
    types: frozenset[str] = frozenset()
    trace: str | None = None
    value: str | None = None
    streams: frozenset[str] = frozenset()
    exact: bool = False
    where: tuple[Condition, ...] = ()
    text: TextQuery | None = None

    @property
    def lowest_ns(self) -> int:
        """The window's first nanosecond, within 64 bits."""
        return _LOWEST if self.since_ns is None else _within_64_bits(self.since_ns)

    @property
    def highest_ns(self) -> int:
        """The nanosecond after the window's last, within 64 bits."""
        return _HIGHEST if self.until_ns is None else _within_64_bits(self.until_ns)

    def takes_stream(self, stream: str) -> bool:
        """Whether events of this stream are asked for."""
        return not self.streams or stream in self.streams

    def takes_date(self, date: str) -> bool:
        """Whether the window touches this UTC date."""
        if self.since_ns is not None and date < date_of(self.lowest_ns):
            return False
        return self.until_ns is None or date <= date_of(max(self.highest_ns - 1, _LOWEST))

    @property
    def type_names(self) -> frozenset[str]:
        """The event types as an index holds them."""
        return frozenset(cut_name(name).decode() for name in self.types)


def _within_64_bits(ns: int) -> int:
    return min(max(ns, _LOWEST), _HIGHEST)


def read_window(
    since: str | int | None, until: str | int | None, now_ns: int
) -> tuple[int | None, int | None]:
    """Both ends in ns; text as `times.parse_moment` reads it; raises UsageError when nothing lies between."""
    low, high = _moment(since, now_ns), _moment(until, now_ns)
    if low is not None and high is not None and low >= high:
        raise UsageError(f"window is empty: it ends at {until} but begins at {since}", hint="since < until")
    return low, high


def _moment(value: str | int | None, now_ns: int) -> int | None:
    return parse_moment(value, now_ns) if isinstance(value, str) else value


class TraceQuery:
    """A trace id, or the beginning of one, ready to be looked for."""

    __slots__ = ("_known", "_lower", "_normal", "exact", "hex", "keys", "opaque")

    def __init__(self, text: str, *, exact: bool = False) -> None:
        """`keys` is the range of trace keys it can have, None if only a scan of opaque blocks can tell."""
        if not text:
            raise UsageError("trace id is empty", hint="give a trace id or its first characters")
        self._lower, self._normal = text.lower(), normal_id(text)
        self._known: dict[str, bool] = {}
        self.hex = is_hex(self._normal)
        self.exact = exact
        self.opaque = not exact and not (self.hex and len(self._normal) >= _FULL_ID)
        key = trace_key(self._normal)
        self.keys: tuple[int, int] | None = (key, key)
        if not exact:
            self.keys = prefix_range(self._normal) if self.hex else None

    def matches(self, trace_id: str) -> bool:
        """Whether an id as it was written is, or begins with, what is looked for."""
        known = self._known.get(trace_id)
        if known is None:
            if len(self._known) > _REMEMBERED:
                self._known.clear()
            known = self._known[trace_id] = self._compare(normal_id(trace_id))
        return known

    def among(self, lines: list[bytes], content: bytes) -> list[bytes]:
        """Those lines of a content that may have such an id: its digits stand in them, dashes aside."""
        if not self.hex or b"\\u" in content:
            return lines
        digits, bare = self._normal.encode(), content.lower().replace(b"-", b"")
        if digits not in bare:
            return []
        return [line for line, text in zip(lines, bare.split(b"\n"), strict=False) if digits in text]

    def _compare(self, normal: str) -> bool:
        if self.exact or normal == self._normal:
            return normal == self._normal
        if is_hex(normal):
            return self.hex and normal.startswith(self._normal)
        return self.opaque and normal.startswith(self._lower)


_REMEMBERED = 4096


class ValueQuery:
    """An order id, an intent id or any other indexed value, ready to be looked for."""

    __slots__ = ("_lower", "_needle", "key")

    def __init__(self, text: str) -> None:
        if not text:
            raise UsageError("value is empty", hint="give an order id, an intent id or a declared value")
        self._lower = text.lower()
        self.key = value_key(text)
        # Text that every writer spells the same way must stand in the line as it is.
        plain = text.isascii() and text.isprintable() and not set(text) & set('"\\/')
        self._needle = self._lower.encode() if plain else None

    def may_be_in(self, line: bytes) -> bool:
        """False when the line cannot hold the value; cheap."""
        return self._needle is None or self._needle in line.lower() or b"\\u" in line

    def path_in(self, document: object, paths: tuple[str, ...]) -> str | None:
        """The first of `paths` at which the document holds the value, or None."""
        for path in paths:
            value = _value_at(document, path)
            if (
                isinstance(value, str | int)
                and not isinstance(value, bool)
                and str(value).lower() == self._lower
            ):
                return path
        return None


def _value_at(document: object, path: str) -> object:
    for part in path.split("."):
        if not isinstance(document, dict):
            return None
        document = document.get(part)
    return document
