"""Paper execution: orders go nowhere, and come back as a venue might have answered.

Everything random is drawn from the seed before the first wait, so that results do not depend on who wakes up
first.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Literal

from polyrecord.demo.book import ZERO, Side

Status = Literal["FILLED", "PARTIAL", "CANCELLED", "REJECTED"]
_CENT = Decimal("0.01")
_SIX_PLACES = Decimal("0.000001")
_REASONS = ("not enough balance / allowance", "order crosses the book", "service not ready")


@dataclass(frozen=True, slots=True)
class Order:
    """An immediate-or-cancel order.

    `price` is its limit, `expected_price` the average that its size meets in the book.
    """

    order_id: str
    token_id: str
    side: Side
    price: Decimal
    size: Decimal
    expected_price: Decimal
    expected_fee: Decimal


@dataclass(frozen=True, slots=True)
class OrderResult:
    """What became of an order; `average_price` is None and `fee` 0 where nothing was filled."""

    order_id: str
    status: Status
    filled_size: Decimal = ZERO
    average_price: Decimal | None = None
    fee: Decimal = ZERO
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Odds:
    """How often orders end how; what is left over is cancelled unfilled."""

    filled: float
    partially_filled: float
    rejected: float


@dataclass(frozen=True, slots=True)
class Sent:
    """An order on its way; the answer is already decided, and takes `answer_seconds` to arrive."""

    order: Order
    result: OrderResult
    answer_seconds: float


class PaperExecution:
    """Waits a few milliseconds, now and then many, and fills by the odds."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311 - a simulation, not a secret

    async def send(self, order: Order, odds: Odds) -> Sent:
        """Put the order on the wire; returns when it is out."""
        send_seconds, answer_seconds = self._latency(0.0015), self._latency(0.003)
        result = self._decide(order, odds)
        await asyncio.sleep(send_seconds)
        return Sent(order, result, answer_seconds)

    async def answer(self, sent: Sent) -> OrderResult:
        """The venue's answer."""
        await asyncio.sleep(sent.answer_seconds)
        return sent.result

    def _latency(self, median: float) -> float:
        """Lognormal around the median, and one in fifty ten times as long."""
        seconds = self._random.lognormvariate(math.log(median), 0.4)
        return seconds * 10 if self._random.random() < 0.02 else seconds

    def _decide(self, order: Order, odds: Odds) -> OrderResult:
        luck, share = self._random.random(), Decimal(self._random.randint(10, 90)) / 100
        reason = self._random.choice(_REASONS)
        if luck < odds.rejected:
            return OrderResult(order.order_id, "REJECTED", error=reason)
        luck -= odds.rejected
        if luck < odds.filled:
            return self._fill(order, "FILLED", order.size)
        if luck < odds.filled + odds.partially_filled:
            return self._fill(order, "PARTIAL", (order.size * share).quantize(_CENT))
        return OrderResult(order.order_id, "CANCELLED")

    def _fill(self, order: Order, status: Status, size: Decimal) -> OrderResult:
        if not size:
            return OrderResult(order.order_id, "CANCELLED")
        fee = (order.expected_fee * size / order.size).quantize(_SIX_PLACES)
        return OrderResult(order.order_id, status, size, order.expected_price, fee)
