"""What the two strategies take for an opportunity, and what they keep quiet about."""

from __future__ import annotations

from decimal import Decimal

import pytest

from polyrecord.demo.binance import BinanceBook, Touch
from polyrecord.demo.book import OrderBook, parse_level
from polyrecord.demo.strategy import AtomicArbitrage, Leg, QuoteDislocation


def book_with(instrument: str, bid: str, ask: str, size: str = "1000") -> OrderBook:
    book = OrderBook(instrument)
    book.snapshot([parse_level(bid, size)], [parse_level(ask, size)])
    return book


def test_two_asks_below_a_dollar_are_a_signal_worth_the_difference() -> None:
    signal = AtomicArbitrage(Decimal(100)).look(
        "m", book_with("y", "0.40", "0.48"), book_with("n", "0.40", "0.49")
    )
    assert signal is not None
    assert signal.gross_edge == Decimal("3.00")
    assert signal.legs == (
        Leg("y", "BUY", Decimal("0.48"), Decimal(100)),
        Leg("n", "BUY", Decimal("0.49"), Decimal(100)),
    )


@pytest.mark.parametrize("no_ask", ["0.52", "0.53"])
def test_two_asks_of_a_dollar_or_more_are_none(no_ask: str) -> None:
    assert AtomicArbitrage().look("m", book_with("y", "0.4", "0.48"), book_with("n", "0.4", no_ask)) is None


def test_an_empty_book_is_none() -> None:
    assert AtomicArbitrage().look("m", OrderBook("y"), book_with("n", "0.1", "0.2")) is None


def test_the_same_prices_are_the_same_opportunity_until_it_has_gone() -> None:
    strategy, yes, no = AtomicArbitrage(), book_with("y", "0.4", "0.48"), book_with("n", "0.4", "0.49")
    assert strategy.look("m", yes, no) is not None
    yes.delta("SELL", parse_level("0.48", "7"))
    assert strategy.look("m", yes, no) is None
    assert strategy.look("another", yes, no) is not None
    no.delta("SELL", parse_level("0.47", "7"))
    assert strategy.look("m", yes, no) is not None
    assert strategy.look("m", yes, book_with("n", "0.4", "0.60")) is None
    assert strategy.look("m", yes, no) is not None


@pytest.fixture
def market() -> BinanceBook:
    market = BinanceBook("ETHUSDT")
    market.on_snapshot(100, [parse_level("10.0", "5")], [parse_level("10.1", "5")])
    return market


def touch(number: int, bid: str, ask: str, size: str = "0.5") -> Touch:
    return Touch(number, parse_level(bid, size), parse_level(ask, size))


def test_a_touch_that_rose_through_the_stale_ask_is_a_buy(market: BinanceBook) -> None:
    market.touch = touch(101, "10.3", "10.4")
    signal = QuoteDislocation().look(market)
    assert signal is not None
    assert signal.legs == (Leg("ETHUSDT", "BUY", Decimal("10.1"), Decimal("0.5")),)
    assert signal.gross_edge == Decimal("0.10")


def test_a_touch_that_fell_through_the_stale_bid_is_a_sale(market: BinanceBook) -> None:
    market.touch = touch(101, "9.8", "9.9")
    signal = QuoteDislocation().look(market)
    assert signal is not None
    assert signal.legs[0].side == "SELL"
    assert signal.gross_edge == Decimal("0.05")


@pytest.mark.parametrize(
    "quote",
    [None, touch(101, "10.0", "10.1"), touch(101, "10.1", "10.2"), touch(100, "10.3", "10.4")],
    ids=["no touch yet", "the same", "meets but does not pass", "not newer than the book"],
)
def test_otherwise_there_is_none(market: BinanceBook, quote: Touch | None) -> None:
    market.touch = quote
    assert QuoteDislocation().look(market) is None


def test_it_signals_again_only_when_the_distance_grows_or_the_depth_moved_on(market: BinanceBook) -> None:
    strategy, seen = QuoteDislocation(), []
    for number, bid in enumerate(("10.3", "10.2", "10.3", "10.4"), start=101):
        market.touch = touch(number, bid, "10.5")
        seen.append(strategy.look(market) is not None)
    assert seen == [True, False, False, True]
    market.last_id = 103
    assert strategy.look(market) is not None


def test_a_book_out_of_step_gives_no_signal(market: BinanceBook) -> None:
    market.touch = touch(101, "10.3", "10.4")
    market.last_id = None
    assert QuoteDislocation().look(market) is None
