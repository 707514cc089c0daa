"""Which stream an event type goes to.

A question about orders or latency never decompresses a book, because books have a stream of their own.
"""

from __future__ import annotations

from typing import Final

from polyrecord.events.names import EventType

EVENTS: Final = "data/events"
BOOKS: Final = "data/books"
TELEMETRY: Final = "logs/telemetry"
METRICS: Final = "logs/metrics"

STREAMS: Final = (EVENTS, BOOKS, TELEMETRY, METRICS)

# Keys are plain text: looking up a `str` never calls into Python, whichever of the two the caller passes.
_ROUTES: Final[dict[str, str]] = {
    EventType.ORDERBOOK_SNAPSHOT.value: BOOKS,
    EventType.ORDERBOOK_DELTA.value: BOOKS,
    EventType.TRADE.value: BOOKS,
    EventType.RAW_FRAME.value: BOOKS,
    EventType.EVENT_RECEIVED.value: TELEMETRY,
    EventType.OPPORTUNITY_DETECTED.value: TELEMETRY,
    EventType.RISK_PASSED.value: TELEMETRY,
    EventType.ORDER_SUBMITTED.value: TELEMETRY,
    EventType.LOSS.value: TELEMETRY,
    EventType.GAP.value: TELEMETRY,
    EventType.CLOCK_STEP.value: TELEMETRY,
    EventType.RECONNECT.value: TELEMETRY,
    EventType.STALE.value: TELEMETRY,
    EventType.RECOVERED.value: TELEMETRY,
    EventType.LATENCY.value: METRICS,
    "histogram": METRICS,  # latency distributions per minute, hour and day
}


def stream_of(event_type: str) -> str:
    """The stream of an event type; a type without a route goes to `data/events`."""
    return _ROUTES.get(event_type, EVENTS)


_NAMED: Final = frozenset({*_ROUTES, *(member.value for member in EventType)})


def is_named(event_type: str) -> bool:
    """Whether the type is one of ours, with a stream it belongs to."""
    return event_type in _NAMED
