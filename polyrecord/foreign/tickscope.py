"""Tickscope's Polymarket ticks: level changes and trades, with the exchange's time only."""

from __future__ import annotations

from typing import Final

from polyrecord.foreign.fields import text_of
from polyrecord.foreign.lines import flat_event, time_of
from polyrecord.foreign.objects import load_object
from polyrecord.foreign.outcome import Parsed, Reject

TYPES: Final = {"PRICE_CHANGE": "orderbook_delta", "LAST_TRADE": "trade"}
UNTYPED: Final = "tick"


class TickscopeParser:
    """The line is kept whole, so no price is rounded and the original type stays in `data.event_type`."""

    def is_whole(self, line: bytes) -> bool:
        """True: a JSON object cannot be longer than one that parsed."""
        return True

    def parse(self, line: bytes) -> Parsed | Reject:
        """The event of one line, or why it is none."""
        loaded = load_object(line)
        if isinstance(loaded, Reject):
            return loaded
        ts_ns = time_of(loaded, ("timestamp",))
        if isinstance(ts_ns, Reject):
            return ts_ns
        written = text_of(loaded.value.get("event_type")) or UNTYPED
        return flat_event(loaded, ts_ns, TYPES.get(written, written.lower()))
