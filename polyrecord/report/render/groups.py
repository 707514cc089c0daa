"""Answers in groups as tables, CSV and JSON; importing this teaches the renderers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from rich.console import RenderableType

from polyrecord.report.counts import EventCounts
from polyrecord.report.edge import EdgeByGroup
from polyrecord.report.latency import LatencyByGroup, StageLatency
from polyrecord.report.render import words
from polyrecord.report.render.as_csv import table_of, to_csv
from polyrecord.report.render.as_table import grid, heading, more, parts, told_method, top
from polyrecord.report.render.edge_table import edge_parts

_MOST_ROWS = 400


@parts.register
def _counts(answer: EventCounts, width: int) -> Iterable[RenderableType]:
    title = f"{words.count(answer.events, 'event')} by {words.shown(answer.by)}"
    yield from top(title, answer.window, answer.coverage)
    listed = answer.groups[:_MOST_ROWS]
    rows = (
        (
            _value(row.value), f"{row.events:,}", words.percent(row.share), words.minute(row.first_ts),
            words.minute(row.last_ts),
        )
        for row in listed
    )  # fmt: skip
    yield grid(width, [words.shown(answer.by), "events", "share", "first", "last"], rows)
    yield from more(len(answer.groups) - len(listed), "groups")


@parts.register
def _latency(answer: LatencyByGroup, width: int) -> Iterable[RenderableType]:
    title = f"latency in ms by {words.shown(answer.by)}, {words.count(answer.events, 'event')}"
    yield from top(title, answer.window, answer.coverage)
    rows = [
        (
            _value(group.value) if at == 0 else "", words.shown(row.stage.removesuffix("_ms")),
            f"{row.count:,}", *map(words.milliseconds, (row.avg, row.p50, row.p95, row.p99, row.max)),
        )
        for group in answer.groups
        for at, row in enumerate(group.stages)
    ]  # fmt: skip
    columns = [words.shown(answer.by), "stage", "count", "avg", "p50", "p95", "p99", "max"]
    yield grid(width, columns, rows[:_MOST_ROWS], texts=(0, 1))
    yield from more(len(rows) - _MOST_ROWS, "rows")
    yield from told_method(answer.error)


@parts.register
def _edge(answer: EdgeByGroup, width: int) -> Iterable[RenderableType]:
    yield heading(f"by {words.shown(answer.by)}")
    yield from edge_parts(answer.report, width, answer.by)


def _value(text: str | None) -> str:
    return words.NONE if text is None else words.short(text, 24)


@to_csv.register
def _counts_csv(answer: EventCounts) -> bytes:
    rows = ((row.value, row.events, row.share, row.first_ts, row.last_ts) for row in answer.groups)
    return table_of([answer.by, "events", "share", "first_ts", "last_ts"], rows)


@to_csv.register
def _latency_csv(answer: LatencyByGroup) -> bytes:
    names = list(StageLatency.__dataclass_fields__)
    rows = (
        [group.value, *(getattr(row, name) for name in names)]
        for group in answer.groups
        for row in group.stages
    )
    return table_of([answer.by, *names], rows)


@to_csv.register
def _edge_csv(answer: EdgeByGroup) -> bytes:
    """The rows of the report, its first column named after the field."""
    _, _, rest = to_csv(answer.report).partition(b",")
    return table_of([answer.by], []).rstrip(b"\n") + b"," + rest


def edge_document(answer: EdgeByGroup, report: bytes) -> bytes:
    """The report's JSON with `by`, and `group` in place of `strategy`."""
    document: dict[str, Any] = orjson.loads(report)
    for name in ("groups", "strategies", "reject_reasons"):
        document[name] = [{"group": row.pop("strategy"), **row} for row in document[name]]
    answered = {"by": answer.by, "left_out": answer.left_out, **document}
    return orjson.dumps(answered, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
