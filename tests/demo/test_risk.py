"""Every cost by hand, and each reason to say no."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from polyrecord import Decision
from polyrecord.demo.book import OrderBook, parse_level
from polyrecord.demo.risk import POLICIES, Policy, Reason, RiskManager, Verdict, binary_fee, proportional_fee
from polyrecord.demo.strategy import AtomicArbitrage

SECOND = 1_000_000_000


def assess(
    yes_ask: str, no_ask: str, *, top: str = "1000", risk: RiskManager | None = None, at_ns: int = 0
) -> Verdict:
    books = {}
    for instrument, ask in (("y", yes_ask), ("n", no_ask)):
        books[instrument] = OrderBook(instrument)
        worse = str(Decimal(ask) + Decimal("0.01"))
        books[instrument].snapshot(
            [], [parse_level(ask, top), parse_level(worse, "50"), parse_level("0.9", "999")]
        )
    signal = AtomicArbitrage(Decimal(100)).look("m", books["y"], books["n"])
    assert signal is not None
    return (risk or RiskManager()).assess(signal, books, at_ns)


def policy(**changes: object) -> RiskManager:
    atomic: Policy = replace(POLICIES["atomic"], **changes)  # type: ignore[arg-type]
    return RiskManager({"atomic": atomic})


def test_costs_are_those_computed_by_hand() -> None:
    edge = assess("0.40", "0.55").edge
    assert edge.gross_edge == Decimal("5.00")
    assert edge.fees_est == Decimal("0.005") * (Decimal("0.40") + Decimal("0.45")) * 100
    assert edge.slippage_est == 0
    assert edge.gas_est == Decimal("0.008")
    assert edge.latency_buffer == Decimal("0.2")
    assert edge.net_edge == Decimal("5.00") - Decimal("0.425") - Decimal("0.008") - Decimal("0.2")
    assert edge.decision is Decision.ACCEPT


def test_slippage_is_what_the_second_level_costs_more() -> None:
    verdict = assess("0.40", "0.55", top="80")
    assert verdict.edge.slippage_est == 2 * 20 * Decimal("0.01")
    assert [walk.worst_price for walk in verdict.walks if walk] == [Decimal("0.41"), Decimal("0.56")]


def test_a_net_edge_below_the_threshold_is_rejected_and_one_at_it_accepted() -> None:
    net = assess("0.40", "0.55").edge.net_edge
    assert assess("0.40", "0.55", risk=policy(min_net_edge=net)).reason is Reason.OK
    verdict = assess("0.40", "0.55", risk=policy(min_net_edge=net + Decimal("0.000001")))
    assert (verdict.reason, verdict.accepted) == (Reason.NET_EDGE_TOO_SMALL, False)


def test_a_book_too_thin_within_its_levels_is_rejected() -> None:
    verdict = assess("0.40", "0.55", top="49")
    assert (verdict.reason, verdict.accepted) == (Reason.INSUFFICIENT_DEPTH, False)
    assert verdict.walks == (None, None)


def test_more_money_than_allowed_is_rejected() -> None:
    assert assess("0.40", "0.55", risk=policy(max_notional=Decimal("94.99"))).reason is Reason.NOTIONAL_LIMIT
    assert assess("0.40", "0.55", risk=policy(max_notional=Decimal(95))).reason is Reason.OK


def test_two_accepted_signals_of_a_market_keep_their_pause() -> None:
    risk = policy(pause_ns=SECOND)
    times = [0, SECOND - 1, SECOND, SECOND + 5]
    reasons = [assess("0.40", "0.55", risk=risk, at_ns=at_ns).reason for at_ns in times]
    assert reasons == [Reason.OK, Reason.RATE_LIMIT, Reason.OK, Reason.RATE_LIMIT]


def test_a_rejected_signal_starts_no_pause() -> None:
    risk = policy(pause_ns=SECOND)
    assert assess("0.40", "0.55", top="49", risk=risk).reason is Reason.INSUFFICIENT_DEPTH
    assert assess("0.40", "0.55", risk=risk).reason is Reason.OK


def test_a_binary_fee_is_the_same_for_both_outcomes() -> None:
    fee = binary_fee(Decimal("0.02"))
    assert fee(Decimal("0.3"), Decimal(10)) == fee(Decimal("0.7"), Decimal(10)) == Decimal("0.06")


def test_a_proportional_fee_is_a_share_of_the_money() -> None:
    assert proportional_fee(Decimal("0.001"))(Decimal(2_000), Decimal("0.5")) == 1


def test_a_position_that_must_be_closed_pays_twice() -> None:
    once, twice = assess("0.40", "0.55").edge, assess("0.40", "0.55", risk=policy(sides=2)).edge
    assert (twice.fees_est, twice.gas_est) == (2 * once.fees_est, 2 * once.gas_est)
