"""The good parts of a damaged shard: whole blocks as they are, and lines that lost their header only."""

from __future__ import annotations

import zlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from polyrecord.format.block import BadHeader, BlockHeader, BlockIndex, cut_name, pack_block
from polyrecord.format.constants import FOOTER_SIZE, LEDGER_LOSS, OPAQUE
from polyrecord.format.directory import BlockRecord, Directory, join_pieces, parse_footer
from polyrecord.format.resync import ReadAt
from polyrecord.format.scan import Block, Damage, Plain, Torn, scan
from polyrecord.ids import is_hex, normal_id, trace_key, value_key
from polyrecord.read.lines import Head, read_head
from polyrecord.record.line_keys import document_of, paths_of, values_in
from polyrecord.record.recovery.survey import is_whole, mended_lines
from polyrecord.transfer.rows import MOST_LOST, lost_by, ns_of
from polyrecord.upkeep.block_check import is_event
from polyrecord.upkeep.directory_check import listed_lines

_GZIP: Final = 31  # window bits
_CHUNK: Final = 1 << 20
_MOST: Final = 256 << 20  # bytes of lines in a member that is no block
_LINES: Final = 1000  # of a block that is built anew


@dataclass(frozen=True, slots=True)
class Part:
    """Events that can be kept: a block at `offset`, or `lines` that were found there without one."""

    offset: int
    length: int
    events: int
    first_seq: int
    last_seq: int
    first_ordinal: int
    last_ordinal: int
    lines: tuple[bytes, ...] = ()
    proven: bool = True  # by a CRC


@dataclass(frozen=True, slots=True)
class Parts:
    """What can be kept of a shard, in order; `dropped` overlap others and hold fewer events than those.

    `unplaced` are lines whose place among the stream's ordinals cannot be told, or that no CRC proves.
    """

    kept: list[Part]
    dropped: list[Part]
    unplaced: list[Part]


def parts_of(read_at: ReadAt, size: int, before: int | None) -> Parts:
    """All good parts; `before` is the ordinal of the stream's last event before this shard, if known."""
    records = _records(read_at, size)
    blocks: list[Part] = []
    loose: list[Part] = []
    for found in scan(read_at, size):
        if isinstance(found, Block) and is_whole(read_at, found):
            blocks.append(_block(found.offset, found.header))
        elif isinstance(found, Plain | Damage | Torn | Block):
            loose += _listed(read_at, found, records) or _loose(read_at, found)
    kept, dropped = _without_overlaps(blocks)
    placed, unplaced = _placed(kept, loose, records, before)
    return Parts(sorted([*kept, *placed], key=lambda part: part.first_seq), dropped, unplaced)


def _block(offset: int, header: BlockHeader) -> Part:
    return Part(
        offset, header.member_length, header.events, header.first_seq, header.last_seq,
        header.first_ordinal, header.last_ordinal,
    )  # fmt: skip


def _records(read_at: ReadAt, size: int) -> dict[int, BlockRecord]:
    """The directory's records by offset; none where it cannot be used."""
    try:
        footer = parse_footer(read_at(max(size - FOOTER_SIZE, 0), FOOTER_SIZE))
        length = max(size - FOOTER_SIZE - footer.directory_offset, 0)
        directory = Directory(join_pieces(read_at(footer.directory_offset, length), footer))
    except BadHeader:
        return {}
    return {record.offset: record for record in directory.records()}


def _listed(
    read_at: ReadAt, found: Plain | Damage | Torn | Block, records: dict[int, BlockRecord]
) -> list[Part]:
    """The blocks in a region that the directory knows: it has the length and the CRC of their lines."""
    length = found.header.member_length if isinstance(found, Block) else found.length
    parts: list[Part] = []
    for record in records.values():
        if not found.offset <= record.offset < found.offset + length:
            continue
        content = listed_lines(read_at, record) or b""
        parts += _part(record.offset, record.member_length, content[:-1].split(b"\n") if content else [])
    return parts


