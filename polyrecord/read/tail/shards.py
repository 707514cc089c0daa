"""What is new in one shard since it was looked at last: whole blocks; what is being written is waited for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from polyrecord.format import constants as c
from polyrecord.format.block import BadHeader, BlockHeader
from polyrecord.format.directory import Footer, parse_footer
from polyrecord.format.scan import Block, Damage, Ending, Padding, Plain, Torn, scan
from polyrecord.read.archive import ShardInfo
from polyrecord.read.blocks import Piece, PlannedBlock
from polyrecord.read.explain import Explain, Finding
from polyrecord.read.files import ShardFile
from polyrecord.read.match import Matcher
from polyrecord.read.plain import PlainReader
from polyrecord.read.prune import needed
from polyrecord.read.shard import RawRecord, read_index

_LOST: Final = 11  # of a raw record


@dataclass(frozen=True, slots=True)
class Found:
    """A block or plain region to be delivered; `lost` events were declared lost in it.

    What it holds up to the seq `after` was found before, in other blocks.
    """

    piece: Piece
    first_seq: int
    last_seq: int
    events: int = 0
    lost: int = 0
    after: int = 0

    @property
    def info(self) -> ShardInfo:
        """The shard it is in."""
        return self.piece.info


class GrowingShard:
    """A shard read from header to header as it grows, up to where it is sealed or vanishes."""

    __slots__ = (
        "_again",
        "_at",
        "_beyond",
        "_damage",
        "_file",
        "_last_seq",
        "_line",
        "_matcher",
        "_ordinal",
        "_places",
        "_seen",
        "done",
        "info",
    )

    def __init__(self, info: ShardInfo, matcher: Matcher, beyond: int = 0) -> None:
        """Damage before the event with seq `beyond` was told in an earlier life."""
        self.info = info
        self.done = False  # sealed and seen to its end, or gone
        self._beyond = beyond
        self._places = ((str(info.path), info.name.sealed), (str(info.sealed_path), True))
        self._matcher = matcher
        self._at, self._line = 0, 1
        self._last_seq = self._again = 0  # found so far, and found before in a file that was replaced
        self._file: tuple[int, int] | None = None
        self._seen: tuple[int, bool] | None = None
        self._ordinal: int | None = 0 if info.name.number == 1 else None
        self._damage: list[Damage] = []

    def look(self, explain: Explain, *, at_once: bool = False) -> list[Found]:
        """What has come since; `at_once` takes damage at the end of an open shard for what it is."""
        seen = self._stat()
        if seen is None:
            self.done = True
            return []
        if seen == self._seen:
            return []
        try:
            with ShardFile(self.info) as file:
                self._start_again_if_replaced(file)
                if seen[1] and not self._last_seq and not self._at:
                    found = list(self._indexed(file, explain))
                else:
                    found = list(self._hop(file, explain, sealed=seen[1], at_once=at_once))
        except FileNotFoundError:
            self.done = True
            return []
        except OSError as error:
            explain.found(Finding(self.info.path, 0, 0, None, f"shard cannot be read: {error.strerror}"))
            self.done = True
            return []
        self._seen, self.done = seen, seen[1]
        return found

    def _start_again_if_replaced(self, file: ShardFile) -> None:
        """Small blocks were joined to large ones, in another file: what was found is in it too."""
        status = os.fstat(file.descriptor)
        identity = status.st_dev, status.st_ino
        if self._file not in (None, identity):
            self._at, self._line, self._again = 0, 1, self._last_seq
            self._ordinal = 0 if self.info.name.number == 1 else None
            self._damage.clear()
        self._file = identity

    def _stat(self) -> tuple[int, bool] | None:
        """Its size, and whether it is sealed; None when it is gone. Told before the file is read."""
        for path, sealed in self._places:
            try:
                return os.lstat(path).st_size, sealed
            except OSError:
                continue
        return None

    def _indexed(self, file: ShardFile, explain: Explain) -> Iterator[Found]:
        """All of a shard that is sealed already, by its directory."""
        info = ShardInfo(self.info.root, self.info.name.as_sealed())
        index = read_index(info, file, explain)
        explain.shards_opened += 1
        explain.blocks_found += index.table.blocks
        regions = [
            PlainReader(info, region, explain, is_tail=index.reaches_end(region))
            for region in index.plain_regions
        ]
        for reader in regions:
            yield Found(reader, 0, 0)
        selection, keys = self._matcher.selection, self._matcher.keys
        line = 1
        for wanted, record in needed(index.table, selection, keys, _not_looked_at, explain):
            yield _of_record(info, record, line, wanted=wanted)
            line += record[3]

    def _hop(self, file: ShardFile, explain: Explain, *, sealed: bool, at_once: bool) -> Iterator[Found]:
        """What stands behind the last member that was whole. Nothing is passed that may yet change."""
        for found in scan(file.read_at, file.size, self._at):
            if isinstance(found, Damage) and found.block is not None:
                explain.found(Finding(self.info.path, found.offset, found.length, 0, found.reason))
                yield from self._block(found.block, explain)
                continue
            if isinstance(found, Block):
                yield from self._block(found, explain)
                continue
            ends = not isinstance(found, Ending) and found.offset + found.length == file.size
            if ends and not sealed and not (at_once and isinstance(found, Damage)):
                return  # a member being written, or one that nobody will finish
            if isinstance(found, Ending):
                break  # not passed: where sealing fails it is cut off again
            self._pass_by(found)
            if isinstance(found, Plain):
                self._at = found.offset + found.length
                yield Found(PlainReader(self.info, found, explain, is_tail=ends), 0, 0)
        self._report(None, explain)

    def _pass_by(self, found: Damage | Torn | Padding | Plain) -> None:
        if isinstance(found, Torn):
            found = Damage(found.offset, found.length, "last member is cut short")
        if isinstance(found, Damage):
            self._damage.append(found)
            self._at = found.offset + found.length
        else:
            self._ordinal = None

    def _block(self, block: Block, explain: Explain) -> Iterator[Found]:
        header = block.header
        explain.blocks_found += 1
        explain.headers_read += 1
        self._report(header, explain)
        found = _of_header(self.info, block, self._line, self._again, self._matcher)
        self._at = block.offset + header.member_length
        self._line += header.events
        self._ordinal = header.last_ordinal or None
        self._last_seq = max(self._last_seq, header.last_seq)
        if header.last_seq > self._again:
            yield found

    def _report(self, following: BlockHeader | None, explain: Explain) -> None:
        """Damage, once; what it cost is told by the ordinals around it."""
        lost = None
        if following is not None and following.first_ordinal and self._ordinal is not None:
            lost = max(following.first_ordinal - self._ordinal - 1, 0)
        is_known = following is not None and following.last_seq <= self._beyond
        for damage in () if is_known else self._damage:
            explain.found(Finding(self.info.path, damage.offset, damage.length, lost, damage.reason))
        self._damage.clear()


def _not_looked_at(_record: RawRecord) -> None:
    """Headers are not read ahead: a block's own is looked at when it is read."""


