"""Answers as tables for a terminal: they fit its width, from 80 columns up."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import singledispatch

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from polyrecord.report.edge import BY, PARTS, EdgeGroup, EdgeReport
from polyrecord.report.info import ArchiveInfo, ShardRow
from polyrecord.report.latency import LatencySummary, StageLatency
from polyrecord.report.question import Coverage, Window
from polyrecord.report.render import words
from polyrecord.report.render.trace_table import trace_parts
from polyrecord.report.render.whole import coverage_line
from polyrecord.report.trace import TraceReport

LEAST_WIDTH = 80
_MOST_SHARDS = 20
_MOST_REASONS = 20
_WIDE_GAPS = 100  # columns from which a wider gap between them fits


def to_table(answer: object, *, width: int, colour: bool) -> str:
    """The answer as text of so many columns, at least 80; with escape sequences only for `colour`."""
    file = io.StringIO()
    console = Console(
        file=file, width=max(width, LEAST_WIDTH), color_system="standard" if colour else None,
        force_terminal=colour, no_color=not colour, markup=False, emoji=False, highlight=False,
    )  # fmt: skip
    for part in parts(answer, console.width):
        console.print(part, crop=False, soft_wrap=not isinstance(part, Table))
    lines = file.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def text_table(names: Sequence[str], rows: Iterable[Sequence[str]], *, width: int, colour: bool) -> str:
    """Rows of text; what does not fit the width goes on below."""
    file = io.StringIO()
    console = Console(
        file=file, width=max(width, LEAST_WIDTH), force_terminal=colour, no_color=not colour, markup=False,
        emoji=False, highlight=False,
    )  # fmt: skip
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for place, name in enumerate(names):
        table.add_column(name, overflow="fold", no_wrap=place == 0)
    for row in rows:
        table.add_row(*(Text(words.shown(cell)) for cell in row))
    console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


@singledispatch
def parts(answer: object, width: int) -> Iterable[RenderableType]:
    """What a table of an answer is made of; other modules register their answers here."""
    raise TypeError(f"not an answer: {type(answer).__name__}")


def heading(text: str) -> Text:
    """A line that names what follows."""
    return Text(text, style="bold")


def grid(
    width: int, columns: Sequence[str], rows: Iterable[Sequence[str]], texts: Sequence[int] = (0,)
) -> Table:
    """A table without lines; `texts` are the columns of text, the others are figures, which are never cut."""
    cells = list(rows)
    table = Table(
        box=None, padding=(0, 1), pad_edge=False, collapse_padding=width < _WIDE_GAPS, header_style="bold"
    )
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number in texts else "right", no_wrap=True)
        if number not in texts:
            table.columns[-1].min_width = max(len(name), *(len(row[number]) for row in cells), 0)
    for row in cells:
        table.add_row(*row)
    return table


def window_line(window: Window) -> str:
    """The window in words."""
    since = "the beginning" if window.since is None else words.moment(window.since)
    until = "the end" if window.until is None else words.moment(window.until)
    return f"from {since} to {until}"


def top(title: str, window: Window, coverage: Coverage) -> list[RenderableType]:
    """What every table begins with."""
    return [heading(title), f"{window_line(window)}\n{coverage_line(coverage)}\n"]


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


def told_method(error: float | None) -> Iterable[RenderableType]:
    """How far off percentiles may be that come from histograms."""
    if error is not None:
        yield f"percentiles from histograms: at most {error:.2%} off; --exact has them from the values"


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


@parts.register
def _edge(answer: EdgeReport, width: int) -> Iterable[RenderableType]:
    yield from edge_parts(answer, width, BY)


def edge_parts(answer: EdgeReport, width: int, by: str) -> Iterable[RenderableType]:
    """The edge of decisions that are grouped by a field."""
    yield from top(f"edge of {words.count(answer.events, 'decision')}", answer.window, answer.coverage)
    for rate in answer.strategies:
        share = f"{rate.accepted:,} of {rate.decisions:,} decisions accepted"
        yield heading(f"{_named(rate.strategy)}: {share}, {words.percent(rate.acceptance_rate)}")
        for group in answer.groups:
            if group.strategy == rate.strategy:
                yield from _group(group, width)
    if answer.reject_reasons:
        yield heading("reject reasons")
        listed = answer.reject_reasons[:_MOST_REASONS]
        rows = ((_named(row.reason), _named(row.strategy), f"{row.count:,}") for row in listed)
        yield grid(width, ["reason", words.shown(by), "count"], rows, texts=(0, 1))
        yield from more(len(answer.reject_reasons) - len(listed), "reasons")


def _group(group: EdgeGroup, width: int) -> Iterable[RenderableType]:
    first = f"{_named(group.decision)} {group.count:,}"
    rows = [
        (
            "  " + name.replace("_", " "),
            words.amount(None if getattr(group.mean, name) is None else getattr(group, name)),
            words.rounded(getattr(group.mean, name)),
            "" if name == "gross" else words.percent(getattr(group.share_of_gross, name)),
        )
        for name in PARTS
    ]
    yield grid(width, [f"  {first}", "sum", "mean", "of gross"], rows)
    if group.unreadable:
        yield f"  missing or unreadable, and in no sum: {words.count(group.unreadable, 'amount')}"
    yield ""


def _named(text: str | None) -> str:
    return "(none)" if text is None else words.short(text, 48)


@parts.register
def _trace(answer: TraceReport, width: int) -> Iterable[RenderableType]:
    for title, part in trace_parts(answer, width):
        yield heading(title)
        yield part if isinstance(part, str) else grid(width, *part)
        yield ""
    yield coverage_line(answer.coverage)


@parts.register
def _info(answer: ArchiveInfo, width: int) -> Iterable[RenderableType]:
    yield from top(f"archive {words.shown(answer.root)}", answer.window, answer.coverage)
    columns = ["stream", "shards", "events", "size", "ratio", "first", "last"]
    rows = (
        (
            row.stream, f"{row.shards:,}", f"{row.events:,}", words.size(row.bytes), _ratio(row.ratio),
            words.minute(row.first_ts), words.minute(row.last_ts),
        )
        for row in answer.streams
    )  # fmt: skip
    yield grid(width, columns, rows)
    short = [row for row in answer.streams if row.lost or row.unknown or row.pruned]
    if short:
        yield heading("\nnot here")
        gone = ((row.stream, f"{row.lost:,}", f"{row.unknown:,}", f"{row.pruned:,}") for row in short)
        yield grid(width, ["stream", "dropped", "unknown", "pruned"], gone)
    yield heading("\nevent types")
    types = (
        (words.shown(name), row.stream, f"{count:,}")
        for row in answer.streams
        for name, count in row.types.items()
    )
    yield grid(width, ["type", "stream", "events"], types, texts=(0, 1))
    yield heading("\nshards")
    yield "\n".join(line for row in answer.shards[:_MOST_SHARDS] for line in _shard_lines(row))
    yield from more(len(answer.shards) - _MOST_SHARDS, "shards")


def _shard_lines(row: ShardRow) -> Iterable[str]:
    state = "sealed" if row.sealed else "open"
    if row.plain:
        state = f"{state}, in part without index" if row.blocks else "plain, without index"
    held = f"{words.count(row.events, 'event')} in {words.count(row.blocks, 'block')}"
    sizes = f"{words.size(row.bytes)}, ratio {_ratio(row.ratio)}"
    yield row.path
    yield f"  {state}, {held}, {sizes}"
    yield f"  {words.moment(row.first_ts)} to {words.moment(row.last_ts)}"


def _ratio(value: float | None) -> str:
    return words.NOTHING if value is None else f"{value:.1f}"


def more(count: int, what: str) -> Iterable[RenderableType]:
    """How many rows are not shown."""
    if count > 0:
        yield f"and {count:,} more {what}: --format json lists all"
