"""Which pieces of a shard a selection needs: blocks, told from its index, and plain regions among them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import accumulate
from operator import itemgetter
from typing import TypeAlias

from polyrecord.format import constants as c
from polyrecord.format.block import BadHeader, header_length
from polyrecord.format.block_keys import BlockKeys, parse_keys
from polyrecord.format.directory import Directory
from polyrecord.format.scan import Plain
from polyrecord.read.absent import tell_absent
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.files import ShardFile
from polyrecord.read.logs import LogInfo, LogReader
from polyrecord.read.match import Matcher
from polyrecord.read.plain import PlainReader
from polyrecord.read.prune import KeysAt, by_header, needed
from polyrecord.read.shard import RawRecord, ShardIndex, read_index

_MOST_HEADER = 12 + c.MAX_EXTRA
_LIKELY_HEADER = 4096  # one read for most; a read costs 5 us whatever its length
_EVENTS, _MIN_TS, _MAX_TS = 3, 9, 10  # of a raw record


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
    def keys_at(record: RawRecord) -> BlockKeys | None:
        return _read_keys(file, record, explain)

    if not everything and not index.plain_regions and _is_by_key_alone(index, matcher):
        return ShardPlan(_hit(index, matcher, keys_at, explain))
    if matcher.keys.asked_of(index.table) and not index.table.has_keys:
        _announce_headers(index, file, matcher)
    layout = _Layout(index, explain)
    for wanted, record in needed(index.table, matcher.selection, matcher.keys, keys_at, explain):
        layout.add_plain(before=record[0])
        layout.add_block(record, wanted=wanted, listed=wanted or everything)
    layout.add_plain(before=index.size)
    return ShardPlan(_in_seq_order(layout.pieces))


def _announce_headers(index: ShardIndex, file: ShardFile, matcher: Matcher) -> None:
    """Have the headers fetched that will be looked at: one by one, a disk takes five times as long."""
    low, high = matcher.selection.lowest_ns, matcher.selection.highest_ns
    for record in index.records():
        if record[_MIN_TS] <= high and record[_MAX_TS] >= low:
            file.announce(record[0], _LIKELY_HEADER)


def _is_by_key_alone(index: ShardIndex, matcher: Matcher) -> bool:
    """Whether the directory's key tables, and nothing else, say which blocks are needed."""
    selection, table = matcher.selection, index.table
    is_bounded = selection.since_ns is not None or selection.until_ns is not None
    is_by_key = isinstance(table, Directory) and table.has_keys and matcher.keys.asked_of(table)
    return is_by_key and not selection.types and not is_bounded


def _hit(index: ShardIndex, matcher: Matcher, keys_at: KeysAt, explain: Explain) -> list[Piece]:
    """The blocks that the key tables name and their headers confirm; of others no record is looked at."""
    table = index.table
    assert isinstance(table, Directory)
    maybe, events = matcher.keys.hits(table)
    hits = [at for at in maybe if by_header(table.raw_record(at), matcher.keys, keys_at)]
    explain.skipped_by_key += table.blocks - len(hits)
    lines = list(accumulate(events, initial=1)) if hits else []
    return _in_seq_order([_planned(index, table.raw_record(at), lines[at]) for at in hits])


def _planned(
    index: ShardIndex, record: RawRecord, line: int, behind: PlainReader | None = None, *, wanted: bool = True
) -> PlannedBlock:
    offset, length, size, events, _, first_seq, last_seq, _, _, min_ts, max_ts, _, crc, _ = record
    return PlannedBlock(
        index.info, offset, length, events, first_seq, last_seq, min_ts, max_ts,
        line, wanted, b"", behind, size, crc, index.table.paths,
    )  # fmt: skip


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
        if listed:
            self.pieces.append(_planned(self._index, record, self._line, self._behind, wanted=wanted))
        self._line += record[_EVENTS]


def _read_keys(file: ShardFile, record: RawRecord, explain: Explain) -> BlockKeys | None:
    offset, length = record[0], record[1]
    start = file.read_at(offset, min(length, _LIKELY_HEADER))
    if len(start) >= 16 and header_length(start) > len(start):
        start = file.read_at(offset, min(length, _MOST_HEADER))
    explain.headers_read += 1
    explain.bytes_read += len(start)
    try:
        return parse_keys(start)
    except BadHeader:
        return None
