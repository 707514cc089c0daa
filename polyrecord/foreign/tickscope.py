"""Tickscope's Polymarket ticks: level changes and trades, with the exchange's time only."""

from __future__ import annotations

from typing import Final

from polyrecord.foreign.fields import text_of
from polyrecord.foreign.lines import ObjectParser, flat_event, time_of
from polyrecord.foreign.objects import Loaded
from polyrecord.foreign.outcome import Parsed, Reject

TYPES: Final = {"PRICE_CHANGE": "orderbook_delta", "LAST_TRADE": "trade"}
UNTYPED: Final = "tick"


class TickscopeParser(ObjectParser):
    """The line is kept whole, so no price is rounded and the original type stays in `data.event_type`."""

    def time(self, loaded: Loaded) -> int | Reject:
        """The exchange's."""
        return time_of(loaded, ("timestamp",))

    def event(self, ts_ns: int, loaded: Loaded) -> Parsed:
        """A level change or a trade; of other types the name in lower case."""
        written = text_of(loaded.value.get("event_type")) or UNTYPED
        return flat_event(loaded, ts_ns, TYPES.get(written, written.lower()))
