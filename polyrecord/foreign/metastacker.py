"""MetaStackerBandit: one folder per topic and date, times in India's zone."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

import orjson

from polyrecord.foreign.fields import text_of
from polyrecord.foreign.lines import ObjectParser, flat_event, time_of
from polyrecord.foreign.objects import Loaded
from polyrecord.foreign.outcome import Parsed, Reject

IST_SECONDS: Final = 19_800  # UTC+5:30, without summer time
UNTYPED: Final = "metastacker"
PERIODS: Final = ("1h", "24h")
_SNAPSHOTS: Final = "health_snapshot"
_TIMES: Final = ("ts_ist", "timestamp_ist", "ts", "timestamp", "time", "decision_time_ist", "exec_time_ist")
# signals.jsonl.gz, signals_20251220_173045.jsonl.gz, signals_1.jsonl, signals.1.jsonl.gz, signals.jsonl.gz.1
_FILE: Final = re.compile(
    r"([A-Za-z][A-Za-z0-9_]*?)(?:[_.]\d[\d_-]*)?\.jsonl(?:\.gz)?(?:\.\d[\d_-]*)?(?:\.gz)?\Z"
)


def topic_of(place: PurePath) -> str | None:
    """The topic a file is of, by its name; a rotated file is of the same."""
    match = _FILE.match(place.name)
    return match[1] if match is not None else None


def period_of(place: PurePath) -> str | None:
    """`1h` or `24h` of a file of snapshots, which its lines do not say."""
    parts = place.parts
    if len(parts) > 2 and parts[-2] == _SNAPSHOTS and parts[-3] in PERIODS:
        return parts[-3]
    return None


def is_place(place: PurePath) -> bool:
    """Whether a file lies where the system puts its logs; `signals_v2` in the folder of `signals`, too."""
    topic, parts = topic_of(place), place.parts
    if topic is None or len(parts) < 3:
        return False
    folder = parts[-3]
    dated = parts[-2].startswith("date=") and (topic == folder or topic.startswith(f"{folder}_"))
    return dated or period_of(place) is not None


class MetastackerParser(ObjectParser):
    """The line is kept whole; its type is its `log_type`, else the topic of the file.

    A snapshot says of which period it is as `period`, before its own members.
    """

    def __init__(self, topic: str | None, period: str | None = None) -> None:
        self._topic = topic or UNTYPED
        self._period = period

    def time(self, loaded: Loaded) -> int | Reject:
        """In India's zone where the line names none."""
        return time_of(loaded, _TIMES, zone_seconds=IST_SECONDS)

    def event(self, ts_ns: int, loaded: Loaded) -> Parsed:
        """Of the type that the line says, else of the file's topic."""
        if self._period is not None:
            loaded = _with_period(loaded, self._period)
        return flat_event(loaded, ts_ns, text_of(loaded.value.get("log_type")) or self._topic)


def _with_period(loaded: Loaded, period: str) -> Loaded:
    if "period" in loaded.value:
        return loaded
    text = b'{"period":%b,%b' % (orjson.dumps(period), loaded.text[1:])
    return Loaded({"period": period, **loaded.value}, text, loaded.rewritten)
