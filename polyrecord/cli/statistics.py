"""`polyrecord summarize` and `polyrecord edge`: the questions of statistics."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from polyrecord.cli.narrate import tell_empty, tell_unreadable
from polyrecord.cli.options import (
    Ask,
    Output,
    Root,
    ShowExplain,
    Since,
    Strict,
    Types,
    Until,
    WindowSeconds,
    read_options,
)
from polyrecord.cli.output import answer_with, finish
from polyrecord.errors import UsageError
from polyrecord.report.question import Question, streams_of
from polyrecord.report.single import SingleFile

_LATENCY, _DECISION = "latency", "decision"


def summarize_command(
    root: Root = Path(),
    since: Since = None,
    until: Until = None,
    window: WindowSeconds = None,
    types: Types = None,
    output: Output = "table",
    as_csv: Annotated[bool, typer.Option("--csv", help="The same as --format csv.")] = False,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="One shard, or one file of event lines, not an archive."),
    ] = None,
    explain: ShowExplain = False,
    strict: Strict = False,
) -> None:
    """Where the latency went: per stage count, min, avg, max, p50, p95, p99, p99.9 and the worst traces.

    Percentiles are interpolated linearly. Missing and negative latencies are counted apart. Latency events
    are of the type latency; --type names others that have members ending in _ms.

    Example: polyrecord summarize --window 300
    """
    from polyrecord.report.latency import summarize

    output = _with_csv(output, as_csv=as_csv)
    repeated = ("--file", str(file)) if file is not None else ()
    ask = read_options(
        "summarize", root, since, until, window, types, output,
        explain=explain, strict=strict, arguments=repeated + _repeat(types),
    )  # fmt: skip
    if file is not None:
        ask = replace(ask, archive=SingleFile(file))
    ask = _of_types(ask, _LATENCY)
    answer = summarize(Question(ask.archive, ask.selection, ask.explain))
    answer_with(ask, answer)
    _close(ask, answer.events, answer.unreadable)


def edge_command(
    root: Root = Path(),
    since: Since = None,
    until: Until = None,
    window: WindowSeconds = None,
    types: Types = None,
    output: Output = "table",
    explain: ShowExplain = False,
    strict: Strict = False,
) -> None:
    """Where the edge went: exact sums of gross, costs and net by strategy and decision, and why not.

    Decisions are events of the type decision; --type names others with the same members.

    Example: polyrecord edge --since today
    """
    from polyrecord.report.edge import break_down

    ask = read_options(
        "edge", root, since, until, window, types, output,
        explain=explain, strict=strict, arguments=_repeat(types),
    )  # fmt: skip
    ask = _of_types(ask, _DECISION)
    answer = break_down(Question(ask.archive, ask.selection, ask.explain))
    answer_with(ask, answer)
    _close(ask, answer.events, answer.unreadable)


def _with_csv(output: str, *, as_csv: bool) -> str:
    if as_csv and output not in ("table", "csv"):
        raise UsageError(f"--csv and --format {output[:80]} exclude each other", hint="give one of them")
    return "csv" if as_csv else output


def _repeat(types: list[str] | None) -> tuple[str, ...]:
    return tuple(word for name in types or () for word in ("--type", name))


def _of_types(ask: Ask, usual: str) -> Ask:
    """The question narrowed to its types, the usual one by default, and to the streams they are in."""
    types = ask.selection.types or frozenset({usual})
    single = isinstance(ask.archive, SingleFile)
    streams = frozenset[str]() if single else streams_of(ask.archive.root, types)
    return replace(ask, selection=replace(ask.selection, types=types, streams=streams))


def _close(ask: Ask, events: int, unreadable: int) -> None:
    tell_unreadable(unreadable)
    if not events:
        tell_empty(ask, f"{' or '.join(sorted(ask.selection.types))} events")
    finish(ask, unreadable=unreadable)
