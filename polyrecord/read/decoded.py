"""Events read some at a time, envelopes in one pass in C, `data` left raw until it is asked for.

An event made here costs 0.5 us with its envelope, of which 0.4 us are the decoder's; one that finds its
members when asked costs 1.5 us. Few at a time, just before they are given out: what is read is then still in
the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, cast

import msgspec

from polyrecord.read.event import Envelope, Event, read_data, read_envelope, shown
from polyrecord.times import parse_ts

AT_ONCE: Final = 128  # events
_LOOK_AGAIN: Final = (
    64  # times that `data` is read with the envelope before it is found out again if it is wanted
)
_SAMPLE: Final = 7  # of so many events one is looked at: streams and types often alternate in twos and fours
_NAMES: Final = {"line": "line, no member", "writer": "writer, no member", "_data": "data"}


class _Read(msgspec.Struct, eq=False, gc=False, rename=_NAMES):
    """An event whose members are read; `line` and `writer` are set whatever a line has by their names."""

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
    line: bytes = b""
    writer: str = ""

    @property
    def envelope(self) -> Envelope:
        """The line's members, `data` left raw."""
        return read_envelope(self.line)

    @property
    def ts_ns(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z."""
        return parse_ts(self.ts)

    def __repr__(self) -> str:
        return shown(cast("Event", self))


class _Raw(_Read, eq=False, gc=False, rename=_NAMES):
    """With `data` as it is written until it is asked for."""

    _data: msgspec.Raw = msgspec.Raw(b"null")

    @property
    def data(self) -> Any:
        """The `data` member as Python values; the same object every time."""
        data: Any = self._data
        if type(data) is msgspec.Raw:
            self._data = data = read_data(data)
        return data

    @property
    def was_asked(self) -> bool:
        """Whether somebody asked for `data`."""
        return type(self._data) is not msgspec.Raw


class _Whole(_Read, eq=False, gc=False, rename=_NAMES):
    """With `data` read."""

    data: Any = None


Event.register(_Raw)
Event.register(_Whole)
_read_raw: Final = msgspec.json.Decoder(_Raw).decode
_read_whole: Final = msgspec.json.Decoder(_Whole).decode
_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Reading:
    """Reads the events of one iteration. Where `data` is asked of most, it is read with the envelope."""

    def __init__(self) -> None:
        self._whole = 0  # how often `data` is still to be read with the envelope

    def portions(self, lines: Sequence[bytes], writers: Sequence[str]) -> Iterator[list[Event]]:
        """The events of some lines, each with its writer; the next portion is asked for when one was used."""
        for at in range(0, len(lines), AT_ONCE):
            events = self._some(lines[at : at + AT_ONCE], writers[at : at + AT_ONCE])
            yield cast("list[Event]", events)
            self._look_at(events)

    def _some(self, lines: Sequence[bytes], writers: Sequence[str]) -> Sequence[_Read | Event]:
        events = _read(_read_whole, lines) if self._whole else None
        events = events or _read(_read_raw, lines)
        if events is None:  # what one of them is will be told when it is asked
            return list(map(Event, lines, writers))
        for event, line, writer in zip(events, lines, writers, strict=True):
            event.line = line
            event.writer = writer
        return events

    def _look_at(self, events: Sequence[_Read | Event]) -> None:
        """See whether `data` of the events that were given out was asked for."""
        if self._whole:
            self._whole -= 1
            return
        asked = [event.was_asked for event in events[::_SAMPLE] if isinstance(event, _Raw)]
        if sum(asked) * 2 > len(asked):
            self._whole = _LOOK_AGAIN


def _read(decode: Callable[[bytes], _Read], lines: Sequence[bytes]) -> list[_Read] | None:
    """The events of some lines; None where one of them cannot be read like this."""
    try:
        return list(map(decode, lines))
    except _ERRORS:
        return None
