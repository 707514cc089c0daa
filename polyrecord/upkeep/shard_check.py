"""One shard, every byte of it: blocks, their lines, directory, footer, and what stands between."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from polyrecord.format import constants as c
from polyrecord.format.block import (
    BadHeader,
    BlockHeader,
    BlockKeys,
    inflate,
    parse_payload,
)
from polyrecord.format.directory import BlockRecord, Directory, Footer, join_pieces, parse_footer
from polyrecord.format.directory_builder import DirectoryBuilder
from polyrecord.format.layout import ShardName
from polyrecord.format.scan import HEADER_DAMAGED, Block, Damage, Ending, Padding, Plain, ReadAt, Torn, scan
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.plain import PlainReader
from polyrecord.record.line_keys import keys_of
from polyrecord.record.recovery.survey import is_whole, mended_lines
from polyrecord.record.regular import read_at
from polyrecord.upkeep.block_check import check_block, is_event
from polyrecord.upkeep.directory_check import differences, listed_lines
from polyrecord.upkeep.problems import Kind, Problem
from polyrecord.upkeep.shard_facts import ShardFacts, Span

_MOST_LINES: Final = 128 << 20  # bytes; larger blocks are checked by their sums only
_SHOWN: Final = 20  # problems of one kind in one shard
_U64: Final = 1 << 64
_EMPTY: Final = c.EMPTY_DEFLATE + bytes(8)  # what a member of the end holds: nothing, CRC32 0, ISIZE 0
_NOT_AS_TOLD: Final = "block does not hold what its header says"
_SAVES: Final = "polyrecord recover saves its lines"
_NO_KEYS: Final = array("I")
_FIELDS: Final = (
    "member_length", "content_length", "events", "flags", "first_seq", "last_seq", "first_ordinal",
    "last_ordinal", "min_ts", "max_ts", "lost",
)  # fmt: skip
OnBytes = Callable[[int], None]


def check_shard(root: Path, name: ShardName, descriptor: int, on_bytes: OnBytes) -> ShardFacts:
    """Look at a shard that is open, up to the size it has now; raises OSError where it cannot be read."""
    return _Check(root, name, descriptor, on_bytes).run()


@dataclass(frozen=True, slots=True)
class _Region:
    """Bytes that are no whole block: `before` is the ordinal of the event before them, if known.

    `hidden` is a block that only its lines tell of.
    """

    offset: int
    length: int
    reason: str
    before: int | None
    plain: Plain | None = None
    hidden: Block | None = None


class _Check:
    """One walk over a shard."""

    def __init__(self, root: Path, name: ShardName, descriptor: int, on_bytes: OnBytes) -> None:
        self._root, self._name, self._on_bytes = root, name, on_bytes
        self._read: ReadAt = partial(read_at, descriptor)
        self._size = os.fstat(descriptor).st_size
        self._builder = DirectoryBuilder()
        self._headers: dict[int, BlockHeader] = {}  # by offset, numbers only
        self._regions: list[_Region] = []
        self._bad: list[Block] = []
        self._end = self._endings = 0  # where the last block ends, and whether a member of the end was seen
        self._ordinal: int | None = 0 if name.number == 1 else None
        self._seq = 0
        self._directory_at: int | None = None
        self._told: Counter[str] = Counter()
        self.facts = ShardFacts(name, self._size)

    def run(self) -> ShardFacts:
        for found in scan(self._read, self._size):
            if isinstance(found, Block):
                self._block(found)
                self._on_bytes(found.header.member_length)
            elif isinstance(found, Damage) and found.block is not None and self._mended(found.block):
                self._on_bytes(found.length)
            else:
                self._other(found)
                self._on_bytes(found.length)
        directory = self._directory() if self._name.sealed else None
        self._tell_bad(directory)
        self._tell_regions(directory)
        return self.facts

    def _block(self, block: Block) -> None:
        header = block.header
        keys: BlockKeys | None = None
        if is_whole(self._read, block):
            keys = self._whole(block)
        else:
            self._bad.append(block)
        self._list(block, keys)
        self._headers[block.offset] = replace(header, trace_keys=_NO_KEYS, value_keys=_NO_KEYS)
        self._ordinal, self._end = header.last_ordinal, block.offset + header.member_length

    def _list(self, block: Block, keys: BlockKeys | None) -> None:
        """Take a block into the directory as it should be."""
        header = block.header
        trailer = self._read(block.offset + header.member_length - 8, 4)
        self._builder.add(block.offset, header, int.from_bytes(trailer, "little"), keys)

    def _whole(self, block: Block) -> BlockKeys | None:
        """Look into a block that is whole; its keys where the header does not list them."""
        header = block.header
        facts = self.facts
        if self.facts.spans and header.first_seq <= self._seq:
            self._problem(block.offset, header.member_length, "seq does not grow from block to block")
        self._count(block)
        if header.content_length > _MOST_LINES:
            facts.lost += header.lost
            facts.seqs.extend(range(header.first_seq, header.last_seq + 1) if header.events == 1 else ())
            return None
        content = inflate(self._read(block.offset, header.member_length), header)
        self._lines(block, content)
        return keys_of(content, header) if header.flags & c.UNINDEXED else None

    def _mended(self, block: Block) -> bool:
        """Whether a block's lines are whole although its header is damaged; if so they are counted."""
        header = block.header
        content = mended_lines(self._read, block)
        if content is None or not header.first_ordinal:
            return False
        self._list(block, None)
        self._headers[block.offset] = replace(header, trace_keys=_NO_KEYS, value_keys=_NO_KEYS)
        self._problem(block.offset, header.member_length, HEADER_DAMAGED)
        self._count(block)
        self._lines(block, content)
        return True

    def _count(self, block: Block) -> None:
        header = block.header
        place = self._name.path, block.offset
        self.facts.spans.append(Span(header.first_ordinal, header.last_ordinal, header.events, *place))
        self.facts.blocks += 1
        self.facts.events += header.events
        self.facts.ends.append((header.last_seq, header.max_ts))
        self._seq = max(self._seq, header.last_seq)
        self._ordinal, self._end = header.last_ordinal, block.offset + header.member_length

    def _lines(self, block: Block, content: bytes) -> None:
        facts, header = self.facts, block.header
        lines = check_block(content, header, self._name)
        facts.seqs.extend(seq for seq in lines.seqs if seq < _U64)
        facts.lost += lines.lost
        facts.lost_by_stream.update(lines.lost_by_stream)
        for what in lines.wrong:
            self._problem(block.offset, header.member_length, what, kind=Kind.LINES)

    def _other(self, found: Ending | Plain | Torn | Damage | Padding) -> None:
        if isinstance(found, Ending):
            self._endings += 1
            if found.kind == c.KIND_DIRECTORY and self._directory_at is None:
                self._directory_at = found.offset
            if self._read(found.offset + found.length - len(_EMPTY), len(_EMPTY)) != _EMPTY:
                what = "directory member is not empty; gzip programs refuse the file"
                self._problem(found.offset, found.length, what)
        elif isinstance(found, Torn) and not self._name.sealed:
            self.facts.torn_bytes += found.length
        elif isinstance(found, Padding):
            if self._name.sealed:
                self._problem(
                    found.offset, found.length, "zero bytes after the end; several tools refuse the file"
                )
            else:
                self.facts.torn_bytes += found.length
        else:
            reason = found.reason if isinstance(found, Damage) else "last member is cut short"
            plain = found if isinstance(found, Plain) else None
            hidden = found.block if isinstance(found, Damage) else None
            self._regions.append(_Region(found.offset, found.length, reason, self._ordinal, plain, hidden))
            self._ordinal = None if plain is not None else self._ordinal

    # -- the end of a sealed shard ---------------------------------------------------------------------------

    def _directory(self) -> Directory | None:
        """The directory if it can be used; what is wrong with it is told."""
        if not self._size:
            self._problem(0, 0, "sealed shard is empty", events=None, loses=True)
            return None
        if not self._headers and not self._endings and self._regions:
            return None  # no shard of ours, or nothing is left of it
        try:
            footer = parse_footer(self._read(max(self._size - c.FOOTER_SIZE, 0), c.FOOTER_SIZE))
            length = max(self._size - c.FOOTER_SIZE - footer.directory_offset, 0)
            directory = Directory(join_pieces(self._read(footer.directory_offset, length), footer))
        except BadHeader:
            self._no_directory()
            return None
        self.facts.clean = footer.clean
        self._compare(directory, footer)
        return directory

    def _no_directory(self) -> None:
        ends_plain = self._regions and self._regions[-1].plain is not None
        if not ends_plain or self._endings:
            what = "damaged" if self._endings else "missing"
            self._problem(
                self._end, self._size - self._end, f"directory or footer is {what}; read block by block"
            )

    def _compare(self, directory: Directory, footer: Footer) -> None:
        """Directory and footer against the blocks: one comparison where all is as our writer writes it."""
        start = footer.directory_offset
        own = self._builder.ending(clean=footer.clean) if self._headers else b""
        if self._read(start, self._size - start) != own:
            for offset, length, what in differences(directory, footer, own, self._headers, self._read):
                self._problem(offset, length, what)

    # -- what is no block ------------------------------------------------------------------------------------

    def _tell_bad(self, directory: Directory | None) -> None:
        """Blocks with a header that holds, and other contents; the directory may still prove their lines."""
        listed = {one.offset: one for one in directory.records()} if directory and self._bad else {}
        for block in self._bad:
            header, record = block.header, listed.get(block.offset)
            if record is not None and self._listed(record):
                self._problem(block.offset, header.member_length, _NOT_AS_TOLD, hint=_SAVES)
                continue
            self._problem(block.offset, header.member_length, _NOT_AS_TOLD, events=header.events, loses=True)
            place = self._name.path, block.offset
            self.facts.gone.append(Span(header.first_ordinal, header.last_ordinal, header.events, *place))

    def _tell_regions(self, directory: Directory | None) -> None:
        for region in self._regions:
            if region.plain is not None and self._is_read(region.plain, directory):
                self._plain(region, region.plain)
            else:
                self._damage(region, directory)

    def _is_read(self, plain: Plain, directory: Directory | None) -> bool:
        """Whether readers read a region that is not ours: a directory would hide it."""
        return directory is None and (plain.gzip or plain.offset == 0)

    def _plain(self, region: _Region, plain: Plain) -> None:
        info = ShardInfo(self._root, self._name)
        explain = Explain()
        end = plain.offset + plain.length
        reader = PlainReader(info, plain, explain, is_tail=end == self._size)
        lines = none = 0
        while chunk := reader.read():
            events = sum(map(is_event, chunk))
            lines += events
            none += sum(map(bool, map(bytes.strip, chunk))) - events
        self.facts.plain += lines
        if none:
            what = f"{none:,} of its lines are no events"
            self._problem(plain.offset, plain.length, what, events=none, loses=True)
        self.facts.torn_bytes += explain.torn_bytes
        for finding in explain.damage:
            self._problem(finding.offset, finding.bytes, finding.reason, events=finding.events, loses=True)
        if lines and lines == self._by_ordinals(region, end):
            what = "a block without its header: its lines can be read, but not found by an index"
            self._problem(plain.offset, plain.length, what)

    def _damage(self, region: _Region, directory: Directory | None) -> None:
        end = region.offset + region.length
        if directory is not None:
            records = [one for one in directory.records() if region.offset <= one.offset < end
                       and one.offset not in self._headers]  # fmt: skip
            lost = [record for record in records if not self._listed(record)]
            events: int | None = sum(record.events for record in lost)
            self._gone([self._span(record) for record in lost])
            if records and not lost:
                self._problem(region.offset, region.length, HEADER_DAMAGED, hint=_SAVES)
                return
        elif region.hidden is not None and self._by_lines(region, region.hidden, end):
            self._problem(region.offset, region.length, region.reason)
            return
        else:
            events = self._by_ordinals(region, end)
            events = self._by_footer(region, end) if events is None else events
        loses = events is None or events > 0
        self._problem(region.offset, region.length, region.reason, events=events, loses=loses)

    def _listed(self, record: BlockRecord) -> bool:
        """Whether a block without a header has its lines, by the directory; if so they are counted."""
        content = listed_lines(self._read, record)
        if content is None:
            return False
        header = BlockHeader(
            record.flags, record.member_length, record.content_length, record.events, record.first_seq,
            record.last_seq, record.first_ordinal, record.last_ordinal, record.min_ts, record.max_ts,
            record.lost,
        )  # fmt: skip
        lines = check_block(content, header, self._name)
        self.facts.seqs.extend(seq for seq in lines.seqs if seq < _U64)
        self.facts.lost += lines.lost
        self.facts.lost_by_stream.update(lines.lost_by_stream)
        self.facts.spans.append(self._span(record))
        self.facts.ends.append((record.last_seq, record.max_ts))
        self.facts.blocks += 1
        self.facts.events += record.events
        return True

    def _by_lines(self, region: _Region, block: Block, end: int) -> bool:
        """Whether a block without a header has lines that tell of it; if so they are counted."""
        content = mended_lines(self._read, block)
        if content is None:
            return False
        header = self._placed(region, block.header, end)
        self._headers[block.offset] = header
        self._count(Block(block.offset, header))
        self._lines(Block(block.offset, header), content)
        return True

    def _placed(self, region: _Region, header: BlockHeader, end: int) -> BlockHeader:
        """A header with ordinals next to those of the blocks around it."""
        following = [offset for offset in self._headers if offset >= end]
        first = self._headers[min(following)].first_ordinal - header.events if following else 1
        before = self._before(region)
        first = max(first, 1) if before is None else before + 1
        return replace(header, first_ordinal=first, last_ordinal=first + header.events - 1)

    def _span(self, record: BlockRecord) -> Span:
        place = self._name.path, record.offset
        return Span(record.first_ordinal, record.last_ordinal, record.events, *place)

    def _by_ordinals(self, region: _Region, end: int) -> int | None:
        """How many events are missing between the blocks around a region."""
        following = [offset for offset in self._headers if offset >= end]
        before = self._before(region)
        if before is None or not following:
            return None
        first = self._headers[min(following)].first_ordinal
        count = max(first - before - 1, 0)
        if count:
            self._gone([Span(before + 1, first - 1, count, self._name.path, region.offset)])
        return count

    def _before(self, region: _Region) -> int | None:
        """The ordinal of the event before a region: of a block that its lines told of, if one adjoins."""
        told = [offset for offset in self._headers if offset < region.offset]
        if region.before is None or not told:
            return region.before
        return max(region.before, self._headers[max(told)].last_ordinal)

    def _by_footer(self, region: _Region, end: int) -> int | None:
        """How many events a region took that has no blocks on both sides."""
        if self._is_end(region):
            return 0
        footer = self._footer()
        if footer is None:
            return None
        listed = sum(header.events for header in self._headers.values())
        told = sum(span.events for span in self.facts.gone if span.offset not in self._headers)
        count = max(footer.events - listed - told, 0)
        following = [offset for offset in self._headers if offset >= end]
        if count and following:
            last = self._headers[min(following)].first_ordinal - 1
            self._gone([Span(footer.first_ordinal, last, count, self._name.path, region.offset)])
        elif count:
            first = max(
                (header.last_ordinal for header in self._headers.values()), default=footer.first_ordinal - 1
            )
            self._gone([Span(first + 1, footer.last_ordinal, count, self._name.path, region.offset)])
        return count

    def _is_end(self, region: _Region) -> bool:
        """Whether a region is a part of directory or footer, behind which no block stands."""
        if self._directory_at is not None and region.offset > self._directory_at:
            return True
        try:
            kind, _ = parse_payload(self._read(region.offset, 12 + c.MAX_EXTRA))
        except BadHeader:
            return False
        return kind != c.KIND_BLOCK

    def _footer(self) -> Footer | None:
        try:
            return parse_footer(self._read(max(self._size - c.FOOTER_SIZE, 0), c.FOOTER_SIZE))
        except BadHeader:
            return None

    def _gone(self, spans: Iterator[Span] | list[Span]) -> None:
        known = {(span.first, span.last) for span in self.facts.gone}
        self.facts.gone += [span for span in spans if (span.first, span.last) not in known]

    def _problem(
        self,
        offset: int,
        length: int | None,
        what: str,
        *,
        events: int | None = 0,
        loses: bool = False,
        kind: Kind = Kind.BYTES,
        hint: str | None = None,
    ) -> None:
        self._told[what] += 1
        if loses or self._told[what] <= _SHOWN:
            self.facts.problems.append(
                Problem(self._name.path, what, offset, length, events, loses, hint, kind)
            )
