"""Members, directories and footers byte by byte from the tables of docs/format.md: nothing of polyrecord.

The deflate streams are stored, not compressed: the same bytes whatever library makes them, and lines that can
be read in the file.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

NOON = 1_795_176_000  # 2026-11-20T12:00:00Z
MAGIC = bytes.fromhex("1f8b08040000000000ff")
EMPTY = b"\x03\x00"


def line(seq: int, event_type: str = "signal", members: str = "") -> bytes:
    """An event `seq` seconds after noon; at most 43,199."""
    clock = f"{12 + seq // 3600}:{seq // 60 % 60:02d}:{seq % 60:02d}"
    head = f'{{"ts":"2026-11-20T{clock}.000000000Z","seq":{seq},"event_type":"{event_type}",'
    return f"{head}{members}".encode() + (b'"data":{}}\n' if '"data"' not in members else b"}\n")


def stored(content: bytes) -> bytes:
    """A deflate stream of stored blocks."""
    pieces = [content[at : at + 65_535] for at in range(0, len(content), 65_535)]
    return (
        b"".join(
            bytes((piece is pieces[-1],)) + struct.pack("<HH", len(piece), len(piece) ^ 0xFFFF) + piece
            for piece in pieces
        )
        or EMPTY
    )


def member(payload: bytes, deflated: bytes, content: bytes, *, before: bytes = b"") -> bytes:
    """A gzip member with our subfield, after other subfields; the payload's member length is filled in."""
    size = len(payload) + 4
    length = 12 + len(before) + 4 + size + len(deflated) + 8
    payload = payload[:4] + struct.pack("<I", length) + payload[8:]
    head = MAGIC + struct.pack("<H", len(before) + 4 + size) + before + b"PR" + struct.pack("<H", size)
    head += payload
    tail = struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF)
    return head + struct.pack("<I", zlib.crc32(head)) + deflated + tail


@dataclass(frozen=True)
class Block:
    """Lines and what the header says of them."""

    lines: Sequence[bytes]
    first_ordinal: int
    last_ordinal: int = 0  # where 0: as many as lines
    lost: int = 0
    flags: int = 0
    traces: Sequence[int] = ()
    values: Sequence[int] = ()
    is_listed: bool = True  # its keys, in its header; else the directory alone has them
    paths: Sequence[str] = ()
    version: int = 1
    later: bytes = b""
    before: bytes = b""
    claims: int | None = None
    types: dict[str, int] = field(default_factory=lambda: {"signal": 0})

    @property
    def content(self) -> bytes:
        """The lines as one."""
        return b"".join(self.lines)

    @property
    def seqs(self) -> tuple[int, int]:
        """First and last."""
        numbers = [int(each.split(b'"seq":')[1].split(b",")[0]) for each in self.lines]
        return numbers[0], numbers[-1]

    @property
    def ordinals(self) -> tuple[int, int]:
        """First and last."""
        return self.first_ordinal, self.last_ordinal or self.first_ordinal + len(self.lines) - 1

    @property
    def times(self) -> tuple[int, int]:
        """Of the first and the last line."""
        first, last = self.seqs
        return (NOON + first) * 10**9, (NOON + last) * 10**9

    @property
    def counts(self) -> dict[str, int]:
        """Events per type; a 0 stands for all."""
        return {name: count or len(self.lines) for name, count in self.types.items()}

    def pack(self) -> bytes:
        """The whole member."""
        keys = (*sorted(self.traces), *sorted(self.values)) if self.is_listed else ()
        counts = (len(self.traces), len(self.values)) if self.is_listed else (0, 0)
        claimed = len(self.content) if self.claims is None else self.claims
        payload = struct.pack(
            "<BBHIIIQQQQqqIHHII", self.version, 0, self.flags | 2 * (not self.is_listed), 0, claimed,
            len(self.lines), *self.seqs, *self.ordinals, *self.times, self.lost, len(self.counts),
            len(self.paths), *counts,
        )  # fmt: skip
        for name, count in self.counts.items():
            payload += bytes((len(name),)) + name.encode() + struct.pack("<I", count)
        for path in self.paths:
            payload += bytes((len(path),)) + path.encode()
        for key in keys:
            payload += struct.pack("<I", key)
        return member(payload + self.later, stored(self.content), self.content, before=self.before)


def ending(
    blocks: Sequence[Block], *, clean: bool = True, keys: bool = False, earlier: bool = False
) -> bytes:
    """Directory and footer of these blocks, with key tables of this or of an earlier form."""
    types: dict[str, int] = {}
    for block in blocks:
        for name, count in block.counts.items():
            types[name] = types.get(name, 0) + count
    order, offset, records = list(types), 0, b""
    for block in blocks:
        packed = block.pack()
        bits = sum(1 << order.index(name) for name in block.counts)
        records += struct.pack(
            "<QIIIIQQQQqqIIQ", offset, len(packed), len(block.content), len(block.lines), block.flags,
            *block.seqs, *block.ordinals, *block.times, block.lost, zlib.crc32(block.content), bits,
        )  # fmt: skip
        offset += len(packed)
    traces = sorted((key, number) for number, block in enumerate(blocks) for key in block.traces)
    values = sorted((key, number) for number, block in enumerate(blocks) for key in block.values)
    counts = (len(traces), len(values)) if earlier else (0, 0)
    raw = struct.pack("<IIIIII", 4 * keys + earlier, len(blocks), len(types), 0, *counts) + records
    for name, count in types.items():
        raw += bytes((len(name),)) + name.encode() + struct.pack("<Q", count)
    for table in (traces, values):
        raw += key_table(table) if keys else b""
        if earlier:
            raw += b"".join(struct.pack("<I", key) for key, _ in table)
            raw += b"".join(struct.pack("<H", number) for _, number in table)
    return member(struct.pack("<BBHII", 1, 1, 0, 0, 0) + raw, EMPTY, b"") + _footer(
        blocks, raw, offset, clean=clean
    )


def key_table(pairs: Sequence[tuple[int, int]]) -> bytes:
    """At most 128 keys with their block numbers, each block a group, 65,536 keys a cell, in one page."""
    entries = sorted({(key >> 16, number) for key, number in pairs})
    if not entries:
        return struct.pack("<IIII", 1 << 16, 0, 1, 0)
    cells = [cell for cell, _ in entries]
    steps = b"".join(struct.pack("<H", after - cell) for cell, after in itertools.pairwise(cells))
    page = b"\x02" + steps + bytes(number for _, number in entries)
    return struct.pack("<IIIIII", 1 << 16, len(entries), 1, len(page), cells[0], 0) + page


def _footer(blocks: Sequence[Block], raw: bytes, offset: int, *, clean: bool) -> bytes:
    payload = struct.pack(
        "<BBHIQQIIQQQQQQqqI16s", 1, 2, int(clean), 0, offset, len(raw), zlib.crc32(raw), len(blocks),
        sum(len(block.lines) for block in blocks), sum(len(block.content) for block in blocks),
        min(block.seqs[0] for block in blocks), max(block.seqs[1] for block in blocks),
        min(block.ordinals[0] for block in blocks), max(block.ordinals[1] for block in blocks),
        min(block.times[0] for block in blocks), max(block.times[1] for block in blocks),
        sum(block.lost for block in blocks), blake2b(raw, digest_size=16).digest(),
    )  # fmt: skip
    return member(payload, EMPTY, b"")
