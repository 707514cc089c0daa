"""Polytraders' decision logs: one JSON line per decision of a bot."""

from __future__ import annotations

from typing import Final

from polyrecord.foreign.lines import flat_event, time_of
from polyrecord.foreign.objects import load_object
from polyrecord.foreign.outcome import Parsed, Reject

DECISION: Final = "decision"
LOG: Final = "log"  # a line of the same log that decides nothing


class PolytradersParser:
    """The line is kept whole; bot, intent, level, reason, trace and span also go where an event has them."""

    def is_whole(self, line: bytes) -> bool:
        """True: a JSON object cannot be longer than one that parsed."""
        return True

    def parse(self, line: bytes) -> Parsed | Reject:
        """The event of one line, or why it is none."""
        loaded = load_object(line)
        if isinstance(loaded, Reject):
            return loaded
        ts_ns = time_of(loaded, ("ts", "timestamp"))
        if isinstance(ts_ns, Reject):
            return ts_ns
        return flat_event(loaded, ts_ns, DECISION if "decision" in loaded.value else LOG)
