"""A month of latencies from the roll-ups of its days, hours and minutes (docs/histograms.md)."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate, groupby
from typing import Final

from polyrecord.derived.buckets import ERROR, NS_PER_MS, middle_of
from polyrecord.derived.rollup_spans import Span
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.report.grouping import MOST_GROUPS
from polyrecord.report.latency import LatencyByGroup, LatencyGroup, LatencySummary, StageLatency, in_order
from polyrecord.report.question import Question
from polyrecord.report.rolled import Cell, How, Shards, Unfit, can_be_told, cells_of, shards_of
from polyrecord.report.stages import declared_stages
from polyrecord.times import format_ts

FEW_EVENTS: Final = 1_000_000  # in typed tables: the exact answer about these is fast enough
LINE: Final = 10  # so many events are read from a typed table in the time in which one is from its line
METHOD: Final = "histogram"
_QUANTILES: Final = (0.5, 0.95, 0.99, 0.999)
_LENGTHS: Final = {"hour": 13, "day": 10}  # of a time as text, to name one
_FIELDS: Final = {"strategy": How(by_strategy=True), "hour": How("hour"), "date": How("day")}
_DIGITS: Final = 9  # of a millisecond, as in the exact answer


class _NotTold(Exception):
    """Histograms cannot tell it: a percentile is beyond the longest time that they count."""


def summary_of(question: Question) -> LatencySummary | None:
    """The latency summary by roll-ups; None where the exact answer is to be had as fast, or only that.

    Counts, sums, least and largest values and the worst traces are exact; percentiles are at most `error`
    of their value away from those of the exact answer, or half a nanosecond. Raises DataError.
    """
    asked = replace(question, explain=Explain(strict=question.explain.strict))
    shards = _worth(asked)
    if shards is None:
        return None
    try:
        with cells_of(asked, shards, How()) as cells:
            events, stages = _told(list(cells), shards.names, _declared(asked))
    except (_NotTold, Unfit):
        return None
    question.explain.absorb(asked.explain)
    question.used.by_histograms += len(shards.rolled)
    question.used.by_lines += len(shards.others)
    return LatencySummary(
        question.window, question.coverage(), stages, events, cells.unreadable, method=METHOD, error=ERROR
    )


def groups_of(question: Question, field: str) -> LatencyByGroup | None:
    """The latency of each strategy, hour or date by roll-ups; None like `summary_of`, or of other fields."""
    how = _FIELDS.get(field)
    asked = replace(question, explain=Explain(strict=question.explain.strict))
    shards = None if how is None else _worth(asked)
    if how is None or shards is None:
        return None
    try:
        with cells_of(asked, shards, how) as cells:
            groups = list(_groups(cells, how, _declared(asked)))
    except (_NotTold, Unfit):
        return None
    if not groups or len(groups) > MOST_GROUPS or all(group.value is None for group in groups):
        return None  # a strategy that no latency event has is taken from other events of the traces
    question.explain.absorb(asked.explain)
    question.used.by_histograms += len(shards.rolled)
    question.used.by_lines += len(shards.others)
    groups.sort(key=lambda group: (group.value is None, group.value or ""))
    return LatencyByGroup(
        question.window, question.coverage(), field, False, tuple(groups),
        sum(group.events for group in groups), cells.unreadable, 0, method=METHOD, error=ERROR,
    )  # fmt: skip


def _declared(question: Question) -> tuple[str, ...]:
    return declared_stages(question.source, question.selection)


def _worth(question: Question) -> Shards | None:
    """The shards of a question that roll-ups can answer, and faster than what they were made from."""
    asked = question.selection
    if not can_be_told(asked):
        return None
    shards = shards_of(question)
    # Lines are read for the others, whichever way it is done.
    if _bytes(each.shard.info for each in shards.rolled) <= _bytes(shards.others):
        return None
    window = Span(None, asked.lowest_ns, asked.highest_ns)
    work = sum(each.events_in(window) * (1 if each.is_within(window) else LINE) for each in shards.rolled)
    return shards if work >= FEW_EVENTS else None


def _bytes(shards: Iterable[ShardInfo]) -> int:
    """How large these shards are together; one that is not there any more counts for nothing."""
    total = 0
    for info in shards:
        with suppress(OSError):
            total += info.path.stat().st_size
    return total


def _told(
    cells: Sequence[Cell], occurring: Iterable[str], declared: Sequence[str]
) -> tuple[int, tuple[StageLatency, ...]]:
    """The events of these cells of one period, and each stage that is measured in it or occurs."""
    events = sum(cell.count for cell in cells if cell.stage is None)
    measured = {cell.stage: cell for cell in cells if cell.stage is not None}
    names = in_order({*measured, *occurring}, declared) if events else []
    return events, tuple(_stage(name, measured.get(name), events) for name in names)


def _groups(cells: Iterable[Cell], how: How, declared: Sequence[str]) -> Iterator[LatencyGroup]:
    for (start_ns, strategy, rest), group in groupby(cells, _place):
        if rest:
            raise _NotTold
        value = strategy if how.period is None else format_ts(start_ns)[: _LENGTHS[how.period]]
        yield LatencyGroup(value, *_told(list(group), (), declared))


def _place(cell: Cell) -> tuple[int, str | None, bool]:
    return cell.start_ns, cell.strategy, cell.rest


def _stage(name: str, cell: Cell | None, events: int) -> StageLatency:
    if cell is None:
        return StageLatency(name, 0, events, 0, None, None, None, None, None, None, None, ())
    missing = events - cell.count - cell.negative
    if not cell.count or cell.sum is None:
        return StageLatency(name, 0, missing, cell.negative, None, None, None, None, None, None, None, ())
    p50, p95, p99, p99_9 = (_rounded(value) for value in percentiles(cell, _QUANTILES))
    return StageLatency(
        name, cell.count, missing, cell.negative,
        _rounded(cell.min), _rounded(cell.sum / cell.count), _rounded(cell.max), p50, p95, p99, p99_9,
        tuple(dict.fromkeys(cell.worst)),
    )  # fmt: skip


def percentiles(cell: Cell, quantiles: Iterable[float]) -> list[float]:
    """The values below which these shares (0 to 1) of a cell's measurements are, in ms.

    Interpolated linearly between neighbours, as the exact answer does, values being middles of buckets.
    Raises where one is beyond the buckets.
    """
    reached = list(accumulate(cell.counts))
    return [_percentile(cell, reached, (cell.count - 1) * quantile) for quantile in quantiles]


def _percentile(cell: Cell, reached: Sequence[int], place: float) -> float:
    below = int(place)
    low = _value(cell, reached, below)
    if place == below:
        return low
    return low + (_value(cell, reached, below + 1) - low) * (place - below)


def _value(cell: Cell, reached: Sequence[int], rank: int) -> float:
    """About the value of a rank from 0, in ms: the middle of its bucket, not beyond what is known exactly."""
    if rank == 0 and cell.min is not None:
        return cell.min
    if rank == cell.count - 1 and cell.max is not None:
        return cell.max
    at = bisect_right(reached, rank)
    if at == len(reached):
        raise _NotTold
    middle = middle_of(cell.buckets[at]) / NS_PER_MS
    return min(max(middle, cell.min or 0.0), middle if cell.max is None else cell.max)


def _rounded(value: float | None) -> float | None:
    if value is None or not math.isfinite(value):
        return None
    return round(value, _DIGITS) + 0.0  # no -0.0
