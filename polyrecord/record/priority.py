"""Which events give way first when something has to."""

from __future__ import annotations

from typing import Any, Final

from polyrecord.events.routes import BOOKS, EVENTS, stream_of

LOWEST: Final = 0
HIGHEST: Final = 2


def priority_of(event_type: Any, stream: str | None) -> int:
    """0: what the market did; 1: telemetry, latencies, streams of the bot's own; 2: what the bot did."""
    where = stream or stream_of(event_type if isinstance(event_type, str) else "")
    if where == BOOKS:
        return LOWEST
    return HIGHEST if where == EVENTS else 1
