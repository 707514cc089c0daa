"""Names, streams and stages: what a bot loads of the catalogue."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.events.names import EventType
from polyrecord.events.routes import BOOKS, EVENTS, METRICS, STREAMS, TELEMETRY, stream_of
from polyrecord.events.stages import DEFAULT_STAGES, END_TO_END

ROUTES = {
    BOOKS: {"orderbook_snapshot", "orderbook_delta", "trade", "raw_frame"},
    EVENTS: {"signal", "order_request", "order_result", "fill", "decision"},
    METRICS: {"latency"},
    TELEMETRY: {
        "event_received", "opportunity_detected", "risk_passed", "order_submitted",
        "loss", "gap", "stale", "clock_step", "reconnect", "recovered",
    },
}  # fmt: skip


@pytest.mark.parametrize(("stream", "event_types"), ROUTES.items())
def test_an_event_type_goes_to_its_stream(stream: str, event_types: set[str]) -> None:
    assert {name for name in EventType if stream_of(name) == stream} == event_types


def test_the_four_streams_are_named_as_in_the_format() -> None:
    assert STREAMS == ("data/events", "data/books", "logs/telemetry", "logs/metrics")


def test_histograms_lie_beside_the_latencies() -> None:
    assert stream_of("histogram") == METRICS


@given(st.text())
def test_a_type_without_a_route_goes_to_the_events(name: str) -> None:
    known = {*EventType, "histogram"}

    assert stream_of(name) == EVENTS or name in known


@pytest.mark.parametrize("member", EventType)
def test_a_member_and_its_text_are_one(member: EventType) -> None:
    assert member == member.value == member.name.lower()
    assert stream_of(member) == stream_of(member.value)


def test_the_default_stages_follow_the_pipeline() -> None:
    assert DEFAULT_STAGES == (
        "ws_to_book_update_ms",
        "book_to_signal_ms",
        "signal_to_risk_ms",
        "risk_to_send_ms",
    )
    assert END_TO_END == "end_to_end_ms"


def test_what_a_bot_loads_of_the_catalogue_is_free_of_libraries() -> None:
    """`sys.modules` of a fresh interpreter, after the three modules that recording needs."""
    program = (
        "import sys\n"
        "import polyrecord.events.names, polyrecord.events.routes, polyrecord.events.stages\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    # Site hooks of the environment may load what they like; none of them is one of ours.
    assert {"pydantic", "pydantic_core", "orjson", "msgspec", "duckdb"}.isdisjoint(loaded.stdout.split())
    assert "polyrecord" in loaded.stdout.split()
