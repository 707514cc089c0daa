"""Polymarket's market channel in the three generations of its `price_change`, and what else comes by."""

from __future__ import annotations

from typing import Any

import pytest

from polyrecord.demo.book import parse_level
from polyrecord.demo.change import Change
from polyrecord.demo.polymarket import PolymarketBooks

YES, NO = "1" * 77, "2" * 77


def book_of(token: str, bid: str = "0.48", ask: str = "0.50") -> dict[str, Any]:
    return {
        "event_type": "book",
        "market": "0xm",
        "asset_id": token,
        "bids": [{"price": "0.01", "size": "900"}, {"price": bid, "size": "30"}],
        "asks": [{"price": "0.99", "size": "900"}, {"price": ask, "size": "40"}],
    }


@pytest.fixture
def books() -> PolymarketBooks:
    books = PolymarketBooks()
    books.apply([book_of(YES), book_of(NO)])
    return books


def test_the_opening_array_fills_both_books_and_pairs_them(books: PolymarketBooks) -> None:
    pair = books.pair("0xm")
    assert pair is not None
    assert [book.instrument for book in pair] == [YES, NO]
    assert [book.best_ask for book in pair] == [parse_level("0.50", "40")] * 2


def test_a_market_of_which_one_token_was_seen_is_no_pair() -> None:
    books = PolymarketBooks()
    assert books.apply(book_of(YES)) == [Change("0xm", (YES,))]
    assert books.pair("0xm") is None
    assert books.pair("0xother") is None


@pytest.mark.parametrize(
    "message",
    [
        {"price_changes": [{"asset_id": YES, "price": "0.49", "size": "5", "side": "SELL"}]},
        {"asset_id": YES, "changes": [{"price": "0.49", "size": "5", "side": "SELL"}]},
        {"asset_id": YES, "price": ".49", "size": "5", "side": "SELL"},
    ],
    ids=["price_changes", "changes", "flat"],
)
def test_every_generation_of_price_change_sets_the_new_total(
    books: PolymarketBooks, message: dict[str, Any]
) -> None:
    change = books.apply({"event_type": "price_change", "market": "0xm", **message})
    assert change == [Change("0xm", (YES,))]
    assert books.books[YES].best_ask == parse_level("0.49", "5")


def test_one_price_change_may_touch_both_tokens(books: PolymarketBooks) -> None:
    changes = [
        {"asset_id": token, "price": "0.50", "size": "0", "side": "SELL", "best_ask": "0.99"}
        for token in (NO, YES)
    ]
    message = {"event_type": "price_change", "market": "0xm", "price_changes": changes}
    assert books.apply(message) == [Change("0xm", (NO, YES))]
    assert books.books[NO].best_ask == parse_level("0.99", "900")


def test_a_change_of_a_book_never_seen_in_full_builds_none() -> None:
    books = PolymarketBooks()
    message = {"event_type": "price_change", "market": "0xm", "asset_id": YES, "changes": [
        {"price": "0.5", "size": "1", "side": "BUY"}]}  # fmt: skip
    assert books.apply(message) == [Change("0xm")]
    assert not books.books


@pytest.mark.parametrize(
    "event_type", ["last_trade_price", "tick_size_change", "best_bid_ask", "order", "trade"]
)
def test_other_events_are_understood_and_change_no_book(books: PolymarketBooks, event_type: str) -> None:
    assert books.apply({"event_type": event_type, "market": "0xm", "asset_id": YES}) == [Change("0xm")]


@pytest.mark.parametrize(
    "message", [None, 7, "PONG", [], {}, {"event_type": "brand_new"}, [[1]], {"e": "trade"}]
)
def test_what_is_not_of_the_venue_is_not_understood(books: PolymarketBooks, message: Any) -> None:
    assert books.apply(message) == []


@pytest.mark.parametrize(
    "spoilt",
    [{"price": "many"}, {"side": "BOTH"}, {"size": None}, {"asset_id": []}],
)
def test_a_broken_price_change_raises_and_changes_nothing(
    books: PolymarketBooks, spoilt: dict[str, Any]
) -> None:
    good = {"asset_id": YES, "price": "0.49", "size": "5", "side": "SELL"}
    message = {"event_type": "price_change", "market": "0xm", "price_changes": [good, good | spoilt]}
    with pytest.raises((ValueError, KeyError, TypeError)):
        books.apply(message)
    assert books.books[YES].best_ask == parse_level("0.50", "40")


def test_the_older_names_of_the_sides_are_read_too() -> None:
    books = PolymarketBooks()
    sides = {"buys": [{"price": "0.4", "size": "1"}], "sells": []}
    books.apply({"event_type": "book", "market": "0xm", "asset_id": YES, **sides})
    assert books.books[YES].best_bid == parse_level("0.4", "1")
