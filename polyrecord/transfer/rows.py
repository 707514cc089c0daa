"""Lines on their way from one archive to another, and what the records of blocks say is missing."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

import orjson

from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.shard import RawRecord, open_shard
from polyrecord.record.verbatim import Recorded
from polyrecord.times import SECOND, parse_ts

EVENTS, FIRST_SEQ, LAST_SEQ, FIRST, LAST = 3, 5, 6, 7, 8  # where a record has them; the last two are ordinals
_MIN_TS, _MAX_TS = 9, 10
MOST_LOST: Final = 0xFFFFFFFF  # events of one declaration: a block's header holds no more


class Row(NamedTuple):
    """A line that is taken, where it goes, and whether it was asked for."""

    stream: str
    recorded: Recorded
    asked: bool


def lost_by(line: bytes) -> int:
    """How many events a `loss` event declares lost."""
    try:
        count = orjson.loads(line)["data"]["count"]
    except (ValueError, KeyError, TypeError):
        return 0
    return min(count, MOST_LOST) if isinstance(count, int) and count > 0 else 0


def ns_of(ts: bytes) -> int:
    """Nanoseconds of a nine-digit time."""
    return _second_ns(ts[:19]) + int(ts[20:29])


@lru_cache(maxsize=1024)
def _second_ns(text: bytes) -> int:
    return parse_ts(f"{text.decode()}Z") // SECOND * SECOND


def in_window(record: RawRecord, window: Selection) -> bool:
    """Whether a block has a part in a window."""
    if record[_MAX_TS] < window.lowest_ns:
        return False
    return window.until_ns is None or record[_MIN_TS] < window.highest_ns


def missing_of(shards: Iterable[ShardInfo], window: Selection) -> int:
    """Events missing among a writer's blocks of one stream in the window, in whatever order they lie.

    `shards` are all of that writer and stream, also those outside the window.
    """
    records = [record for info in shards for record in _all_records(info)]
    inside = [record for record in records if in_window(record, window)]
    if not inside:
        return 0
    first, last = min(record[FIRST] for record in inside), max(record[LAST] for record in inside)
    among = [r for r in records if r[FIRST] <= last and r[LAST] >= first]
    return max(last - first + 1 - sum(record[EVENTS] for record in among), 0)


def _all_records(info: ShardInfo) -> list[RawRecord]:
    index = open_shard(info, Explain())
    return list(index.records()) if index is not None else []
