"""The rows of a query as texts and numbers that lose nothing: nine-digit times, decimals in full."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from polyrecord.report.quoting import distinct_names, identifier, literal

Row: TypeAlias = tuple[Any, ...]
Look: TypeAlias = Literal["number", "truth", "text", "json"]

_BATCH: Final = 2000
_TIMES: Final = frozenset(
    {"timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns", "timestamp with time zone"}
)
_NUMBERS: Final = frozenset(
    {
        "tinyint", "smallint", "integer", "bigint", "hugeint", "utinyint", "usmallint", "uinteger", "ubigint",
        "uhugeint", "float", "double",
    }
)  # fmt: skip
_NESTED: Final = frozenset({"list", "array", "struct", "map", "union", "variant", "tuple"})

# A time as text has 2026-11-20 12:34:56 and up to nine digits behind it, or is none of this calendar.
MACROS: Final = r"""
create macro rfc3339(moment) as case
    when regexp_full_match(moment, '\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,9})?')
    then replace(left(moment, 19), ' ', 'T') || '.' || rpad(substr(moment, 21), 9, '0') || 'Z'
    else moment
end;
create macro plain(amount) as case
    when contains(amount, '.') then rtrim(rtrim(amount, '0'), '.') else amount
end;
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer and how its values look."""

    name: str
    look: Look


class Rows:
    """An answer that is being read: iterate once. A value is None, a text, a number or a truth value.

    `look` says what a text is: `number` is an exact decimal, `json` any JSON.
    """

    def __init__(self, columns: Sequence[Column], fetch: Callable[[int], list[Row]]) -> None:
        """`fetch` gives so many rows at most, none at the end."""
        self.columns = tuple(columns)
        self._fetch = fetch

    def __iter__(self) -> Iterator[Row]:
        for batch in self.batches():
            yield from batch

    def batches(self, size: int = _BATCH) -> Iterator[list[Row]]:
        """So many rows at a time; the last may be shorter."""
        while batch := self._fetch(size):
            yield batch


def as_texts(query: str, names: Sequence[str], types: Sequence[Any]) -> tuple[str, list[Column]]:
    """The query with every column as it is to be shown."""
    columns = [Column(name, _look(kind)) for name, kind in zip(distinct_names(names), types, strict=True)]
    return _wrapped(query, [_shown(f"c{at}", kind) for at, kind in enumerate(types)]), columns


def as_values(query: str, names: Sequence[str], types: Sequence[Any]) -> str:
    """The query with every column of a type that Arrow and Parquet have, under a name of its own."""
    values = [
        f"{_kept(f'c{at}', kind)} as {identifier(name)}"
        for at, (name, kind) in enumerate(zip(distinct_names(names), types, strict=True))
    ]
    return _wrapped(query, values)


def _wrapped(query: str, values: Sequence[str]) -> str:
    own = ", ".join(f"c{at}" for at in range(len(values)))
    # The line feed ends a comment that the query may end with.
    return f"select {', '.join(values)} from (\n{query}\n) as answer({own})"  # noqa: S608  # checked before


def _look(kind: Any) -> Look:
    if kind.id in _NESTED or str(kind) == "JSON":
        return "json"
    if kind.id in _NUMBERS or kind.id == "decimal":
        return "number"
    return "truth" if kind.id == "boolean" else "text"


def _shown(value: str, kind: Any) -> str:
    """The SQL for a value as text, number or truth value."""
    if kind.id in _NESTED:
        return f"to_json({_inner(value, kind)})::varchar"
    if kind.id in _TIMES:
        return f"rfc3339(({_in_utc(value, kind)})::varchar)"
    if kind.id == "decimal":
        return f"plain({value}::varchar)"
    if kind.id in _NUMBERS or kind.id == "boolean":
        return value
    return f"{value}::varchar"


def _in_utc(value: str, kind: Any) -> str:
    return f"{value} at time zone 'UTC'" if kind.id == "timestamp with time zone" else value


def _inner(value: str, kind: Any, depth: int = 0) -> str:
    """The SQL for a nested value whose times and decimals are texts."""
    if kind.id in ("list", "array"):
        (_, member), *_ = kind.children
        return f"[{_inner(f'e{depth}', member, depth + 1)} for e{depth} in {value}]"
    if kind.id == "struct":
        members = ", ".join(
            f"{literal(name)}: {_inner(f'{value}.{identifier(name)}', member, depth)}"
            for name, member in kind.children
        )
        return f"case when {value} is not null then {{{members}}} end"
    if str(kind) == "JSON" or kind.id in _NESTED:
        return value
    return _shown(value, kind)


def _kept(value: str, kind: Any) -> str:
    """The SQL for a value that keeps its type where a file of columns has it."""
    if kind.id in ("hugeint", "uhugeint"):
        return f"{value}::decimal(38, 0)"
    if kind.id in _NUMBERS or kind.id in ("decimal", "boolean", "date", "blob", "list", "struct"):
        return value
    if kind.id in _TIMES:
        return f"({_in_utc(value, kind)})::timestamp_ns"
    return f"to_json({value})::varchar" if kind.id in _NESTED else f"{value}::varchar"
