"""Binance's rule for a local book, on a synthetic stream checked against a plain dict, and on a real one."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.demo.binance import BinanceBook, BinanceBooks, DepthUpdate, Touch
from polyrecord.demo.book import Level, parse_level
from polyrecord.demo.change import Change
from tests.demo.plain_book import PlainBook


def update(first: int, last: int, *bids: tuple[str, str]) -> DepthUpdate:
    return DepthUpdate(first, last, tuple(parse_level(*bid) for bid in bids), ())


@pytest.fixture
def market() -> BinanceBook:
    market = BinanceBook("ETHUSDT")
    market.on_snapshot(100, [parse_level("10", "1")], [parse_level("11", "1")])
    return market


def test_updates_before_the_snapshot_wait_for_it() -> None:
    market = BinanceBook("ETHUSDT")
    assert not market.on_update(update(95, 99, ("9", "1")))
    assert not market.on_update(update(100, 103, ("10", "5")))
    market.on_snapshot(101, [parse_level("10", "1")], [])
    assert market.last_id == 103
    assert market.book.best_bid == parse_level("10", "5")
    assert market.updates == 1


def test_an_update_that_the_snapshot_covers_is_dropped(market: BinanceBook) -> None:
    assert not market.on_update(update(90, 100, ("10", "7")))
    assert market.book.best_bid == parse_level("10", "1")


def test_an_update_that_begins_within_the_snapshot_is_taken(market: BinanceBook) -> None:
    assert market.on_update(update(99, 101, ("10", "7")))
    assert market.last_id == 101


def test_an_update_that_begins_late_shows_a_gap_and_the_next_snapshot_heals_it(market: BinanceBook) -> None:
    assert not market.on_update(update(102, 104, ("10", "7")))
    assert (market.gaps, market.last_id) == (1, None)
    assert not market.on_update(update(105, 106, ("10", "8")))
    market.on_snapshot(103, [parse_level("10", "2")], [])
    assert market.last_id == 106
    assert market.book.best_bid == parse_level("10", "8")


def test_a_touch_older_than_the_one_before_is_dropped(market: BinanceBook) -> None:
    new, old = (Touch(number, parse_level("10", "1"), parse_level("11", "1")) for number in (8, 7))
    assert market.on_touch(new)
    assert not market.on_touch(old)
    assert market.touch is new


def test_an_answer_without_its_url_is_about_the_only_symbol() -> None:
    books = BinanceBooks()
    books.apply({"e": "depthUpdate", "s": "AAA", "U": 1, "u": 2, "b": [], "a": []}, "")
    snapshot = {"lastUpdateId": 2, "bids": [["1", "1"]], "asks": []}
    assert books.apply(snapshot, "") == [Change("AAA", ("AAA",))]
    books.apply({"e": "depthUpdate", "s": "BBB", "U": 1, "u": 2, "b": [], "a": []}, "")
    assert books.apply(snapshot, "") == []
    assert books.apply(snapshot, "https://venue/api/v3/depth?symbol=BBB&limit=1000") == [
        Change("BBB", ("BBB",))
    ]


@pytest.mark.parametrize(
    "message", [[], {}, {"result": None, "id": 1}, {"stream": "x", "data": []}, "PONG", {"e": "new"}]
)
def test_what_is_not_of_the_venue_is_not_understood(message: Any) -> None:
    assert BinanceBooks().apply(message, "") == []


def test_a_trade_is_understood_and_changes_no_book() -> None:
    assert BinanceBooks().apply({"stream": "s", "data": {"e": "trade", "s": "AAA"}}, "") == [Change("AAA")]


def test_the_levels_of_a_broken_update_change_nothing(market: BinanceBook) -> None:
    books = BinanceBooks()
    books.symbols["ETHUSDT"] = market
    broken = {"e": "depthUpdate", "s": "ETHUSDT", "U": 101, "u": 102, "b": [["10", "9"]], "a": [["x", "1"]]}
    with pytest.raises(ValueError, match="not a price level"):
        books.apply(broken, "")
    assert (market.last_id, market.book.best_bid) == (100, parse_level("10", "1"))


@given(st.integers(0, 2**32), st.integers(0, 30))
def test_any_stream_with_its_snapshot_at_any_place_rebuilds_the_book_of_a_plain_dict(
    seed: int, snapshot_at: int
) -> None:
    random = Random(seed)
    truth, market, number = PlainBook(), BinanceBook("X"), 0
    for step in range(40):
        if step == snapshot_at:
            sides = [[Level(p, s) for p, s in side.items()] for side in (truth.bids, truth.asks)]
            market.on_snapshot(number, *sides)
        first, number = number + 1, number + random.randint(1, 4)
        levels = [Level(Decimal(random.randint(1, 9)), Decimal(random.choice((0, 1, 2)))) for _ in range(3)]
        truth.change([(each.price, each.size) for each in levels], [])
        market.on_update(DepthUpdate(first, number, tuple(levels), ()))
    assert {each.price: each.size for each in market.book.bids.top(99)} == truth.bids
    assert market.gaps == 0


def test_the_real_recording_rebuilds_the_book_that_its_ticker_names(recordings: Path) -> None:
    """33,618 frames; the sequence holds throughout, and the book ends on the last touch."""
    books, truth = BinanceBooks(), PlainBook()
    last_id, followed = None, 0
    with gzip.open(recordings / "hftbacktest_raw/spot_ethusdt_20240808.gz") as lines:
        for line in lines:
            message = json.loads(line.partition(b" ")[2])
            books.apply(message, "")
            truth.take(message)
            data = message.get("data", {})
            if data.get("e") == "depthUpdate":
                assert last_id is None or data["U"] == last_id + 1
                last_id, followed = data["u"], followed + (last_id is not None)
    market = books.symbols["ETHUSDT"]
    assert (followed, market.gaps, market.last_id) == (3_433, 0, last_id)
    assert {each.price: each.size for each in market.book.bids.top(99_999)} == truth.bids
    assert {each.price: each.size for each in market.book.asks.top(99_999)} == truth.asks
    assert market.touch is not None
    assert market.book.best_bid is not None
    assert market.book.best_bid.price == market.touch.bid.price == Decimal("2682.50")
    assert market.book.best_ask is not None
    assert market.book.best_ask.price == market.touch.ask.price == Decimal("2682.51")
