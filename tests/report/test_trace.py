"""The story of one trace: stages one after the other, its decision, and what became of its orders."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyrecord.errors import AmbiguousId, NotFound
from polyrecord.read.archive import Archive
from polyrecord.read.selection import Selection
from polyrecord.report.question import Question
from polyrecord.report.trace import TraceReport, tell_trace
from tests.report.archives import MILLISECOND, NOON, Given, write

TRACE = "4f1c09aa-0000-4000-8000-000000000001"
OTHER = "4f1c09aa-0000-4000-8000-000000000002"
THIRD = "beef09aa-0000-4000-8000-000000000003"

STORY = [
    Given(NOON, "signal", {"strategy": "atomic", "expected_profit": "1.50", "market": "m1"}, TRACE),
    Given(
        NOON + 2 * MILLISECOND, "decision",
        {
            "strategy": "atomic", "decision": "ACCEPT", "reason": "fine", "gross_edge": "1.50",
            "fees_est": "1e-3", "slippage_est": "x", "net_edge": "1.499", "min_threshold": "1",
        },
        TRACE,
    ),
    Given(
        NOON + 3 * MILLISECOND, "order_request",
        {"order_id": "o-1", "token_id": "7" * 77, "side": "BUY", "price": "0.48", "size": "50"},
        TRACE, "intent-9",
    ),
    Given(NOON + 9 * MILLISECOND, "fill", {"order_id": "o-1", "price": "0.48", "size": "20"}, TRACE),
    Given(NOON + 9 * MILLISECOND, "fill", {"order_id": "o-1", "price": "0.48", "size": "30"}, TRACE),
    Given(
        NOON + 10 * MILLISECOND, "order_result",
        {"order_id": "o-1", "status": "FILLED", "filled_size": "50", "average_price": "0.48", "fee": "0.03"},
        TRACE,
    ),
    Given(
        NOON + 11 * MILLISECOND, "latency",
        {"ws_to_book_update_ms": 1.5, "book_to_signal_ms": 0.5, "signal_to_risk_ms": None,
         "risk_to_send_ms": 3, "end_to_end_ms": None, "note": "x"},
        TRACE,
    ),
    Given(NOON + 12 * MILLISECOND, "signal", {"strategy": "atomic", "expected_profit": "2"}, OTHER),
    Given(NOON + 13 * MILLISECOND, "signal", {"strategy": "atomic", "expected_profit": "3"}, THIRD),
]  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, STORY, block_bytes=200)
    return tmp_path


def tell(root: Path, text: str, selection: Selection | None = None) -> TraceReport:
    return tell_trace(Question(Archive(root), selection or Selection()), text)


@pytest.mark.parametrize(
    "name", [TRACE, TRACE.replace("-", ""), TRACE.upper(), TRACE.upper().replace("-", "")]
)
def test_any_spelling_finds_the_trace(root: Path, name: str) -> None:
    report = tell(root, name)

    assert (report.trace_id, report.via, len(report.events)) == (TRACE, "trace", 7)


@pytest.mark.parametrize(("name", "via"), [("o-1", "order_id"), ("intent-9", "intent_id"), ("m1", "market")])
def test_an_order_an_intent_and_a_declared_value_find_their_trace(root: Path, name: str, via: str) -> None:
    assert (tell(root, name).trace_id, tell(root, name).via) == (TRACE, via)


def test_the_beginning_of_one_trace_is_enough(root: Path) -> None:
    assert tell(root, "BEE").trace_id == THIRD


def test_a_prefix_of_two_traces_lists_both(root: Path) -> None:
    with pytest.raises(AmbiguousId) as raised:
        tell(root, "4f1c")

    assert set(raised.value.candidates) == {TRACE, OTHER}


@pytest.mark.parametrize("name", ["'; drop table lines; --", '"', "%", "ffff"])
def test_a_name_that_nothing_has_is_not_found(root: Path, name: str) -> None:
    with pytest.raises(NotFound, match="no trace, order or intent is named"):
        tell(root, name)


def test_events_are_in_order_with_their_time_since_the_first(root: Path) -> None:
    events = tell(root, TRACE).events

    assert [event.offset_ms for event in events] == [0.0, 2.0, 3.0, 9.0, 9.0, 10.0, 11.0]
    assert [event.seq for event in events] == list(range(1, 8))
    assert events[0].line.startswith(b'{"ts":"2026-11-20T12:00:00.000000000Z","seq":1,')


def test_stages_follow_each_other_and_none_is_known_to_begin_after_a_missing_one(root: Path) -> None:
    stages = [(stage.stage, stage.ms, stage.start_ms) for stage in tell(root, TRACE).stages]

    assert stages == [
        ("ws_to_book_update_ms", 1.5, 0.0),
        ("book_to_signal_ms", 0.5, 1.5),
        ("signal_to_risk_ms", None, 2.0),
        ("risk_to_send_ms", 3.0, None),
        ("end_to_end_ms", None, 0.0),
    ]


def test_the_edge_is_that_of_the_decision_without_exponents(root: Path) -> None:
    edge = tell(root, TRACE).edge

    assert edge is not None
    assert (edge.gross, edge.fees, edge.slippage, edge.gas) == ("1.50", "0.001", None, None)
    assert (edge.decision, edge.reason, edge.net) == ("ACCEPT", "fine", "1.499")


def test_an_order_has_what_was_asked_and_its_last_result(root: Path) -> None:
    (order,) = tell(root, TRACE).orders

    assert (order.order_id, order.side, order.price, order.size) == ("o-1", "BUY", "0.48", "50")
    assert (order.status, order.filled_size, order.fee, order.fills) == ("FILLED", "50", "0.03", 2)


def test_types_narrow_the_events(root: Path) -> None:
    report = tell(root, TRACE, Selection(types=frozenset({"signal"})))

    assert ([event.event_type for event in report.events], report.edge) == (["signal"], None)


def test_events_that_are_no_objects_are_told_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, name, b"[1]", TRACE) for name in ("latency", "decision", "order_request")])

    report = tell(tmp_path, TRACE)

    assert (len(report.events), report.stages, report.orders) == (3, (), ())
    assert report.edge is not None
    assert report.edge.gross is None


def test_the_coverage_is_of_the_time_of_the_trace(tmp_path: Path) -> None:
    day = 86_400_000 * MILLISECOND
    write(tmp_path, [*STORY, *(Given(NOON + day + at, "signal") for at in range(100))])

    assert tell(tmp_path, TRACE).coverage.events == len(STORY)