def _of_record(info: ShardInfo, record: RawRecord, line: int, *, wanted: bool) -> Found:
    offset, length, size, events, _, first, last, _, _, min_ts, max_ts, _, crc, _ = record
    block = PlannedBlock(
        info, offset, length, events, first, last, min_ts, max_ts, line, wanted,
        content_length=size, content_crc=crc,
    )  # fmt: skip
    return Found(block, first, last, events, record[_LOST])


def _of_header(info: ShardInfo, block: Block, line: int, after: int, matcher: Matcher) -> Found:
    h = block.header
    piece = PlannedBlock(
        info, block.offset, h.member_length, h.events, h.first_seq, h.last_seq, h.min_ts, h.max_ts, line,
        _may_match(h, matcher), content_length=h.content_length,
    )  # fmt: skip
    return Found(piece, h.first_seq, h.last_seq, h.events, h.lost, after)


def _may_match(header: BlockHeader, matcher: Matcher) -> bool:
    """Whether a block can hold anything selected, judged by its header."""
    selection = matcher.selection
    if header.max_ts < selection.lowest_ns or not matcher.takes_types_of(header):
        return False
    decided = matcher.keys.flags(header.flags)
    return matcher.keys.header(header) if decided is None else decided


def footer_of(info: ShardInfo) -> Footer | None:
    """The footer of a shard that is sealed; None where there is none to be read."""
    try:
        with ShardFile(info) as file:
            return parse_footer(file.read_at(max(file.size - c.FOOTER_SIZE, 0), c.FOOTER_SIZE))
    except (BadHeader, OSError):
        return None
