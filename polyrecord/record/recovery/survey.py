"""What an open shard of a dead writer still holds: whole blocks, damage among them, and a tail to cut off."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from polyrecord.format import constants as c
from polyrecord.format.block import header_length
from polyrecord.format.block_keys import BlockKeys
from polyrecord.format.content import BadBlock, inflate
from polyrecord.format.directory_builder import DirectoryBuilder
from polyrecord.format.mend import lines_of
from polyrecord.format.resync import ReadAt
from polyrecord.format.scan import Block, Damage, Ending, Found, Padding, Plain, Torn, scan
from polyrecord.record.line_keys import keys_of

_RAW, _GZIP = -15, 31  # window bits: a bare deflate stream, one in gzip's framing
_CHUNK = 1 << 20
_TRAILER = 8
_MOST_MENDED = 256 << 20  # bytes
_OVERHEAD = c.MAX_EXTRA + 4096  # bytes a member may be longer than its lines, besides 1 %


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes among the good blocks that are none; they stay where they are."""

    offset: int
    length: int
    reason: str


@dataclass(slots=True)
class Survey:
    """A shard up to `end`, behind which nothing good stands; `tail_events` is None where nobody can tell.

    `foreign` is where lines stand that only the directory would hide: a shard with some cannot be sealed.
    """

    size: int
    end: int = 0
    blocks: int = 0
    events: int = 0
    last_seq: int | None = None
    tail_reason: str = ""
    tail_events: int | None = 0
    foreign: int | None = None
    damage: list[Kept] = field(default_factory=list)
    directory: DirectoryBuilder = field(default_factory=DirectoryBuilder)


def survey(read_at: ReadAt, size: int) -> Survey:
    """Look at every byte of a file of `size` bytes, a megabyte of lines in memory at most."""
    result = Survey(size)
    pending: list[Found] = []
    for found in scan(read_at, size):
        if isinstance(found, Plain) and _has_lines(read_at, found):
            result.foreign = found.offset if result.foreign is None else result.foreign
        block = _good(read_at, found)
        if block is None:
            pending.append(found)
        elif not block.header.first_ordinal:  # told by its lines alone: no directory could list it
            result.foreign = found.offset if result.foreign is None else result.foreign
        else:
            _keep(result, read_at, pending)
            _count(result, read_at, block)
    _describe_tail(result, pending)
    return result


def _good(read_at: ReadAt, found: Found) -> Block | None:
    """A block whose lines are whole, also where damage took its header and that can be told all the same."""
    if isinstance(found, Block):
        return found if is_whole(read_at, found) else None
    if isinstance(found, Damage) and found.block is not None:
        return found.block if mended_lines(read_at, found.block) is not None else None
    return None


def mended_lines(read_at: ReadAt, block: Block) -> bytes | None:
    """The lines of a block whose header is damaged, if its own CRC proves them."""
    header = block.header
    if max(header.member_length, header.content_length) > _MOST_MENDED:
        return None
    try:
        return lines_of(read_at(block.offset, header.member_length), header.content_length, 0)
    except BadBlock:
        return None


def _count(result: Survey, read_at: ReadAt, block: Block) -> None:
    _add(result, read_at, block)
    result.events += block.header.events
    result.last_seq = max(result.last_seq or 0, block.header.last_seq)
    result.blocks += 1
    result.end = block.offset + block.header.member_length


def is_whole(read_at: ReadAt, block: Block) -> bool:
    """Whether a block with a valid header holds exactly what it says; inflated a megabyte at a time."""
    header = block.header
    if header.content_length > c.MAX_CONTENT:
        return False
    if header.member_length > header.content_length * 101 // 100 + _OVERHEAD:
        return False
    start = block.offset + header_length(read_at(block.offset, 12))
    end = block.offset + header.member_length - _TRAILER
    trailer = read_at(end, _TRAILER)
    crc, size = int.from_bytes(trailer[:4], "little"), int.from_bytes(trailer[4:], "little")
    return size == header.content_length and _sums(read_at, start, end, size) == (
        crc,
        size,
        header.events,
        True,
    )


