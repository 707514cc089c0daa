"""`polyrecord summarize` and `polyrecord edge`: the questions of statistics."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, TypeAlias

from polyrecord.cli.narrate import say, tell_empty, tell_unreadable
from polyrecord.cli.options import Ask
from polyrecord.cli.output import answer_with, finish
from polyrecord.cli.parameters import Option
from polyrecord.cli.reading import reading
from polyrecord.errors import UsageError
from polyrecord.report.question import Question

_LATENCY, _DECISION = "latency", "decision"
By: TypeAlias = Annotated[
    str | None,
    Option(
        metavar="FIELD",
        help="In groups: strategy, bot_id, token_id, minute, hour, date, or any other field of the events.",
    ),
]


@reading("summarize")
def summarize_command(
    ask: Ask,
    by: By = None,
    exact: Annotated[
        bool, Option("--exact", help="Percentiles of the values themselves, not of histograms.")
    ] = False,
    as_csv: Annotated[bool, Option("--csv", help="The same as --format csv.")] = False,
) -> None:
    """Where the latency went: per stage count, min, avg, max, p50, p95, p99, p99.9 and the worst traces.

    Percentiles are interpolated linearly; of a million events and more they come from the histograms that
    polyrecord compact made, within the error that is told, unless --exact is given. Missing and negative
    latencies are counted apart. Latency events are of the type latency; --type names others that have members
    ending in _ms. A field that no latency event has, --by takes from other events of the same traces.

    \b
    Examples:
      polyrecord summarize --window 300
      polyrecord summarize --by strategy --since today
      polyrecord summarize --file logs/metrics.jsonl --csv
    """
    from polyrecord.report.latency import summarize, summarize_by

    ask = _of_types(_with_csv(ask) if as_csv else ask, _LATENCY)
    question = Question(ask.source, ask.selection, ask.explain)
    if by is None:
        answer = summarize(question, exact=exact)
        answer_with(ask, answer)
        _tell_unmeasured(ask, answer.events, bool(answer.stages))
        _close(ask, question, answer.events, answer.unreadable)
        return
    grouped = summarize_by(question, by, exact=exact)
    answer_with(ask, grouped)
    if grouped.by_trace:
        say(f"note: no latency event has {by}: it was taken from other events of the same traces")
    _tell_left_out(grouped.left_out)
    _close(ask, question, grouped.events, grouped.unreadable)


@reading("edge")
def edge_command(ask: Ask, by: By = None) -> None:
    """Where the edge went: exact sums of gross, costs and net by strategy and decision, and why not.

    Decisions are events of the type decision; --type names others with the same members. With --by another
    field takes the place of the strategy.

    \b
    Examples:
      polyrecord edge --since today
      polyrecord edge --by hour --where strategy=atomic
      polyrecord edge --root polyarb --type risk_passed
    """
    from polyrecord.report.edge import BY, break_down_by

    ask = _of_types(ask, _DECISION)
    question = Question(ask.source, ask.selection, ask.explain)
    answer = break_down_by(question, by or BY)
    answer_with(ask, answer.report if by is None else answer)
    if answer.others:
        say(f"note: {answer.others:,} events have neither a decision nor an amount and were left out")
    _tell_left_out(answer.left_out)
    _close(ask, question, answer.report.events + answer.others, answer.report.unreadable)


def _with_csv(ask: Ask) -> Ask:
    if ask.output not in ("table", "csv"):
        raise UsageError(f"--csv and --format {ask.output} exclude each other", hint="give one of them")
    return replace(ask, output="csv")


def _of_types(ask: Ask, usual: str) -> Ask:
    """The question narrowed to its types, the usual one by default, and to the streams they are in."""
    types = ask.selection.types or frozenset({usual})
    streams = ask.source.streams_of(types)
    return replace(ask, selection=replace(ask.selection, types=types, streams=streams))


def _tell_unmeasured(ask: Ask, events: int, measured: bool) -> None:
    if events and not measured:
        types = " or ".join(sorted(ask.selection.types))
        say(f"note: none of these {types} events has a member ending in _ms")


def _tell_left_out(count: int) -> None:
    if count:
        say(f"note: {count:,} events are in smaller groups than the thousand shown and were left out")


def _close(ask: Ask, question: Question, events: int, unreadable: int) -> None:
    tell_unreadable(unreadable)
    if not events:
        tell_empty(ask, f"{' or '.join(sorted(ask.selection.types))} events")
    finish(ask, unreadable=unreadable, used=question.used)
