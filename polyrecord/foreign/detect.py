"""Which format a log is of, judged by its first lines and, where they leave it open, by its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import PurePath
from typing import Any, Final

from polyrecord.foreign.content import HEAD
from polyrecord.foreign.formats import Format, choose_format
from polyrecord.foreign.metastacker import topic_of
from polyrecord.foreign.objects import BOM, load_object
from polyrecord.foreign.otlp import SIGNALS
from polyrecord.foreign.outcome import Reject, events_of

_LOOKED_AT: Final = 20  # lines
_HFTBACKTEST: Final = re.compile(rb"\d{16,19} +[\[{]")
_CSV: Final = re.compile(rb"[^{\[,]*[A-Za-z_][^{\[,]*(,[^{\[,]+)+")
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
        return choose_format("csv", ts=ts, event_type=event_type, trace=trace)
    if mapped:
        return choose_format("generic", ts=ts, event_type=event_type, trace=trace)
    name = _name(path, head)
    if name is None:
        return None
    chosen = choose_format(name, path=path)
    return chosen if _gives_events(chosen, head) else None


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
    """Whether the first line names columns and the second has as many."""
    lines = [line.removeprefix(BOM).rstrip(b"\r") for line in _lines(head)[:2]]
    return (
        len(lines) == 2
        and _CSV.fullmatch(lines[0]) is not None
        and lines[0].count(b",") == lines[1].count(b",")
    )


def _name(path: PurePath, head: bytes) -> str | None:
    if any(_HFTBACKTEST.match(line.removeprefix(BOM)) for line in _lines(head)[:3]):
        return "hftbacktest"
    found = list(_objects(head))
    for value in found:
        for name, is_one in _MARKS.items():
            if is_one(value):
                return name
    if found and _is_metastacker_place(path):
        return "metastacker"
    return "generic" if found else None


def _is_metastacker_place(path: PurePath) -> bool:
    parts = path.parts
    dated = len(parts) > 2 and parts[-2].startswith("date=") and parts[-3] == topic_of(path)
    return dated or (len(parts) > 1 and parts[-2] == "health_snapshot")


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
    "metastacker": lambda value: "ts_ist" in value,
    "polytraders": _is_decision,
    "polyarb": _is_polyarb,
}


def _gives_events(chosen: Format, head: bytes) -> bool:
    """Whether any of the first lines is an event to the format: JSON without a time is no log."""
    parser = chosen.parser()
    outcomes = [parser.parse(line.strip(b"\0")) for line in _lines(head)]
    return any(events_of(outcome) for outcome in outcomes if not isinstance(outcome, Reject))
