"""The event line of a parsed line, as docs/format.md, section 2, has it and as an import would write it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import orjson

from polyrecord.foreign.outcome import Parsed
from polyrecord.times import format_ts

_ENVELOPE: Final = ("span_id", "parent_span_id", "bot_id", "intent_id", "level", "reason_code")


def event_line(seq: int, event: Parsed) -> bytes:
    """The line of an event, without line feed."""
    head = f'{{"ts":"{format_ts(event.ts_ns)}","seq":{seq},"event_type":{_quoted(event.event_type)}'
    if event.trace_id is not None:
        head += f',"trace_id":{_quoted(event.trace_id)}'
    if event.envelope:
        members = event.envelope
        head += "".join(f',"{name}":{_quoted(members[name])}' for name in _ENVELOPE if name in members)
    return b'%b,"data":%b}' % (head.encode(), event.data)


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    """Text as a JSON string; a lone surrogate as its escape in plain characters."""
    try:
        return orjson.dumps(text).decode()
    except (TypeError, ValueError):
        return orjson.dumps(text.encode("utf-8", "backslashreplace").decode()).decode()
