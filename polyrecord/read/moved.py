"""Blocks of a shard that was replaced while it was read: the same lines, in other blocks of the new file.

A file of large blocks takes the place of one of small ones, by `polyrecord repack` or a recorder that joins
them. Whoever planned the blocks of the old one finds their lines in the new one by their seqs. Many small
blocks are in one large one, so the last that were read are kept.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from polyrecord.format.block import BadHeader, BlockHeader, parse_header
from polyrecord.format.content import BadBlock, inflate
from polyrecord.format.mend import described
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.files import ShardFile
from polyrecord.read.lines import is_regular, regular_seq
from polyrecord.read.shard import ShardIndex, read_index

_FIRST_SEQ, _LAST_SEQ = 5, 6  # of a raw record
_LARGEST_KEPT: Final = 1 << 23  # bytes of lines


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it was when it was looked at: another in its place has another identity."""

    info: ShardInfo
    identity: tuple[int, int, int, int]


def lines_elsewhere(
    info: ShardInfo, first_seq: int, last_seq: int, events: int
) -> tuple[BlockHeader, bytes] | None:
    """Lines by their seqs, under a header made for them, from a shard that is not damaged.

    None unless exactly so many events with these first and last seqs are there.
    """
    try:
        with ShardFile(info) as file:
            status = os.fstat(file.descriptor)
    except OSError:
        return None
    shard = _File(info, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
    index = _index(shard)
    places = _places(index, first_seq, last_seq) if index is not None else []
    lines = [line for place in places for line in _between(_lines(shard, *place), first_seq, last_seq)]
    if len(lines) != events or (lines and not _spans(lines, first_seq, last_seq)):
        return None
    content = b"\n".join([*lines, b""])
    header = described(content, 0)
    return None if header is None else (header, content)


def _spans(lines: list[bytes], first_seq: int, last_seq: int) -> bool:
    return regular_seq(lines[0]) == first_seq and regular_seq(lines[-1]) == last_seq


@lru_cache(maxsize=2)
def _index(shard: _File) -> ShardIndex | None:
    explain = Explain()
    try:
        with ShardFile(shard.info) as file:
            index = read_index(shard.info, file, explain)
    except OSError:
        return None
    return None if explain.damage or index.plain_regions else index


def _places(index: ShardIndex, first_seq: int, last_seq: int) -> list[tuple[int, int]]:
    """Offset and length of the blocks that may hold the seqs from the first to the last."""
    records = list(index.records())
    at = bisect_left(records, first_seq, key=lambda record: record[_LAST_SEQ])
    places = []
    while at < len(records) and records[at][_FIRST_SEQ] <= last_seq:
        places.append(records[at][:2])
        at += 1
    return [(offset, length) for offset, length in places]


def _lines(shard: _File, offset: int, length: int) -> list[bytes]:
    return _small(shard, offset, length) or _read(shard, offset, length)


@lru_cache(maxsize=2)
def _small(shard: _File, offset: int, length: int) -> list[bytes]:
    """The lines of a block worth keeping; none of a very large one."""
    lines = _read(shard, offset, length)
    return lines if sum(map(len, lines)) <= _LARGEST_KEPT else []


def _read(shard: _File, offset: int, length: int) -> list[bytes]:
    try:
        with ShardFile(shard.info) as file:
            member = file.read_at(offset, length)
        content = inflate(member, parse_header(member))
    except (OSError, BadHeader, BadBlock):
        return []
    return content.split(b"\n")[:-1] if is_regular(content) else []


def _between(lines: list[bytes], first_seq: int, last_seq: int) -> list[bytes]:
    start = bisect_left(lines, first_seq, key=regular_seq)
    return lines[start : bisect_left(lines, last_seq + 1, key=regular_seq)]
