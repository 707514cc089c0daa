"""Paper execution: the same seed gives the same answers, and they come as often as the odds say."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal

import pytest

from polyrecord.demo.execution import Odds, Order, OrderResult, PaperExecution

ODDS = Odds(filled=0.5, partially_filled=0.2, rejected=0.2)


def order(number: int, size: str = "100") -> Order:
    return Order(f"o{number}", "t", "BUY", Decimal("0.5"), Decimal(size), Decimal("0.49"), Decimal("0.2"))


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(_seconds: float) -> None: ...

    monkeypatch.setattr("polyrecord.demo.execution.asyncio.sleep", at_once)


async def answers(seed: int, count: int, size: str = "100", odds: Odds = ODDS) -> list[OrderResult]:
    execution = PaperExecution(seed)
    sent = await asyncio.gather(*(execution.send(order(number, size), odds) for number in range(count)))
    return [await execution.answer(each) for each in sent]


async def test_the_same_seed_gives_the_same_answers() -> None:
    assert await answers(7, 50) == await answers(7, 50)
    assert await answers(7, 50) != await answers(8, 50)


async def test_orders_end_as_often_as_the_odds_say() -> None:
    ends = Counter(result.status for result in await answers(7, 4_000))
    expected = {"FILLED": 2_000, "PARTIAL": 800, "REJECTED": 800, "CANCELLED": 400}
    assert {status: pytest.approx(count, rel=0.15) for status, count in expected.items()} == ends


async def test_every_answer_is_complete_for_how_it_ended() -> None:
    for result in await answers(7, 500):
        assert (result.error is not None) == (result.status == "REJECTED")
        assert (result.average_price is not None) == (result.filled_size > 0)
        if result.status == "FILLED":
            assert (result.filled_size, result.fee) == (Decimal(100), Decimal("0.2"))
        if result.status == "PARTIAL":
            assert 0 < result.filled_size < 100
            assert result.fee == Decimal("0.2") * result.filled_size / 100


async def test_a_part_too_small_to_fill_is_a_cancelled_order() -> None:
    results = await answers(7, 50, size="0.001", odds=Odds(filled=0, partially_filled=1, rejected=0))
    assert {result.status for result in results} == {"CANCELLED"}


def test_latencies_are_a_few_milliseconds_with_a_tail() -> None:
    execution = PaperExecution(7)
    seconds = sorted(execution._latency(0.002) for _ in range(5_000))
    assert 0.0018 < seconds[2_500] < 0.0022
    assert 0.008 < seconds[-1] < 0.2
