"""Makes the end of a sealed shard, from its blocks' headers (docs/format.md, section 5)."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, TypeAlias

from polyrecord.format import constants as c
from polyrecord.format.block import BlockHeader, pack_member, pack_names
from polyrecord.format.block_keys import BlockKeys
from polyrecord.format.compress import crc32
from polyrecord.format.directory import COUNTS, FOOTER, MANY, PIECE, RECORD
from polyrecord.format.key_table import AT_ONCE, KeyTableBuilder

_U32: Final = struct.Struct("<I")
_U64: Final = struct.Struct("<Q")
_FLAGS_AT: Final = 20  # of a record
_A_READ: Final = 64  # keys in the time that reading a header takes

ReadKeys: TypeAlias = Callable[[int, int], BlockKeys | None]
"""Reads the keys of the block at an offset, of so many bytes; None where its header cannot be read."""


class DirectoryBuilder:
    """Gathers what the directory says of each block while a shard grows, in about 100 bytes a block."""

    def __init__(self, read_keys: ReadKeys | None = None) -> None:
        """With `read_keys` the keys that headers list are not held: they are read when the shard ends."""
        self._records = bytearray()
        self._types: Counter[str] = Counter()
        self._numbers: dict[str, int] = {}
        self._paths: dict[str, None] | None = None
        self._read_keys = read_keys
        self._held: dict[int, BlockKeys] = {}
        self._traces = self._values = 0
        self._headers = _Totals()

    def add(self, offset: int, header: BlockHeader, content_crc: int, keys: BlockKeys | None = None) -> None:
        """Take the next block: where it lies in the file, its header, the CRC-32 of its lines.

        `keys` are those of a block whose header lists none.
        """
        listed = keys or BlockKeys(header.flags, header.paths, header.trace_keys, header.value_keys)
        if self._read_keys is None or keys is not None:
            self._held[self._headers.blocks] = listed
        self._records += self._record(offset, header, content_crc, listed.flags)
        self._types.update(header.types)
        paths = dict.fromkeys(header.paths)
        known = self._paths
        self._paths = paths if known is None else {path: None for path in known if path in paths}
        self._traces += len(listed.trace_keys)
        self._values += len(listed.value_keys)
        self._headers.add(offset, header)

    def _record(self, offset: int, h: BlockHeader, content_crc: int, flags: int) -> bytes:
        types = 0
        for name in h.types:
            types |= 1 << self._numbers.setdefault(name, min(len(self._numbers), MANY))
        return RECORD.pack(
            offset, h.member_length, h.content_length, h.events, flags, h.first_seq, h.last_seq,
            h.first_ordinal, h.last_ordinal, h.min_ts, h.max_ts, h.lost, content_crc, types,
        )  # fmt: skip

    def ending(self, *, clean: bool, breathe: Callable[[], object] = lambda: None) -> bytes:
        """Directory and footer members, to be written after the last block; there must be a block.

        A million keys take a sixth of a second: `breathe` is called every few milliseconds. Raises what
        reading the keys raises.
        """
        raw = self._directory(breathe)
        pieces = (raw[at : at + c.MAX_PIECE] for at in range(0, len(raw), c.MAX_PIECE))
        members = b"".join(_pack_piece(number, piece) for number, piece in enumerate(pieces))
        payload = self._headers.footer(raw, c.CLEAN if clean else 0)
        return members + pack_member(payload, c.EMPTY_DEFLATE, 0, 0)

    def _directory(self, breathe: Callable[[], object]) -> bytes:
        records, *tables = self._keyed(breathe)
        paths = list(self._paths or ())
        return b"".join((
            COUNTS.pack(c.KEYS, self._headers.blocks, len(self._types), len(paths), 0, 0),
            records,
            *(pack_names([name]) + _U64.pack(count) for name, count in self._types.items()),
            pack_names(paths),
            *tables,
        ))  # fmt: skip

    def _keyed(self, breathe: Callable[[], object]) -> tuple[bytes, bytes, bytes]:
        """Records and key tables; a block whose keys cannot be read is never to be skipped."""
        records, blocks = bytearray(self._records), self._headers.blocks
        traces, values = KeyTableBuilder(self._traces, blocks), KeyTableBuilder(self._values, blocks)
        since = 0
        for number, (offset, length, _, _, flags, *_) in enumerate(RECORD.iter_unpack(self._records)):
            keys = self._keys(number, offset, length)
            if keys is None:
                _U32.pack_into(records, number * RECORD.size + _FLAGS_AT, flags | c.UNINDEXED)
            traces.add(keys.trace_keys if keys is not None else ())
            values.add(keys.value_keys if keys is not None else ())
            since += _A_READ + (len(keys.trace_keys) + len(keys.value_keys) if keys is not None else 0)
            if since >= AT_ONCE:
                since = 0
                breathe()
        return bytes(records), traces.pack(breathe), values.pack(breathe)

    def _keys(self, number: int, offset: int, length: int) -> BlockKeys | None:
        held = self._held.get(number)
        return self._read_keys(offset, length) if held is None and self._read_keys is not None else held


class _Totals:
    """What the footer says of a shard as a whole."""

    def __init__(self) -> None:
        self.blocks = 0
        self.end = 0  # of the last block: there the directory begins
        self._sums = (0, 0, 0)  # events, content bytes, lost
        self._lows: tuple[int, ...] = ()
        self._highs: tuple[int, ...] = ()

    def add(self, offset: int, h: BlockHeader) -> None:
        lows: tuple[int, ...] = (h.first_seq, h.first_ordinal, h.min_ts)
        highs: tuple[int, ...] = (h.last_seq, h.last_ordinal, h.max_ts)
        if self.blocks:
            lows, highs = _each(min, self._lows, lows), _each(max, self._highs, highs)
        self._lows, self._highs = lows, highs
        events, content, lost = self._sums
        self._sums = events + h.events, content + h.content_length, lost + h.lost
        self.blocks += 1
        self.end = offset + h.member_length

    def footer(self, raw: bytes, flags: int) -> bytes:
        events, content, lost = self._sums
        (seq, ordinal, ts), (last_seq, last_ordinal, last_ts) = self._lows, self._highs
        return FOOTER.pack(
            c.VERSION, c.KIND_FOOTER, flags, c.FOOTER_SIZE, self.end, len(raw), crc32(raw), self.blocks,
            events, content, seq, last_seq, ordinal, last_ordinal, ts, last_ts, min(lost, 0xFFFFFFFF),
            blake2b(raw, digest_size=16).digest(),
        )  # fmt: skip


def _each(pick: Callable[[int, int], int], a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(pick, a, b))


def _pack_piece(number: int, piece: bytes) -> bytes:
    length = 16 + PIECE.size + len(piece) + 4 + 10
    payload = PIECE.pack(c.VERSION, c.KIND_DIRECTORY, 0, length, number) + piece
    return pack_member(payload, c.EMPTY_DEFLATE, 0, 0)
