"""A line that should be a JSON object, loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from polyrecord.foreign.outcome import Reject
from polyrecord.foreign.repair import repair

BOM = b"\xef\xbb\xbf"
_JSON_SPACE = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Loaded:
    """An object, the JSON text it stands in, and how many values of that text had to become strings."""

    value: dict[str, Any]
    text: bytes
    rewritten: int


def load_object(line: bytes) -> Loaded | Reject:
    """The object of a line, repaired where JSON cannot carry its values; else why it is none."""
    text = line.removeprefix(BOM).strip(_JSON_SPACE)
    rewritten = 0
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        text, rewritten = repair(text)
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError as error:
            return Reject("not JSON", _detail(error))
    if not isinstance(value, dict):
        return Reject("not a JSON object", f"a {type(value).__name__}")
    return Loaded(value, text, rewritten)


def _detail(error: orjson.JSONDecodeError) -> str:
    # orjson counts lines too, but there is only one here.
    return f"{error.msg.partition(': line ')[0]} at column {error.colno}"
