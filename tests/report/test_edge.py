"""The edge breakdown: every sum is exact to the last digit."""

from __future__ import annotations

from decimal import Decimal, localcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrecord.read.archive import Archive
from polyrecord.read.selection import Selection
from polyrecord.report.edge import EdgeGroup, break_down, edge_of
from polyrecord.report.question import Question
from tests.report.archives import NOON, Given, decision, lines, read, write

FIELDS = {
    "gross": "gross_edge", "fees": "fees_est", "slippage": "slippage_est", "gas": "gas_est",
    "latency_buffer": "latency_buffer", "net": "net_edge",
}  # fmt: skip


def group_of(events: list[Given]) -> EdgeGroup:
    (group,) = edge_of([lines(events)]).groups
    return group


def exact(texts: list[str]) -> Decimal:
    with localcontext() as context:
        context.prec = 4000
        return sum(map(Decimal, texts), Decimal(0))


def test_the_sums_are_those_of_decimal_on_the_recorded_lines(tmp_path: Path) -> None:
    amounts = ["100.0", "0.1", "0.2", "-3.75", "0.000000000000000001", "7"]
    events = [
        decision(
            ("ACCEPT", "REJECT")[at % 2], ("atomic", "pairs")[at % 3 == 0], NOON + at,
            **{name: amounts[(at + shift) % 6] for shift, name in enumerate(FIELDS.values())},
        )
        for at in range(60)
    ]  # fmt: skip
    write(tmp_path, events)

    report = break_down(Question(Archive(tmp_path), Selection(types=frozenset({"decision"}))))

    recorded = [event["data"] for event in read(tmp_path)]
    assert sum(group.count for group in report.groups) == 60
    for group in report.groups:
        mine = [d for d in recorded if (d["strategy"], d["decision"]) == (group.strategy, group.decision)]
        assert group.count == len(mine)
        for part, name in FIELDS.items():
            assert str(getattr(group, part)) == str(exact([data[name] for data in mine]))
    assert [(group.strategy, group.decision) for group in report.groups] == [
        ("atomic", "ACCEPT"), ("atomic", "REJECT"), ("pairs", "ACCEPT"), ("pairs", "REJECT"),
    ]  # fmt: skip


plain = st.decimals(-(10**13), 10**13, allow_nan=False, allow_infinity=False, places=None).map(str)
fine = st.decimals(-1, 1, allow_nan=False, allow_infinity=False, places=28).map(str)
large = st.integers(-(10**40), 10**40).map(str)


@settings(max_examples=40)
@given(
    st.lists(
        plain | fine | large | st.just("1e-30") | st.just("2.5E+7") | st.just("-.5"), min_size=1, max_size=20
    )
)
def test_any_amounts_add_up_exactly(texts: list[str]) -> None:
    group = group_of([decision(gross_edge=text) for text in texts])

    assert group.gross == exact(texts)
    assert group.unreadable == 0


@pytest.mark.parametrize("bad", ["", "abc", "NaN", "Infinity", "1e99999", "1,5", None, True, {"a": 1}, [2]])
def test_an_amount_that_is_no_number_is_counted_and_in_no_sum(bad: object) -> None:
    group = group_of([decision(gross_edge=bad, fees_est="1"), decision(gross_edge="2.50", fees_est="1")])

    assert (group.count, group.unreadable) == (2, 1)
    assert (str(group.gross), str(group.fees), str(group.mean.gross)) == ("2.50", "2", "2.50")


def test_an_amount_that_is_missing_is_counted() -> None:
    group = group_of(
        [Given(NOON, "decision", {"strategy": "atomic", "decision": "ACCEPT", "gross_edge": "1"})]
    )

    assert group.unreadable == 5
    assert (str(group.gross), str(group.net), group.mean.net) == ("1", "0", None)


def test_a_json_number_counts_as_its_text() -> None:
    assert str(group_of([decision(gross_edge=0.1), decision(gross_edge=0.2)]).gross) == "0.3"


def test_shares_are_of_the_gross_and_none_where_there_is_no_gain() -> None:
    gain = group_of(
        [decision(gross_edge="100", fees_est="2", slippage_est="1", gas_est="0.5", net_edge="96.5")]
    )
    loss = group_of([decision(gross_edge="-1", fees_est="2")])

    assert (gain.share_of_gross.fees, gain.share_of_gross.gas) == (Decimal("0.02"), Decimal("0.005"))
    assert gain.share_of_gross.net == Decimal("0.965")
    assert (loss.share_of_gross.fees, loss.share_of_gross.net) == (None, None)


def test_the_acceptance_rate_is_per_strategy() -> None:
    answer = edge_of(
        [lines([decision("ACCEPT"), decision("REJECT"), decision("REJECT"), decision("ACCEPT", "b")])]
    )

    assert [
        (rate.strategy, rate.decisions, rate.accepted, rate.acceptance_rate) for rate in answer.strategies
    ] == [
        ("atomic", 3, 1, 0.333333),
        ("b", 1, 1, 1.0),
    ]


def test_reject_reasons_are_ranked_by_their_code_else_their_text() -> None:
    events = [
        decision("REJECT", reason="too thin by 0.1", reason_code="THIN"),
        decision("REJECT", reason="too thin by 0.2", reason_code="THIN"),
        decision("REJECT", reason="stale"),
        decision("ACCEPT", reason="fine"),
    ]

    reasons = edge_of([lines(events)]).reasons

    assert [(row.strategy, row.reason, row.count) for row in reasons] == [
        ("atomic", "THIN", 2),
        ("atomic", "stale", 1),
    ]


def test_the_reason_code_of_the_envelope_counts_where_data_has_none() -> None:
    chunk = lines([decision("REJECT", reason="words")]).replace(b',"data"', b',"reason_code":"CODE","data"')

    assert [row.reason for row in edge_of([chunk]).reasons] == ["CODE"]


def test_a_decision_without_strategy_or_verdict_is_a_group_of_its_own() -> None:
    answer = edge_of([lines([Given(NOON, "decision", {"gross_edge": "1"}), decision()])])

    assert [(group.strategy, group.decision) for group in answer.groups] == [
        ("atomic", "ACCEPT"),
        (None, None),
    ]


def test_nothing_gives_no_groups() -> None:
    answer = edge_of([])

    assert (answer.groups, answer.strategies, answer.reasons, answer.events) == ((), (), (), 0)
