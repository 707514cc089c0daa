"""Any log of JSON objects, one per line: the object becomes `data` as it is."""

from __future__ import annotations

from dataclasses import dataclass

from polyrecord.errors import UsageError
from polyrecord.foreign.fields import pick, pick_exact, text_of
from polyrecord.foreign.lines import TRACE_FIELDS, ObjectParser, envelope_of, one_line
from polyrecord.foreign.moments import TS_UNITS, to_ns
from polyrecord.foreign.objects import Loaded
from polyrecord.foreign.outcome import Parsed, Reject, shorten

TYPE_FIELDS = ("event_type", "type", "event", "kind")
UNTYPED = "imported"  # the event type of a line that names none
COMMON_TS = (
    "ts", "timestamp", "time", "@timestamp", "datetime", "ts_ns", "ts_us", "ts_ms", "timestamp_ns",
    "timestamp_us", "timestamp_ms", "time_ns", "time_us", "time_ms", "received_ns", "recorded_at",
    "received_at", "created_at", "event_time", "eventTime", "date",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mapping:
    """Where a line holds its time, type and trace: dotted field paths.

    What is None is looked for under the usual names. `unit` is one of s, ms, us, ns, iso and auto.
    """

    ts: str | None = None
    unit: str = "auto"
    event_type: str | None = None
    trace: str | None = None

    @property
    def label(self) -> str:
        """The mapping as text: part of an import's identity."""
        return f"ts={self.ts or ''}:{self.unit} type={self.event_type or ''} trace={self.trace or ''}"


def parse_mapping(ts: str | None, event_type: str | None, trace: str | None) -> Mapping:
    """The mapping of `--ts field:unit --type field --trace field`; raises UsageError."""
    if ts is None:
        return Mapping(event_type=event_type, trace=trace)
    field, colon, unit = ts.rpartition(":")
    if not colon:
        field, unit = ts, "auto"
    if not field or unit not in TS_UNITS:
        raise UsageError(
            f"not a field and its unit: --ts {shorten(ts)}",
            hint=f"FIELD or FIELD:UNIT, the unit one of {', '.join(TS_UNITS)}; a.b is member b of a",
        )
    return Mapping(field, unit, event_type, trace)


class GenericParser(ObjectParser):
    """Reads lines of JSON objects as a mapping says."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping

    def event(self, ts_ns: int, loaded: Loaded) -> Parsed:
        """The object as it is, its type and trace where the mapping has them."""
        kind = self._text(loaded, self._mapping.event_type, TYPE_FIELDS) or UNTYPED
        trace = self._text(loaded, self._mapping.trace, TRACE_FIELDS)
        return Parsed(ts_ns, kind, trace, one_line(loaded.text), loaded.rewritten, envelope_of(loaded.value))

    def _text(self, loaded: Loaded, path: str | None, usual: tuple[str, ...]) -> str | None:
        """What stands at a path, or under the first of the usual names that holds text."""
        if path is not None:
            return text_of(pick_exact(loaded.value, path, loaded.text))
        found = (value for name in usual if isinstance(value := loaded.value.get(name), str) and value)
        return next(found, None)

    def time(self, loaded: Loaded) -> int | Reject:
        """Where the mapping has it, else under the first usual name that holds a time."""
        value, text = loaded.value, loaded.text
        reject = None
        for path in COMMON_TS if self._mapping.ts is None else (self._mapping.ts,):
            if pick(value, path) is None:
                continue
            try:
                return to_ns(pick_exact(value, path, text), self._mapping.unit)
            except ValueError as error:
                reject = reject or Reject("unusable timestamp", f"{path}: {error}")
        if reject is not None:
            return reject
        if self._mapping.ts is not None:
            return Reject("no timestamp", f"there is no {shorten(self._mapping.ts)}")
        return Reject("no timestamp", f"none of {', '.join(COMMON_TS[:4])}, …: name it with --ts")
