"""Latencies as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType

from polyrecord.report.latency import LatencySummary, StageLatency
from polyrecord.report.render import words
from polyrecord.report.render.as_table import grid, heading, parts, told_method, top


@parts.register
def _latency(answer: LatencySummary, width: int) -> Iterable[RenderableType]:
    yield from top(f"latency in ms, {words.count(answer.events, 'event')}", answer.window, answer.coverage)
    if not answer.stages:
        return
    columns = ["stage", "count", "min", "avg", "p50", "p95", "p99", "p99.9", "max"]
    yield grid(width, columns, map(_stage_row, answer.stages))
    yield from told_method(answer.error)
    uncounted = [row for row in answer.stages if row.missing or row.negative]
    if uncounted:
        yield heading("\nnot counted")
        rows = ((_stage_name(row.stage), f"{row.missing:,}", f"{row.negative:,}") for row in uncounted)
        yield grid(width, ["stage", "missing", "negative"], rows)
    if any(row.exemplars for row in answer.stages):
        yield heading("\nworst traces")
        traced = (
            (_stage_name(row.stage), words.shown(trace)) for row in answer.stages for trace in row.exemplars
        )
        yield grid(width, ["stage", "trace"], _once(traced), texts=(0, 1))


def _once(rows: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """The first cell only where it changes."""
    last = None
    for first, second in rows:
        yield "" if first == last else first, second
        last = first


def _stage_row(row: StageLatency) -> list[str]:
    times = (row.min, row.avg, row.p50, row.p95, row.p99, row.p99_9, row.max)
    return [_stage_name(row.stage), f"{row.count:,}", *map(words.milliseconds, times)]


def _stage_name(stage: str) -> str:
    return words.shown(stage.removesuffix("_ms"))