# -- members without a header of ours ------------------------------------------------------------------------


def _loose(read_at: ReadAt, found: Plain | Damage | Torn | Block) -> Iterator[Part]:
    """Whole gzip members at the start of a region, each with its lines; or the lines of a text."""
    length = found.header.member_length if isinstance(found, Block) else found.length
    at, end = found.offset, found.offset + length
    if isinstance(found, Plain) and not found.gzip:
        yield from _part(at, length, _events_in(read_at(at, min(length, _MOST))))
        return
    if isinstance(found, Damage) and found.block is not None:
        content = mended_lines(read_at, found.block)
        yield from _part(at, length, content[:-1].split(b"\n") if content else [])
        return
    while at < end:
        content, taken = _gunzip(read_at, at, end)
        if not taken:
            # what a reader shows of it; without the member's end nothing says that it is right
            lines = _events_in(content) if isinstance(found, Plain) else []
            yield from (replace(part, proven=False) for part in _part(at, end - at, lines))
            return
        yield from _part(at, taken, content[:-1].split(b"\n") if content.endswith(b"\n") else [])
        at += taken


def _events_in(content: bytes) -> list[bytes]:
    """The lines that are events; what follows the last line feed is none."""
    return [line for line in content.rpartition(b"\n")[0].split(b"\n") if is_event(line)]


def _gunzip(read_at: ReadAt, at: int, end: int) -> tuple[bytes, int]:
    """Contents and length of the gzip member at an offset; 0 unless it is whole by its own CRC."""
    stream = zlib.decompressobj(_GZIP)
    content = bytearray()
    start = at
    try:
        while at < end and not stream.eof:
            packed = read_at(at, min(_CHUNK, end - at))
            if not packed or len(content) >= _MOST:
                return bytes(content), 0
            at += len(packed)
            content += stream.decompress(packed, _MOST - len(content))
    except zlib.error:
        return bytes(content), 0
    return bytes(content), at - len(stream.unused_data) - start if stream.eof else 0


def _part(offset: int, length: int, lines: Sequence[bytes]) -> Iterator[Part]:
    """The lines of a member, if every one is an event, in order."""
    try:
        seqs = [read_head(line).seq for line in lines]
    except ValueError:
        return
    if seqs and all(seq < following for seq, following in pairwise(seqs)):
        yield Part(offset, length, len(lines), seqs[0], seqs[-1], 0, 0, tuple(lines))


def _placed(
    blocks: list[Part], loose: list[Part], records: dict[int, BlockRecord], before: int | None
) -> tuple[list[Part], list[Part]]:
    """Give lines without a block their ordinals: those of the directory, else those that are free there."""
    placed: list[Part] = []
    unplaced: list[Part] = []
    for part in sorted(loose, key=lambda one: one.first_seq):
        known = sorted([*blocks, *placed], key=lambda one: one.first_seq)
        known = sorted([*blocks, *placed], key=lambda one: one.first_seq)
        first = _first_ordinal(part, known, records, before) if part.proven else None
        if first is None:
            unplaced.append(part)
            continue
        last = first + part.events - 1
        placed.append(
            Part(
                part.offset, part.length, part.events, part.first_seq, part.last_seq, first, last, part.lines
            )
        )
    return placed, unplaced


def _first_ordinal(
    part: Part, known: list[Part], records: dict[int, BlockRecord], before: int | None
) -> int | None:
    number = bisect_left([one.first_seq for one in known], part.first_seq)
    lower = known[number - 1] if number else None
    upper = known[number] if number < len(known) else None
    if (lower is not None and lower.last_seq >= part.first_seq) or (
        upper is not None and upper.first_seq <= part.last_seq
    ):
        return None
    record = records.get(part.offset)
    if record is not None and record.events == part.events:
        return record.first_ordinal
    after = lower.last_ordinal if lower is not None else before
    if upper is None:
        return None if after is None else after + 1
    first = upper.first_ordinal - part.events
    return first if first > (after if after is not None else 0) else None


