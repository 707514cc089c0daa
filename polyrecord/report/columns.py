"""The columns of an event type: which SQL type each field of `data` has, and how to get it from the JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from polyrecord.events.names import EventType
from polyrecord.report.quoting import distinct_names, identifier, literal, pointer

ENVELOPE: Final = (
    "ts", "ts_ns", "seq", "event_type", "trace_id", "span_id", "parent_span_id", "bot_id", "intent_id",
    "level", "reason_code",
)  # fmt: skip
REST: Final = ("data", "writer", "stream")
MOST_FIELDS: Final = 500  # of one type; an object with more is a table of its own, and stays in `data`

Kind: TypeAlias = "str | Levels"
"""What a field holds: the name of an SQL type, or a list of objects."""

# How a text becomes a value: exactly, or not at all.
_CASTS: Final = {
    "DECIMAL": "exact_decimal({})",
    "BIGINT": "exact_bigint({})",
    "DOUBLE": "try_cast({} as double)",
    "BOOLEAN": "try_cast({} as boolean)",
    "TIMESTAMP_NS": "try_cast({} as timestamp_ns)",
    "VARCHAR": "{}",
}


@dataclass(frozen=True, slots=True)
class Levels:
    """A list of objects with known members."""

    members: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """One field of `data` as a column of a view."""

    name: str
    field: str
    kind: Kind

    @property
    def expression(self) -> str:
        """The SQL that gets it from `data`."""
        place = literal(pointer(self.field))
        if isinstance(self.kind, Levels):
            return _levels(f"data -> {place}", self.kind)
        if self.kind == "JSON":
            return f"nullif(data -> {place}, 'null'::json)"
        return _CASTS[self.kind].format(f"(data ->> {place})")

    @property
    def unfit(self) -> str | None:
        """The SQL that is true where there is a value but the column is null; None where that cannot be."""
        if self.kind in ("JSON", "VARCHAR"):
            return None
        place = literal(pointer(self.field))
        missing = f"(data ->> {place}) is not null and ({self.expression}) is null"
        return (
            _unfit_level(f"data -> {place}", self.kind, missing) if isinstance(self.kind, Levels) else missing
        )


def _levels(json: str, kind: Levels) -> str:
    values = ", ".join(f"{literal(name)}: {_cast(name, inner)}" for name, inner in kind.members)
    return f"[{{{values}}} for entry in {_texts(json, kind)}]"


def _unfit_level(json: str, kind: Levels, missing: str) -> str:
    """The SQL that is true where the list is null, or a value in it that is there."""
    lost = " or ".join(
        f"(entry.{identifier(name)} is not null and {_cast(name, inner)} is null)"
        for name, inner in kind.members
    )
    return f"({missing}) or len([1 for entry in {_texts(json, kind)} if {lost}]) > 0"


def _cast(name: str, kind: str) -> str:
    return _CASTS[kind].format(f"entry.{identifier(name)}")


def _texts(json: str, kind: Levels) -> str:
    """The list with every value as it is written."""
    shape = ", ".join(f'"{name}":"VARCHAR"' for name, _ in kind.members)
    return f"from_json({json}, {literal(f'[{{{shape}}}]')})"


def columns_of(event_type: str, found: Mapping[str, frozenset[str]]) -> list[Column]:
    """The columns of a type: its fields in the catalogue, then those `found` in the data, by name.

    `found` has the JSON types of every field, as DuckDB calls them, and `BIG` for an integer that 64 bits do
    not hold. A field with the name of another column gets a name of its own.
    """
    known = catalogue_kinds(event_type)
    others = sorted(name for name in found if name not in known and "\0" not in name)
    kinds = {**known, **{name: kind_of(found[name]) for name in others[:MOST_FIELDS]}}
    return [
        Column(name, field, kinds[field]) for name, field in zip(_column_names(kinds), kinds, strict=True)
    ]


def _column_names(fields: Iterable[str]) -> list[str]:
    taken = {*ENVELOPE, *REST}
    wanted = [f"data_{field}" if not field or field.lower() in taken else field for field in fields]
    return distinct_names(wanted, taken)


def kind_of(types: frozenset[str]) -> str:
    """The SQL type that holds values of these JSON types without loss."""
    some = types - {"NULL"}
    if some & {"ARRAY", "OBJECT"}:
        return "JSON"
    for accepted, kind in _FITTING:
        if some and some <= accepted:
            return kind
    return "VARCHAR"


_FITTING: Final[Sequence[tuple[frozenset[str], str]]] = (
    (frozenset({"BOOLEAN"}), "BOOLEAN"),
    (frozenset({"BIGINT", "UBIGINT"}), "BIGINT"),
    (frozenset({"BIGINT", "UBIGINT", "DOUBLE"}), "DOUBLE"),
)


def catalogue_kinds(event_type: str) -> dict[str, Kind]:
    """The fields of a type that the catalogue knows; none for a type it does not know."""
    if event_type not in {member.value for member in EventType}:
        return {}
    from polyrecord.events.catalogue import CATALOGUE, json_schema

    if event_type not in CATALOGUE:
        return {}
    schema = json_schema(event_type)
    return {name: _kind(field, schema) for name, field in schema.get("properties", {}).items()}


def _kind(field: Mapping[str, Any], schema: Mapping[str, Any]) -> Kind:
    inner = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
    if len(inner) != 1:
        return "JSON"
    reference = inner[0].get("items", {}).get("$ref")
    if reference is None:
        return _scalar(inner[0])
    members = schema["$defs"][reference.rpartition("/")[2]]["properties"]
    return Levels(tuple((name, _scalar(member)) for name, member in members.items()))


def _scalar(field: Mapping[str, Any]) -> str:
    if field.get("type") == "string":
        return {"decimal": "DECIMAL", "date-time": "TIMESTAMP_NS"}.get(field.get("format", ""), "VARCHAR")
    if "enum" in field or "const" in field:
        return "VARCHAR"
    kinds = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN"}
    return kinds.get(field.get("type", ""), "JSON")
