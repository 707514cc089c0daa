"""A window as whole days, hours and minutes, and what is left at its edges. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from polyrecord.derived.histogram import PERIODS

EARLIEST: Final = -(1 << 63)
LATEST: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Span:
    """Time from `low` up to but not including `high`, ns; `EARLIEST` and `LATEST` are no bound.

    `level` is the period in which it is told, None where it is less than the shortest.
    """

    level: str | None
    low: int
    high: int


def spans_of(low: int, high: int, finest: str = "minute", coarsest: str = "day") -> list[Span]:
    """The spans that make up a window, in order, in the longest periods from `finest` to `coarsest`."""
    periods = [name for name, length in PERIODS.items() if PERIODS[finest] <= length <= PERIODS[coarsest]]
    return _split(low, high, None, periods)


def _split(low: int, high: int, level: str | None, longer: list[str]) -> list[Span]:
    """A window in one level, but for the part of it that is whole periods of longer ones."""
    if low >= high:
        return []
    if not longer:
        return [Span(level, low, high)]
    period = PERIODS[longer[0]]
    first, last = _ceil(low, period), _floor(high, period)
    if first >= last:
        return [Span(level, low, high)]
    before, behind = _split(low, first, level, []), _split(last, high, level, [])
    return [*before, *_split(first, last, longer[0], longer[1:]), *behind]


def _floor(ns: int, period: int) -> int:
    return ns if ns == LATEST else ns // period * period


def _ceil(ns: int, period: int) -> int:
    return ns if ns == EARLIEST else -(-ns // period) * period
