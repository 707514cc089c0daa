"""Which values of an event are index keys (docs/format.md, section 3)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from polyrecord.errors import ConfigError
from polyrecord.format.constants import COVERED_PATHS, MAX_NAME
from polyrecord.ids import is_hex, normal_id, trace_key, value_key
from polyrecord.record.buffer import LINE_END

_REMEMBERED = 4096
_MAX_DECLARED = 100  # paths of 255 bytes, and a value for each, still fit a header


class TraceKeys:
    """Trace ids as JSON fragments and keys; the ids seen lately are remembered, for they repeat."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, int, bool]] = {}

    def get(self, trace_id: str) -> tuple[str, int, bool]:
        """`,"trace_id":"…"`, its key, and whether the id is opaque."""
        known = self._known.get(trace_id)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[trace_id] = self._make(trace_id)
        return known

    @staticmethod
    def _make(trace_id: str) -> tuple[str, int, bool]:
        normal = normal_id(trace_id)
        return f',"trace_id":{quote(trace_id)}', trace_key(normal), not is_hex(normal)


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
        # may have a space before it. `\u`: a name may be written with escapes.
        names = {*(f'{parts[-1]}"' for parts in self._paths), "\\u"}
        self._needles = [n.encode() for n in names if not any(n != m and n.endswith(m) for m in names)]
        self._envelope = [path for path in paths if not path.startswith("data.")]

    def find(self, payload: bytes, envelope: Mapping[str, str] | None) -> list[int]:
        """The value keys of an event from its encoded data, LINE_END included, and its envelope fields."""
        keys = [value_key(envelope[name]) for name in self._envelope if name in envelope] if envelope else []
        for needle in self._needles:  # a loop: any() over a generator costs 0.3 us an event
            if needle in payload:
                return keys + self._in_data(payload[: -len(LINE_END)])
        return keys

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
