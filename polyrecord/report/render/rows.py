"""The rows of a query as JSON lines, CSV, or a table that fits a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from polyrecord.read.event import NotAnEvent, read_json
from polyrecord.report.render.words import shown
from polyrecord.report.rows import Column, Row

LEAST_WIDTH: Final = 80
_GAP: Final = 2
_LEAST_CELL: Final = 12  # characters that a text keeps before whole columns are left out
_SPECIAL: Final = frozenset(',"\r\n')


def json_lines(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[bytes]:
    """One object per row; what is JSON is part of it, exact decimals are texts."""
    names = [column.name for column in columns]
    nested = [at for at, column in enumerate(columns) if column.look == "json"]
    for row in rows:
        values = list(row)
        for at in nested:
            values[at] = _fragment(values[at])
        yield _object(dict(zip(names, values, strict=True)))


def _fragment(text: str | None) -> Any:
    if text is None:
        return None
    if "NaN" in text or "Infinity" in text:  # DuckDB takes them for JSON
        try:
            return read_json(text.encode("utf-8", "replace"))
        except NotAnEvent:
            return text
    return orjson.Fragment(text.encode("utf-8", "replace"))


def _object(values: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(values)
    except TypeError:  # an integer beyond 64 bits
        members = (orjson.dumps(name) + b":" + _value(value) for name, value in values.items())
        return b"{" + b",".join(members) + b"}"


def _value(value: Any) -> bytes:
    return b"%d" % value if type(value) is int else orjson.dumps(value)


def csv_lines(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[bytes]:
    """A line of names and one per row (RFC 4180); what is null is empty."""
    yield _record(column.name for column in columns)
    for row in rows:
        yield _record(map(_text, row))


def _record(cells: Iterable[str]) -> bytes:
    return ",".join(map(_quoted, cells)).encode("utf-8", "replace")


def _quoted(cell: str) -> str:
    return cell if _SPECIAL.isdisjoint(cell) else '"' + cell.replace('"', '""') + '"'


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


@dataclass(frozen=True, slots=True)
class TableText:
    """A table as lines, and the columns that did not fit into it."""

    lines: list[str]
    left_out: list[str]


def table_text(columns: Sequence[Column], rows: Sequence[Row], *, width: int, bold: bool) -> TableText:
    """The rows within so many columns of a terminal, at least 80.

    Long texts are cut, visibly. Where that is not enough, columns are left out: first those without any
    value, then from the right. Numbers are never cut.
    """
    from rich.cells import cell_len

    cells = [[shown(_text(value)) for value in row] for row in rows]
    names = [shown(column.name) for column in columns]
    natural = [max((cell_len(row[at]) for row in cells), default=0) for at in range(len(columns))]
    least = [
        max(cell_len(names[at]) if column.look == "number" else 0, natural[at])
        if column.look == "number"
        else min(max(cell_len(names[at]), natural[at]), _LEAST_CELL)
        for at, column in enumerate(columns)
    ]
    full = [max(cell_len(names[at]), natural[at]) for at in range(len(columns))]
    empty = [bool(rows) and natural[at] == 0 for at in range(len(columns))]
    chosen = _chosen(least, full, empty, max(width, LEAST_WIDTH))
    sizes = _sizes([least[at] for at in chosen], [full[at] for at in chosen], max(width, LEAST_WIDTH))
    right = [columns[at].look == "number" for at in chosen]
    head = _line([names[at] for at in chosen], sizes, right)
    lines = [f"\x1b[1m{head}\x1b[0m" if bold else head]
    lines += [_line([row[at] for at in chosen], sizes, right) for row in cells]
    return TableText(lines, [names[at] for at in range(len(columns)) if at not in set(chosen)])


def _chosen(least: list[int], full: list[int], empty: list[bool], width: int) -> list[int]:
    """The columns that fit."""
    chosen = list(range(len(full)))
    if sum(full) + _GAP * (len(full) - 1) <= width:
        return chosen
    if not all(empty):
        chosen = [at for at in chosen if not empty[at]]
    while len(chosen) > 1 and sum(least[at] for at in chosen) + _GAP * (len(chosen) - 1) > width:
        chosen.pop()
    return chosen


def _sizes(least: list[int], full: list[int], width: int) -> list[int]:
    """How wide each column is: as wide as its values, the widest cut to the same size until all fit."""
    room = width - _GAP * (len(full) - 1)
    cap = max(full, default=0)
    while cap > _LEAST_CELL and sum(_capped(least, full, cap)) > room:
        cap -= 1
    sizes = _capped(least, full, cap)
    return [min(size, width) for size in sizes]


def _capped(least: list[int], full: list[int], cap: int) -> list[int]:
    return [max(low, min(high, cap)) for low, high in zip(least, full, strict=True)]


def _line(cells: Sequence[str], sizes: Sequence[int], right: Sequence[bool]) -> str:
    fitted = [_fitted(cell, size, flush) for cell, size, flush in zip(cells, sizes, right, strict=True)]
    return (" " * _GAP).join(fitted).rstrip()


def _fitted(cell: str, size: int, flush_right: bool) -> str:
    from rich.cells import cell_len, set_cell_size

    length = cell_len(cell)
    if length > size:
        return set_cell_size(cell, size - 1) + "…"
    return " " * (size - length) + cell if flush_right else cell + " " * (size - length)
