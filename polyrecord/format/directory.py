"""The end of a sealed shard: directory and footer in empty members (docs/format.md, section 5)."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from polyrecord.format import constants as c
from polyrecord.format.block import (
    BadHeader,
    BlockHeader,
    BlockKeys,
    header_length,
    pack_member,
    pack_names,
    parse_names,
    parse_payload,
)
from polyrecord.format.compress import crc32
from polyrecord.format.key_table import KeyTable, KeyTableBuilder

_FOOTER = struct.Struct("<BBHIQQIIQQQQQQqqI16s")  # 116 bytes
_PIECE = struct.Struct("<BBHII")
_COUNTS = struct.Struct("<IIIIII")
_RECORD = struct.Struct("<QIIIIQQQQqqIIQ")  # 88 bytes
_MARKS = struct.Struct("<16xII64x")  # events and flags of a record
_U64 = struct.Struct("<Q")
_MANY = 63  # types from this one on share the last bit


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """What the directory says of one block; `types` has bit i set for type i of the shard."""

    offset: int
    member_length: int
    content_length: int
    events: int
    flags: int
    first_seq: int
    last_seq: int
    first_ordinal: int
    last_ordinal: int
    min_ts: int
    max_ts: int
    lost: int
    content_crc: int
    types: int


@dataclass(frozen=True, slots=True)
class Footer:
    """The last member of a sealed shard: where its directory is, and the shard's totals."""

    flags: int
    directory_offset: int
    directory_length: int
    directory_crc: int
    blocks: int
    events: int
    content_length: int
    first_seq: int
    last_seq: int
    first_ordinal: int
    last_ordinal: int
    min_ts: int
    max_ts: int
    lost: int
    fingerprint: bytes

    @property
    def clean(self) -> bool:
        """Whether an orderly close wrote this shard as the last of its stream."""
        return bool(self.flags & c.CLEAN)


def agrees(record: BlockRecord, header: BlockHeader) -> bool:
    """Whether a record has the block's flags: it lacks UNINDEXED where the directory has the block's keys."""
    return record.flags in (header.flags, header.flags & ~c.UNINDEXED)


class DirectoryBuilder:
    """Gathers what the directory says of each block while a shard grows, in about 100 bytes a block."""

    def __init__(self) -> None:
        self._records = bytearray()
        self._types: Counter[str] = Counter()
        self._numbers: dict[str, int] = {}
        self._paths: dict[str, None] | None = None
        self._traces = KeyTableBuilder()
        self._values = KeyTableBuilder()
        self._headers = _Totals()

    def add(self, offset: int, header: BlockHeader, content_crc: int, keys: BlockKeys | None = None) -> None:
        """Take the next block: where it lies in the file, its header, the CRC-32 of its lines.

        `keys` are those of a block whose header lists none.
        """
        listed = header if keys is None else keys
        self._records += self._record(offset, header, content_crc, listed.flags)
        self._types.update(header.types)
        paths = dict.fromkeys(header.paths)
        known = self._paths
        self._paths = paths if known is None else {path: None for path in known if path in paths}
        self._traces.add(listed.trace_keys)
        self._values.add(listed.value_keys)
        self._headers.add(offset, header)

    def _record(self, offset: int, h: BlockHeader, content_crc: int, flags: int) -> bytes:
        types = 0
        for name in h.types:
            types |= 1 << self._numbers.setdefault(name, min(len(self._numbers), _MANY))
        return _RECORD.pack(
            offset, h.member_length, h.content_length, h.events, flags, h.first_seq, h.last_seq,
            h.first_ordinal, h.last_ordinal, h.min_ts, h.max_ts, h.lost, content_crc, types,
        )  # fmt: skip

    def ending(self, *, clean: bool, breathe: Callable[[], object] = lambda: None) -> bytes:
        """Directory and footer members, to be written after the last block; there must be a block.

        A million keys take half a second: `breathe` is called every few milliseconds.
        """
        raw = self._directory(breathe)
        pieces = (raw[at : at + c.MAX_PIECE] for at in range(0, len(raw), c.MAX_PIECE))
        members = b"".join(_pack_piece(number, piece) for number, piece in enumerate(pieces))
        payload = self._headers.footer(raw, c.CLEAN if clean else 0)
        return members + pack_member(payload, c.EMPTY_DEFLATE, 0, 0)

    def _directory(self, breathe: Callable[[], object]) -> bytes:
        paths = list(self._paths or ())
        return b"".join((
            _COUNTS.pack(c.KEYS, self._headers.blocks, len(self._types), len(paths), 0, 0),
            self._records,
            *(pack_names([name]) + _U64.pack(count) for name, count in self._types.items()),
            pack_names(paths),
            self._traces.pack(breathe),
            self._values.pack(breathe),
        ))  # fmt: skip


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
        return _FOOTER.pack(
            c.VERSION, c.KIND_FOOTER, flags, c.FOOTER_SIZE, self.end, len(raw), crc32(raw), self.blocks,
            events, content, seq, last_seq, ordinal, last_ordinal, ts, last_ts, min(lost, 0xFFFFFFFF),
            blake2b(raw, digest_size=16).digest(),
        )  # fmt: skip


