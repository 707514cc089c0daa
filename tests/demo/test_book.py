"""An order book in exact decimals: snapshots, deltas, the touch, and the way of an order through it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.demo.book import Ladder, Level, OrderBook, parse_level


def level(price: str, size: str) -> Level:
    return parse_level(price, size)


@pytest.fixture
def book() -> OrderBook:
    book = OrderBook("token")
    book.snapshot(
        bids=[level("0.47", "10"), level("0.48", "5")],
        asks=[level("0.51", "20"), level("0.50", "7.5"), level("0.53", "1")],
    )
    return book


def test_the_touch_is_the_best_of_each_side_in_whatever_order_levels_came(book: OrderBook) -> None:
    assert book.best_bid == level("0.48", "5")
    assert book.best_ask == level("0.50", "7.5")


def test_an_empty_side_has_no_best_level() -> None:
    assert OrderBook("token").best_bid is None
    assert OrderBook("token").best_ask is None


def test_a_delta_sets_the_new_total_of_its_level(book: OrderBook) -> None:
    book.delta("SELL", level("0.50", "3"))
    assert book.best_ask == level("0.50", "3")


def test_a_delta_of_size_zero_removes_its_level(book: OrderBook) -> None:
    book.delta("SELL", level("0.50", "0.00"))
    assert book.best_ask == level("0.51", "20")


def test_removing_a_level_that_is_not_there_changes_nothing(book: OrderBook) -> None:
    book.delta("BUY", level("0.40", "0"))
    assert book.depth(9)[0] == [level("0.48", "5"), level("0.47", "10")]


def test_the_same_price_in_another_spelling_is_the_same_level(book: OrderBook) -> None:
    book.delta("BUY", level("0.480", "6"))
    assert len(book.bids) == 2
    assert book.best_bid == level(".48", "6")


def test_depth_is_best_first_and_cut(book: OrderBook) -> None:
    bids, asks = book.depth(2)
    assert [str(each.price) for each in bids] == ["0.48", "0.47"]
    assert [str(each.price) for each in asks] == ["0.50", "0.51"]


def test_a_walk_pays_each_level_its_price(book: OrderBook) -> None:
    walk = book.walk("BUY", Decimal(10), levels=3)
    assert walk is not None
    assert walk.money == Decimal("7.5") * Decimal("0.50") + Decimal("2.5") * Decimal("0.51")
    assert walk.worst_price == Decimal("0.51")
    assert walk.average_price == Decimal("0.502500")


def test_a_walk_beyond_the_levels_allowed_is_none(book: OrderBook) -> None:
    assert book.walk("BUY", Decimal(10), levels=1) is None
    assert book.walk("SELL", Decimal("15.01"), levels=10) is None
    assert book.walk("SELL", Decimal(15), levels=10) is not None


def test_text_of_a_level_has_no_exponent() -> None:
    assert Level(Decimal("1E-8"), Decimal("1E+3")).as_text() == {"price": "0.00000001", "size": "1000"}


@pytest.mark.parametrize(
    ("price", "size"),
    [("x", "1"), ("", "1"), ("NaN", "1"), ("1", "Infinity"), ("1", "-2"), (None, "1"), ("1", []), (0.5, "1")],
)
def test_what_is_no_price_level_is_a_value_error(price: str, size: str) -> None:
    with pytest.raises(ValueError, match="not a price level"):
        parse_level(price, size)


@given(
    st.lists(st.tuples(st.integers(1, 12), st.integers(0, 3)), max_size=60), st.sampled_from(["BUY", "SELL"])
)
def test_the_kept_best_price_is_that_of_a_plain_dict(changes: list[tuple[int, int]], side: str) -> None:
    ladder, plain = Ladder("BUY" if side == "BUY" else "SELL"), {}
    for price, size in changes:
        ladder.set(Level(Decimal(price), Decimal(size)))
        plain[price] = size
        if not size:
            del plain[price]
        best = (max if side == "BUY" else min)(plain, default=None)
        assert ladder.best() == (None if best is None else Level(Decimal(best), Decimal(plain[best])))
    assert [int(each.price) for each in ladder.top(20)] == sorted(plain, reverse=side == "BUY")
