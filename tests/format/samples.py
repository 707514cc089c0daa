"""Lines, blocks and shards to test with, and a shard cut into its members without our parser."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b

from polyrecord.format.block import BlockIndex, pack_block, pack_member, parse_header
from polyrecord.format.block_keys import BlockKeys
from polyrecord.format.constants import FOOTER_SIZE
from polyrecord.format.directory_builder import DirectoryBuilder
from polyrecord.times import format_ts
from tests.format.spec import directory_of, payload_of

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


def shard(
    blocks: Sequence[bytes], *, clean: bool = True, unlisted: Mapping[int, BlockKeys] | None = None
) -> bytes:
    """A sealed shard of these blocks; `unlisted` are keys that headers do not list, by the block's number."""
    builder, offset = DirectoryBuilder(), 0
    for number, member in enumerate(blocks):
        content_crc = int.from_bytes(member[-8:-4], "little")
        builder.add(offset, parse_header(member), content_crc, (unlisted or {}).get(number))
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


def as_before(sealed: bytes) -> bytes:
    """A sealed shard as earlier writers left it: bit 0 of the directory's flags, no tables that we read."""
    tail = payload_of(sealed[-FOOTER_SIZE:])
    start = int.from_bytes(tail[8:16], "little")
    raw = b"".join(payload_of(member)[12:] for member in gzip_members(sealed[start:-FOOTER_SIZE]))
    found = directory_of(raw)
    named = sum(len(name) + 9 for name in found["types"]) + sum(len(path) + 1 for path in found["paths"])
    raw = (
        (1).to_bytes(4, "little")
        + raw[4:16]
        + struct.pack("<II", 1, 0)
        + raw[24 : 24 + 88 * found["B"] + named]
    )
    raw += bytes(6)
    pieces = [raw[at : at + 31_900] for at in range(0, len(raw), 31_900)]
    members = [
        _empty(struct.pack("<BBHII", 1, 1, 0, 46 + len(one), at) + one) for at, one in enumerate(pieces)
    ]
    sums = struct.pack("<QQI", start, len(raw), zlib.crc32(raw))
    digest = blake2b(raw, digest_size=16).digest()
    return sealed[:start] + b"".join(members) + _empty(tail[:8] + sums + tail[28:100] + digest)


def _empty(payload: bytes) -> bytes:
    return pack_member(payload, b"\x03\x00", 0, 0)
