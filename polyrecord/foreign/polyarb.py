"""PolyArb-X: events and telemetry with `data` apart, latency metrics without an event type."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from polyrecord.foreign.fields import text_of
from polyrecord.foreign.lines import ObjectParser, envelope_of, flat_event, one_line, time_of, trace_of
from polyrecord.foreign.objects import Loaded
from polyrecord.foreign.outcome import Parsed, Reject

LATENCY: Final = "latency"
_TIMES: Final = ("timestamp", "ts")
_KNOWN: Final = frozenset(
    {"event_type", "timestamp", "ts", "trace_id", "data", "span_id", "parent_span_id", "bot_id", "intent_id",
     "level", "reason_code"}
)  # fmt: skip


class _Line(msgspec.Struct):
    data: msgspec.Raw


_decoder = msgspec.json.Decoder(_Line)


class PolyarbParser(ObjectParser):
    """`data` is kept byte for byte; a line with more beside it, or without, becomes data as a whole.

    Times without a zone are UTC, as the system writes them.
    """

    def time(self, loaded: Loaded) -> int | Reject:
        """`timestamp`."""
        return time_of(loaded, _TIMES)

    def event(self, ts_ns: int, loaded: Loaded) -> Parsed | Reject:
        """What the line says it is; a latency where it only has stages."""
        value = loaded.value
        event_type = text_of(value.get("event_type"))
        if event_type is None:
            if not any(name.endswith("_ms") for name in value):
                return Reject("no event type", "there is neither event_type nor a stage ending in _ms")
            return flat_event(loaded, ts_ns, LATENCY)
        if "data" not in value or not _KNOWN.issuperset(value):
            return flat_event(loaded, ts_ns, event_type)
        return Parsed(ts_ns, event_type, _trace(value), _data(loaded), loaded.rewritten, envelope_of(value))


def _trace(value: dict[str, Any]) -> str | None:
    data = value["data"]
    return trace_of(value) or (trace_of(data) if isinstance(data, dict) else None)


def _data(loaded: Loaded) -> bytes:
    try:
        return one_line(bytes(_decoder.decode(loaded.text).data).strip())
    except (msgspec.MsgspecError, UnicodeDecodeError):  # a duplicate or odd member: the whole line tells all
        return one_line(loaded.text)
