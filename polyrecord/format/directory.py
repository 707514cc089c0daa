"""The end of a sealed shard: directory and footer in empty members (docs/format.md, section 5)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from polyrecord.format import constants as c
from polyrecord.format.block import (
    BadHeader,
    BlockHeader,
    header_length,
    parse_names,
    parse_payload,
)
from polyrecord.format.compress import crc32
from polyrecord.format.key_table import KeyTable

FOOTER = struct.Struct("<BBHIQQIIQQQQQQqqI16s")  # 116 bytes
PIECE = struct.Struct("<BBHII")
COUNTS = struct.Struct("<IIIIII")
RECORD = struct.Struct("<QIIIIQQQQqqIIQ")  # 88 bytes
_MARKS = struct.Struct("<16xII64x")  # events and flags of a record
_U64 = struct.Struct("<Q")
MANY = 63  # types from this one on share the last bit


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


def parse_footer(tail: bytes) -> Footer:
    """The footer from a file's last 146 bytes; raises BadHeader when they are not one."""
    kind, payload = parse_payload(tail)
    if kind != c.KIND_FOOTER or len(payload) < FOOTER.size or len(tail) != c.FOOTER_SIZE:
        raise BadHeader("member is not a footer")
    fields = FOOTER.unpack_from(payload)
    return Footer(fields[2], *fields[4:])


def join_pieces(members: bytes, footer: Footer) -> bytes:
    """The directory's byte string from its members; raises BadHeader when it is not the footer's."""
    view = memoryview(members)
    pieces: list[memoryview] = []
    at = 0
    while at < len(members):
        kind, payload = parse_payload(view[at:])
        if len(payload) < PIECE.size:
            raise BadHeader("directory piece is cut short")
        _, _, _, length, number = PIECE.unpack_from(payload)
        if kind != c.KIND_DIRECTORY or number != len(pieces) or length <= header_length(view[at:]):
            raise BadHeader("directory pieces are out of order")
        pieces.append(payload[PIECE.size :])
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
            flags, self.blocks, types, paths, _, _ = COUNTS.unpack_from(raw)
            view, at = memoryview(raw), COUNTS.size + self.blocks * RECORD.size
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
        end = COUNTS.size + self.blocks * RECORD.size
        return RECORD.iter_unpack(memoryview(self._raw)[COUNTS.size : end])

    def events_and_flags(self) -> Iterator[tuple[int, int]]:
        """Of every block how many lines it holds and its flags: what is left of a record for who skips it."""
        end = COUNTS.size + self.blocks * RECORD.size
        return _MARKS.iter_unpack(memoryview(self._raw)[COUNTS.size : end])

    def raw_record(self, number: int) -> tuple[int, ...]:
        """The record of block `number`, from 0, as `raw_records` gives it."""
        return RECORD.unpack_from(self._raw, COUNTS.size + number * RECORD.size)

    def type_mask(self, names: Iterable[str]) -> int:
        """Bits of a record's `types` that these event types may stand behind (0: none is here)."""
        order = list(self.types)
        return sum({1 << min(order.index(name), MANY) for name in names if name in self.types})

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
