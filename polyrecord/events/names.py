"""The names of the event types the catalogue knows; a bot may record any other name beside them."""

from __future__ import annotations

from enum import StrEnum


class EventType(StrEnum):
    """What the `event_type` of a line says; each member is its own text."""

    # The steps of a trace.
    EVENT_RECEIVED = "event_received"
    OPPORTUNITY_DETECTED = "opportunity_detected"
    RISK_PASSED = "risk_passed"
    ORDER_SUBMITTED = "order_submitted"

    # What the market did.
    ORDERBOOK_SNAPSHOT = "orderbook_snapshot"
    ORDERBOOK_DELTA = "orderbook_delta"
    TRADE = "trade"
    RAW_FRAME = "raw_frame"

    # What the bot did.
    SIGNAL = "signal"
    ORDER_REQUEST = "order_request"
    ORDER_RESULT = "order_result"
    FILL = "fill"
    DECISION = "decision"

    # How long it took.
    LATENCY = "latency"

    # The recorder's own ledger.
    LOSS = "loss"
    GAP = "gap"
    CLOCK_STEP = "clock_step"
    RECONNECT = "reconnect"
    STALE = "stale"
    RECOVERED = "recovered"
