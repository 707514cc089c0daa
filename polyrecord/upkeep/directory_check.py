"""Directory and footer of a shard against its blocks, field by field: what differs, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from polyrecord.format import constants as c
from polyrecord.format.block import BlockHeader
from polyrecord.format.block_keys import BlockKeys, parse_keys
from polyrecord.format.content import BadBlock, inflate
from polyrecord.format.directory import BlockRecord, Directory, Footer, agrees, parse_footer
from polyrecord.format.mend import lines_of
from polyrecord.format.resync import ReadAt
from polyrecord.record.line_keys import keys_of

_OF_BLOCK: Final = (
    "member_length", "content_length", "events", "first_seq", "last_seq", "first_ordinal", "last_ordinal",
    "min_ts", "max_ts", "lost",
)  # fmt: skip
_OF_SHARD: Final = (
    "blocks", "events", "content_length", "first_seq", "last_seq", "first_ordinal", "last_ordinal", "min_ts",
    "max_ts", "lost",
)  # fmt: skip
_MOST: Final = 256 << 20  # bytes of a block that is not trusted
Difference: TypeAlias = tuple[int, int | None, str]
"""Offset, bytes where they are known, and what is wrong."""


def differences(
    directory: Directory, footer: Footer, own: bytes, headers: Mapping[int, BlockHeader], read_at: ReadAt
) -> Iterator[Difference]:
    """What differs; `headers` are the blocks' by offset, `own` the end they should have."""
    records = {record.offset: record for record in directory.records()}
    for offset in records.keys() & headers.keys():
        for what in _of_block(records[offset], headers[offset], read_at):
            yield offset, records[offset].member_length, what
    for offset in sorted(headers.keys() - records.keys()):
        yield offset, headers[offset].member_length, "block that the directory does not list"
    if headers and headers.keys() == records.keys():
        yield from _of_shard(directory, footer, own, headers)
        yield from _of_keys(directory, footer, headers, read_at)


def listed_lines(read_at: ReadAt, record: BlockRecord) -> bytes | None:
    """The lines of a block that lost its header, if the directory's length and CRC prove them."""
    if max(record.member_length, record.content_length) > _MOST:
        return None
    try:
        member = read_at(record.offset, record.member_length)
        return lines_of(member, record.content_length, record.content_crc)
    except BadBlock:
        return None


def _of_block(record: BlockRecord, header: BlockHeader, read_at: ReadAt) -> Iterator[str]:
    for name in _OF_BLOCK:
        if getattr(record, name) != getattr(header, name):
            yield f"directory has another {name} than the block"
    if not agrees(record, header):
        yield "directory has other flags than the block"
    end = record.offset + record.member_length
    if int.from_bytes(read_at(end - 8, 4), "little") != record.content_crc:
        yield "directory has another content CRC than the block"


def _of_shard(
    directory: Directory, footer: Footer, own: bytes, headers: Mapping[int, BlockHeader]
) -> Iterator[Difference]:
    types: Counter[str] = Counter()
    for header in headers.values():
        types.update(header.types)
    if directory.types != dict(types):
        yield footer.directory_offset, None, "directory counts other event types than the blocks"
    right = parse_footer(own[-c.FOOTER_SIZE :])
    for name in _OF_SHARD:
        if getattr(right, name) != getattr(footer, name):
            yield footer.directory_offset, None, f"footer has another {name} than the blocks"


def _of_keys(
    directory: Directory, footer: Footer, headers: Mapping[int, BlockHeader], read_at: ReadAt
) -> Iterator[Difference]:
    """Every key of every block is in the directory's tables, if it has them and does not disown the block."""
    for number, record in enumerate(directory.records()) if directory.has_keys else ():
        if record.flags & c.UNINDEXED:
            continue
        keys = _keys(record, headers[record.offset], read_at)
        absent = sum(number not in directory.blocks_with_trace_range(key, key) for key in keys.trace_keys)
        absent += sum(number not in directory.blocks_with_value(key) for key in keys.value_keys)
        if absent:
            what = f"{absent:,} keys of block {number} are not in the directory"
            yield footer.directory_offset, None, what


def _keys(record: BlockRecord, header: BlockHeader, read_at: ReadAt) -> BlockKeys:
    """The keys of a block by its header, or by its lines where that lists none."""
    member = read_at(record.offset, record.member_length)
    if not header.flags & c.UNINDEXED:
        return parse_keys(member)
    try:
        return keys_of(inflate(member, header), header)
    except BadBlock:
        return BlockKeys(0, (), (), ())  # told already
