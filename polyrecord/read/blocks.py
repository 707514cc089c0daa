"""The blocks a selection needs: planned from the index, read, checked, and cut into the lines that match."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TypeAlias

from polyrecord.format import constants as c
from polyrecord.format.block import BadBlock, BadHeader, BlockHeader, header_length, inflate, parse_header
from polyrecord.format.mend import described, lines_of
from polyrecord.format.scan import HEADER_DAMAGED, Plain
from polyrecord.read.absent import tell_absent
from polyrecord.read.archive import ShardInfo
from polyrecord.read.event import NotAnEvent
from polyrecord.read.explain import Explain, Finding
from polyrecord.read.files import ShardFile
from polyrecord.read.lines import Head, decode_head, is_regular, read_head
from polyrecord.read.logs import LogInfo, LogReader
from polyrecord.read.match import Matcher
from polyrecord.read.moved import lines_elsewhere
from polyrecord.read.plain import PlainReader, line_number
from polyrecord.read.prune import needed
from polyrecord.read.selection import Selection
from polyrecord.read.shard import RawRecord, ShardIndex, read_index
from polyrecord.read.source import Source

_MOST_HEADER = 12 + c.MAX_EXTRA
_LIKELY_HEADER = 8192  # one read for most; a read costs 5 us whatever its length


@dataclass(frozen=True, slots=True)
class PlannedBlock:
    """A block to be read.

    `first_line` is the number of its first line, from 1, in the shard or behind the plain region `behind`.
    A block that is not `wanted` holds nothing that is selected; it is read for the order's sake only.
    `floor` is the latest time among the writer's events that are before it and are not read.
    `content_length` and `content_crc` are those of its lines by the directory, 0 where there is none; `paths`
    are key paths that every block of the shard covers.
    """

    info: ShardInfo
    offset: int
    length: int
    events: int
    first_seq: int
    last_seq: int
    min_ts: int
    max_ts: int
    first_line: int
    wanted: bool = True
    floor: bytes = b""
    behind: PlainReader | None = None
    content_length: int = 0
    content_crc: int = 0
    paths: tuple[str, ...] = ()


Piece: TypeAlias = PlannedBlock | PlainReader
"""What a shard is read in: a block, or a plain region."""


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """What is to be read of one shard: blocks and the plain regions among them, in file order."""

    pieces: list[Piece]

    @property
    def blocks(self) -> list[PlannedBlock]:
        """The blocks alone, in file order."""
        return [piece for piece in self.pieces if isinstance(piece, PlannedBlock)]

    @property
    def plain(self) -> list[PlainReader]:
        """The plain regions alone, in file order."""
        return [piece for piece in self.pieces if isinstance(piece, PlainReader)]


@dataclass(frozen=True, slots=True)
class Sifted:
    """Lines of one block or chunk in order; `selected` is None where all of them are.

    `heads` is None where seq and time can be told from a line without decoding it.
    """

    lines: list[bytes]
    heads: list[Head] | None
    selected: list[bool] | None = None


def plan_shard(info: ShardInfo, matcher: Matcher, explain: Explain, *, everything: bool = False) -> ShardPlan:
    """What a selection needs of a shard; with `everything` the other blocks too, as not wanted."""
    try:
        with ShardFile(info) as file:
            index = read_index(info, file, explain)
            explain.shards_opened += 1
            explain.blocks_found += index.table.blocks
            return _plan(index, file, matcher, explain, everything=everything)
    except OSError as error:
        tell_absent(info, error, explain)
        return ShardPlan([])


def _plan(
    index: ShardIndex, file: ShardFile, matcher: Matcher, explain: Explain, *, everything: bool
) -> ShardPlan:
    def header_at(record: RawRecord) -> BlockHeader | None:
        return _read_header(file, record, explain)

    layout = _Layout(index, explain)
    for wanted, record in needed(index.table, matcher.selection, matcher.keys, header_at, explain):
        layout.add_plain(before=record[0])
        layout.add_block(record, wanted=wanted, listed=wanted or everything)
    layout.add_plain(before=index.size)
    return ShardPlan(_in_seq_order(layout.pieces))


def _in_seq_order(pieces: list[Piece]) -> list[Piece]:
    """The pieces, where damage moved blocks about by their seqs; a plain region stays behind its block."""
    seqs = [piece.first_seq for piece in pieces if isinstance(piece, PlannedBlock)]
    if seqs == sorted(seqs):
        return pieces
    placed: list[tuple[int, Piece]] = []
    seq = 0
    for piece in pieces:
        seq = piece.first_seq if isinstance(piece, PlannedBlock) else seq
        placed.append((seq, piece))
    return [piece for _, piece in sorted(placed, key=itemgetter(0))]


class _Layout:
    """Puts the pieces of one shard in file order and numbers their lines."""

    def __init__(self, index: ShardIndex, explain: Explain) -> None:
        self.pieces: list[Piece] = []
        self._index, self._explain = index, explain
        self._regions = deque(index.plain_regions)
        self._line = 1
        self._behind: PlainReader | None = None

    def add_plain(self, *, before: int) -> None:
        """Add the plain regions that start before an offset."""
        while self._regions and self._regions[0].offset < before:
            region = self._regions.popleft()
            reader = self._reader(region)
            self.pieces.append(reader)
            self._line, self._behind = 1, reader

    def _reader(self, region: Plain) -> PlainReader:
        if isinstance(self._index.info, LogInfo):
            return LogReader(self._index.info, region, self._explain)
        return PlainReader(
            self._index.info, region, self._explain, is_tail=self._index.reaches_end(region),
            first_line=self._line, behind=self._behind,
        )  # fmt: skip

    def add_block(self, record: RawRecord, *, wanted: bool, listed: bool) -> None:
        """Add a block, or only count its lines where it is not `listed`."""
        offset, length, size, events, _, first_seq, last_seq, _, _, min_ts, max_ts, _, crc, _ = record
        if listed:
            block = PlannedBlock(
                self._index.info, offset, length, events, first_seq, last_seq, min_ts, max_ts,
                self._line, wanted, b"", self._behind, size, crc, self._index.table.paths,
            )  # fmt: skip
            self.pieces.append(block)
        self._line += events


def _read_header(file: ShardFile, record: RawRecord, explain: Explain) -> BlockHeader | None:
    offset, length = record[0], record[1]
    start = file.read_at(offset, min(length, _LIKELY_HEADER))
    if len(start) >= 16 and header_length(start) > len(start):
        start = file.read_at(offset, min(length, _MOST_HEADER))
    explain.headers_read += 1
    explain.bytes_read += len(start)
    try:
        return parse_header(start)
    except BadHeader:
        return None


def load(
    planned: PlannedBlock, member: bytes, matcher: Matcher, explain: Explain, *, everything: bool = False
) -> tuple[BlockHeader, bytes]:
    """Header and lines of a block's bytes; no lines when none can match or, with a finding, when damaged.

    Where only the block's header is damaged the finding says so, and the lines are given under a header told
    by them. Where another file has taken the shard's place, they are given from there. The header's member
    length is then 0: `member` is not to be copied.
    """
    explain.bytes_read += len(member)
    try:
        header = _header_of(planned, member)
        if not everything and not matcher.takes_types_of(header):
            explain.skipped_by_type += 1
            return header, b""
        content = inflate(member, header)
    except (BadHeader, BadBlock) as error:
        header, content = _load_anyhow(planned, member, str(error), explain)
        if not content:
            return header, content
    explain.blocks_read += 1
    explain.bytes_inflated += len(content)
    return header, content


def _header_of(planned: PlannedBlock, member: bytes) -> BlockHeader:
    """The header of the block that was planned; raises BadHeader when another stands in its place."""
    header = parse_header(member)
    if (header.first_seq, header.last_seq, header.events) != (
        planned.first_seq, planned.last_seq, planned.events,
    ) or (planned.content_crc and member[-8:-4] != planned.content_crc.to_bytes(4, "little")):  # fmt: skip
        raise BadHeader("not the block that belongs here")
    return header


def _load_anyhow(
    planned: PlannedBlock, member: bytes, error: str, explain: Explain
) -> tuple[BlockHeader, bytes]:
    """The lines of a block whose member is not as it was planned, where they can be proven."""
    moved = lines_elsewhere(planned.info, planned.first_seq, planned.last_seq, planned.events)
    if moved is not None:
        return moved
    try:
        content = lines_of(member, planned.content_length, planned.content_crc)
        header = described(content, 0)
        if header is not None and _is_planned(planned, header):
            _note(planned, explain)
            return replace(header, paths=planned.paths), content
        error = "its lines are not those that belong here" if header is not None else error
    except BadBlock:
        pass
    explain.found(damaged(planned, f"block is damaged: {error}"))
    return _NO_HEADER, b""


def _is_planned(planned: PlannedBlock, header: BlockHeader) -> bool:
    return (header.first_seq, header.last_seq, header.events) == (
        planned.first_seq, planned.last_seq, planned.events,
    )  # fmt: skip


def _note(planned: PlannedBlock, explain: Explain) -> None:
    """Say once that a header is damaged; whoever hopped over the shard has said so already."""
    finding = Finding(planned.info.path, planned.offset, planned.length, 0, HEADER_DAMAGED)
    if finding not in explain.damage:
        explain.found(finding)


def damaged(planned: PlannedBlock, reason: str) -> Finding:
    """The finding that a block, which headers or directory count as kept, cannot be had."""
    events = planned.events
    return Finding(planned.info.path, planned.offset, planned.length, events, reason, counted=events)


_NO_HEADER = BlockHeader(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def sift_block(
    planned: PlannedBlock,
    header: BlockHeader,
    content: bytes,
    matcher: Matcher,
    explain: Explain,
    *,
    everything: bool = False,
) -> Sifted:
    """The selected lines of a block, or all of them marked. A line that is no event is a finding."""
    lines = content.split(b"\n")[:-1] if everything else matcher.lines_of(content)
    explain.lines_read += header.events
    is_whole = len(lines) == header.events
    regular = is_regular(content if is_whole else _join(lines))
    if regular and planned.wanted and matcher.takes_all_of(header, with_text=not everything):
        explain.lines_kept += len(lines)
        return Sifted(lines, None)
    sieve = _Sieve(matcher, explain, planned.info, planned.offset, header.paths)
    first = line_number(planned.first_line, planned.behind) if is_whole else None
    sifted = sieve.run(lines, first, read_head, everything=everything)
    if not planned.wanted:
        sifted = replace(sifted, selected=[False] * len(sifted.lines))
    return replace(sifted, heads=None) if regular else sifted


def sift_plain(
    reader: PlainReader, lines: list[bytes], matcher: Matcher, explain: Explain, *, everything: bool = False
) -> Sifted:
    """The selected lines of the chunk that a reader gave last, or all of them marked."""
    explain.lines_read += len(lines)
    sieve = _Sieve(matcher, explain, reader.info, reader.start, ())
    read = read_head if reader.makes_lines else decode_head
    sifted = sieve.run(lines, reader.first_line, read, everything=everything)
    explain.plain_events += len(lines) - sieve.no_events
    return sifted


class _Sieve:
    """Looks at every line; notes those that are no events."""

    def __init__(
        self, matcher: Matcher, explain: Explain, info: ShardInfo, offset: int, declared: tuple[str, ...]
    ) -> None:
        self._matcher, self._explain, self._declared = matcher, explain, declared
        self._info, self._offset = info, offset
        self.no_events = 0

    def run(
        self, lines: list[bytes], first: int | None, read: Callable[[bytes], Head], *, everything: bool
    ) -> Sifted:
        """The lines that are selected, or all events marked; `first` is the number of the first, if known."""
        keeps, declared = self._matcher.keeps, self._declared
        kept, heads, selected = [], [], []
        for at, line in enumerate(lines):
            try:
                head = read(line)
                keep = keeps(head, line, declared)
            except NotAnEvent as error:
                self._not_an_event(None if first is None else first + at, line, error)
                continue
            if keep or everything:
                kept.append(line)
                heads.append(head)
                selected.append(keep)
        self._explain.lines_kept += sum(selected)
        return Sifted(kept, heads, selected if everything else None)

    def _not_an_event(self, number: int | None, line: bytes, error: NotAnEvent) -> None:
        self.no_events += 1
        if line.strip():
            self._explain.found(Finding(self._info.path, self._offset, len(line), 1, str(error), number))


def chunks(source: Source, selection: Selection, explain: Explain) -> Iterator[bytes]:
    """The selected lines, each ended by a line feed, a block at a time; unordered across shards.

    A block that is selected whole is given as it was inflated: the fast way to feed another program.
    """
    matcher = Matcher(selection)
    for info in source.shards(selection, explain):
        yield from chunks_of_shard(info, matcher, explain)


def chunks_of_shard(info: ShardInfo, matcher: Matcher, explain: Explain) -> Iterator[bytes]:
    """The selected lines of one shard in file order, as `chunks` gives them."""
    pieces = plan_shard(info, matcher, explain).pieces
    for piece, member in _members(info, pieces, explain):
        if isinstance(piece, PlannedBlock):
            yield from _block_chunk(piece, member, matcher, explain)
        else:
            yield from _plain_chunks(piece, matcher, explain)


def _block_chunk(planned: PlannedBlock, member: bytes, matcher: Matcher, explain: Explain) -> Iterator[bytes]:
    header, content = load(planned, member, matcher, explain)
    if content and matcher.takes_all_of(header) and is_regular(content):
        explain.lines_read += header.events
        explain.lines_kept += header.events
        yield content
    elif content:
        yield _join(sift_block(planned, header, content, matcher, explain).lines)


def _plain_chunks(reader: PlainReader, matcher: Matcher, explain: Explain) -> Iterator[bytes]:
    while lines := reader.read():
        yield _join(sift_plain(reader, lines, matcher, explain).lines)


def _members(info: ShardInfo, pieces: list[Piece], explain: Explain) -> Iterator[tuple[Piece, bytes]]:
    """The pieces with their bytes; of plain regions, which read for themselves, without."""
    if not pieces:
        return
    try:
        with ShardFile(info) as file:
            for piece in pieces:
                if isinstance(piece, PlannedBlock):
                    yield piece, file.read_at(piece.offset, piece.length)
                else:
                    yield piece, b""
    except OSError as error:
        tell_absent(info, error, explain)


def _join(lines: list[bytes]) -> bytes:
    return b"\n".join([*lines, b""])


def lines(source: Source, selection: Selection, explain: Explain) -> Iterator[bytes]:
    """The selected lines without their line feeds, in file order within a shard, unordered across shards."""
    for chunk in chunks(source, selection, explain):
        if chunk:
            yield from chunk[:-1].split(b"\n")
