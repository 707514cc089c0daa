"""CSV: a line of names, then rows. Each row is an object of texts, so no number is rounded."""

from __future__ import annotations

import csv
from typing import Final

import orjson

from polyrecord.foreign.fields import text_of
from polyrecord.foreign.generic import COMMON_TS, Mapping
from polyrecord.foreign.lines import TRACE_FIELDS
from polyrecord.foreign.moments import to_ns
from polyrecord.foreign.objects import BOM
from polyrecord.foreign.outcome import Parsed, Reject

UNTYPED: Final = "row"
TIME_NAMES: Final = (*COMMON_TS, "time_seconds", "timestamp_seconds", "ts_seconds", "unix")
_UNITS: Final = {"_seconds": "s", "_s": "s", "_ms": "ms", "_us": "us", "_ns": "ns"}


class CsvParser:
    """Rows as objects by the names of the first line. A field with a line break in it is not supported."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._names: list[str] | None = None
        self._times: list[tuple[str, str]] = []  # columns that may hold the time, and their units
        self._traces: list[str] = []

    def is_whole(self, line: bytes) -> bool:
        """Whether the row has as many fields as there are names: one that is cut off has fewer."""
        return self._names is not None and len(row_fields(line)) == len(self._names)

    def parse(self, line: bytes) -> tuple[Parsed, ...] | Parsed | Reject:
        """The event of a row; nothing of the first line, which names the fields; or why it is none."""
        try:
            fields = row_fields(line)
        except (UnicodeDecodeError, csv.Error) as error:
            return Reject("not CSV", str(error)[:80])
        if self._names is None:
            return self._take_names(fields)
        if len(fields) != len(self._names):
            return Reject("not a row", f"{len(fields)} fields where {len(self._names)} are named")
        return self._event(dict(zip(self._names, fields, strict=True)))

    def _take_names(self, names: list[str]) -> tuple[Parsed, ...]:
        mapping = self._mapping
        self._names = names
        times = TIME_NAMES if mapping.ts is None else (mapping.ts,)
        traces = TRACE_FIELDS if mapping.trace is None else (mapping.trace,)
        self._times = [(name, _unit(name, mapping.unit)) for name in times if name in names]
        self._traces = [name for name in traces if name in names]
        return ()

    def _event(self, row: dict[str, str]) -> Parsed | Reject:
        name, unit = next((time for time in self._times if row[time[0]]), ("", ""))
        if not name:
            return Reject("no timestamp", "no column of the usual names: name it with --ts")
        try:
            ts_ns = to_ns(row[name], unit)
        except ValueError as error:
            return Reject("unusable timestamp", f"{name}: {error}")
        kind = text_of(row.get(self._mapping.event_type or "event_type")) or UNTYPED
        trace = next((row[name] for name in self._traces if row[name]), None) if self._traces else None
        return Parsed(ts_ns, kind, trace, orjson.dumps(row))


def row_fields(line: bytes) -> list[str]:
    """The fields of a row; raises UnicodeDecodeError and csv.Error."""
    text = line.removeprefix(BOM).decode().rstrip("\r")
    if text and '"' not in text and "\r" not in text:
        return text.split(",")
    return next(csv.reader([text], strict=True), [])


def _unit(name: str, named: str) -> str:
    """The unit that is named for a column, else the one its name ends in."""
    if named != "auto":
        return named
    return next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "auto")
