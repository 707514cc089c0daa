"""What happened in one trace, in order: its events, stages, edge, and what became of its orders. No SQL."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final

from polyrecord.events.names import EventType
from polyrecord.events.stages import END_TO_END
from polyrecord.read.event import Event, NotAnEvent
from polyrecord.read.traces import TraceMatch, find_by_condition, find_trace
from polyrecord.read.where import Condition
from polyrecord.report.exact import read_amount
from polyrecord.report.question import Coverage, Question, Window

_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class TraceEvent:
    """One event; `offset_ms` counts from the trace's first event, `line` is as it was recorded."""

    offset_ms: float | None
    ts: str
    seq: int
    event_type: str
    writer: str
    data: Any
    line: bytes


@dataclass(frozen=True, slots=True)
class TraceStage:
    """One stage of a latency event, in ms; it begins where the stages before it end.

    `ms` is None when it was not measured, and `start_ms` after such a one. `seq` is that of the event.
    """

    stage: str
    ms: float | None
    start_ms: float | None
    seq: int


@dataclass(frozen=True, slots=True)
class TraceEdge:
    """A decision and the amounts it rests on, as decimal texts; None where one is missing or unreadable."""

    strategy: str | None
    decision: str | None
    reason: str | None
    reason_code: str | None
    gross: str | None
    fees: str | None
    slippage: str | None
    gas: str | None
    latency_buffer: str | None
    net: str | None
    min_threshold: str | None
    seq: int


@dataclass(frozen=True, slots=True)
class TraceOrder:
    """An order and its last result, as they were recorded; None where the trace does not say."""

    order_id: str
    token_id: str | None
    side: str | None
    price: str | None
    size: str | None
    status: str | None
    filled_size: str | None
    average_price: str | None
    fee: str | None
    error: str | None
    fills: int


@dataclass(frozen=True, slots=True)
class TraceReport:
    """One trace; `edge` is its last decision, `via` says by what it was found.

    `trace_id` is None when the events of an order carry no trace.
    """

    trace_id: str | None
    via: str
    events: tuple[TraceEvent, ...]
    stages: tuple[TraceStage, ...]
    edge: TraceEdge | None
    decisions: tuple[TraceEdge, ...]
    orders: tuple[TraceOrder, ...]
    window: Window
    coverage: Coverage


def tell_trace(question: Question, named: str | Condition) -> TraceReport:
    """The story of the trace that a text names, or that has an event a condition holds of.

    Raises NotFound, AmbiguousId, UsageError.
    """
    whole = replace(question.selection, types=frozenset())
    if isinstance(named, str):
        found = find_trace(question.source, named, question.explain, whole)
    else:
        found = find_by_condition(question.source, named, question.explain, whole)
    match = _only(found, question.selection.types)
    return story_of(match, question.window, _lifetime(question, match).coverage())


def _only(match: TraceMatch, types: frozenset[str]) -> TraceMatch:
    """The match with events of these types only: its id may stand in an event of any other."""
    if not types:
        return match
    return replace(match, events=tuple(event for event in match.events if event.event_type in types))


def _lifetime(question: Question, match: TraceMatch) -> Question:
    """The question narrowed to the time of the trace: only its days are looked at."""
    times = [at for event in match.events if (at := _time(event)) is not None]
    if not times:
        return question
    selection = replace(question.selection, since_ns=min(times), until_ns=max(times) + 1)
    return replace(question, selection=selection)


def story_of(match: TraceMatch, window: Window, coverage: Coverage) -> TraceReport:
    """The story of a trace that was found."""
    events = tuple(_events(match.events))
    decisions = tuple(_edge(event) for event in events if event.event_type == EventType.DECISION)
    return TraceReport(
        trace_id=match.written,
        via=match.via,
        events=events,
        stages=tuple(stage for event in events for stage in _stages(event)),
        edge=decisions[-1] if decisions else None,
        decisions=decisions,
        orders=tuple(_orders(events)),
        window=window,
        coverage=coverage,
    )


def _events(found: Iterable[Event]) -> Iterator[TraceEvent]:
    start = None
    for event in found:
        at = _time(event)
        start = at if start is None else start
        offset = None if at is None or start is None else (at - start) / _MS
        yield TraceEvent(
            offset, event.ts, event.seq, event.event_type, event.writer, _data(event), event.line
        )


def _time(event: Event) -> int | None:
    try:
        return event.ts_ns
    except (ValueError, OverflowError):
        return None


def _data(event: Event) -> Any:
    try:
        return event.data
    except NotAnEvent:
        return None


def _stages(event: TraceEvent) -> Iterator[TraceStage]:
    if event.event_type != EventType.LATENCY or not isinstance(event.data, dict):
        return
    start: float | None = 0.0
    for name, value in event.data.items():
        if not name.endswith("_ms") or name == END_TO_END:
            continue
        ms = _number(value)
        yield TraceStage(name, ms, start, event.seq)
        start = None if ms is None or start is None else start + max(ms, 0.0)
    if END_TO_END in event.data:
        yield TraceStage(END_TO_END, _number(event.data[END_TO_END]), 0.0, event.seq)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


_EDGE_FIELDS: Final = {
    "gross": "gross_edge",
    "fees": "fees_est",
    "slippage": "slippage_est",
    "gas": "gas_est",
    "latency_buffer": "latency_buffer",
    "net": "net_edge",
    "min_threshold": "min_threshold",
}


def _edge(event: TraceEvent) -> TraceEdge:
    data = event.data if isinstance(event.data, dict) else {}
    words = {name: _text(data.get(name)) for name in ("strategy", "decision", "reason", "reason_code")}
    amounts = {name: _amount(data.get(field)) for name, field in _EDGE_FIELDS.items()}
    return TraceEdge(**words, **amounts, seq=event.seq)


def _amount(value: object) -> str | None:
    text = _text(value)
    amount = None if text is None else read_amount(text)
    return None if amount is None else format(amount, "f")


def _text(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value)


_ORDER_FIELDS: Final = tuple(
    field.name for field in fields(TraceOrder) if field.name not in {"order_id", "fills"}
)


def _orders(events: Iterable[TraceEvent]) -> Iterator[TraceOrder]:
    """The orders in the order they appear; what a later event says replaces what an earlier one said."""
    known: dict[str, dict[str, str | None]] = {}
    fills: dict[str, int] = {}
    for event in events:
        order_id = _text(event.data.get("order_id")) if isinstance(event.data, dict) else None
        if order_id is None or event.event_type not in _ORDER_EVENTS:
            continue
        order = known.setdefault(order_id, dict.fromkeys(_ORDER_FIELDS))
        if event.event_type == EventType.FILL:
            fills[order_id] = fills.get(order_id, 0) + 1
        else:
            order.update(_said(event.data))
    for order_id, order in known.items():
        yield TraceOrder(order_id=order_id, fills=fills.get(order_id, 0), **order)


_ORDER_EVENTS: Final = frozenset(
    {EventType.ORDER_SUBMITTED, EventType.ORDER_REQUEST, EventType.ORDER_RESULT, EventType.FILL}
)


def _said(data: Mapping[str, Any]) -> dict[str, str | None]:
    said = {name: _text(data.get(name)) for name in _ORDER_FIELDS}
    return {name: text for name, text in said.items() if text is not None}