def _each(pick: Callable[[int, int], int], a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(pick, a, b))


def _pack_piece(number: int, piece: bytes) -> bytes:
    length = 16 + _PIECE.size + len(piece) + 4 + 10
    payload = _PIECE.pack(c.VERSION, c.KIND_DIRECTORY, 0, length, number) + piece
    return pack_member(payload, c.EMPTY_DEFLATE, 0, 0)


def parse_footer(tail: bytes) -> Footer:
    """The footer from a file's last 146 bytes; raises BadHeader when they are not one."""
    kind, payload = parse_payload(tail)
    if kind != c.KIND_FOOTER or len(payload) < _FOOTER.size or len(tail) != c.FOOTER_SIZE:
        raise BadHeader("member is not a footer")
    fields = _FOOTER.unpack_from(payload)
    return Footer(fields[2], *fields[4:])


def join_pieces(members: bytes, footer: Footer) -> bytes:
    """The directory's byte string from its members; raises BadHeader when it is not the footer's."""
    view = memoryview(members)
    pieces: list[memoryview] = []
    at = 0
    while at < len(members):
        kind, payload = parse_payload(view[at:])
        if len(payload) < _PIECE.size:
            raise BadHeader("directory piece is cut short")
        _, _, _, length, number = _PIECE.unpack_from(payload)
        if kind != c.KIND_DIRECTORY or number != len(pieces) or length <= header_length(view[at:]):
            raise BadHeader("directory pieces are out of order")
        pieces.append(payload[_PIECE.size :])
        at += length
    raw = b"".join(pieces)
    if len(raw) != footer.directory_length or crc32(raw) != footer.directory_crc:
        raise BadHeader("directory differs from its footer")
    return raw


class Directory:
    """A sealed shard's directory. Records and key tables are only unpacked when they are asked for."""

    __slots__ = ("_raw", "_traces", "_values", "blocks", "paths", "types")

    def __init__(self, raw: bytes) -> None:
        """Parse the directory's byte string; raises BadHeader when its tables do not fit it."""
        try:
            flags, self.blocks, types, paths, _, _ = _COUNTS.unpack_from(raw)
            view, at = memoryview(raw), _COUNTS.size + self.blocks * _RECORD.size
            self.types, at = _parse_types(view, at, types)
            self.paths, at = parse_names(view, at, paths)
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise BadHeader("directory tables do not fit") from error
        if at > len(raw):
            raise BadHeader("directory tables are cut short")
        self._raw = raw
        self._traces = self._values = None
        if flags & c.KEYS:
            self._traces = KeyTable(view, at)
            self._values = KeyTable(view, self._traces.end)

    @property
    def has_keys(self) -> bool:
        """Whether the key tables are here; if not, keys are in the block headers only."""
        return self._traces is not None

    def records(self) -> Iterator[BlockRecord]:
        """All block records in file order."""
        return (BlockRecord(*fields) for fields in self.raw_records())

    def record(self, number: int) -> BlockRecord:
        """The record of block `number`, from 0."""
        return BlockRecord(*self.raw_record(number))

    def raw_records(self) -> Iterator[tuple[int, ...]]:
        """The records as tuples in the order of BlockRecord's fields: ten times cheaper."""
        end = _COUNTS.size + self.blocks * _RECORD.size
        return _RECORD.iter_unpack(memoryview(self._raw)[_COUNTS.size : end])

    def events_and_flags(self) -> Iterator[tuple[int, int]]:
        """Of every block how many lines it holds and its flags: what is left of a record for who skips it."""
        end = _COUNTS.size + self.blocks * _RECORD.size
        return _MARKS.iter_unpack(memoryview(self._raw)[_COUNTS.size : end])

    def raw_record(self, number: int) -> tuple[int, ...]:
        """The record of block `number`, from 0, as `raw_records` gives it."""
        return _RECORD.unpack_from(self._raw, _COUNTS.size + number * _RECORD.size)

    def type_mask(self, names: Iterable[str]) -> int:
        """Bits of a record's `types` that these event types may stand behind (0: none is here)."""
        order = list(self.types)
        return sum({1 << min(order.index(name), _MANY) for name in names if name in self.types})

    def blocks_with_trace_range(self, low: int, high: int) -> set[int]:
        """Numbers of the blocks that may hold a trace key from `low` to `high`: all that do, and few more."""
        return _blocks(self._traces, low, high, self.blocks)

    def blocks_with_value(self, key: int) -> set[int]:
        """Numbers of the blocks that may hold a value key."""
        return _blocks(self._values, key, key, self.blocks)


def _blocks(table: KeyTable | None, low: int, high: int, of: int) -> set[int]:
    return set(range(of)) if table is None else table.blocks(low, high, of)


def _parse_types(view: memoryview, at: int, count: int) -> tuple[dict[str, int], int]:
    types: dict[str, int] = {}
    for _ in range(count):
        (name,), at = parse_names(view, at, 1)
        types[name] = types.get(name, 0) + _U64.unpack_from(view, at)[0]
        at += 8
    return types, at
