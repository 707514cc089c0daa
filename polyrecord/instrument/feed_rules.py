"""How a venue numbers its messages: which number should come after the one before.

A rule is called with the last number that was in order and with what the message says of itself. It answers
`(expected, received, end, missing)`: equal means in order, `received` above `expected` is a gap of `missing`
messages (None: not known), below it an old message. `end` is the last number for the next call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

Step: TypeAlias = tuple[int, int, int, int | None]
"""Expected number, received number, last number of the message, messages left out."""

Rule: TypeAlias = Callable[[int, Any], Step]
"""A venue's numbering."""


def increments_by_one(previous: int, sequence: int) -> Step:
    """Each message has the number after the one before: Coinbase per product, Kraken, Deribit trades."""
    return previous + 1, sequence, sequence, sequence - previous - 1


def ranges_join(previous: int, sequence: tuple[int, int]) -> Step:
    """Each message covers the updates `(first, last)`, as Binance spot's `(U, u)`; overlaps are in order."""
    first, last = sequence
    expected = previous + 1
    if first <= expected <= last:
        return expected, expected, last, 0
    return expected, first, last, first - expected


def names_its_predecessor(previous: int, sequence: tuple[int, int]) -> Step:
    """Each message says `(before, own)`: Binance futures' `(pu, u)`, Deribit's `(prev_change_id, change_id)`.

    Numbers may jump, so how many messages are missing is not known.
    """
    before, own = sequence
    if own <= previous:
        return previous, own if own < previous else previous - 1, own, None
    return previous, before, own, None