def _sums(read_at: ReadAt, start: int, end: int, limit: int) -> tuple[int, int, int, bool]:
    """CRC, length and lines of what a deflate stream holds, and whether all of it ends as it should."""
    crc = length = lines = 0
    last = b"\n"
    stream = zlib.decompressobj(_RAW)
    try:
        for content in _inflated(stream, read_at, start, end):
            crc, length = zlib.crc32(content, crc), length + len(content)
            lines += content.count(b"\n")
            last = content[-1:]
            if length > limit:
                break
    except zlib.error:
        return 0, -1, 0, False
    return crc, length, lines, stream.eof and not stream.unused_data and last == b"\n"


def _inflated(stream: zlib._Decompress, read_at: ReadAt, start: int, end: int) -> Iterator[bytes]:
    while start < end and not stream.eof:
        packed = read_at(start, min(_CHUNK, end - start))
        if not packed:
            return
        start += len(packed)
        while packed and not stream.eof:
            if content := stream.decompress(packed, _CHUNK):
                yield content
            packed = stream.unconsumed_tail
    if start < end:
        stream.decompress(read_at(start, 1))  # bytes behind the stream's end: they become unused data


def _has_lines(read_at: ReadAt, region: Plain) -> bool:
    """Whether a region that is not ours holds a whole gzip member, or text, that a reader would read."""
    if not region.gzip:
        return read_at(region.offset, 1) == b"{"
    stream = zlib.decompressobj(_GZIP)
    try:
        for _ in _inflated(stream, read_at, region.offset, region.offset + region.length):
            pass
    except zlib.error:
        return False
    return stream.eof


def _keep(result: Survey, read_at: ReadAt, pending: list[Found]) -> None:
    """A good block follows: what was met before it stays. A valid header keeps its place in the directory."""
    for found in pending:
        if isinstance(found, Block):
            _add(result, read_at, found)
        if not isinstance(found, Ending):
            result.damage.append(Kept(found.offset, _length(found), _reason(found)))
    pending.clear()


def _add(result: Survey, read_at: ReadAt, block: Block) -> None:
    header = block.header
    trailer = read_at(block.offset + header.member_length - _TRAILER, 4)
    result.directory.add(block.offset, header, int.from_bytes(trailer, "little"), _unlisted(read_at, block))


def _unlisted(read_at: ReadAt, block: Block) -> BlockKeys | None:
    """The keys of a block whose header lists none; None for another, and for one that cannot be read."""
    header = block.header
    if not header.flags & c.UNINDEXED or max(header.member_length, header.content_length) > _MOST_MENDED:
        return None
    try:
        return keys_of(inflate(read_at(block.offset, header.member_length), header), header)
    except BadBlock:
        return None


def _describe_tail(result: Survey, pending: list[Found]) -> None:
    rest = [found for found in pending if not isinstance(found, Ending)]
    result.tail_reason = "; ".join(dict.fromkeys(map(_reason, rest))) or "the end was not written whole"
    counts = [_events(found) for found in rest]
    known = [count for count in counts if count is not None]
    result.tail_events = sum(known) if len(known) == len(counts) else None


def _events(found: Found) -> int | None:
    """Events that the tail had: of a block the header tells; zeros may have been anything."""
    return found.header.events if isinstance(found, Block) else None


def _length(found: Found) -> int:
    return found.header.member_length if isinstance(found, Block) else found.length


def _reason(found: Found) -> str:
    match found:
        case Block():
            return "block does not hold what its header says"
        case Torn():
            return "last block is incomplete"
        case Padding():
            return "zero bytes"
        case Damage():
            return found.reason
        case _:
            return "gzip that is damaged or not ours"
