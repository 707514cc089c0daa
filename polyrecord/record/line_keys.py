"""The index keys of lines that are there already, worked out from the lines (docs/format.md, section 3)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import orjson

from polyrecord.format.block import BlockHeader
from polyrecord.format.block_keys import BlockKeys
from polyrecord.format.constants import COVERED_PATHS, OPAQUE, UNINDEXED
from polyrecord.ids import is_hex, normal_id, trace_key, value_key

Document: TypeAlias = dict[str, Any]
_Parts: TypeAlias = list[list[str]]


def keys_of(content: bytes, header: BlockHeader) -> BlockKeys:
    """What an index lists of a block's lines; a line that is no event has no keys."""
    documents = [found for line in content.splitlines() if (found := document_of(line)) is not None]
    traces = (document.get("trace_id") for document in documents)
    normal = {normal_id(trace) for trace in set(map(_text, traces)) if trace is not None}
    paths = paths_of(header.paths)
    values = {value_key(str(value)) for document in documents for value in values_in(document, paths)}
    flags = header.flags & ~(UNINDEXED | OPAQUE) | (0 if all(map(is_hex, normal)) else OPAQUE)
    return BlockKeys(flags, header.paths, sorted({trace_key(one) for one in normal}), sorted(values))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def document_of(line: bytes) -> Document | None:
    """A line as a dict; None for one that is no JSON object."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            found = json.loads(line)  # lone surrogates
        except (ValueError, RecursionError):
            return None
    return found if isinstance(found, dict) else None


def paths_of(declared: Iterable[str]) -> _Parts:
    """The covered and the declared key paths, in parts."""
    return [path.split(".") for path in (*COVERED_PATHS, *declared)]


def values_in(document: Document, paths: Sequence[Sequence[str]]) -> Iterator[str | int]:
    """The text and whole numbers at key paths."""
    for path in paths:
        value: Any = document
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        if isinstance(value, str | int) and not isinstance(value, bool):
            yield value
