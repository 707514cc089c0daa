"""Answers as JSON: the fields of the typed answer under their own names, amounts as decimal text."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from polyrecord.report.edge import EdgeReport
    from polyrecord.report.info import ArchiveInfo
    from polyrecord.report.latency import LatencyByGroup, LatencySummary
    from polyrecord.report.trace import TraceReport


def to_json(answer: LatencySummary | LatencyByGroup | EdgeReport | TraceReport | ArchiveInfo) -> bytes:
    """One JSON object, indented, with a line feed at its end."""
    return orjson.dumps(
        answer,
        default=_plain,
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_DATACLASS,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    if type(value).__name__ == "TraceEvent":  # by name: no answer needs the modules of all others
        return _recorded(value.line)
    # slots leave no __dict__, and dataclasses.asdict would copy every event
    names = getattr(value, "__dataclass_fields__", None)
    if names is None:
        raise TypeError(f"not an answer: {type(value).__name__}")
    return {name: getattr(value, name) for name in names}


def _recorded(line: bytes) -> Any:
    """The event as it was recorded, byte for byte where that is JSON."""
    try:
        orjson.loads(line)
        return orjson.Fragment(line)
    except orjson.JSONDecodeError:
        return {"line": line.decode("utf-8", "replace")}
