"""The simulated venue: reproducible, in the venue's own form, and with something to trade on."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import islice

import pytest

from polyrecord.demo.feed import Frame
from polyrecord.demo.polymarket import PolymarketBooks
from polyrecord.demo.venue import LEVELS, START_NS, SimulatedVenue


def take(seed: int, count: int) -> list[Frame]:
    return list(islice(SimulatedVenue(seed), count))


def test_a_seed_always_gives_the_same_bytes_at_the_same_times() -> None:
    assert take(7, 400) == take(7, 400)
    assert take(7, 2) != take(8, 2)


def test_the_first_frame_is_a_compact_array_of_both_books_and_later_ones_have_a_space() -> None:
    opening, later = take(7, 2)
    messages = json.loads(opening.payload)
    assert [each["event_type"] for each in messages] == ["book", "book"]
    assert messages[0]["last_trade_price"] == ""
    assert b", " not in opening.payload
    assert b'", "' in later.payload


def test_frames_have_the_event_types_of_the_market_channel() -> None:
    messages = [json.loads(frame.payload) for frame in take(7, 1_000)[1:]]
    kinds = {message["event_type"] for message in messages}
    assert kinds == {"book", "price_change", "last_trade_price"}


def test_every_number_is_a_text_and_every_token_has_77_digits() -> None:
    for frame in take(3, 300)[1:]:
        message = json.loads(frame.payload, parse_float=pytest.fail, parse_int=pytest.fail)
        for change in message.get("price_changes", []):
            assert len(change["asset_id"]) == 77
            assert Decimal(0) < Decimal(change["price"]) < 1


def test_books_have_ten_levels_are_never_crossed_and_agree_with_the_best_prices_they_announce() -> None:
    books, venue = PolymarketBooks(), SimulatedVenue(11)
    for frame in islice(venue, 1_500):
        message = json.loads(frame.payload)
        books.apply(message)
        for book in books.books.values():
            assert len(book.bids) == len(book.asks) == LEVELS
            assert book.best_bid is not None
            assert book.best_ask is not None
            assert book.best_bid.price < book.best_ask.price
        for change in message.get("price_changes", []) if isinstance(message, dict) else []:
            book = books.books[change["asset_id"]]
            assert book.best_bid is not None
            assert book.best_bid.price == Decimal(change["best_bid"])


def test_both_tokens_together_cost_less_than_a_dollar_in_a_minority_of_frames() -> None:
    books, venue, cheap = PolymarketBooks(), SimulatedVenue(7), 0
    for frame in islice(venue, 2_000):
        books.apply(json.loads(frame.payload))
        yes, no = (book.best_ask for book in books.books.values())
        assert yes is not None
        assert no is not None
        cheap += yes.price + no.price < 1
    assert 200 < cheap < 1_000


def test_frames_are_stamped_in_milliseconds_and_received_later_with_a_tail() -> None:
    delays = []
    for frame in take(7, 2_000)[1:]:
        assert frame.received_ns is not None
        stamped_ns = int(json.loads(frame.payload)["timestamp"]) * 1_000_000
        assert stamped_ns >= START_NS
        delays.append((frame.received_ns - stamped_ns) / 1e6)
    delays.sort()
    assert 25 < delays[len(delays) // 2] < 35
    assert delays[-1] > 150
