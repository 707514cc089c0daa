"""Which values of an event are index keys (docs/format.md, section 3)."""

from __future__ import annotations

import json
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, TypeAlias, cast

import orjson

from polyrecord.errors import ConfigError
from polyrecord.format.constants import COVERED_PATHS, MAX_NAME
from polyrecord.ids import is_hex, normal_id, trace_key, value_key
from polyrecord.record.item import CLOSE
from polyrecord.record.lines import Column

_REMEMBERED = 4096
_MAX_DECLARED = 100  # paths of 255 bytes, and a value for each, still fit a header


TraceEntry: TypeAlias = tuple[str, int, bool]
"""`,"trace_id":"…"`, the id's key, and whether it is opaque."""


@dataclass(frozen=True, slots=True)
class Traces:
    """What is known of several events' trace ids: their part of the lines, keys, whether one is opaque."""

    columns: tuple[Column, ...] = ()
    keys: Iterable[int] = ()
    opaque: bool = False


class TraceKeys:
    """Trace ids as JSON fragments and keys; unusual ids seen lately are remembered, for they repeat."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, TraceEntry] = {}

    def get(self, trace_id: str) -> TraceEntry:
        """The entry of an id."""
        known = self._known.get(trace_id)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[trace_id] = self._make(trace_id)
        return known

    def get_all(self, trace_ids: Sequence[str | None]) -> Traces:
        """The same for several events, None where one has no id; raises TypeError for what is no text."""
        ids = trace_ids if set(map(type, trace_ids)) == {str} else [i for i in trace_ids if i is not None]
        text = "\n".join(cast("Sequence[str]", ids))
        keys = _usual_keys(text, len(ids))
        if keys is None:
            return self._mixed(trace_ids)
        if len(ids) == len(trace_ids):
            return Traces((b',"trace_id":"', text.encode().split(b"\n"), b'"'), keys)
        return Traces((_fragments(trace_ids),) if ids else (), keys)

    def _mixed(self, trace_ids: Sequence[str | None]) -> Traces:
        entries = {trace_id: self.get(trace_id) for trace_id in set(trace_ids) if trace_id is not None}
        fragments = {trace_id: fragment.encode() for trace_id, (fragment, _, _) in entries.items()}
        column = [b"" if trace_id is None else fragments[trace_id] for trace_id in trace_ids]
        keys = [key for _, key, _ in entries.values()]
        return Traces((column,), keys, any(opaque for _, _, opaque in entries.values()))

    @staticmethod
    def _make(trace_id: str) -> TraceEntry:
        normal = normal_id(trace_id)
        return f',"trace_id":{quote(trace_id)}', trace_key(normal), not is_hex(normal)


def _usual_keys(text: str, count: int) -> Iterable[int] | None:
    """The keys of so many ids, a line each, if all have 32 hex digits and any dashes; else None.

    As long as they are all of one length when the dashes are gone, and as many digits are found as there
    are characters, no other character can be among them.
    """
    bare = text.replace("-", "")
    if len(bare) != 33 * count - 1 or bare[32::33] != "\n" * (count - 1):
        return None if count else ()
    try:
        digits = bytes.fromhex(bare)  # skips the line feeds
    except ValueError:
        return None
    if len(digits) != 16 * count:
        return None
    keys = array("I", digits)[::4]
    if sys.byteorder == "little":
        keys.byteswap()
    return keys


def _fragments(trace_ids: Sequence[str | None]) -> list[bytes]:
    """Fragments of ids that need no escapes."""
    told = ["" if trace_id is None else f',"trace_id":"{trace_id}"' for trace_id in trace_ids]
    return "\n".join(told).encode().split(b"\n")


def quote(text: str) -> str:
    """Text as a JSON string; a lone surrogate as its escape in plain characters."""
    try:
        return orjson.dumps(text).decode()
    except (TypeError, ValueError):
        return orjson.dumps(text.encode("utf-8", "backslashreplace").decode()).decode()


class ValueKeys:
    """Finds the values at the key paths of an event; parses `data` only when a name of one occurs in it."""

    __slots__ = ("_envelope", "_needles", "_paths", "declared")

    def __init__(self, declared: Iterable[str] = ()) -> None:
        self.declared = tuple(dict.fromkeys(path for path in declared if path not in COVERED_PATHS))
        if len(self.declared) > _MAX_DECLARED:
            raise ConfigError(f"{len(self.declared)} index keys; a block's header holds {_MAX_DECLARED}")
        for path in self.declared:
            _check_path(path)
        paths = [*COVERED_PATHS, *self.declared]
        self._paths = [path.split(".")[1:] for path in paths if path.startswith("data.")]
        # `order_id"` is also the end of `client_order_id"`, so one search serves both. No colon: an import
        # may have a space before it. A backslash: a name may be written with escapes.
        names = {*(f'{parts[-1]}"' for parts in self._paths), "\\"}
        self._needles = [n.encode() for n in names if not any(n != m and n.endswith(m) for m in names)]
        self._envelope = [path for path in paths if not path.startswith("data.")]

    def holders(self, payloads: Sequence[bytes], content: bytes) -> Iterable[int]:
        """The places of the payloads that may hold a value; `content` is all of them, joined."""
        if not any(needle in content for needle in self._needles):
            return ()
        ends = list(accumulate(map(len, payloads)))
        found: set[int] = set()
        for needle in self._needles:
            at = content.find(needle)
            while at >= 0:
                place = bisect_right(ends, at)
                found.add(place)
                at = content.find(needle, ends[place])
        return sorted(found)

    def find(self, payload: bytes, envelope: Mapping[str, str] | None) -> list[int]:
        """The value keys of an event from its encoded data, CLOSE included, and its envelope fields."""
        keys = self.of_envelope(envelope)
        for needle in self._needles:  # a loop: any() over a generator costs 0.3 us an event
            if needle in payload:
                return keys + self.of_data(payload)
        return keys

    def of_envelope(self, envelope: Mapping[str, str] | None) -> list[int]:
        """The value keys of envelope fields."""
        if not envelope:
            return []
        return [value_key(envelope[name]) for name in self._envelope if name in envelope]

    def of_data(self, payload: bytes) -> list[int]:
        """The value keys of encoded data, CLOSE included."""
        return self._in_data(payload[: -len(CLOSE)])

    def _in_data(self, data: bytes) -> list[int]:
        try:
            parsed = orjson.loads(data)
        except orjson.JSONDecodeError:
            parsed = json.loads(data)  # an import's lone surrogates
        values = (_at(parsed, parts) for parts in self._paths)
        return [value_key(str(v)) for v in values if isinstance(v, str | int) and not isinstance(v, bool)]


def _at(value: Any, parts: list[str]) -> Any:
    for part in parts:
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def _check_path(path: str) -> None:
    if not path or len(path.encode()) > MAX_NAME or path == "data" or "" in path.split("."):
        raise ConfigError(f"not a key path: {path[:80]!r}", hint="data.market, or a field of the envelope")
    if not path.startswith("data.") and path not in {"bot_id", "level", "reason_code", "intent_id"}:
        raise ConfigError(f"not a key path: {path[:80]!r}", hint="a path into data starts with `data.`")
