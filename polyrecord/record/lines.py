"""The lines of many events at once, column by column: each step is one pass in C over all of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TypeAlias

from polyrecord.times import SECOND, format_second, format_ts

Column: TypeAlias = bytes | Sequence[bytes]
"""A piece of each event's line: the same in all of them, or one for each."""

_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")  # between the tokens of JSON a space means the same
_TAILS = 1000


def lines_of(
    stamps: Sequence[int],
    seqs: Sequence[int],
    kinds: Column,
    traces: Iterable[Column],
    fields: Column,
    payloads: Sequence[bytes],
) -> bytes:
    """The lines of events in order, each with its line feed.

    `kinds`, `traces` and `fields` are what stands between the number and the data; `payloads` are data
    and CLOSE, without line breaks.
    """
    columns = (*_moments(stamps), b'Z","seq":', *_numbers(seqs), kinds, *traces, fields, b',"data":')
    return woven((b'{"ts":"', *columns, payloads, b"\n"), len(stamps))


def woven(columns: Iterable[Column], count: int) -> bytes:
    """One piece of each column in turn, for so many events; the first and the last column are one text."""
    parts = _joined(columns)
    first, last = parts[0], parts.pop()
    assert isinstance(first, bytes)
    assert isinstance(last, bytes)
    parts[0] = last + first
    pieces = [part if isinstance(part, bytes) else b"" for part in parts] * count
    for at, part in enumerate(parts):
        if not isinstance(part, bytes):
            pieces[at :: len(parts)] = part
    pieces[0] = first
    pieces.append(last)
    return b"".join(pieces)


def _joined(columns: Iterable[Column]) -> list[Column]:
    """The columns with neighbouring texts made one."""
    parts: list[Column] = []
    for column in columns:
        if parts and isinstance(column, bytes) and isinstance(parts[-1], bytes):
            parts[-1] += column
        else:
            parts.append(column)
    return parts


def _moments(stamps: Sequence[int]) -> tuple[Column, ...]:
    """Times in order, without the Z: what they have in common, and each rest."""
    second = stamps[0] // SECOND
    if second != stamps[-1] // SECOND:
        return ([format_ts(ts)[:-1].encode() for ts in stamps],)
    # Nine digits behind a one, by two passes in C over the list as text: "[1000000000, 1000000700]".
    start = (second - 1) * SECOND
    rests = str([ts - start for ts in stamps])[2:-1].encode().split(b", 1")
    return f"{format_second(second)}.".encode(), rests


def _numbers(seqs: Sequence[int]) -> tuple[Column, ...]:
    """Whole numbers in order."""
    first, last = seqs[0], seqs[-1]
    if first >= _TAILS and first // _TAILS == last // _TAILS and last - first == len(seqs) - 1:
        return b"%d" % (first // _TAILS), _tails()[first % _TAILS : last % _TAILS + 1]
    return (str(list(seqs))[1:-1].encode().split(b", "),)


@cache
def _tails() -> list[bytes]:
    return [b"%03d" % number for number in range(_TAILS)]


def one_line(payload: bytes) -> bytes:
    """The payload without line breaks; only orjson.Fragment brings them."""
    if b"\n" in payload or b"\r" in payload:
        return payload.translate(_ONE_LINE)
    return payload


def one_lines(payloads: Sequence[bytes], content: bytes) -> Sequence[bytes]:
    """The payloads, each on one line; `content` is all of them, joined."""
    if b"\n" in content or b"\r" in content:
        return [payload.translate(_ONE_LINE) for payload in payloads]
    return payloads
