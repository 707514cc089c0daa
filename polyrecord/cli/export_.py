"""`polyrecord export`: what was recorded in the formats of other tools."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from polyrecord.cli.narrate import say, tell_coverage, tell_empty
from polyrecord.cli.options import Ask, existing_file
from polyrecord.cli.output import finish, write_lines
from polyrecord.cli.parameters import Argument, Option
from polyrecord.cli.reading import reading
from polyrecord.errors import UsageError
from polyrecord.report.question import Question

if TYPE_CHECKING:
    from polyrecord.derived.hlog import Interval
    from polyrecord.report.rolled import Cell

_LATENCY: Final = "latency"
_INTERVALS: Final = ("minute", "hour", "day")
_COMMENTS: Final = ("Logged with polyrecord", "values are nanoseconds, Interval_Max is milliseconds")


@reading("export", formats=("hlog",))
def export_command(
    ask: Ask,
    what: Annotated[str, Argument(metavar="FORMAT", help="What to write: hlog.")],
    stages: Annotated[
        list[str] | None,
        Option("--stage", metavar="STAGE", help="This stage only; may be given several times."),
    ] = None,
    by_strategy: Annotated[
        bool, Option("--by-strategy", help="A histogram for each strategy, tagged STAGE/STRATEGY.")
    ] = False,
    interval: Annotated[
        str, Option(metavar="minute|hour|day", help="How long each histogram's time is.")
    ] = "minute",
    out: Annotated[
        Path | None,
        Option("--out", "-o", metavar="FILE", help="Where to write it.", show_default="stdout"),
    ] = None,
) -> None:
    """What was recorded in the formats of other tools.

    hlog: latencies as an HdrHistogram log, version 1.3, with a histogram for each stage and interval. Its tag
    is its stage; commas, spaces and what else would break a line are escaped as in a URL. Values are whole
    nanoseconds, three digits of which are kept. What is below 0 or over 73 minutes is in no histogram: how
    much that is, is told on stderr.

    \b
    Examples:
      polyrecord export hlog --since today -o today.hlog
      polyrecord export hlog --stage end_to_end_ms --interval hour
      polyrecord export hlog --by-strategy --interval day --since -30d

    See also: docs/histograms.md.
    """
    from polyrecord.report.rolled import How, Unfit, cells_of, lines_of, shards_of

    if what != "hlog":
        raise UsageError(f"not a format to export: {what[:80]!r}", hint="hlog")
    if interval not in _INTERVALS:
        raise UsageError(f"not an interval: {interval[:80]!r}", hint=", ".join(_INTERVALS))
    ask = _of_types(ask)
    question = Question(ask.source, ask.selection, ask.explain)
    shards, how, file = shards_of(question), How(interval, by_strategy), out and existing_file(out)
    logged = _Logged(ask, interval, frozenset(stages or ()))
    try:
        with cells_of(question, shards, how) as cells:
            _write(logged.lines(cells), file)
    except Unfit:
        with cells_of(question, lines_of(shards), how) as cells:
            _write(logged.lines(cells), file)
    tell_coverage(question.coverage())
    logged.tell()
    finish(ask, unreadable=cells.unreadable)


def _of_types(ask: Ask) -> Ask:
    types = ask.selection.types or frozenset({_LATENCY})
    streams = ask.source.streams_of(types)
    return replace(ask, selection=replace(ask.selection, types=types, streams=streams))


class _Logged:
    """A log of cells, and what was left out of it."""

    def __init__(self, ask: Ask, interval: str, stages: frozenset[str]) -> None:
        self._ask, self._interval, self._stages = ask, interval, stages
        self._histograms = self._negative = self._beyond = 0

    def lines(self, cells: Iterable[Cell]) -> Iterator[bytes]:
        """The lines of the log; none where there is nothing to log."""
        from polyrecord.derived.hlog import log_lines

        intervals = self._intervals(cells)
        first = next(intervals, None)
        if first is None:
            return
        for line in log_lines(_chain(first, intervals), first.start_ns, _COMMENTS):
            yield line.encode()

    def tell(self) -> None:
        """Say what is not in the log, and where it is empty."""
        for count, what in ((self._negative, "are below 0"), (self._beyond, "are over 73 minutes")):
            if count:
                say(f"note: {count:,} measurements {what} and were left out")
        if not self._histograms:
            tell_empty(self._ask, "latencies")

    def _intervals(self, cells: Iterable[Cell]) -> Iterator[Interval]:
        for cell in cells:
            if cell.stage is None or (self._stages and cell.stage not in self._stages):
                continue
            self._negative += cell.negative
            self._beyond += cell.beyond
            if cell.buckets:
                self._histograms += 1
                yield self._interval_of(cell, cell.stage)

    def _interval_of(self, cell: Cell, stage: str) -> Interval:
        from polyrecord.derived.histogram import PERIODS
        from polyrecord.derived.hlog import Interval, tag_of

        asked = self._ask.selection
        start = max(cell.start_ns, asked.lowest_ns)
        end = min(cell.start_ns + PERIODS[self._interval], asked.highest_ns)
        tag = tag_of(stage, cell.strategy, rest=cell.rest)
        return Interval(start, end, tag, cell.buckets, cell.counts)


def _chain(first: Interval, others: Iterable[Interval]) -> Iterator[Interval]:
    yield first
    yield from others


def _write(lines: Iterable[bytes], out: Path | None) -> None:
    """Lines to stdout, or to a file that takes its name when it is whole."""
    if out is None:
        write_lines(lines, at_once=False)
        return
    hidden = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        with hidden.open("xb") as file:
            file.writelines(line + b"\n" for line in lines)
        hidden.replace(out)
    finally:
        with suppress(OSError):
            hidden.unlink()
