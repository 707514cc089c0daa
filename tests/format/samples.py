"""Lines, blocks and shards to test with, and a shard cut into its members without our parser."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Sequence

from polyrecord.format.block import BlockIndex, pack_block, parse_header
from polyrecord.format.directory import DirectoryBuilder
from polyrecord.times import format_ts

START = 1_795_176_000_000_000_000  # 2026-11-20T12:00:00Z


def line(seq: int, event_type: str = "signal", note: str = "") -> bytes:
    """One event line as the specification writes it."""
    head = f'{{"ts":"{format_ts(START + seq)}","seq":{seq},"event_type":"{event_type}",'
    return f'{head}"data":{json.dumps({"note": note}, ensure_ascii=False)}}}\n'.encode()


def index_of(first: int, lines: Sequence[bytes], keys: Sequence[int] = ()) -> BlockIndex:
    """The index of signal lines numbered from `first`."""
    last = first + len(lines) - 1
    return BlockIndex(
        events=len(lines), first_seq=first, last_seq=last, first_ordinal=first, last_ordinal=last,
        min_ts=START + first, max_ts=START + last, types={"signal": len(lines)}, trace_keys=sorted(set(keys)),
    )  # fmt: skip


def block(first: int, count: int, note: str = "") -> bytes:
    """A block of `count` lines numbered from `first`."""
    lines = [line(first + at, note=f"{note}{at * 7919 % 1009}") for at in range(count)]
    return pack_block(b"".join(lines), index_of(first, lines, keys=range(first, first + count)))


def shard(blocks: Sequence[bytes], *, clean: bool = True) -> bytes:
    """A sealed shard of these blocks."""
    builder, offset = DirectoryBuilder(), 0
    for member in blocks:
        builder.add(offset, parse_header(member), int.from_bytes(member[-8:-4], "little"))
        offset += len(member)
    return b"".join(blocks) + builder.ending(clean=clean)


def reader(data: bytes) -> Callable[[int, int], bytes]:
    """`read_at` over bytes."""
    return lambda offset, length: data[offset : offset + length]


def gzip_members(data: bytes) -> list[bytes]:
    """A gzip file cut into its members by zlib alone."""
    members = []
    while data:
        unpacker = zlib.decompressobj(wbits=31)
        unpacker.decompress(data)
        assert unpacker.eof
        members.append(data[: len(data) - len(unpacker.unused_data)])
        data = unpacker.unused_data
    return members
