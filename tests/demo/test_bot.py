"""The whole bot into a real archive, read back with gzip and json alone."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyrecord import EventRecorder
from polyrecord.demo.bot import Bot
from polyrecord.demo.feed import Frame, first, in_steps
from polyrecord.demo.frames import recorded
from polyrecord.demo.venue import SimulatedVenue
from tests.demo.archive import events, of_type

pytestmark = pytest.mark.usefixtures("no_waiting")
STAGES = ("ws_to_book_update_ms", "book_to_signal_ms", "signal_to_risk_ms", "risk_to_send_ms")


async def record(root: Path, feed: AsyncIterator[Frame], seed: int = 7) -> Bot:
    """Run the bot with every event checked against the catalogue."""
    async with EventRecorder(root, validate=True) as recorder:
        bot = Bot(recorder, seed)
        await bot.run(feed)
    assert recorder.stats().dropped == 0
    return bot


async def simulate(root: Path, ticks: int = 600, seed: int = 7) -> tuple[Bot, list[dict[str, Any]]]:
    bot = await record(root, in_steps(SimulatedVenue(seed), ticks), seed)
    return bot, events(root)


async def of(frames: Iterable[bytes]) -> AsyncIterator[Frame]:
    for frame in frames:
        yield Frame(frame, "test")


async def test_the_archive_holds_what_the_tally_counts(tmp_path: Path) -> None:
    bot, lines = await simulate(tmp_path)
    tally, counts = bot.tally, Counter(line["event_type"] for line in lines)
    assert tally.frames == counts["raw_frame"] == 600
    assert tally.changed == counts["latency"] < 600
    assert tally.signals == counts["signal"] == counts["decision"] == counts["opportunity_detected"] > 50
    assert tally.accepted == counts["risk_passed"] == counts["order_request"] / 2 > 30
    assert (
        tally.orders.total() == counts["order_request"] == counts["order_submitted"] == counts["order_result"]
    )
    assert tally.orders["FILLED"] + tally.orders["PARTIAL"] == counts["fill"]
    assert Counter(each["status"] for each in of_type(lines, "order_result")) == tally.orders
    rejected = Counter(each["reason"] for each in of_type(lines, "decision") if each["decision"] == "REJECT")
    assert rejected == tally.reasons


async def test_every_frame_is_kept_byte_for_byte_in_its_order(tmp_path: Path) -> None:
    _, lines = await simulate(tmp_path, ticks=200)
    sent = [frame async for frame in in_steps(SimulatedVenue(7), 200)]
    kept = [(each["frame"].encode(), each["received_ns"]) for each in of_type(lines, "raw_frame")]
    assert kept == [(frame.payload, frame.received_ns) for frame in sent]


async def test_the_trace_of_an_order_tells_its_whole_story_in_order(tmp_path: Path) -> None:
    _, lines = await simulate(tmp_path, ticks=200)
    trace_id = next(line["trace_id"] for line in lines if line["event_type"] == "order_request")
    story = [line["event_type"] for line in lines if line.get("trace_id") == trace_id]
    once = [step for number, step in enumerate(story) if step not in story[:number]]
    assert once == [
        "raw_frame", "event_received", "orderbook_snapshot", "opportunity_detected", "signal", "decision",
        "risk_passed", "order_request", "order_submitted", "order_result", "fill", "latency",
    ]  # fmt: skip


async def test_an_accepted_signal_has_all_four_stages_and_their_sum(tmp_path: Path) -> None:
    bot, lines = await simulate(tmp_path)
    complete = [each for each in of_type(lines, "latency") if each["end_to_end_ms"] is not None]
    assert len(complete) == bot.tally.accepted
    for each in complete:
        assert each["end_to_end_ms"] == pytest.approx(sum(each[name] for name in STAGES))


async def test_net_edge_is_gross_less_costs_to_the_last_digit(tmp_path: Path) -> None:
    _, lines = await simulate(tmp_path)
    for each in of_type(lines, "decision"):
        costs = sum(Decimal(each[name]) for name in ("fees_est", "slippage_est", "gas_est", "latency_buffer"))
        assert Decimal(each["net_edge"]) == Decimal(each["gross_edge"]) - costs
        meets = Decimal(each["net_edge"]) >= Decimal(each["min_threshold"])
        assert meets or each["decision"] == "REJECT"


async def test_a_signal_is_what_its_books_show(tmp_path: Path) -> None:
    """Gross edge again from the snapshots of the same trace."""
    _, lines = await simulate(tmp_path)
    asks: dict[tuple[str, str], Decimal] = {}
    for line in lines:
        data = line["data"]
        if line["event_type"] == "orderbook_snapshot":
            asks[line["trace_id"], data["token_id"]] = Decimal(data["asks"][0]["price"])
        if line["event_type"] == "signal":
            both = asks[line["trace_id"], data["yes_token"]] + asks[line["trace_id"], data["no_token"]]
            assert Decimal(data["expected_profit"]) == (1 - both) * 100


def told(lines: list[dict[str, Any]]) -> list[Any]:
    """What a run did, without when it did and what it measured."""
    return [(line["event_type"], line["data"]) for line in lines if line["event_type"] != "latency"]


async def test_a_seed_gives_the_same_events_again_apart_from_measured_times(tmp_path: Path) -> None:
    _, once = await simulate(tmp_path / "once")
    _, again = await simulate(tmp_path / "again")
    _, other = await simulate(tmp_path / "other", seed=8)
    assert told(once) == told(again) != told(other)


UNKNOWN = (
    b"", b"PONG", b"{", b"null", b"[1,2]", b"\xff\xfe", b"NaN", b"[" * 2_000, b'{"e":"depthUpdate"}',
    b'{"event_type":"book"}', b'{"event_type":"price_change","price_changes":7}',
    b'{"lastUpdateId":1,"bids":[],"asks":[]}',
    b'{"event_type":"book","market":"m","asset_id":"t","bids":[{"price":"x","size":"1"}],"asks":[]}',
)  # fmt: skip


async def test_unknown_and_broken_frames_are_counted_and_kept(tmp_path: Path) -> None:
    bot = await record(tmp_path, of(UNKNOWN))
    assert (bot.tally.frames, bot.tally.unknown) == (len(UNKNOWN), len(UNKNOWN))
    kept = [
        each["frame"].encode() if "frame" in each else base64.b64decode(each["frame_b64"])
        for each in of_type(events(tmp_path), "raw_frame")
    ]
    assert kept == list(UNKNOWN)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 30), st.integers(0, 4_000), st.binary(max_size=6))
async def test_no_frame_however_damaged_stops_the_bot(number: int, place: int, damage: bytes) -> None:
    frames = [frame.payload async for frame in in_steps(SimulatedVenue(5), 32)]
    cut = place % len(frames[number])
    frames[number] = frames[number][:cut] + damage + frames[number][cut + len(damage) :]
    bot = Bot(SilentRecorder(), seed=1)  # type: ignore[arg-type]
    await bot.run(of(frames))
    assert bot.tally.frames == 32


class Done:
    """Awaited or not, it is done."""

    def __await__(self) -> Iterator[None]:
        return iter(())


class SilentRecorder:
    """Takes every call a recorder takes, and forgets it."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_positional, **_named: Done()


