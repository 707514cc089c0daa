"""`polyrecord summarize` and `polyrecord edge`: the questions of statistics."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from polyrecord.cli.narrate import tell_empty, tell_unreadable
from polyrecord.cli.options import Ask
from polyrecord.cli.output import answer_with, finish
from polyrecord.cli.reading import reading
from polyrecord.errors import UsageError
from polyrecord.report.question import Question

_LATENCY, _DECISION = "latency", "decision"


@reading("summarize")
def summarize_command(
    ask: Ask,
    as_csv: Annotated[bool, typer.Option("--csv", help="The same as --format csv.")] = False,
) -> None:
    """Where the latency went: per stage count, min, avg, max, p50, p95, p99, p99.9 and the worst traces.

    Percentiles are interpolated linearly. Missing and negative latencies are counted apart. Latency events
    are of the type latency; --type names others that have members ending in _ms.

    Example: polyrecord summarize --window 300
    """
    from polyrecord.report.latency import summarize

    ask = _of_types(_with_csv(ask) if as_csv else ask, _LATENCY)
    answer = summarize(Question(ask.source, ask.selection, ask.explain))
    answer_with(ask, answer)
    _close(ask, answer.events, answer.unreadable)


@reading("edge")
def edge_command(ask: Ask) -> None:
    """Where the edge went: exact sums of gross, costs and net by strategy and decision, and why not.

    Decisions are events of the type decision; --type names others with the same members.

    Example: polyrecord edge --since today
    """
    from polyrecord.report.edge import break_down

    ask = _of_types(ask, _DECISION)
    answer = break_down(Question(ask.source, ask.selection, ask.explain))
    answer_with(ask, answer)
    _close(ask, answer.events, answer.unreadable)


def _with_csv(ask: Ask) -> Ask:
    if ask.output not in ("table", "csv"):
        raise UsageError(f"--csv and --format {ask.output} exclude each other", hint="give one of them")
    return replace(ask, output="csv")


def _of_types(ask: Ask, usual: str) -> Ask:
    """The question narrowed to its types, the usual one by default, and to the streams they are in."""
    types = ask.selection.types or frozenset({usual})
    streams = ask.source.streams_of(types)
    return replace(ask, selection=replace(ask.selection, types=types, streams=streams))


def _close(ask: Ask, events: int, unreadable: int) -> None:
    tell_unreadable(unreadable)
    if not events:
        tell_empty(ask, f"{' or '.join(sorted(ask.selection.types))} events")
    finish(ask, unreadable=unreadable)
