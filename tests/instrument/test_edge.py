"""The arithmetic of the edge, against exact fractions."""

from __future__ import annotations

import copy
import dataclasses
import decimal
import pickle
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.edge import Decision, EdgeBreakdown, calculate_net_edge

AMOUNTS = st.builds(
    lambda digits, exponent: Decimal(digits).scaleb(exponent, decimal.Context(prec=200)),
    st.integers(-(10**40), 10**40),
    st.integers(-40, 40),
)


def test_the_net_edge_is_the_gross_edge_less_all_costs() -> None:
    net = calculate_net_edge(
        gross_edge=Decimal("100.0"),
        fees=Decimal("2.0"),
        slippage=Decimal("1.0"),
        gas=Decimal("0.5"),
        latency_buffer=Decimal("0.3"),
    )

    assert str(net) == "96.2"


@given(st.tuples(*[AMOUNTS] * 5))
def test_it_is_exact_to_the_last_digit(amounts: tuple[Decimal, ...]) -> None:
    gross, *costs = map(Fraction, amounts)

    assert Fraction(calculate_net_edge(*amounts)) == gross - sum(costs)


def test_the_callers_precision_does_not_matter() -> None:
    with decimal.localcontext(prec=3):
        assert calculate_net_edge("1000000.000001", 0, 0, 0, 0) == Decimal("1000000.000001")


def test_the_widest_amounts_there_are_stay_exact() -> None:
    net = calculate_net_edge("9e1000", "-9e1000", "-9e1000", "-9e1000", "-1e-1000")

    assert Fraction(net) == 36 * Fraction(10) ** 1000 + Fraction(1, 10**1000)


def test_texts_and_integers_are_amounts() -> None:
    assert calculate_net_edge("0.3", 0, "0.1", "0", 0) == Decimal("0.2")


@pytest.mark.parametrize("value", [0.1, True, None, Fraction(1, 2)])
def test_what_is_not_exact_is_refused_with_a_hint(value: object) -> None:
    with pytest.raises(TypeError, match=r"fees must be exact, not \w+: give a Decimal"):
        calculate_net_edge("1", value, 0, 0, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "one", "", "1e2000", "1e-2000", 10**2000])
def test_what_is_no_amount_of_money_is_refused(value: str | int) -> None:
    with pytest.raises(ValueError, match="gas "):
        calculate_net_edge("1", 0, 0, value, 0)


class TestEdgeBreakdown:
    def test_it_computes_the_net_edge_and_decides(self) -> None:
        edge = EdgeBreakdown(
            gross_edge=Decimal("100.0"),
            fees_est=Decimal("2.0"),
            slippage_est=Decimal("1.0"),
            gas_est=Decimal("0.5"),
            latency_buffer=Decimal("0.3"),
            min_threshold=Decimal("95.0"),
        )

        assert edge.net_edge == Decimal("96.2")
        assert edge.decision is Decision.ACCEPT
        assert edge.reason == "net edge meets the threshold"

    def test_it_takes_a_decision_with_its_reason_and_net_edge(self) -> None:
        edge = EdgeBreakdown(decision=Decision.REJECT, reason="market halted", net_edge=Decimal("96.2"))

        assert (edge.decision, edge.reason, edge.net_edge) == (
            Decision.REJECT,
            "market halted",
            Decimal("96.2"),
        )
        assert edge.gross_edge == 0

    @pytest.mark.parametrize(
        ("net", "decision"), [("95.0", "ACCEPT"), ("94.99999999999999999999999999999999", "REJECT")]
    )
    def test_the_threshold_itself_is_enough(self, net: str, decision: str) -> None:
        assert EdgeBreakdown(net_edge=net, min_threshold=95).decision == decision

    def test_a_net_edge_that_contradicts_the_parts_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"net_edge is 5, but the gross edge less its costs is 7\.5"):
            EdgeBreakdown(gross_edge=8, fees_est="0.5", net_edge=5)

    def test_a_net_edge_that_agrees_is_taken(self) -> None:
        assert EdgeBreakdown(gross_edge=8, fees_est="0.5", net_edge="7.50").net_edge == Decimal("7.5")

    def test_a_decision_may_be_a_text_and_no_other(self) -> None:
        assert EdgeBreakdown(decision="REJECT").decision is Decision.REJECT
        with pytest.raises(ValueError, match="maybe"):
            EdgeBreakdown(decision="maybe")

    def test_a_float_is_refused(self) -> None:
        with pytest.raises(TypeError, match="min_threshold must be exact, not float"):
            EdgeBreakdown(min_threshold=0.1)  # type: ignore[arg-type]

    def test_it_is_a_value(self) -> None:
        edge = EdgeBreakdown(gross_edge=8, fees_est="0.5")

        assert edge == EdgeBreakdown(gross_edge="8.0", fees_est="0.50")
        assert {edge: 1}[copy.copy(edge)] == 1
        assert pickle.loads(pickle.dumps(edge)) == edge
        assert dataclasses.replace(edge, reason="better") != edge
        with pytest.raises(dataclasses.FrozenInstanceError):
            edge.reason = "other"  # type: ignore[misc]

    def test_its_data_are_texts(self) -> None:
        edge = EdgeBreakdown(gross_edge="100.0", fees_est="2.0", min_threshold="95")

        assert edge.to_data(strategy="atomic") == {
            "strategy": "atomic",
            "decision": "ACCEPT",
            "reason": "net edge meets the threshold",
            "gross_edge": "100.0",
            "fees_est": "2.0",
            "slippage_est": "0",
            "gas_est": "0",
            "latency_buffer": "0",
            "net_edge": "98.0",
            "min_threshold": "95",
        }

    @given(AMOUNTS, AMOUNTS)
    def test_amounts_in_its_data_are_exact_and_without_an_exponent(
        self, gross: Decimal, fees: Decimal
    ) -> None:
        data = EdgeBreakdown(gross_edge=gross, fees_est=fees).to_data(strategy="s")

        assert Fraction(data["net_edge"]) == Fraction(gross) - Fraction(fees)
        assert "E" not in (data["net_edge"] + data["gross_edge"] + data["fees_est"]).upper()
