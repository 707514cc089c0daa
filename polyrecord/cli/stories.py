"""`polyrecord trace`, `replay` and `info`: what needs headers and lines, and no statistics."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from polyrecord.cli.narrate import tell_empty, tell_reading
from polyrecord.cli.options import Ask
from polyrecord.cli.output import answer_with, finish, is_terminal, write_lines
from polyrecord.cli.parameters import Argument, Option
from polyrecord.cli.reading import reading
from polyrecord.errors import AmbiguousId, DataError, NotFound, UsageError
from polyrecord.read.where import Condition, parse_condition
from polyrecord.report.question import Question


@reading("trace")
def trace_command(
    ask: Ask,
    text: Annotated[
        str | None,
        Argument(
            metavar="ID",
            help="A trace id in any spelling, or its beginning; an order id, intent id or declared value.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        str | None,
        Option(metavar="FIELD=VALUE", help="In place of ID: the trace with an event that has this."),
    ] = None,
) -> None:
    """Everything of one trace in order: stages, events, edge, decision, orders and their results.

    Exit code 1: nothing is named so; 2: the beginning fits several traces, which are listed.

    \b
    Examples:
      polyrecord trace 4f1c
      polyrecord trace --key order_id=paper-000001-1
      polyrecord trace 4f1c --format json | jq .

    See also: polyrecord grep, to find a trace by a text; docs/configuration.md, to declare keys.
    """
    from polyrecord.report.trace import tell_trace

    try:
        answer = tell_trace(Question(ask.source, ask.selection, ask.explain), _named(text, key))
    except NotFound as error:
        if not ask.explain.damage:
            raise
        tell_reading(ask)
        raise DataError(f"{error.what}, and some of the archive is damaged", hint=error.hint) from error
    except AmbiguousId:
        tell_reading(ask)
        raise
    answer_with(ask, answer)
    finish(ask)


def _named(text: str | None, key: str | None) -> str | Condition:
    """What names the trace: an id, or a condition; raises UsageError unless it is one of them."""
    if (text is None) == (key is None):
        raise UsageError("trace takes an ID or --key FIELD=VALUE", hint="polyrecord trace 4f1c")
    condition = parse_condition(key) if key is not None else None
    if condition is not None and condition.operator != "=":
        raise UsageError(f"not a key and its value: {condition.name}", hint="--key market=0x1f2e")
    return condition or text or ""


@reading("replay", formats=("json",))
def replay_command(
    ask: Ask,
    trace: Annotated[
        str | None, Option(metavar="ID", help="Events of this trace only: its id or its beginning.")
    ] = None,
    speed: Annotated[
        str,
        Option(metavar="FACTOR|max", help="1 is as fast as recorded, 10 ten times; max waits never."),
    ] = "max",
) -> None:
    """The recorded lines in recorded order, byte for byte, and nothing else.

    Events of several writers are merged by time. Exit code 3: some are damaged; the others are written.

    \b
    Examples:
      polyrecord replay --type signal --since -1h --speed 10
      polyrecord replay --trace 4f1c
      polyrecord replay --type decision | jq -r .data.strategy | sort | uniq -c

    See also: polyrecord tail, for what is being recorded; polyrecord cut, to keep a selection.
    """
    from polyrecord.read.replay import Replay

    if trace is not None:
        selection = replace(ask.selection, trace=trace)
        ask = replace(ask, selection=selection, arguments=(*ask.arguments, "--trace", trace))
    pace = _speed(speed)
    replay = Replay(ask.source, ask.selection, speed=pace, explain=ask.explain)
    written = write_lines(replay.lines(), at_once=pace != "max" or is_terminal())
    if not written:
        tell_empty(ask, "such events")
    finish(ask)


def _speed(text: str) -> float | str:
    if text == "max":
        return text
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            f"not a speed: {text[:80]!r}", hint="a number over 0, such as 0.5, 1 or 10, or max"
        ) from None


@reading("info")
def info_command(
    ask: Ask,
    by: Annotated[
        str | None,
        Option(
            metavar="FIELD",
            help="Count events by a field instead: event_type, strategy, token_id, minute, hour, date, ...",
        ),
    ] = None,
) -> None:
    """What there is, per stream and shard, from headers alone: nothing of an archive is decompressed.

    A window and --type pick the shards that hold something of them; figures are of whole shards. With --where
    or --by events are read and counted, as those of other systems' logs always are.

    \b
    Examples:
      polyrecord info --since yesterday
      polyrecord info --by hour --type fill
      polyrecord info --file logs/metrics.jsonl
    """
    if by is not None:
        from polyrecord.report.counts import count_by

        counts = count_by(Question(ask.source, ask.selection, ask.explain), by)
        answer_with(ask, counts)
        if not counts.events:
            tell_empty(ask, "such events")
        finish(ask)
        return
    from polyrecord.report.info import describe

    answer = describe(Question(ask.source, ask.selection, ask.explain))
    answer_with(ask, answer)
    if not answer.shards:
        tell_empty(ask, "such events")
    finish(ask)
