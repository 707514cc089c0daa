"""What a line says about itself, told without decoding it where it is written as ours are."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import BytesIO
from operator import itemgetter
from typing import Final, NamedTuple

from polyrecord.read.event import NotAnEvent, read_envelope
from polyrecord.times import format_ts, parse_ts

# `{"ts":"` 30 characters `","seq":`: docs/format.md, section 2, fixes where these stand.
_TS = slice(7, 37)
_MARK = slice(36, 45)
_MARKED = b'Z","seq":'
_SEQ_AT = 45

_START: Final = b'{"ts":"0000-00-00T00:00:00.000000000Z","seq":'
_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")

_REGULAR = re.compile(rb'(?:\{"ts":"[^"\n]{29}Z","seq":\d+,".*\}\n)*+')
_HEAD = re.compile(
    rb'\{"ts":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z)","seq":(\d+)'
    rb',"event_type":"([^"\\]+)"(?:,"trace_id":"([^"\\]*)")?'
)
_NINE_DIGITS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z\Z", re.ASCII)


class Head(NamedTuple):
    """The members a line is selected and ordered by; `ts` is nine-digit text, which sorts as time does."""

    ts: bytes
    seq: int
    event_type: str
    trace_id: str | None


def ended_lines(content: bytes) -> list[bytes]:
    """The lines of a content, each with its line feed; BytesIO finds them in half the time split takes."""
    return BytesIO(content).readlines()


def bare_lines(ended: list[bytes]) -> list[bytes]:
    """Lines without their line feeds."""
    return list(map(_all_but_last, ended))


def split_lines(content: bytes) -> list[bytes]:
    """The lines of a content up to its last line feed, without their line feeds."""
    end = None if content.endswith(b"\n") else content.rfind(b"\n") + 1
    return bare_lines(ended_lines(content[:end]))


_all_but_last = itemgetter(slice(None, -1))


def is_regular(content: bytes) -> bool:
    """Whether every line begins and ends as ours do; 250 ns a line."""
    return _REGULAR.fullmatch(content) is not None


def are_regular(lines: list[bytes], *, ended: bool = False) -> bool:
    """Whether each of these lines, which hold no line feed but one where `ended`, begins and ends as ours do.

    100 ns a line.
    """
    if _begin_alike(lines, _before_last_byte if ended else _last_byte):
        return True
    return is_regular(b"".join(lines) if ended else b"\n".join([*lines, b""]))


def _begin_alike(lines: list[bytes], last_byte: Callable[[bytes], int]) -> bool:
    """Whether all are regular and their seqs have as many digits as the last one's.

    Looked at together: the beginnings, every digit a zero, are one text that is as long as it should be.
    """
    if not lines:
        return True
    digits = lines[-1].find(b",", _SEQ_AT) - _SEQ_AT
    if digits < 1:
        return False
    start = _START + b"0" * digits + b',"'
    starts = b"".join(map(itemgetter(slice(0, len(start))), lines))
    return starts.translate(_DIGITS) == start * len(lines) and set(map(last_byte, lines)) == _BRACE


_last_byte: Callable[[bytes], int] = itemgetter(-1)
_before_last_byte: Callable[[bytes], int] = itemgetter(-2)
_BRACE: Final = {ord("}")}


def regular_seq(line: bytes) -> int:
    """The seq of a line from a regular content."""
    return int(line[_SEQ_AT : line.index(b",", _SEQ_AT)])


def order_by_seq(low: int, high: int) -> Callable[[bytes], int | bytes]:
    """A sort key of regular lines with seqs from `low` to `high`: cheap where these have as many digits."""
    digits = len(str(low))
    return itemgetter(slice(_SEQ_AT, _SEQ_AT + digits)) if digits == len(str(high)) else regular_seq


def regular_ts(line: bytes) -> bytes:
    """The time of a line from a regular content."""
    return line[_TS]


time_of: Final = itemgetter(_TS)
"""The same as a sort key in C."""


def read_head(line: bytes) -> Head:
    """The head of a line from a block; raises NotAnEvent."""
    match = _HEAD.match(line)
    if match is None or not line.endswith(b"}"):
        return decode_head(line)
    ts, seq, event_type, trace_id = match.groups()
    if trace_id is None and b'"trace_id":' in line:  # it may stand further back, or be spelled with escapes
        return decode_head(line)
    try:
        return Head(ts, int(seq), event_type.decode(), trace_id.decode() if trace_id is not None else None)
    except UnicodeDecodeError:
        raise NotAnEvent("not JSON: str is not valid UTF-8") from None


def decode_head(line: bytes) -> Head:
    """The head of any line, by decoding it; raises NotAnEvent."""
    envelope = read_envelope(line)
    if not envelope.event_type:
        raise NotAnEvent("not an event line: event_type is empty")
    try:
        ts = envelope.ts if _NINE_DIGITS.match(envelope.ts) else format_ts(parse_ts(envelope.ts))
    except (ValueError, OverflowError):
        raise NotAnEvent(f"not an event line: ts is no time: {envelope.ts[:80]!r}") from None
    return Head(ts.encode(), envelope.seq, envelope.event_type, envelope.trace_id)
