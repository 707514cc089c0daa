"""Polytraders' decision logs: one JSON line per decision of a bot."""

from __future__ import annotations

from typing import Final

from polyrecord.foreign.lines import ObjectParser, flat_event, time_of
from polyrecord.foreign.objects import Loaded
from polyrecord.foreign.outcome import Parsed, Reject

DECISION: Final = "decision"
LOG: Final = "log"  # a line of the same log that decides nothing


class PolytradersParser(ObjectParser):
    """The line is kept whole; bot, intent, level, reason, trace and span also go where an event has them."""

    def time(self, loaded: Loaded) -> int | Reject:
        """`ts`."""
        return time_of(loaded, ("ts", "timestamp"))

    def event(self, ts_ns: int, loaded: Loaded) -> Parsed:
        """A decision where the line has one."""
        return flat_event(loaded, ts_ns, DECISION if "decision" in loaded.value else LOG)
