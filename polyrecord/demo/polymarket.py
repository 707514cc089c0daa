"""Books of Polymarket's market channel.

Numbers are texts; asset ids have 76 to 78 digits and stay text. `price_change` has had three forms: flat
(until 2024), `changes` (until September 2025) and `price_changes`. In each of them `size` is the level's new
total.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from polyrecord.demo.book import Level, OrderBook, Side, parse_level
from polyrecord.demo.change import Change

# Every message that changes a book has one of these in it.
BOOK_MARKS = (b'"book"', b'"price_change"')
# Understood, and nothing for the book: trades, tick sizes, quotes, the life of a market, one's own orders.
_NO_CHANGE = frozenset(
    {
        "last_trade_price",
        "tick_size_change",
        "best_bid_ask",
        "new_market",
        "market_resolved",
        "order",
        "trade",
    }
)
_SIDES: dict[str, Side] = {"BUY": "BUY", "SELL": "SELL"}


class PolymarketBooks:
    """The books of all tokens seen, and which tokens belong to one market."""

    def __init__(self) -> None:
        self.books: dict[str, OrderBook] = {}
        self._tokens: dict[str, list[str]] = {}

    def pair(self, market: str) -> tuple[OrderBook, OrderBook] | None:
        """The two books of a binary market in the order they came (YES first), once both are there."""
        tokens = self._tokens.get(market, [])
        if len(tokens) != 2:
            return None
        return self.books[tokens[0]], self.books[tokens[1]]

    def apply(self, message: Any) -> list[Change]:
        """Take one decoded frame, a message or an array of them; an empty list says it is none of this venue.

        Raises ValueError, KeyError, TypeError or AttributeError on a broken message, which changes no book.
        """
        messages = message if isinstance(message, list) else [message]
        return [change for each in messages if (change := self._apply_one(each)) is not None]

    def _apply_one(self, message: Any) -> Change | None:
        if not isinstance(message, dict):
            return None
        event_type = message.get("event_type")
        if event_type == "book":
            return self._replace(message)
        if event_type == "price_change":
            return self._update(message)
        return Change(str(message.get("market", ""))) if event_type in _NO_CHANGE else None

    def _replace(self, message: dict[str, Any]) -> Change:
        market, token = message["market"], message["asset_id"]
        bids = _levels(message.get("bids", message.get("buys", ())))
        asks = _levels(message.get("asks", message.get("sells", ())))
        if token not in self.books:
            self.books[token] = OrderBook(token)
            self._tokens.setdefault(market, []).append(token)
        self.books[token].snapshot(bids, asks)
        return Change(market, (token,))

    def _update(self, message: dict[str, Any]) -> Change:
        deltas = [
            (token, _SIDES[each["side"]], parse_level(each["price"], each["size"]))
            for token, each in _changes(message)
        ]
        # A book nobody sent in full is not built from its changes.
        known = [delta for delta in deltas if delta[0] in self.books]
        for token, side, level in known:
            self.books[token].delta(side, level)
        return Change(message["market"], tuple(dict.fromkeys(token for token, _, _ in known)))


def _levels(levels: Iterable[dict[str, str]]) -> list[Level]:
    return [parse_level(level["price"], level["size"]) for level in levels]


def _changes(message: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
    """The single changes of a `price_change` of any generation, each with its token."""
    if "price_changes" in message:
        return [(each["asset_id"], each) for each in message["price_changes"]]
    if "changes" in message:
        return [(message["asset_id"], each) for each in message["changes"]]
    return [(message["asset_id"], message)]