# -- blocks that claim the same numbers ----------------------------------------------------------------------


def _without_overlaps(blocks: list[Part]) -> tuple[list[Part], list[Part]]:
    """The blocks that follow each other by seq and ordinal and hold the most events; and the others."""
    order = sorted(blocks, key=lambda one: (one.last_seq, one.first_seq, one.offset))
    if _follow(order):
        return order, []
    ends = [one.last_seq for one in order]
    best: list[tuple[int, int, bool]] = [(0, 0, False)]  # events, where to go on, whether it is taken
    for number, one in enumerate(order):
        fits = bisect_left(ends, one.first_seq, 0, number)
        taken = best[fits][0] + one.events
        best.append((taken, fits, True) if taken > best[number][0] else (best[number][0], number, False))
    kept, number = [], len(order)
    while number:
        _, following, taken_here = best[number]
        if taken_here:
            kept.append(order[number - 1])
        number = following
    kept.reverse()
    kept = _with_growing_ordinals(kept)
    chosen = {one.offset for one in kept}
    return kept, [one for one in order if one.offset not in chosen]


def _follow(order: Sequence[Part]) -> bool:
    return all(
        one.last_seq < other.first_seq and one.last_ordinal < other.first_ordinal
        for one, other in pairwise(order)
    )


def _with_growing_ordinals(parts: list[Part]) -> list[Part]:
    kept: list[Part] = []
    for part in parts:
        if not kept or kept[-1].last_ordinal < part.first_ordinal:
            kept.append(part)
    return kept


# -- blocks built anew ---------------------------------------------------------------------------------------


def blocks_of(part: Part, *, declares: bool) -> Iterator[bytes]:
    """The lines of a part as members; `declares` says that its `loss` events are those of a recorder."""
    ordinal = part.first_ordinal
    for start in range(0, len(part.lines), _LINES):
        yield from _blocks(part.lines[start : start + _LINES], ordinal, declares=declares)
        ordinal += len(part.lines[start : start + _LINES])


def _blocks(lines: Sequence[bytes], ordinal: int, *, declares: bool) -> Iterator[bytes]:
    try:
        yield pack_block(b"".join(line + b"\n" for line in lines), _index(lines, ordinal, declares=declares))
    except ValueError:  # its index is too large for a header
        if len(lines) == 1:
            raise
        middle = len(lines) // 2
        yield from _blocks(lines[:middle], ordinal, declares=declares)
        yield from _blocks(lines[middle:], ordinal + middle, declares=declares)


def _index(lines: Sequence[bytes], ordinal: int, *, declares: bool) -> BlockIndex:
    heads = [read_head(line) for line in lines]
    times = [ns_of(head.ts) for head in heads]
    traces = {normal_id(head.trace_id) for head in heads if head.trace_id is not None}
    paths = paths_of(())
    values = {value_key(str(v)) for line in lines for v in values_in(document_of(line) or {}, paths)}
    return BlockIndex(
        len(lines), heads[0].seq, heads[-1].seq, ordinal, ordinal + len(lines) - 1, min(times), max(times),
        _types(heads), _lost(lines, heads) if declares else 0,
        0 if all(map(is_hex, traces)) else OPAQUE, (), sorted({trace_key(one) for one in traces}),
        sorted(values),
    )  # fmt: skip


def _types(heads: Sequence[Head]) -> dict[str, int]:
    return dict(Counter(cut_name(head.event_type).decode() for head in heads))


def _lost(lines: Sequence[bytes], heads: Sequence[Head]) -> int:
    told = (lost_by(line) for line, head in zip(lines, heads, strict=True) if head.event_type == LEDGER_LOSS)
    return min(sum(told), MOST_LOST)
