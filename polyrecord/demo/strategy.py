"""What is worth an order: two small strategies over the books."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from polyrecord.demo.binance import BinanceBook
from polyrecord.demo.book import Level, OrderBook, Side
from polyrecord.demo.money import dollars

ONE_DOLLAR = Decimal(1)


@dataclass(frozen=True, slots=True)
class Leg:
    """One order of a signal, at the best price seen."""

    token_id: str
    side: Side
    price: Decimal
    size: Decimal


@dataclass(frozen=True, slots=True)
class Signal:
    """Orders to send together.

    `gross_edge` is the profit in dollars if every leg filled at its price and nothing cost anything.
    """

    strategy: str
    market: str
    legs: tuple[Leg, ...]
    gross_edge: Decimal


class AtomicArbitrage:
    """Buy YES and NO where both cost less than the dollar that one of them will pay.

    One signal per pair of best asks: while they stay, it is the same opportunity.
    """

    name = "atomic"

    def __init__(self, size: Decimal = Decimal(100)) -> None:
        self.size = size
        self._signalled: dict[str, tuple[Decimal, Decimal]] = {}

    def look(self, market: str, yes: OrderBook, no: OrderBook) -> Signal | None:
        """The opportunity in these two books, if there is a new one."""
        yes_ask, no_ask = yes.best_ask, no.best_ask
        if yes_ask is None or no_ask is None:
            return None
        profit = ONE_DOLLAR - yes_ask.price - no_ask.price
        if profit <= 0:
            self._signalled.pop(market, None)
            return None
        prices = (yes_ask.price, no_ask.price)
        if self._signalled.get(market) == prices:
            return None
        self._signalled[market] = prices
        legs = tuple(
            Leg(book.instrument, "BUY", ask.price, self.size) for book, ask in ((yes, yes_ask), (no, no_ask))
        )
        return Signal(self.name, market, legs, dollars(profit * self.size))


class QuoteDislocation:
    """The fast touch has moved through the top of the slower depth book of the same instrument.

    `bookTicker` comes with every change of the best price, the depth stream every 100 ms. When the touch's
    bid is above the depth book's best ask, that ask is not a bargain: it is gone, and the depth book does not
    know it yet. A real order at that price would hardly ever be filled. So this is a gauge of how stale a
    depth feed gets, not a way to earn money; the demo uses it because a recording of one instrument holds no
    other disagreement to trade on, and every step from the book to the order is exercised all the same.

    One signal per depth update and side, and again only where the distance has grown.
    """

    name = "quote_dislocation"

    def __init__(self, size: Decimal = Decimal(1)) -> None:
        self.size = size
        self._signalled: dict[str, tuple[int, Side, Decimal]] = {}

    def look(self, market: BinanceBook) -> Signal | None:
        """The dislocation between touch and depth, if there is a new or a greater one."""
        book, touch, last_id = market.book, market.touch, market.last_id
        if touch is None or last_id is None or touch.update_id <= last_id:
            return None
        bid, ask = book.best_bid, book.best_ask
        if ask is not None and touch.bid.price > ask.price:
            return self._signal(book, last_id, "BUY", ask, touch.bid)
        if bid is not None and touch.ask.price < bid.price:
            return self._signal(book, last_id, "SELL", bid, touch.ask)
        return None

    def _signal(self, book: OrderBook, last_id: int, side: Side, stale: Level, fresh: Level) -> Signal | None:
        distance = abs(fresh.price - stale.price)
        before = self._signalled.get(book.instrument)
        if before is not None and before[:2] == (last_id, side) and distance <= before[2]:
            return None
        self._signalled[book.instrument] = (last_id, side, distance)
        size = min(self.size, fresh.size)
        leg = Leg(book.instrument, side, stale.price, size)
        return Signal(self.name, book.instrument, (leg,), dollars(distance * size))
