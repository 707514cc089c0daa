"""Where the latency went: each stage's distribution, what is missing from it, and the worst traces."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from polyrecord.events.stages import DEFAULT_STAGES, END_TO_END
from polyrecord.report.engine import Engine, Row, engine_over
from polyrecord.report.grouping import group_lines
from polyrecord.report.question import Coverage, Question, Window
from polyrecord.report.stages import declared_stages

WORST = 3
_DIGITS = 9  # of a millisecond: a femtosecond; what is beyond is noise of binary arithmetic


@dataclass(frozen=True, slots=True)
class StageLatency:
    """One stage in milliseconds, over its measurements from 0 up.

    `missing` are latency events without a usable number for it, `negative` those below 0; neither is averaged
    in. Percentiles are interpolated linearly. `exemplars` are the traces of the largest values.
    """

    stage: str
    count: int
    missing: int
    negative: int
    min: float | None
    avg: float | None
    max: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    p99_9: float | None
    exemplars: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """The latency of every stage that occurs in the window; `unreadable` lines are in no count."""

    window: Window
    coverage: Coverage
    stages: tuple[StageLatency, ...]
    events: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class LatencyGroup:
    """The latency events with one value of the field; None where they have none."""

    value: str | None
    events: int
    stages: tuple[StageLatency, ...]


@dataclass(frozen=True, slots=True)
class LatencyByGroup:
    """The latency of every stage for each value of a field, in the order of the values.

    `left_out` events are in groups beyond the thousand largest; `by_trace` says that other events of the same
    traces have the field, not the latency events.
    """

    window: Window
    coverage: Coverage
    by: str
    by_trace: bool
    groups: tuple[LatencyGroup, ...]
    events: int
    unreadable: int
    left_out: int


def summarize_by(question: Question, field: str) -> LatencyByGroup:
    """The latency summary of the selected events, group by group."""
    declared = declared_stages(question.source, question.selection)
    with engine_over(question.chunks()) as engine:
        events, unreadable = engine.counts
        names = in_order([name for (name,) in engine.ask("stages")], declared)
        groups = group_lines(engine, field, question)
        measured = _measured(engine, names)
        rows = tuple(
            LatencyGroup(
                group.value,
                group.events,
                tuple(_of_group(names, measured.get(group.number, {}), group.events)),
            )
            for group in groups.groups
        )
    return LatencyByGroup(
        question.window,
        question.coverage(),
        field,
        groups.by_trace,
        rows,
        events,
        unreadable,
        groups.left_out,
    )


def _of_group(names: list[str], measured: Mapping[int, Row], events: int) -> Iterable[StageLatency]:
    """The stages that were measured in a group."""
    for place, name in enumerate(names):
        if place in measured:
            yield _stage(name, measured[place], events)


def summarize(question: Question) -> LatencySummary:
    """The latency summary of the selected events."""
    declared = declared_stages(question.source, question.selection)
    events, unreadable, stages = latency_of(question.chunks(), declared)
    return LatencySummary(question.window, question.coverage(), stages, events, unreadable)


def latency_of(
    chunks: Iterable[bytes], declared: Sequence[str] = DEFAULT_STAGES
) -> tuple[int, int, tuple[StageLatency, ...]]:
    """Events, unreadable lines, and each stage that occurs: declared ones first, the end to end last."""
    with engine_over(chunks) as engine:
        events, unreadable = engine.counts
        names = in_order([name for (name,) in engine.ask("stages")], declared)
        return events, unreadable, tuple(_stages(engine, names, events))


def in_order(found: Iterable[str], declared: Sequence[str]) -> list[str]:
    """Declared stages in their order, others by name, the end to end last."""
    rank = {name: place for place, name in enumerate(declared)}
    return sorted(found, key=lambda name: (name == END_TO_END, rank.get(name, len(rank)), name))


def _stages(engine: Engine, names: list[str], events: int) -> Iterable[StageLatency]:
    measured = _measured(engine, names).get(0, {})
    for place, name in enumerate(names):
        yield _stage(name, measured.get(place, _NOT_MEASURED), events)


def _measured(engine: Engine, names: list[str]) -> Mapping[int, Mapping[int, Row]]:
    """What was measured, by group and by the stage's place among the names."""
    found: dict[int, dict[int, Row]] = {}
    if names:
        rows = engine.ask("latency", pointers=[_pointer(name) for name in names], worst=WORST)
        for group, place, *row in rows:
            found.setdefault(group, {})[place] = tuple(row)
    return found


_NOT_MEASURED: Final = (0, 0, None, None, None, None, None)


def _stage(name: str, row: Sequence[Any], events: int) -> StageLatency:
    count, negative, least, mean, most, quantiles, traces = row
    low, middle, high = map(_rounded, (least, mean, most))
    p50, p95, p99, p99_9 = map(_rounded, quantiles or (None,) * 4)
    return StageLatency(
        name, count, events - count - negative, negative, low, middle, high, p50, p95, p99, p99_9,
        tuple(dict.fromkeys(traces or ())),
    )  # fmt: skip


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):  # an average may overflow
        return None
    return round(value, _DIGITS) + 0.0  # no -0.0


def _pointer(name: str) -> str:
    """RFC 6901: a name with a slash in it is one member all the same."""
    return "/" + name.replace("~", "~0").replace("/", "~1")
