"""The fields of an event type as a flat table, and what may not change about them within a version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from polyrecord.events.fields import SIZE

Schema: TypeAlias = Mapping[str, Any]
"""A JSON Schema, or a part of one."""

_PLURALS: Final = {
    "text": "texts",
    "integer": "integers",
    "object": "objects",
    "decimal text": "decimal texts",
}


@dataclass(frozen=True, slots=True)
class FieldShape:
    """One field: its type in words, whether it must be there, what it means (with the unit)."""

    type: str
    required: bool
    meaning: str


def shape(schema: Schema) -> dict[str, FieldShape]:
    """Fields by path, in the order of the schema: `bids`, `bids[].price`, `streams.<name>.count`."""
    return dict(_walk(schema, schema, ""))


def broken_promises(old: Mapping[str, FieldShape], new: Mapping[str, FieldShape]) -> list[str]:
    """What makes `new` unfit to be the same version as `old`; empty when it only adds optional fields."""
    broken = []
    for path, before in old.items():
        after = new.get(path)
        if after is None:
            broken.append(f"{path} is gone")
            continue
        if after.type != before.type:
            broken.append(f"{path} was {before.type} and is {after.type}")
        if after.required and not before.required:
            broken.append(f"{path} is now required")
    # A new field inside a new optional object binds nobody who does not use the object.
    added = [path for path, field in new.items() if path not in old and field.required]
    broken += [f"{path} is new and required" for path in added if not _is_inside_new(path, old, new)]
    return broken


def _is_inside_new(path: str, old: Mapping[str, FieldShape], new: Mapping[str, FieldShape]) -> bool:
    return any(path.startswith((f"{above}.", f"{above}[]")) for above in new if above not in old)


def _walk(part: Schema, whole: Schema, prefix: str) -> Iterator[tuple[str, FieldShape]]:
    required = part.get("required", ())
    for name, field in part.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield path, FieldShape(_words(field), name in required, field.get("description", ""))
        for inner, step in _inner(field, whole):
            yield from _walk(inner, whole, f"{path}{step}.")


def _inner(field: Schema, whole: Schema) -> Iterator[tuple[Schema, str]]:
    """The objects inside a list or an object of objects."""
    for kind in _kinds(field):
        for member, step in (("items", "[]"), ("additionalProperties", ".<name>")):
            inner = kind.get(member)
            if isinstance(inner, Mapping) and "$ref" in inner:
                yield whole["$defs"][inner["$ref"].rpartition("/")[2]], step


def _kinds(field: Schema) -> list[Schema]:
    return list(field.get("anyOf", [field]))


def _words(field: Schema) -> str:
    return " or ".join(_kind_words(kind) for kind in _kinds(field))


def _kind_words(kind: Schema) -> str:
    if "enum" in kind:
        return " or ".join(f"`{value}`" for value in kind["enum"])
    match kind.get("type", "object"):
        case "string":
            return _text_words(kind)
        case "integer":
            lowest = kind.get("minimum", -1)
            return "integer" if lowest < 0 else f"integer from {lowest}"
        case "array":
            return f"list of {_plural(kind['items'])}"
        case "object" if isinstance(kind.get("additionalProperties"), Mapping):
            return f"object of {_plural(kind['additionalProperties'])}"
        case other:
            return str(other)


def _text_words(kind: Schema) -> str:
    if kind.get("format") == "decimal":
        return "decimal text from 0" if kind["pattern"] == SIZE else "decimal text"
    if kind.get("format") == "date-time":
        return "timestamp"
    return "text, not empty" if kind.get("minLength") else "text"


def _plural(kind: Schema) -> str:
    words = _kind_words(kind)
    first, separator, rest = words.partition(" from ")
    return _PLURALS.get(first, first) + separator + rest
