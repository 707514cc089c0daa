"""MetaStackerBandit: one folder per topic and date, times in India's zone."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

from polyrecord.foreign.fields import text_of
from polyrecord.foreign.lines import flat_event, time_of
from polyrecord.foreign.objects import load_object
from polyrecord.foreign.outcome import Parsed, Reject

IST_SECONDS: Final = 19_800  # UTC+5:30, without summer time
UNTYPED: Final = "metastacker"
TOPICS: Final = frozenset(
    {"market", "signals", "ensemble", "risk", "execution", "executions", "costs", "health", "repro",
     "order_intent", "feature_log", "calibration", "snapshot", "hyperliquid"}
)  # fmt: skip
_TIMES: Final = ("ts_ist", "timestamp_ist", "ts", "timestamp", "time", "decision_time_ist", "exec_time_ist")
# signals.jsonl.gz, signals_20251220_173045.jsonl.gz, signals_1.jsonl, signals.1.jsonl.gz, signals.jsonl.gz.1
_FILE: Final = re.compile(r"([a-z][a-z_]*?)(?:[_.]\d[\d_]*)?\.jsonl(?:\.gz)?(?:\.\d+)?(?:\.gz)?\Z")


def topic_of(place: PurePath) -> str | None:
    """The topic a file is of, by its name; a rotated file is of the same."""
    match = _FILE.match(place.name)
    return match[1] if match is not None else None


class MetastackerParser:
    """The line is kept whole; its type is its `log_type`, else the topic of the file."""

    def __init__(self, topic: str | None) -> None:
        self._topic = topic or UNTYPED

    def is_whole(self, line: bytes) -> bool:
        """True: a JSON object cannot be longer than one that parsed."""
        return True

    def parse(self, line: bytes) -> Parsed | Reject:
        """The event of one line, or why it is none."""
        loaded = load_object(line)
        if isinstance(loaded, Reject):
            return loaded
        ts_ns = time_of(loaded, _TIMES, zone_seconds=IST_SECONDS)
        if isinstance(ts_ns, Reject):
            return ts_ns
        return flat_event(loaded, ts_ns, text_of(loaded.value.get("log_type")) or self._topic)
