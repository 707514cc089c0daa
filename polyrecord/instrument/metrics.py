"""Latency statistics in memory, for a bot that wants to know now what the report says later."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from polyrecord.errors import UsageError
from polyrecord.events.latency_data import stage_name

NEWEST: Final = 100_000  # values kept per stage: 3.2 MB
_SUMMARY: Final = (50, 95, 99, 99.9)


@dataclass(frozen=True, slots=True)
class StageSummary:
    """Statistics of one stage over the newest values, in milliseconds; None where `count` is 0.

    `missing` (None, NaN, infinite) and `negative` values are counted apart and in nothing else.
    """

    count: int
    min: float | None
    average: float | None
    max: float | None
    p50: float | None
    p95: float | None
    p99: float | None
    p99_9: float | None
    missing: int = 0
    negative: int = 0


class MetricsCollector:
    """Keeps the newest values of every stage and summarises them; any thread may observe.

    `newest` is the number of values kept per stage; older ones make room.
    """

    def __init__(self, newest: int = NEWEST) -> None:
        if newest < 1:
            raise UsageError(f"newest must be at least 1, not {newest}")
        self._newest = newest
        self._values: dict[str, deque[float]] = {}

    def observe(self, stage: str, milliseconds: float | None) -> None:
        """Adds one value of one stage; `_ms` is appended to its name where it is missing."""
        value = math.nan if milliseconds is None else float(milliseconds)
        ring = self._values.get(stage)
        if ring is None:
            # `setdefault` and `append` are atomic: no lock that a strategy could wait for.
            ring = self._values.setdefault(stage_name(stage), deque(maxlen=self._newest))
        ring.append(value)

    def observe_latency(self, **stages_ms: float | None) -> None:
        """Adds a value of several stages, named as for `record_latency`."""
        for stage, milliseconds in stages_ms.items():
            self.observe(stage, milliseconds)

    def summary(self) -> dict[str, StageSummary]:
        """The statistics per stage, in the order the stages were first seen."""
        return {stage: _summarise(list(ring)) for stage, ring in list(self._values.items())}

    def reset(self) -> None:
        """Forgets all values and stages."""
        self._values = {}


def calculate_percentiles(
    values: Iterable[Any], percentiles: Sequence[float] = (50, 95, 99)
) -> dict[str, float]:
    """Percentiles by linear interpolation between the closest ranks, as numpy and `quantile_cont` have them.

    Keys are `p50`, `p95`, `p99_9` for 99.9. NaN is ignored; without values the result is empty. Raises
    UsageError for a percentile outside of 0 to 100.
    """
    wrong = [percentile for percentile in percentiles if not 0 <= percentile <= 100]
    if wrong:
        raise UsageError(f"not a percentile: {wrong[0]}", hint="a number from 0 to 100")
    ordered = sorted(number for number in map(float, values) if not math.isnan(number))
    if not ordered:
        return {}
    return {_key(percentile): _interpolate(ordered, percentile / 100) for percentile in percentiles}


def _key(percentile: float) -> str:
    return f"p{percentile:g}".replace(".", "_")


def _interpolate(ordered: Sequence[float], share: float) -> float:
    rank = share * (len(ordered) - 1)
    below = math.floor(rank)
    part = rank - below
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    if part == 0 or low == high:
        return low  # also between two infinities
    # From the nearer end, as numpy does: so the result never leaves the interval by a rounding.
    return low + (high - low) * part if part < 0.5 else high - (high - low) * (1 - part)


def _summarise(observed: Sequence[float]) -> StageSummary:
    finite = [value for value in observed if math.isfinite(value)]
    values = [value for value in finite if value >= 0]
    missing, negative = len(observed) - len(finite), len(finite) - len(values)
    if not values:
        return StageSummary(0, None, None, None, None, None, None, None, missing, negative)
    at = calculate_percentiles(values, _SUMMARY)
    average = math.fsum(values) / len(values)
    return StageSummary(
        len(values), min(values), average, max(values), at["p50"], at["p95"], at["p99"], at["p99_9"],
        missing, negative,
    )  # fmt: skip
