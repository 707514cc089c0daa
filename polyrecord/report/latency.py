"""Where the latency went: each stage's distribution, what is missing from it, and the worst traces."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from polyrecord.events.stages import DEFAULT_STAGES, END_TO_END
from polyrecord.read.explain import Explain
from polyrecord.report.cached import Parts, Tabled
from polyrecord.report.engine import engine_over
from polyrecord.report.grouping import Group, Groups, group_lines
from polyrecord.report.measured import CannotBeColumns, typed_lines
from polyrecord.report.question import Coverage, Question, Window
from polyrecord.report.spread import Rows, Spread, rows_of_lines, rows_of_tables, spreads
from polyrecord.report.stages import declared_stages

EXACT: Final = "exact"
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
    """The latency of every stage that occurs in the window; `unreadable` lines are in no count.

    `method` says how percentiles were found: `exact`, or `histogram`, then off by `error` of their value at
    most.
    """

    window: Window
    coverage: Coverage
    stages: tuple[StageLatency, ...]
    events: int
    unreadable: int
    method: str = EXACT
    error: float | None = None


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
    traces have the field, not the latency events. `method` and `error` are those of LatencySummary.
    """

    window: Window
    coverage: Coverage
    by: str
    by_trace: bool
    groups: tuple[LatencyGroup, ...]
    events: int
    unreadable: int
    left_out: int
    method: str = EXACT
    error: float | None = None


def summarize_by(question: Question, field: str, *, exact: bool = False) -> LatencyByGroup:
    """The latency summary of the selected events, group by group; `exact` keeps it from using roll-ups."""
    from polyrecord.report.rollups import groups_of

    rolled = None if exact else groups_of(question, field)
    return _summarize_by(question, field) if rolled is None else rolled


def _summarize_by(question: Question, field: str) -> LatencyByGroup:
    declared = declared_stages(question.source, question.selection)

    def answer(parts: Parts, explain: Explain) -> tuple[Groups, tuple[LatencyGroup, ...], int, int]:
        asked = replace(question, explain=explain)
        with engine_over(parts.chunks(question.selection, explain), parts.paths) as engine:
            names = in_order([name for (name,) in engine.ask("stages")], declared)
            groups = group_lines(engine, field, asked)
            measured = spreads(engine, [rows_of_lines(names)], names)
            rows = tuple(_group(each, names, measured.get(each.number, {})) for each in groups.groups)
            return groups, rows, *engine.counts

    groups, rows, events, unreadable = question.answered(answer)
    return LatencyByGroup(
        question.window, question.coverage(), field, groups.by_trace, rows, events, unreadable,
        groups.left_out,
    )  # fmt: skip


def _group(group: Group, names: Sequence[str], measured: Mapping[str, Spread]) -> LatencyGroup:
    """The stages that were measured in a group."""
    stages = (_stage(name, measured[name], group.events) for name in names if name in measured)
    return LatencyGroup(group.value, group.events, tuple(stages))


def summarize(question: Question, *, exact: bool = False) -> LatencySummary:
    """The latency summary of the selected events; `exact` keeps it from using roll-ups."""
    from polyrecord.report.rollups import summary_of

    rolled = None if exact else summary_of(question)
    return _summarize(question) if rolled is None else rolled


def _summarize(question: Question) -> LatencySummary:
    declared = declared_stages(question.source, question.selection)

    def answer(parts: Parts, explain: Explain) -> tuple[int, int, tuple[StageLatency, ...]]:
        first = Explain(strict=explain.strict)
        try:
            chunks = parts.chunks(question.selection, first)
            given = _of_columns(parts.tabled, chunks, declared, has_lines=bool(parts.lined))
        except CannotBeColumns:
            first = Explain(strict=explain.strict)
            given = _of_lines(parts.paths, parts.chunks(question.selection, first), declared)
        explain.absorb(first)
        return given

    events, unreadable, stages = question.answered(answer)
    return LatencySummary(question.window, question.coverage(), stages, events, unreadable)


def latency_of(
    chunks: Iterable[bytes], declared: Sequence[str] = DEFAULT_STAGES
) -> tuple[int, int, tuple[StageLatency, ...]]:
    """Events, unreadable lines, and each stage that occurs: declared ones first, the end to end last."""
    held = list(chunks)
    try:
        return _of_columns((), held, declared, has_lines=True)
    except CannotBeColumns:
        return _of_lines((), held, declared)


def _of_columns(
    tabled: Sequence[Tabled], chunks: Iterable[bytes], declared: Sequence[str], *, has_lines: bool
) -> tuple[int, int, tuple[StageLatency, ...]]:
    """The fast way: nothing but the stages is read. Raises CannotBeColumns."""
    tables = [(path, table) for each in tabled for path, table in each.tables.values()]
    known = {name for _, table in tables for name in table.stages}
    paths, guesses = [path for path, _ in tables], in_order(known, declared) or declared
    with typed_lines(chunks, paths, guesses, has_lines=has_lines) as (engine, lines):
        names = in_order(known | lines.stages, declared)
        rows = [Rows(f"{table} where ts is not null", columns) for table, columns in lines.pieces]
        measured = spreads(engine, [*rows_of_tables(tabled), *rows], names)
        events = lines.events + sum(table.rows for _, table in tables)
        return events, lines.unreadable, tuple(_stages(names, measured, events))


def _of_lines(
    paths: Sequence[Path], chunks: Iterable[bytes], declared: Sequence[str]
) -> tuple[int, int, tuple[StageLatency, ...]]:
    """The way that takes any number of stages of any names."""
    with engine_over(chunks, paths) as engine:
        events, unreadable = engine.counts
        names = in_order([name for (name,) in engine.ask("stages")], declared)
        measured = spreads(engine, [rows_of_lines(names)], names)
        return events, unreadable, tuple(_stages(names, measured, events))


def in_order(found: Iterable[str], declared: Sequence[str]) -> list[str]:
    """Declared stages in their order, others by name, the end to end last."""
    rank = {name: place for place, name in enumerate(declared)}
    return sorted(found, key=lambda name: (name == END_TO_END, rank.get(name, len(rank)), name))


def _stages(
    names: Iterable[str], measured: Mapping[int, Mapping[str, Spread]], events: int
) -> Iterable[StageLatency]:
    everything = measured.get(0, {})
    for name in names:
        yield _stage(name, everything.get(name, _NOT_MEASURED), events)


_NOT_MEASURED: Final = Spread(0, 0, None, None, None, None)


def _stage(name: str, of: Spread, events: int) -> StageLatency:
    low, middle, high = map(_rounded, (of.least, of.mean, of.most))
    p50, p95, p99, p99_9 = map(_rounded, of.quantiles or (None,) * 4)
    missing = events - of.measured - of.negative
    return StageLatency(
        name, of.measured, missing, of.negative, low, middle, high, p50, p95, p99, p99_9,
        tuple(dict.fromkeys(of.traces)),
    )  # fmt: skip


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):  # an average may overflow
        return None
    return round(value, _DIGITS) + 0.0  # no -0.0
