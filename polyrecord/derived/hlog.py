"""The HdrHistogram log format 1.3 and its V2 compressed payloads, written from bucket counts. Pure.

As the reference implementation writes them (https://github.com/HdrHistogram/HdrHistogram: HistogramLogWriter,
AbstractHistogram.encodeIntoCompressedByteBuffer). Values are whole nanoseconds.
"""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote

from polyrecord.derived.buckets import DIGITS, HIGHEST_NS, LOWEST_NS, NS_PER_MS, highest_of
from polyrecord.times import SECOND

# Cookies of version 2; 0x10 says that counts are ZigZag LEB128, with runs of zeros as negative numbers.
_PAYLOAD: Final = 0x1C849303 | 0x10
_COMPRESSED: Final = 0x1C849304 | 0x10
_LEGEND: Final = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'


@dataclass(frozen=True, slots=True)
class Interval:
    """A histogram of a log: from `start_ns` up to `end_ns`, indexes in ascending order with counts above 0.

    The tag may be any text: what would break a line of the log is escaped as in a URL.
    """

    start_ns: int
    end_ns: int
    tag: str
    buckets: Sequence[int]
    counts: Sequence[int]


def log_lines(intervals: Iterable[Interval], base_ns: int, comments: Iterable[str]) -> Iterator[str]:
    """The lines of a log, without line feeds; timestamps are seconds since `base_ns`.

    The largest value of an interval is in milliseconds, as tools expect of values in nanoseconds.
    """
    for comment in comments:
        yield f"#[{comment}]"
    base = base_ns / SECOND
    yield "#[Histogram log format version 1.3]"
    yield f"#[BaseTime: {base:.3f} (seconds since epoch)]"
    yield f"#[StartTime: {base:.3f} (seconds since epoch), {_date(base_ns)}]"
    yield _LEGEND
    for each in intervals:
        start, length = (each.start_ns - base_ns) / SECOND, (each.end_ns - each.start_ns) / SECOND
        most = highest_of(each.buckets[-1]) / NS_PER_MS
        yield f"Tag={each.tag},{start:.3f},{length:.3f},{most:.3f},{encode(each.buckets, each.counts)}"


def tag_of(stage: str, strategy: str | None = None, *, rest: bool = False) -> str:
    """`<stage>`, `<stage>/<strategy>`, or `<stage>/*` of all other strategies together.

    What is no letter, digit, `_`, `.`, `-` or `~` is escaped: a tag has no comma, space or line feed.
    """
    name = quote(stage, safe="")
    if rest:
        return f"{name}/*"
    return name if strategy is None else f"{name}/{quote(strategy, safe='')}"


def encode(buckets: Sequence[int], counts: Sequence[int]) -> str:
    """A histogram as Base64 text, V2 compressed."""
    told = b"".join(_counts(buckets, counts))
    head = struct.pack(">IIIIQQd", _PAYLOAD, len(told), 0, DIGITS, LOWEST_NS, HIGHEST_NS, 1.0)
    packed = zlib.compress(head + told)
    return b64encode(struct.pack(">II", _COMPRESSED, len(packed)) + packed).decode()


def _counts(buckets: Sequence[int], counts: Sequence[int]) -> Iterator[bytes]:
    """The counts of all buckets up to the last; how many are 0 in a row is a negative number."""
    expected = 0
    for bucket, count in zip(buckets, counts, strict=True):
        zeros = bucket - expected
        if zeros:
            yield _varint(-zeros if zeros > 1 else 0)
        yield _varint(count)
        expected = bucket + 1


def _varint(number: int) -> bytes:
    """ZigZag LEB128 of 64 bits: at most nine bytes, of which the ninth has no flag."""
    value = (number << 1) ^ (number >> 63)
    told = bytearray()
    while value > 0x7F and len(told) < 8:
        told.append(value & 0x7F | 0x80)
        value >>= 7
    told.append(value)
    return bytes(told)


def _date(ns: int) -> str:
    return datetime.fromtimestamp(ns // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
