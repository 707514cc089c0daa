"""Finds the fields of a foreign JSON object by their dotted paths."""

from __future__ import annotations

import json
import re
from typing import Any

_NUMBER = re.compile(rb"\s*:\s*(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?=[\s,}])")
_EXACT = json.JSONDecoder(parse_float=str)  # one for all: making it costs more than a short line


def pick(value: Any, path: str) -> Any:
    """What stands at a dotted path (`meta.time`, `spans.0.id`), or None. A key that has dots itself wins."""
    if isinstance(value, dict) and path in value:
        return value[path]
    head, dot, rest = path.partition(".")
    item = _member(value, head)
    return pick(item, rest) if dot and item is not None else item


def _member(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return value.get(name)
    if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
        return value[int(name)]
    return None


def pick_exact(value: Any, path: str, text: bytes) -> Any:
    """As `pick`, with a float as the very text it has in the line `text` that `value` was read from."""
    item = pick(value, path)
    if not isinstance(item, float):
        return item
    written = _only_number_of(path, text)
    if written is not None and float(written) == item:
        return written.decode()
    try:
        return pick(_EXACT.decode(text.decode()), path)
    except RecursionError:
        return repr(item)  # nested deeper than the exact parser goes: the shortest text of the same double


def _only_number_of(name: str, text: bytes) -> bytes | None:
    """The number after the only key of this name, wherever in the text that stands."""
    key = b'"%b"' % name.encode()
    at = text.find(key)
    if at < 0 or text.find(key, at + 1) >= 0:
        return None
    match = _NUMBER.match(text, at + len(key))
    return match[1] if match is not None else None


def text_of(value: Any) -> str | None:
    """A name or id as text; None when it is empty, or neither text nor number."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value) or None
