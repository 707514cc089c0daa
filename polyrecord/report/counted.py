"""Figures of values of which there are few different ones: counted by value, faster than to sort all.

Most clocks and most writers round: of a million times in microseconds a few thousand are different.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

QUANTILES: Final = (0.5, 0.95, 0.99, 0.999)
SAMPLE: Final = 1 << 14  # rows


def sample_sql(stages: int) -> str:
    """How many rows there are, at most a few, and how many different values of each stage in them."""
    different = ", ".join(f"count(distinct v{at})" for at in range(stages))
    return f"select count(*), {different} from (select * from measured limit {SAMPLE})"  # noqa: S608  # numbers


def is_coarse(rows: int, *different: int) -> bool:
    """Whether these figures of a sample say that counting is worth it."""
    return max(different) * 2 <= rows


def counted_sql(stages: int) -> str:
    """The different values of each stage in order with how many there are, and the sum of those from 0 up.

    The sum is a decimal, null where a value is too large for it.
    """
    counted = "\nunion all\n".join(
        f"select {at} as stage, v{at} as value, count(*) as n "  # noqa: S608  # numbers
        f"from measured where isfinite(v{at}) group by value"
        for at in range(stages)
    )
    return f"""
        select
            stage, list(value order by value), list(n order by value),
            case when max(value) < 1e8
            then sum(try_cast(value as decimal(18, 9)) * n) filter (where value >= 0) end::varchar
        from ({counted})
        group by stage
    """  # noqa: S608  # numbers


def quantiles_of(values: Sequence[float], counts: Sequence[int]) -> list[float]:
    """The quantiles, interpolated linearly, of ascending values with how many there are of each."""
    ends = list(accumulate(counts))
    return [_between(values, ends, (ends[-1] - 1) * quantile) for quantile in QUANTILES]


def _between(values: Sequence[float], ends: Sequence[int], rank: float) -> float:
    whole = int(rank)
    low = values[bisect_right(ends, whole)]
    if rank == whole:
        return low
    high = values[bisect_right(ends, whole + 1)]
    return low + (high - low) * (rank - whole)


def largest_of(values: Sequence[float], counts: Sequence[int], most: int) -> list[float]:
    """So many of the largest values, the largest first, each as often as it is there."""
    return list(_descending(values, counts, most))


def _descending(values: Sequence[float], counts: Sequence[int], left: int) -> Iterator[float]:
    for value, count in zip(reversed(values), reversed(counts), strict=True):
        yield from [value] * min(count, left)
        left -= count
        if left <= 0:
            return
