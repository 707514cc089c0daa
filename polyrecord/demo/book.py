"""An order book in exact decimals."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

Side = Literal["BUY", "SELL"]
ZERO = Decimal(0)
SIX_PLACES = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Level:
    """So much on offer at one price."""

    price: Decimal
    size: Decimal

    def as_text(self) -> dict[str, str]:
        """Price and size as decimal strings without an exponent."""
        return {"price": f"{self.price:f}", "size": f"{self.size:f}"}


@dataclass(frozen=True, slots=True)
class Walk:
    """An order's way through the levels: money paid or got in all, and the worst price on the way."""

    size: Decimal
    money: Decimal
    worst_price: Decimal

    @property
    def average_price(self) -> Decimal:
        """Money per unit, to six places."""
        return (self.money / self.size).quantize(SIX_PLACES)


def parse_level(price: str, size: str) -> Level:
    """A level of two decimal texts; raises ValueError where one is none."""
    if not isinstance(price, str) or not isinstance(size, str):
        raise ValueError(f"not a price level: {price!r}, {size!r}")  # noqa: TRY004 - one error for one mistake
    try:
        level = Level(Decimal(price), Decimal(size))
    except ArithmeticError as error:
        raise ValueError(f"not a price level: {price!r}, {size!r}") from error
    if not level.price.is_finite() or not level.size.is_finite() or level.size < 0:
        raise ValueError(f"not a price level: {price!r}, {size!r}")
    return level


class Ladder:
    """One side of a book. The best price is kept, and looked for again only when it goes."""

    __slots__ = ("_best", "_best_of", "_levels")

    def __init__(self, side: Side) -> None:
        self._best_of = max if side == "BUY" else min
        self._levels: dict[Decimal, Decimal] = {}
        self._best: Decimal | None = None

    def __len__(self) -> int:
        return len(self._levels)

    def replace(self, levels: Iterable[Level]) -> None:
        """Forget everything and take these."""
        self._levels = {level.price: level.size for level in levels if level.size}
        self._best = self._best_of(self._levels, default=None)

    def set(self, level: Level) -> None:
        """The level's new total; size 0 removes it."""
        if level.size:
            self._levels[level.price] = level.size
            self._best = level.price if self._best is None else self._best_of(self._best, level.price)
            return
        self._levels.pop(level.price, None)
        if level.price == self._best:
            self._best = self._best_of(self._levels, default=None)

    def best(self) -> Level | None:
        """The level nearest to the other side."""
        return None if self._best is None else Level(self._best, self._levels[self._best])

    def top(self, count: int) -> list[Level]:
        """The best `count` levels, best first."""
        pick = heapq.nlargest if self._best_of is max else heapq.nsmallest
        return [Level(price, self._levels[price]) for price in pick(count, self._levels)]


class OrderBook:
    """Bids and asks of one instrument."""

    __slots__ = ("asks", "bids", "instrument")

    def __init__(self, instrument: str) -> None:
        self.instrument = instrument
        self.bids = Ladder("BUY")
        self.asks = Ladder("SELL")

    def snapshot(self, bids: Iterable[Level], asks: Iterable[Level]) -> None:
        """Replace the whole book, in whatever order the levels come."""
        self.bids.replace(bids)
        self.asks.replace(asks)

    def delta(self, side: Side, level: Level) -> None:
        """Set one level's new total; size 0 removes it."""
        (self.bids if side == "BUY" else self.asks).set(level)

    @property
    def best_bid(self) -> Level | None:
        """Highest price somebody pays."""
        return self.bids.best()

    @property
    def best_ask(self) -> Level | None:
        """Lowest price somebody takes."""
        return self.asks.best()

    def depth(self, levels: int) -> tuple[list[Level], list[Level]]:
        """The best levels of both sides, best first."""
        return self.bids.top(levels), self.asks.top(levels)

    def walk(self, side: Side, size: Decimal, levels: int) -> Walk | None:
        """What an order of this size meets in the best `levels`, or None if they do not hold so much."""
        left, money = size, ZERO
        for level in (self.asks if side == "BUY" else self.bids).top(levels):
            taken = min(left, level.size)
            money += taken * level.price
            left -= taken
            if not left:
                return Walk(size, money, level.price)
        return None
