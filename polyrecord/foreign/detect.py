"""Which format a log is of, judged by its first lines; its place tells what they leave open."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any, Final

from polyrecord.foreign.content import HEAD
from polyrecord.foreign.formats import Format, choose_format
from polyrecord.foreign.generic import COMMON_TS, TYPE_FIELDS
from polyrecord.foreign.lines import TRACE_FIELDS
from polyrecord.foreign.objects import BOM, load_object
from polyrecord.foreign.otlp import SIGNALS
from polyrecord.foreign.outcome import Reject, events_of
from polyrecord.foreign.rows import TIME_NAMES, row_fields

_LOOKED_AT: Final = 20  # lines
_HFTBACKTEST: Final = re.compile(rb"\d{16,19} +[\[{]")
_NAMES: Final = re.compile(rb"[^{\[]*[A-Za-z_]")  # what a line of names has before any bracket
_NINE_DIGITS: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z\Z", re.ASCII)


def is_own_line(head: bytes) -> bool:
    """Whether a log's first whole object is an event line of ours."""
    value = next(_objects(head), None)
    if value is None or not {"ts", "seq", "event_type"} <= value.keys():
        return False
    return isinstance(value["ts"], str) and _NINE_DIGITS.match(value["ts"]) is not None


def detect(
    path: PurePath,
    head: bytes,
    *,
    ts: str | None = None,
    event_type: str | None = None,
    trace: str | None = None,
) -> Format | None:
    """The format of a log that begins with `head`; None when it is none that is known.

    Fields that are named make it JSON lines, or CSV where it looks like that.
    """
    mapped = (ts, event_type, trace) != (None, None, None)
    if _is_csv(head):
        rows = choose_format("csv", ts=ts, event_type=event_type, trace=trace)
        if gives_events(rows, head):  # a text may have a comma in each of two lines
            return rows
    if mapped:
        return choose_format("generic", ts=ts, event_type=event_type, trace=trace)
    name = _name(head)
    if name is None:
        return None
    chosen = choose_format(name, path=path)
    return chosen if gives_events(chosen, head) else None


def fields_of(head: bytes) -> tuple[str | None, str | None, str | None]:
    """The usual names of time, type and trace that the first object or the names of a CSV have."""
    if _is_csv(head):
        names = dict.fromkeys(row_fields(_lines(head)[0]), "")
        return _first_of(TIME_NAMES, names), _first_of(("event_type",), names), _first_of(TRACE_FIELDS, names)
    value = next(_objects(head), {})
    texts = {name: text for name, text in value.items() if isinstance(text, str) and text}
    return _first_of(COMMON_TS, value), _first_of(TYPE_FIELDS, texts), _first_of(TRACE_FIELDS, texts)


def _first_of(usual: tuple[str, ...], value: dict[str, Any]) -> str | None:
    return next((name for name in usual if value.get(name) is not None), None)


def _lines(head: bytes) -> list[bytes]:
    """The first lines; the last may be cut where the head was."""
    lines = head.split(b"\n")
    if len(head) >= HEAD and len(lines) > 1:
        lines.pop()
    return [line for line in lines if line.strip(b"\0 \t\r")][:_LOOKED_AT]


def _objects(head: bytes) -> Iterator[dict[str, Any]]:
    for line in _lines(head):
        loaded = load_object(line.strip(b"\0"))
        if not isinstance(loaded, Reject):
            yield loaded.value


def _is_csv(head: bytes) -> bool:
    """Whether the first line may name columns, and the second has as many."""
    lines = _lines(head)[:2]
    if len(lines) < 2 or not _NAMES.match(lines[0].removeprefix(BOM)):
        return False
    try:
        names, row = map(row_fields, lines)
    except (UnicodeDecodeError, csv.Error):
        return False
    return len(names) == len(row) > 1


def _name(head: bytes) -> str | None:
    if any(_HFTBACKTEST.match(line.removeprefix(BOM)) for line in _lines(head)[:3]):
        return "hftbacktest"
    found = list(_objects(head))
    for value in found:
        for name, is_one in _MARKS.items():
            if is_one(value):
                return name
    return "generic" if found else None


def _is_frame(value: dict[str, Any]) -> bool:
    return "conn" in value and {"ts", "data"} <= value.keys()


def _is_header(value: dict[str, Any]) -> bool:
    return value.get("t") == "header" and {"exchange", "format"} <= value.keys()


def _is_tick(value: dict[str, Any]) -> bool:
    return {"asset_id", "event_type", "price", "size", "side", "timestamp"} <= value.keys()


def _is_decision(value: dict[str, Any]) -> bool:
    return {"ts", "bot_id", "decision"} <= value.keys() and "data" not in value


def _is_polyarb(value: dict[str, Any]) -> bool:
    if "timestamp" not in value:
        return False
    return {"event_type", "data"} <= value.keys() or ("trace_id" in value and "end_to_end_ms" in value)


_MARKS: Final[dict[str, Callable[[dict[str, Any]], bool]]] = {
    "otlp": lambda value: any(name in value for name in SIGNALS),
    "cryptofeed": lambda value: _is_header(value) or _is_frame(value),
    "tickscope": _is_tick,
    "metastacker": lambda value: any(name.endswith("_ist") for name in value),
    "polytraders": _is_decision,
    "polyarb": _is_polyarb,
}


def gives_events(chosen: Format, head: bytes) -> bool:
    """Whether any of the first lines is an event to the format: JSON without a time is no log."""
    parser = chosen.parser()
    outcomes = [parser.parse(line.strip(b"\0")) for line in _lines(head)]
    return any(events_of(outcome) for outcome in outcomes if not isinstance(outcome, Reject))
