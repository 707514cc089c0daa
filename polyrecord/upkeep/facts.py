"""What retention goes by: the footers of sealed shards."""

from __future__ import annotations

from polyrecord.format.directory import Footer
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.pieces import read_footer
from polyrecord.read.shard import RawRecord, open_shard
from polyrecord.times import SECOND, parse_ts
from polyrecord.upkeep.retention import Facts

_DAY = 86_400 * SECOND
_EVENTS, _FIRST_SEQ, _LAST_SEQ, _FIRST, _LAST, _MIN_TS, _MAX_TS, _LOST = 3, 5, 6, 7, 8, 9, 10, 11


def read_facts(info: ShardInfo) -> Facts:
    """A sealed shard's facts; one without blocks of ours is as old as the end of its day. Raises OSError."""
    size = info.path.stat(follow_symlinks=False).st_size
    footer = read_footer(info)
    if footer is not None:
        return _of_footer(info, size, footer)
    index = open_shard(info, Explain())
    records = list(index.records()) if index is not None else []
    return _of_records(info, size, records) if records else _of_date(info, size)


def _of_footer(info: ShardInfo, size: int, footer: Footer) -> Facts:
    return Facts(
        info.name, size, footer.events, footer.first_seq, footer.last_seq, footer.first_ordinal,
        footer.last_ordinal, footer.min_ts, footer.max_ts, footer.lost, footer.fingerprint.hex(),
        footer.clean,
    )  # fmt: skip


def _of_records(info: ShardInfo, size: int, records: list[RawRecord]) -> Facts:
    return Facts(
        info.name, size, sum(record[_EVENTS] for record in records),
        min(record[_FIRST_SEQ] for record in records), max(record[_LAST_SEQ] for record in records),
        min(record[_FIRST] for record in records), max(record[_LAST] for record in records),
        min(record[_MIN_TS] for record in records), max(record[_MAX_TS] for record in records),
        sum(record[_LOST] for record in records), "", clean=False, sound=False,
    )  # fmt: skip


def _of_date(info: ShardInfo, size: int) -> Facts:
    """No block of ours: plain gzip or text, or nothing at all."""
    midnight = parse_ts(info.name.date)
    end = midnight + _DAY - 1
    return Facts(info.name, size, 0, 0, 0, 0, 0, midnight, end, 0, "", clean=False, sound=False)
