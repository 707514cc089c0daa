"""Answers as CSV: their rows, one line each below a line of names. Coverage and window are told elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import singledispatch
from typing import Any, Final

from polyrecord.report.edge import PARTS, EdgeGroup, EdgeReport
from polyrecord.report.info import ArchiveInfo, ShardRow
from polyrecord.report.latency import LatencySummary, StageLatency
from polyrecord.report.trace import TraceEvent, TraceReport


@singledispatch
def to_csv(answer: object) -> bytes:
    """The rows of an answer; lists are joined by spaces, what is None is empty."""
    raise TypeError(f"not an answer: {type(answer).__name__}")


@to_csv.register
def _summary(answer: LatencySummary) -> bytes:
    return table_of(_names(StageLatency), (_values(row) for row in answer.stages))


@to_csv.register
def _edge(answer: EdgeReport) -> bytes:
    plain = [name for name in _names(EdgeGroup) if name not in {"mean", "share_of_gross"}]
    means = [f"mean_{name}" for name in PARTS]
    shares = [f"{name}_of_gross" for name in PARTS[1:]]
    rows = (
        [
            *(getattr(group, name) for name in plain),
            *(getattr(group.mean, name) for name in PARTS),
            *(getattr(group.share_of_gross, name) for name in PARTS[1:]),
        ]
        for group in answer.groups
    )
    return table_of([*plain, *means, *shares], rows)


@to_csv.register
def _trace(answer: TraceReport) -> bytes:
    names = [name for name in _names(TraceEvent) if name != "line"]
    rows = ([getattr(event, name) for name in names] for event in answer.events)
    return table_of(names, rows, of_json=frozenset({names.index("data")}))


@to_csv.register
def _info(answer: ArchiveInfo) -> bytes:
    return table_of(_names(ShardRow), (_values(row) for row in answer.shards))


def _names(kind: type) -> list[str]:
    names: Mapping[str, Any] = kind.__dict__["__dataclass_fields__"]
    return list(names)


def _values(row: object) -> list[Any]:
    return [getattr(row, name) for name in _names(type(row))]


def table_of(
    names: Sequence[str], rows: Iterable[Sequence[Any]], *, of_json: frozenset[int] = frozenset()
) -> bytes:
    """Rows below a line of names; the columns `of_json` are JSON."""
    lines = [",".join(map(_quoted, names))]
    for row in rows:
        cells = (_json(value) if at in of_json else _cell(value) for at, value in enumerate(row))
        lines.append(",".join(map(_quoted, cells)))
    return "\n".join([*lines, ""]).encode("utf-8", "replace")


def _quoted(cell: str) -> str:
    """RFC 4180. The csv module of Python 3.11 leaves a lone carriage return bare, which tears a row apart."""
    if _SPECIAL.isdisjoint(cell):
        return cell
    return '"' + cell.replace('"', '""') + '"'


_SPECIAL: Final = frozenset(',"\r\n')


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return " ".join(f"{name}={count}" for name, count in value.items())
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return str(value)