async def test_frames_that_change_no_book_have_no_trace(tmp_path: Path) -> None:
    _, lines = await simulate(tmp_path, ticks=300)
    for line in lines:
        if line["event_type"] == "raw_frame":
            assert ("trace_id" in line) == (not line["data"]["frame"].endswith('"last_trade_price"}'))


async def test_a_book_is_recorded_now_and_then_even_when_nothing_happens(tmp_path: Path) -> None:
    book = b'{"event_type":"book","market":"m","asset_id":"t","bids":[{"price":"0.5","size":"1"}],"asks":[]}'
    await record(tmp_path, of([book] * 101))
    assert len(of_type(events(tmp_path), "orderbook_snapshot")) == 3


async def test_a_gap_in_the_updates_is_counted_and_stops_signals(tmp_path: Path) -> None:
    level = '["100","5"]'
    update = '{"e":"depthUpdate","s":"X","U":%d,"u":%d,"b":[],"a":[["101","5"]]}'
    touch = '{"s":"X","u":%d,"b":"103","B":"1","a":"104","A":"1"}'
    frames = [update % (1, 2), f'{{"lastUpdateId":2,"bids":[{level}],"asks":[]}}', update % (3, 4), touch % 5]
    whole = await record(tmp_path / "whole", of(frame.encode() for frame in frames))
    torn = await record(
        tmp_path / "torn", of(frame.encode() for frame in [*frames[:3], update % (9, 9), touch % 10])
    )
    assert (whole.tally.gaps, whole.tally.signals) == (0, 1)
    assert (torn.tally.gaps, torn.tally.signals) == (1, 0)


REAL = {
    "cryptofeed_raw/BINANCE.jsonl.gz": 4, "cryptofeed_raw/BITSTAMP.jsonl.gz": 0,
    "cryptofeed_raw/DERIBIT.jsonl.gz": 0, "cryptofeed_raw/GEMINI.jsonl.gz": 0,
    "cryptofeed_raw/KRAKEN.jsonl.gz": 0, "hftbacktest_raw/hyperliquid_btcusd_20250126.gz": 0,
}  # fmt: skip


@pytest.mark.parametrize("name", REAL)
async def test_foreign_recordings_are_kept_whole_whatever_is_known_of_them(
    recordings: Path, tmp_path: Path, name: str
) -> None:
    bot = await record(tmp_path, recorded(recordings / name))
    assert len(bot.binance.symbols) == REAL[name]
    assert len(of_type(events(tmp_path), "raw_frame")) == bot.tally.frames > 50
    assert bot.tally.gaps == 0


async def test_a_real_recording_leads_to_signals_decisions_and_orders(
    recordings: Path, tmp_path: Path
) -> None:
    feed = first(recorded(recordings / "hftbacktest_raw/spot_ethusdt_20240808.gz"), 6_000)
    bot = await record(tmp_path, feed)
    assert bot.tally.unknown == 0
    assert {each["decision"] for each in of_type(events(tmp_path), "decision")} == {"ACCEPT", "REJECT"}
    assert bot.tally.orders.total() == bot.tally.accepted > 20


async def test_real_polymarket_frames_of_every_kind_are_known(recordings: Path, tmp_path: Path) -> None:
    """Of these, only the answer to a request for trades is not of the socket."""
    paths = sorted((recordings / "nautilus_polymarket/py_ws_messages").glob("*.json"))
    bot = await record(tmp_path, of(path.read_bytes() for path in paths))
    assert (bot.tally.frames, bot.tally.unknown) == (12, 1)
    (book,) = bot.polymarket.books.values()
    assert book.best_bid is not None
    assert book.best_ask is not None
    assert (book.best_bid.price, book.best_ask.price) == (Decimal("0.511"), Decimal("0.514"))
