"""One recorded event: its line as recorded, its envelope and its data parsed when they are asked for."""

from __future__ import annotations

import json
from abc import ABCMeta
from typing import Any, Final

import msgspec
import orjson

from polyrecord.times import parse_ts


class NotAnEvent(ValueError):
    """A line is not JSON, or not an event line (docs/format.md, section 2)."""


class Envelope(msgspec.Struct, gc=False):
    """An event line with `data` left as it is written."""

    ts: str
    seq: int
    event_type: str
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None
    bot_id: str | None = None
    intent_id: str | None = None
    level: str | None = None
    reason_code: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


_decoder = msgspec.json.Decoder(Envelope)


def read_envelope(line: bytes) -> Envelope:
    """The envelope of a line; raises NotAnEvent."""
    try:
        return _decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return _read_patiently(line)


def _read_patiently(line: bytes) -> Envelope:
    """What msgspec refuses and Python's json accepts: lone surrogates, a bare NaN or Infinity."""
    document = read_json(line)
    if not isinstance(document, dict):
        raise NotAnEvent("not an event line: not an object")
    try:
        known = {name: document[name] for name in Envelope.__struct_fields__ if name in document}
        data = msgspec.Raw(json.dumps(known.pop("data", None)).encode())
        return msgspec.convert({**known, "data": data}, Envelope)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise NotAnEvent(f"not an event line: {error}") from None


def read_json(text: bytes) -> Any:
    """Any JSON value; raises NotAnEvent. An integer beyond 64 bits becomes a float, as orjson has it."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        reason = str(error).partition(":")[0]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise NotAnEvent(f"not JSON: {reason}") from None


def read_data(raw: msgspec.Raw) -> Any:
    """The values of a `data` member; raises NotAnEvent."""
    try:
        return _read_any(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return read_json(bytes(raw))


_read_any = msgspec.json.Decoder().decode
NOT_READ: Final = object()


class Event(metaclass=ABCMeta):  # noqa: B024 - not abstract: for its register()
    """One event. `line` is its bytes exactly as recorded, without the line feed; `writer` recorded it.

    Everything else is parsed from the line when first asked for; NotAnEvent where it cannot be. Events of a
    replay are of classes of their own, registered here, that are read by the block.
    """

    __slots__ = ("_data", "_envelope", "line", "writer")

    def __init__(self, line: bytes, writer: str) -> None:
        self.line = line
        self.writer = writer
        self._envelope: Envelope | None = None
        self._data: Any = NOT_READ

    @property
    def envelope(self) -> Envelope:
        """The line's members, `data` left raw."""
        if self._envelope is None:
            self._envelope = read_envelope(self.line)
        return self._envelope

    @property
    def ts(self) -> str:
        """RFC 3339 text, UTC, nine digits."""
        return self.envelope.ts

    @property
    def ts_ns(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z."""
        return parse_ts(self.envelope.ts)

    @property
    def seq(self) -> int:
        """Number within the writer, from 1."""
        return self.envelope.seq

    @property
    def event_type(self) -> str:
        """The `event_type` member."""
        return self.envelope.event_type

    @property
    def trace_id(self) -> str | None:
        """The trace id as it was written."""
        return self.envelope.trace_id

    @property
    def span_id(self) -> str | None:
        """16 hex digits."""
        return self.envelope.span_id

    @property
    def parent_span_id(self) -> str | None:
        """16 hex digits."""
        return self.envelope.parent_span_id

    @property
    def bot_id(self) -> str | None:
        """The bot that recorded it."""
        return self.envelope.bot_id

    @property
    def intent_id(self) -> str | None:
        """The intent it belongs to."""
        return self.envelope.intent_id

    @property
    def level(self) -> str | None:
        """`info`, `warning`, …"""
        return self.envelope.level

    @property
    def reason_code(self) -> str | None:
        """Why it happened, as a code."""
        return self.envelope.reason_code

    @property
    def data(self) -> Any:
        """The `data` member as Python values; the same object every time."""
        if self._data is NOT_READ:
            self._data = read_data(self.envelope.data)
        return self._data

    def __repr__(self) -> str:
        return shown(self)


def shown(event: Event) -> str:
    """An event as it is shown in a Python session."""
    line = event.line if len(event.line) <= 200 else event.line[:200] + b"..."
    return f"<Event of {event.writer}: {line.decode('utf-8', 'replace')}>"
