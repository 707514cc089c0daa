"""One trace for a terminal: its stages as a waterfall, its events, edge and orders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from rich.console import RenderableType

from polyrecord.report.render import words
from polyrecord.report.render.as_table import grid, heading, parts
from polyrecord.report.render.whole import coverage_line
from polyrecord.report.trace import TraceEdge, TraceOrder, TraceReport, TraceStage

Part: TypeAlias = str | tuple[Sequence[str], list[Sequence[str]], Sequence[int]]
"""Text, or a table: its columns, its rows, and which of the columns are text."""

_BAR = "█"
_BESIDE_THE_BAR = 36  # columns for the stage's name and figure
_FIRST_COLUMNS = 38  # columns of the events' table before what they say
_AMOUNTS = ("gross", "fees", "slippage", "gas", "latency_buffer", "net", "min_threshold")


@parts.register
def _trace(answer: TraceReport, width: int) -> Iterable[RenderableType]:
    for title, part in _trace_parts(answer, width):
        yield heading(title)
        yield part if isinstance(part, str) else grid(width, *part)
        yield ""
    yield coverage_line(answer.coverage)


def _trace_parts(answer: TraceReport, width: int) -> Iterator[tuple[str, Part]]:
    """The parts that the trace has, each with its title."""
    yield _title(answer), ", ".join(_facts(answer))
    if answer.stages:
        yield "stages, ms", (["stage", "ms", ""], list(_waterfall(answer.stages, width)), (0, 2))
    yield "events", (["at ms", "event", "says"], list(_events(answer, width)), (1, 2))
    for edge in answer.decisions:
        yield _verdict(edge), (["", "amount"], list(_amounts(edge)), (0,))
    if answer.orders:
        yield "orders", "\n".join(_order(order) for order in answer.orders)


def _title(answer: TraceReport) -> str:
    return "no trace id" if answer.trace_id is None else f"trace {words.shown(answer.trace_id)}"


def _facts(answer: TraceReport) -> Iterator[str]:
    if answer.via != "trace":
        yield f"found by {words.shown(answer.via)}"
    yield words.count(len(answer.events), "event")
    if answer.events:
        last = max((event.offset_ms or 0.0 for event in answer.events), default=0.0)
        yield f"{words.milliseconds(last)} ms from {words.moment(words.shown(answer.events[0].ts))}"


def _waterfall(stages: Sequence[TraceStage], width: int) -> Iterator[Sequence[str]]:
    room = max(width - _BESIDE_THE_BAR, 10)
    whole = max((_end(stage) for stage in stages), default=0.0)
    for stage in stages:
        name = words.short(stage.stage.removesuffix("_ms"), 24)
        yield name, _figure(stage), _bar(stage, whole, room)


def _figure(stage: TraceStage) -> str:
    return "missing" if stage.ms is None else words.milliseconds(stage.ms)


def _end(stage: TraceStage) -> float:
    return (stage.start_ms or 0.0) + max(stage.ms or 0.0, 0.0)


def _bar(stage: TraceStage, whole: float, room: int) -> str:
    """A bar from where the stage began to where it ended, at least one column; none where that is unknown."""
    if stage.ms is None or stage.start_ms is None or stage.ms < 0 or whole <= 0:
        return ""
    first = min(round(stage.start_ms / whole * room), room - 1)
    last = max(round(_end(stage) / whole * room), first + 1)
    return " " * first + _BAR * (last - first)


def _events(answer: TraceReport, width: int) -> Iterator[Sequence[str]]:
    for event in answer.events:
        says = words.short(words.summary(event.data), max(width - _FIRST_COLUMNS, 20))
        yield words.milliseconds(event.offset_ms), words.short(event.event_type, 24), says


def _verdict(edge: TraceEdge) -> str:
    reason = edge.reason_code or edge.reason
    verdict = f"decision {_said(edge.decision)} by {_said(edge.strategy)}"
    return verdict if reason is None else f"{verdict}: {words.shown(reason)}"


def _amounts(edge: TraceEdge) -> Iterator[Sequence[str]]:
    for name in _AMOUNTS:
        yield name.replace("_", " "), _said(getattr(edge, name))


def _order(order: TraceOrder) -> str:
    asked = f"{_said(order.side)} {_said(order.size)} at {_said(order.price)}"
    got = f"{_said(order.status)}, filled {_said(order.filled_size)} at {_said(order.average_price)}"
    further = list(_further(order))
    return f"{words.short(order.order_id, 40)}: {asked}; {', '.join([got, *further])}"


def _further(order: TraceOrder) -> Iterable[str]:
    if order.fills:
        yield words.count(order.fills, "fill")
    if order.fee is not None:
        yield f"fee {words.shown(order.fee)}"
    if order.error is not None:
        yield f"error {words.short(order.error, 60)}"


def _said(text: str | None) -> str:
    return words.NOTHING if text is None else words.shown(text)
