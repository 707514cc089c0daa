"""The buckets of an HdrHistogram: three significant digits of whole nanoseconds, from 0 to 73 minutes.

The layout is that of the reference implementation (https://github.com/HdrHistogram/HdrHistogram,
AbstractHistogram.countsArrayIndex) for lowestDiscernibleValue 1, highestTrackableValue 2**42 - 1 and
numberOfSignificantValueDigits 3: 2,048 buckets one nanosecond wide, then 1,024 for each further power of two.
A value and the middle of its bucket differ by at most 1/2048 of the value, or half a nanosecond.
"""

from __future__ import annotations

from typing import Final

DIGITS: Final = 3
LOWEST_NS: Final = 1
HIGHEST_NS: Final = (1 << 42) - 1  # the last of the last bucket: 73 minutes and 18 seconds
INDEXES: Final = 33 << 10
ERROR: Final = 1 / 2048
NS_PER_MS: Final = 1_000_000

_HALF_BITS: Final = (
    10  # half as many sub-buckets as hold three digits: 2 ** 11 is the first above 2 * 10 ** 3
)
_HALF: Final = 1 << _HALF_BITS

# The same for DuckDB, of a column `ns` of whole doubles: log2 is exact enough below 2 ** 42.
INDEX_SQL: Final = """
    case when ns < 2048 then ns::integer
    else (floor(log2(ns))::integer - 10) * 1024 + (ns::bigint >> (floor(log2(ns))::integer - 10))::integer
    end
"""


def index_of(ns: int) -> int:
    """The index of the bucket that counts a value, from 0; raises ValueError beyond the range."""
    if not 0 <= ns <= HIGHEST_NS:
        raise ValueError(f"beyond the buckets: {ns} ns")
    power = max(ns.bit_length() - _HALF_BITS - 1, 0)
    return (power << _HALF_BITS) + (ns >> power)


def lowest_of(index: int) -> int:
    """The least value of a bucket, ns."""
    power = _power(index)
    return (index - (power << _HALF_BITS)) << power


def highest_of(index: int) -> int:
    """The largest value of a bucket, ns: what an HdrHistogram gives for any value in it."""
    return lowest_of(index) + (1 << _power(index)) - 1


def middle_of(index: int) -> float:
    """The middle of a bucket, ns: no value in it is further away than half the bucket's width."""
    return lowest_of(index) + ((1 << _power(index)) - 1) / 2


def _power(index: int) -> int:
    """The width of a bucket is two to the power of this."""
    return max((index >> _HALF_BITS) - 1, 0)
