"""Books of Binance spot: REST depth snapshot, `depthUpdate` stream and the faster `bookTicker`.

The venue's rule for a local book: keep updates until the snapshot is there, drop those it covers (u at most
its lastUpdateId), then take the rest, each of which begins (U) right after the one before ended (u). Where
one begins later, something was missed: the book is wrong until the next snapshot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from polyrecord.demo.book import Level, OrderBook, parse_level
from polyrecord.demo.change import Change

# Every message that changes a book has one of these in it (`B` is the size of a touch's bid).
BOOK_MARKS = (b'"lastUpdateId"', b'"depthUpdate"', b'"B"')
_WAITING = 1_000  # updates kept while the snapshot is under way: 100 seconds at 100 ms


@dataclass(frozen=True, slots=True)
class Touch:
    """Best bid and ask as `bookTicker` gives them, as of one update id."""

    update_id: int
    bid: Level
    ask: Level


@dataclass(frozen=True, slots=True)
class DepthUpdate:
    """New totals of some levels: the updates `first_id` to `last_id` in one message."""

    first_id: int
    last_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class BinanceBook:
    """The depth book of one symbol with its touch."""

    def __init__(self, symbol: str) -> None:
        self.book = OrderBook(symbol)
        self.touch: Touch | None = None
        self.last_id: int | None = None
        self.updates = 0
        self.gaps = 0
        self._waiting: deque[DepthUpdate] = deque(maxlen=_WAITING)

    def on_snapshot(self, last_id: int, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Start over from a REST snapshot, and catch up with what came meanwhile."""
        self.book.snapshot(bids, asks)
        self.last_id = last_id
        waiting, self._waiting = self._waiting, deque(maxlen=_WAITING)
        for update in waiting:
            self.on_update(update)

    def on_update(self, update: DepthUpdate) -> bool:
        """Apply an update in its turn; False where it is old, early, or shows a gap."""
        if self.last_id is None:
            self._waiting.append(update)
            return False
        if update.last_id <= self.last_id:
            return False
        if update.first_id > self.last_id + 1:
            self.gaps += 1
            self.last_id = None
            self._waiting.append(update)
            return False
        for level in update.bids:
            self.book.delta("BUY", level)
        for level in update.asks:
            self.book.delta("SELL", level)
        self.last_id = update.last_id
        self.updates += 1
        return True

    def on_touch(self, touch: Touch) -> bool:
        """Keep a touch; False where it is older than the one before."""
        if self.touch is not None and touch.update_id <= self.touch.update_id:
            return False
        self.touch = touch
        return True


class BinanceBooks:
    """The books of all symbols seen."""

    def __init__(self) -> None:
        self.symbols: dict[str, BinanceBook] = {}

    @property
    def books(self) -> dict[str, OrderBook]:
        """Every depth book by its symbol."""
        return {symbol: each.book for symbol, each in self.symbols.items()}

    @property
    def gaps(self) -> int:
        """How often a book missed an update."""
        return sum(each.gaps for each in self.symbols.values())

    def apply(self, message: Any, about: str) -> list[Change]:
        """Take one decoded frame of a stream, or the answer to a depth request (`about` is its URL).

        An empty list says it is none of this venue. Raises ValueError, KeyError or TypeError on a broken
        message, which changes no book.
        """
        if not isinstance(message, dict):
            return []
        if "lastUpdateId" in message:
            return self._snapshot(message, about)
        data = message["data"] if "stream" in message and "data" in message else message
        if not isinstance(data, dict):
            return []
        if data.get("e") == "depthUpdate":
            return self._update(data)
        if data.keys() >= {"u", "s", "b", "B", "a", "A"}:
            return self._touch(data)
        return [Change(data["s"])] if data.get("e") in {"trade", "aggTrade", "kline"} else []

    def _snapshot(self, message: dict[str, Any], about: str) -> list[Change]:
        symbol = _symbol(about) or self._only_symbol()
        if symbol is None:
            return []
        bids, asks = _levels(message["bids"]), _levels(message["asks"])
        self._of(symbol).on_snapshot(int(message["lastUpdateId"]), bids, asks)
        return [Change(symbol, (symbol,))]

    def _update(self, data: dict[str, Any]) -> list[Change]:
        update = DepthUpdate(int(data["U"]), int(data["u"]), _levels(data["b"]), _levels(data["a"]))
        changed = self._of(data["s"]).on_update(update)
        return [Change(data["s"], (data["s"],) if changed else ())]

    def _touch(self, data: dict[str, Any]) -> list[Change]:
        touch = Touch(int(data["u"]), parse_level(data["b"], data["B"]), parse_level(data["a"], data["A"]))
        changed = self._of(data["s"]).on_touch(touch)
        return [Change(data["s"], (data["s"],) if changed else ())]

    def _of(self, symbol: str) -> BinanceBook:
        if symbol not in self.symbols:
            self.symbols[symbol] = BinanceBook(symbol)
        return self.symbols[symbol]

    def _only_symbol(self) -> str | None:
        """A recorded answer without its URL can only be about the one symbol there is."""
        return next(iter(self.symbols)) if len(self.symbols) == 1 else None


def _symbol(url: str) -> str | None:
    return parse_qs(urlsplit(url).query).get("symbol", [None])[0]


def _levels(levels: Sequence[Sequence[str]]) -> tuple[Level, ...]:
    return tuple(parse_level(price, size) for price, size in levels)
