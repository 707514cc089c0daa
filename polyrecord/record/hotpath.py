"""The one function a strategy waits for.

It is a closure and not a method, and its optional arguments are not keyword-only: local cells instead of
attributes and positional defaults instead of a dictionary of them take a quarter off the call. While few
events wait, one is appended as the encoder left it, and the drain copies and counts it. Beyond that it is
copied here: orjson hands over a buffer of 4 KiB shrunk to size, and 200,000 of those hold 850 MB.
docs/decisions/0001-the-hot-path.md has the figures. Nothing here waits, locks or touches the disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import orjson

from polyrecord.clock import Clock
from polyrecord.record.buffer import Buffer
from polyrecord.record.current import SCOPE, Scope
from polyrecord.record.encode import encode_special
from polyrecord.record.item import CLOSE, LIGHT, LIGHT_BYTES, OVERHEAD, Envelope, Item, text_of


class Record(Protocol):
    """The type of `EventRecorder.record`."""

    def __call__(
        self,
        event_type: str,
        data: Any,
        trace_id: str | None = None,
        intent_id: str | None = None,
        level: str | None = None,
        reason_code: str | None = None,
        stream: str | None = None,
    ) -> bool:
        """Record an event; see EventRecorder."""


def make_record(
    buffer: Buffer,
    clock: Clock,
    envelope: Envelope,
    *,
    check: Callable[[str, Any], None] | None,
    check_stream: Callable[[str], bool],
    rescue: Callable[[Any], bytes],
    no_room: Callable[[Item, int], bool],
) -> Record:
    """Build `record()` over a buffer.

    `check` raises InvalidEvent for an invalid event (None: not wanted); `check_stream` says whether a stream
    name is allowed; `rescue` encodes what orjson refuses; `no_room` takes events when the buffer has none.
    """
    mono_ns, dumps, current = clock.mono_ns, orjson.dumps, SCOPE.get
    items, append = buffer.items, buffer.items.append

    def record(
        event_type: str,
        data: Any,
        trace_id: str | None = None,
        intent_id: str | None = None,
        level: str | None = None,
        reason_code: str | None = None,
        stream: str | None = None,
    ) -> bool:
        """Record an event; False when it had to be dropped. Never waits, never raises in production.

        `data` is encoded here: what the bot changes later does not change what was recorded. Without a
        `trace_id` the active TraceContext's is taken. `stream` overrides where the type belongs.
        """
        now = mono_ns()
        fields = envelope
        if trace_id is None and (scope := current()) is not None:
            trace_id = scope.trace_id
            if scope.span_id is not None:
                fields = with_span(fields, scope)
        if intent_id is not None or level is not None or reason_code is not None:
            fields = with_fields(fields, intent_id, level, reason_code)
        if check is not None:
            check(event_type, data)
        try:
            payload = dumps(data, encode_special)
        except Exception:  # noqa: BLE001 - whatever a bot's objects raise, it goes on trading
            payload = rescue(data)
        if stream is None and len(items) < buffer.light and len(payload) < LIGHT_BYTES:
            append((now, event_type, trace_id, payload, fields, LIGHT))
            return True
        payload += CLOSE
        if stream is not None and not check_stream(stream):
            buffer.drop((now, event_type, trace_id, payload, fields, None), "bad_stream")
            return False
        size = len(payload) + OVERHEAD
        room = buffer.room - size  # from here to the store nothing is called: no thread can come between
        if room < 0:
            return no_room((now, event_type, trace_id, payload, fields, stream), size)
        buffer.room = room
        append((now, event_type, trace_id, payload, fields, stream))
        return True

    return record


def with_span(envelope: Envelope, scope: Scope) -> dict[str, str]:
    """The envelope with the scope's span."""
    fields = {**(envelope or {}), "span_id": scope.span_id or ""}
    if scope.parent_span_id is not None:
        fields["parent_span_id"] = scope.parent_span_id
    return fields


def with_fields(
    envelope: Envelope, intent_id: str | None, level: str | None, reason_code: str | None
) -> dict[str, str]:
    """The envelope with the fields that are given, as text whatever they are."""
    fields = {"intent_id": intent_id, "level": level, "reason_code": reason_code}
    given = {name: text_of(value) for name, value in fields.items() if value is not None}
    return {**(envelope or {}), **given}
