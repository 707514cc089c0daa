"""Events read some at a time, in one pass in C, `data` left as it is written until it is wanted.

An event made here costs 0.4 us, of which 0.3 us are the decoder's; one that finds its members when asked
costs 1.5 us. Few at a time, just before they are given out: what is read is then still in the cache. Read by
the block, before they are merged, they cost twice as much, for each is then fetched from memory again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from threading import Lock
from typing import Any, Final, cast

import msgspec

from polyrecord.read.event import NOT_READ, Envelope, Event, read_data, read_envelope, shown
from polyrecord.times import parse_ts

AT_ONCE: Final = 128  # events
_LOOK_AGAIN: Final = 64  # times that `data` is read before it is found out again if it is wanted
_SAMPLE: Final = 7  # of so many events one is looked at: streams and types often alternate in twos and fours
_NAMES: Final = {name: f"{name}, no member" for name in ("line", "writer", "_data")}

# What the decoder puts into the events it makes, one after the other; filled by whoever holds the lock.
_making: Final = Lock()
_lines: Final[deque[bytes]] = deque()
_writers: Final[deque[str]] = deque()


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
    line: bytes = msgspec.field(default_factory=_lines.popleft)
    writer: str = msgspec.field(default_factory=_writers.popleft)

    @property
    def envelope(self) -> Envelope:
        """The line's members, `data` left raw."""
        return read_envelope(self.line)

    @property
    def ts_ns(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z."""
        return parse_ts(self.ts)

    def __reduce__(self) -> tuple[type[Event], tuple[bytes, str]]:
        return Event, (self.line, self.writer)

    def __repr__(self) -> str:
        return shown(cast("Event", self))


class _Lazy(_Read, eq=False, gc=False, rename=_NAMES):
    """With `data` as it is written until it is asked for."""

    _data: Any = NOT_READ

    @property
    def data(self) -> Any:
        """The `data` member as Python values; the same object every time."""
        if self._data is NOT_READ:
            self._data = _data_of(self.line)
        return self._data

    @property
    def was_asked(self) -> bool:
        """Whether somebody asked for `data`."""
        return self._data is not NOT_READ


class _Whole(_Read, eq=False, gc=False, rename=_NAMES):
    """With `data` read."""

    data: Any = None


class _Data(msgspec.Struct, gc=False):
    """The one member that a _Lazy has not read."""

    data: Any = None


Event.register(_Lazy)
Event.register(_Whole)
_lazy: Final = msgspec.json.Decoder(_Lazy)
_whole: Final = msgspec.json.Decoder(_Whole)
_read_data: Final = msgspec.json.Decoder(_Data).decode
_ERRORS: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def _data_of(line: bytes) -> Any:
    """The `data` of a line whose envelope was read; raises NotAnEvent."""
    try:
        return _read_data(line).data
    except _ERRORS:
        return read_data(read_envelope(line).data)


class Reading:
    """Reads the events of one iteration. Where `data` is asked of most, it is read with the envelope."""

    def __init__(self) -> None:
        self._whole = 0  # how often `data` is still to be read with the envelope

    def portions(self, lines: list[bytes], writers: list[str]) -> Iterator[list[Event]]:
        """The events of some lines, each with its writer; the next portion is asked for when one was used."""
        for at in range(0, len(lines), AT_ONCE):
            events = self._some(lines[at : at + AT_ONCE], writers[at : at + AT_ONCE])
            yield events
            self._look_at(events)

    def _some(self, lines: list[bytes], writers: list[str]) -> list[Event]:
        events = _read(_whole, lines, writers) if self._whole else None
        events = events or _read(_lazy, lines, writers)
        # Else what one of them is will be told when it is asked.
        return list(map(Event, lines, writers)) if events is None else cast("list[Event]", events)

    def _look_at(self, events: list[Event]) -> None:
        """See whether `data` of the events that were given out was asked for."""
        if self._whole:
            self._whole -= 1
            return
        asked = [event.was_asked for event in events[::_SAMPLE] if isinstance(event, _Lazy)]
        if sum(asked) * 2 > len(asked):
            self._whole = _LOOK_AGAIN


def _read(decoder: msgspec.json.Decoder[Any], lines: list[bytes], writers: list[str]) -> list[Any] | None:
    """The events of some lines; None where one of them cannot be read like this.

    No object goes over two of the lines: each has a head, so that it begins and ends as an object does.
    """
    if not _making.acquire(blocking=False):  # another thread is at it
        return None
    try:
        _lines.extend(lines)
        _writers.extend(writers)
        events = decoder.decode_lines(b"\n".join(lines))
        return None if _lines or _writers or len(events) != len(lines) else events
    except (*_ERRORS, IndexError):  # IndexError: more events than lines
        return None
    finally:
        _lines.clear()
        _writers.clear()
        _making.release()
