"""The calls a bot makes, as the guides show them, and what is on disk afterwards.

Read back with gzip and json alone: whatever reads gzip JSONL sees the same.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from polyrecord import (
    EventRecorder,
    MetricsCollector,
    TraceContext,
    bind,
    configure,
    declare_stages,
    default_recorder,
    flush,
    generate_trace_id,
    record_decision,
    stage,
)
from polyrecord.edge import Decision, EdgeBreakdown, calculate_net_edge
from polyrecord.events.stages import DEFAULT_STAGES
from polyrecord.metrics import record_latency
from polyrecord.telemetry import EventType, log_event

Line = dict[str, Any]


def read(root: Path, stream: str) -> list[Line]:
    """The lines of one stream in `seq` order, of open and sealed shards."""
    shards = [*root.glob(f"{stream}/date=*/*.jsonl.gz"), *root.glob(f"{stream}/date=*/_open/*.jsonl.gz")]
    lines = [
        json.loads(line) for shard in shards for line in gzip.decompress(shard.read_bytes()).splitlines()
    ]
    return sorted(lines, key=lambda line: int(line["seq"]))


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[EventRecorder]:
    """The default recorder of the process, for one test."""
    configured = configure(root=tmp_path, validate=True)
    yield configured
    configured.close().wait(10)


pytestmark = pytest.mark.usefixtures("recorder")


async def test_log_event_takes_the_trace_from_the_context_or_from_the_call(tmp_path: Path) -> None:
    trace_id = generate_trace_id()
    async with TraceContext(trace_id):
        await log_event(EventType.OPPORTUNITY_DETECTED, {"profit": "1.23"})
    await log_event(EventType.EVENT_RECEIVED, {"token_id": "abc"}, trace_id=trace_id)
    await log_event(EventType.EVENT_RECEIVED, {"token_id": "abc"})
    await flush()

    lines = read(tmp_path, "logs/telemetry")
    assert [(line["event_type"], line.get("trace_id"), line["data"]) for line in lines] == [
        ("opportunity_detected", trace_id, {"profit": "1.23"}),
        ("event_received", trace_id, {"token_id": "abc"}),
        ("event_received", None, {"token_id": "abc"}),
    ]


async def test_record_latency_adds_the_end_to_end(tmp_path: Path) -> None:
    await record_latency(
        trace_id="abc123",
        ws_to_book_update_ms=10.5,
        book_to_signal_ms=5.2,
        signal_to_risk_ms=3.1,
        risk_to_send_ms=15.8,
    )
    await flush()

    [line] = read(tmp_path, "logs/metrics")
    assert line["trace_id"] == "abc123"
    assert line["data"] == {
        "ws_to_book_update_ms": 10.5,
        "book_to_signal_ms": 5.2,
        "signal_to_risk_ms": 3.1,
        "risk_to_send_ms": 15.8,
        "end_to_end_ms": 34.6,
    }


async def test_record_latency_of_some_stages_has_no_end_to_end(tmp_path: Path) -> None:
    await record_latency(trace_id=None, ws_to_book_update_ms=1.0, book_to_signal_ms=2.0)
    await flush()

    [line] = read(tmp_path, "logs/metrics")
    assert "trace_id" not in line
    assert line["data"] == {
        "ws_to_book_update_ms": 1.0,
        "book_to_signal_ms": 2.0,
        "signal_to_risk_ms": None,
        "risk_to_send_ms": None,
        "end_to_end_ms": None,
    }


async def test_a_decision_is_recorded_with_its_edge(tmp_path: Path) -> None:
    net_edge = calculate_net_edge(
        gross_edge=Decimal("100.0"),
        fees=Decimal("2.0"),
        slippage=Decimal("1.0"),
        gas=Decimal("0.5"),
        latency_buffer=Decimal("0.3"),
    )
    edge = EdgeBreakdown(
        gross_edge=Decimal("100.0"),
        fees_est=Decimal("2.0"),
        slippage_est=Decimal("1.0"),
        gas_est=Decimal("0.5"),
        latency_buffer=Decimal("0.3"),
        min_threshold=Decimal("95.0"),
    )
    async with TraceContext("t-1"):
        await record_decision(edge, strategy="atomic")
        await record_decision(
            EdgeBreakdown(decision=Decision.REJECT, reason="halted", net_edge=net_edge), strategy="atomic"
        )
    await flush()

    accepted, rejected = read(tmp_path, "data/events")
    assert accepted["event_type"] == "decision"
    assert accepted["trace_id"] == "t-1"
    assert accepted["data"]["net_edge"] == "96.2"
    assert accepted["data"]["decision"] == "ACCEPT"
    assert (rejected["data"]["decision"], rejected["data"]["reason"]) == ("REJECT", "halted")
    assert rejected["data"]["net_edge"] == "96.2"


async def test_a_recorder_keeps_books_signals_and_orders_in_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "other"
    root.mkdir()
    monkeypatch.chdir(root)
    recorder = EventRecorder(buffer_size=100)

    await recorder.record_orderbook_snapshot(
        token_id="abc123",
        bids=[{"price": "0.50", "size": "10"}],
        asks=[{"price": "0.51", "size": "10"}],
    )
    await recorder.record_signal(
        trace_id="xyz789",
        strategy="atomic",
        yes_token="yes_123",
        no_token="no_456",
        yes_price=Decimal("0.48"),
        no_price=Decimal("0.49"),
        expected_profit=Decimal("1.50"),
    )
    await recorder.record_order_request(
        "xyz789", "o-1", token_id="yes_123", side="BUY", price=Decimal("0.48"), size=Decimal(10)
    )
    await recorder.record_order_result("xyz789", "o-1", status="filled", filled_size=Decimal(10))
    outcome = await recorder.flush()
    await recorder.close()

    assert outcome.ok
    [book] = read(root, "data/books")
    assert book["data"]["bids"] == [{"price": "0.50", "size": "10"}]
    signal, request, result = read(root, "data/events")
    assert [signal["trace_id"], request["trace_id"], result["trace_id"]] == ["xyz789"] * 3
    assert signal["data"]["expected_profit"] == "1.50"
    assert request["data"]["order_id"] == result["data"]["order_id"] == "o-1"


async def test_stages_of_a_trace_become_one_event_at_its_end(tmp_path: Path) -> None:
    @stage("signal_to_risk")
    async def check_risk() -> None:
        await asyncio.sleep(0)

    @stage("risk_to_send")
    def send() -> None:
        pass

    async with TraceContext() as trace:
        with stage("ws_to_book_update_ms"):
            pass
        async with stage("book_to_signal_ms"):
            pass
        await asyncio.create_task(check_risk())
        thread = threading.Thread(target=bind(send))
        thread.start()
        thread.join()
    await flush()

    [line] = read(tmp_path, "logs/metrics")
    assert (line["event_type"], line["trace_id"]) == ("latency", trace.trace_id)
    assert list(line["data"]) == [*DEFAULT_STAGES, "end_to_end_ms"]
    stages = [line["data"][name] for name in DEFAULT_STAGES]
    assert all(0 < value < 10_000 for value in stages)
    assert line["data"]["end_to_end_ms"] == pytest.approx(sum(stages))


def test_a_stage_outside_of_any_trace_is_an_event_of_its_own(tmp_path: Path) -> None:
    for name in ("book_to_signal", "gc"):
        with stage(name):
            pass
    flush().wait(10)

    first, second = read(tmp_path, "logs/metrics")
    assert "trace_id" not in first
    assert first["data"]["book_to_signal_ms"] > 0
    assert first["data"]["end_to_end_ms"] is None
    assert list(second["data"]) == [*DEFAULT_STAGES, "gc_ms", "end_to_end_ms"]


def test_declared_stages_hold_for_the_default_recorder(tmp_path: Path) -> None:
    declare_stages("parse", "decide")
    try:
        with TraceContext("t"), stage("decide"):
            pass
        record_latency("t", parse_ms=1, decide_ms=2)
    finally:
        declare_stages(*DEFAULT_STAGES)
    flush().wait(10)

    timed, given = read(tmp_path, "logs/metrics")
    assert list(timed["data"]) == ["parse_ms", "decide_ms", "end_to_end_ms"]
    assert (timed["data"]["parse_ms"], timed["data"]["end_to_end_ms"]) == (None, None)
    assert given["data"] == {"parse_ms": 1, "decide_ms": 2, "end_to_end_ms": 3}


def test_a_trace_sends_its_latency_to_the_recorder_it_was_given(tmp_path: Path) -> None:
    own = EventRecorder(tmp_path / "own", stages=["a"])
    with own, TraceContext("t", recorder=own), stage("a"):
        pass

    [line] = read(tmp_path / "own", "logs/metrics")
    assert line["data"]["a_ms"] == line["data"]["end_to_end_ms"]
    flush().wait(10)
    assert read(tmp_path, "logs/metrics") == []


def test_spans_are_in_the_lines(tmp_path: Path) -> None:
    with TraceContext("t"):
        log_event("before", {})
        with TraceContext() as child:
            log_event("within", {})
    flush().wait(10)

    before, within = read(tmp_path, "logs/telemetry")
    assert "span_id" not in before
    assert (within["span_id"], within["parent_span_id"]) == (child.span_id, child.parent_span_id)


async def test_a_forgotten_await_loses_nothing(tmp_path: Path) -> None:
    log_event("forgotten", {})
    task = asyncio.create_task(log_event("scheduled", {}))

    assert await asyncio.gather(*[task, record_latency(a_ms=1.0)]) == [True, True]
    await flush()
    assert [line["event_type"] for line in read(tmp_path, "logs/telemetry")] == ["forgotten", "scheduled"]


def test_the_fields_of_the_line_are_passed_on(tmp_path: Path) -> None:
    log_event("note", {}, "t", intent_id="i-1", level="warning", reason_code="STALE_BOOK")
    flush().wait(10)

    [line] = read(tmp_path, "logs/telemetry")
    fields = {name: line[name] for name in ("trace_id", "intent_id", "level", "reason_code")}
    assert fields == {"trace_id": "t", "intent_id": "i-1", "level": "warning", "reason_code": "STALE_BOOK"}


def test_the_collector_takes_the_same_names_as_the_helper(tmp_path: Path) -> None:
    collector = MetricsCollector()
    stages = {"book_to_signal_ms": 5.2, "signal_to_risk_ms": 3.1}

    collector.observe_latency(**stages)
    record_latency("t", **stages)
    flush().wait(10)

    [line] = read(tmp_path, "logs/metrics")
    assert {name: summary.max for name, summary in collector.summary().items()} == stages
    assert {name: line["data"][name] for name in stages} == stages


class TestWithoutSetUp:
    def test_the_helpers_record_where_the_environment_says(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorder: EventRecorder
    ) -> None:
        recorder.close().wait(10)
        monkeypatch.setenv("POLYRECORD_ROOT", str(tmp_path / "archive"))
        try:
            assert log_event("note", {"without": "set-up"})
        finally:
            default_recorder().close().wait(10)

        [line] = read(tmp_path / "archive", "logs/telemetry")
        assert line["data"] == {"without": "set-up"}
