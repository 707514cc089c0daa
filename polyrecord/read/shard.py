"""What one shard holds, from its directory or, without one, from its block headers."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from polyrecord.format import constants as c
from polyrecord.format.block import BadHeader, BlockHeader
from polyrecord.format.block_keys import BlockKeys
from polyrecord.format.directory import Directory, Footer, join_pieces, parse_footer
from polyrecord.format.scan import Block, Plain
from polyrecord.read.absent import tell_absent
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain, Finding
from polyrecord.read.files import ShardFile
from polyrecord.read.hop import hop

LARGEST_DIRECTORY = 1 << 26  # bytes: of half a million blocks

RawRecord = tuple[int, ...]
"""A block record in the order of `format.directory.BlockRecord`'s fields."""


class HeaderTable:
    """The questions one can ask a Directory, answered from block headers."""

    __slots__ = ("_blocks", "blocks", "has_keys", "paths", "types")

    def __init__(self, blocks: Sequence[Block]) -> None:
        self._blocks = blocks
        self.blocks = len(blocks)
        self.has_keys = True
        listed = [dict.fromkeys(block.header.paths) for block in blocks]
        first = listed[0] if listed else {}
        self.paths = tuple(path for path in first if all(path in paths for paths in listed))
        self.types: dict[str, int] = {}
        for block in blocks:
            for name, events in block.header.types.items():
                self.types[name] = self.types.get(name, 0) + events

    def raw_records(self) -> Iterator[RawRecord]:
        """The blocks as directory records; the content CRC, which no header holds, is 0."""
        bits = {name: 1 << at for at, name in enumerate(self.types)}
        for block in self._blocks:
            h = block.header
            yield (
                block.offset, h.member_length, h.content_length, h.events, h.flags, h.first_seq, h.last_seq,
                h.first_ordinal, h.last_ordinal, h.min_ts, h.max_ts, h.lost, 0, sum(bits[t] for t in h.types),
            )  # fmt: skip

    def type_mask(self, names: frozenset[str]) -> int:
        """Bits of a record's types that stand for these event types."""
        return sum(1 << at for at, name in enumerate(self.types) if name in names)

    def blocks_with_trace_range(self, low: int, high: int) -> set[int]:
        """Numbers of the blocks that hold a trace key from `low` to `high`."""
        return {at for at, block in enumerate(self._blocks) if has_trace_key(block.header, low, high)}

    def blocks_with_value(self, key: int) -> set[int]:
        """Numbers of the blocks that hold a value key."""
        return {at for at, block in enumerate(self._blocks) if has_value_key(block.header, key)}


def has_trace_key(header: BlockHeader | BlockKeys, low: int, high: int) -> bool:
    """Whether a block lists a trace key from `low` to `high`."""
    keys = header.trace_keys
    at = _first_not_below(keys, low)
    return at < len(keys) and keys[at] <= high


def has_value_key(header: BlockHeader | BlockKeys, key: int) -> bool:
    """Whether a block lists a value key."""
    keys = header.value_keys
    at = _first_not_below(keys, key)
    return at < len(keys) and keys[at] == key


def _first_not_below(keys: Sequence[int], low: int) -> int:
    return bisect_left(keys, low)


@dataclass(frozen=True, slots=True)
class ShardIndex:
    """A shard that was looked at: its blocks, and the regions of plain gzip or text around them, by offset.

    `footer` is None for an open shard and wherever the directory could not be used. A directory lists no
    plain regions: a shard of ours that is sealed has none.
    """

    info: ShardInfo
    size: int
    table: Directory | HeaderTable
    footer: Footer | None = None
    plain_regions: tuple[Plain, ...] = ()

    @property
    def plain(self) -> Plain | None:
        """The first plain region, None when there is none."""
        return self.plain_regions[0] if self.plain_regions else None

    @property
    def ends_plain(self) -> bool:
        """Whether the file ends in a plain region, behind which no directory of ours can stand."""
        return bool(self.plain_regions) and self.reaches_end(self.plain_regions[-1])

    def reaches_end(self, region: Plain) -> bool:
        """Whether a plain region runs to the end of the file."""
        return region.offset + region.length == self.size

    @property
    def types(self) -> dict[str, int]:
        """Events per event type."""
        return self.table.types

    def records(self) -> Iterator[RawRecord]:
        """All block records in file order."""
        return self.table.raw_records()


def open_shard(info: ShardInfo, explain: Explain) -> ShardIndex | None:
    """Look at a shard; None, and a finding, when it cannot be read."""
    try:
        with ShardFile(info) as file:
            index = read_index(info, file, explain)
    except OSError as error:
        tell_absent(info, error, explain)
        return None
    explain.shards_opened += 1
    explain.blocks_found += index.table.blocks
    return index


def read_index(info: ShardInfo, file: ShardFile, explain: Explain) -> ShardIndex:
    """The index of a shard that is open: from its directory if that holds, else from header to header."""
    if info.is_log:
        return _unindexed(info, file)
    try:
        footer = parse_footer(file.read_at(max(file.size - c.FOOTER_SIZE, 0), c.FOOTER_SIZE))
        length = file.size - c.FOOTER_SIZE - footer.directory_offset
        is_credible = 0 < length <= LARGEST_DIRECTORY
        members = file.read_at(footer.directory_offset, length) if is_credible else b""
        explain.bytes_read += c.FOOTER_SIZE + len(members)
        table = Directory(join_pieces(members, footer))
    except BadHeader:
        return _hop(info, file, explain)
    return ShardIndex(info, file.size, table, footer)


def _unindexed(info: ShardInfo, file: ShardFile) -> ShardIndex:
    is_gzip = file.read_at(0, 2) == b"\x1f\x8b"
    region = Plain(0, file.size, is_gzip)
    return ShardIndex(info, file.size, HeaderTable([]), plain_regions=(region,) if file.size else ())


def _hop(info: ShardInfo, file: ShardFile, explain: Explain) -> ShardIndex:
    """The index from headers alone, noting damage on the way."""

    def read_at(offset: int, length: int) -> bytes:
        data = file.read_at(offset, length)
        explain.bytes_read += len(data)
        return data

    found = hop(read_at, file.size, sealed=info.name.sealed, first=info.name.number == 1)
    explain.headers_read += len(found.blocks)
    explain.torn_bytes += found.torn_bytes
    explain.padding_bytes += found.padding_bytes
    for loss in found.losses:
        explain.found(
            Finding(info.path, loss.offset, loss.length, loss.events, loss.reason, uncounted=loss.uncounted)
        )
    return ShardIndex(info, file.size, HeaderTable(found.blocks), plain_regions=tuple(found.plain))
