"""What damage in a shard cost: told by its directory, its lines, the ordinals around it, or the footer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from polyrecord.format import constants as c
from polyrecord.format.block import BadHeader, BlockHeader, parse_payload
from polyrecord.format.directory import BlockRecord, Directory, Footer, parse_footer
from polyrecord.format.scan import HEADER_DAMAGED, Block, Plain
from polyrecord.read.explain import Explain
from polyrecord.read.plain import PlainReader
from polyrecord.record.recovery.survey import mended_lines
from polyrecord.upkeep.block_check import is_event
from polyrecord.upkeep.directory_check import listed_lines
from polyrecord.upkeep.shard_facts import Span
from polyrecord.upkeep.shard_tally import ShardTally

_NOT_AS_TOLD: Final = "block does not hold what its header says"
_SAVES: Final = "polyrecord recover saves its lines"


@dataclass(frozen=True, slots=True)
class Region:
    """Bytes that are no whole block: `before` is the ordinal of the event before them, if known.

    `hidden` is a block that only its lines tell of.
    """

    offset: int
    length: int
    reason: str
    before: int | None
    plain: Plain | None = None
    hidden: Block | None = None

    @property
    def end(self) -> int:
        """The offset behind the last byte."""
        return self.offset + self.length


class DamageCost:
    """Tells a shard's damage when all of its whole blocks are counted."""

    def __init__(self, tally: ShardTally, directory: Directory | None, directory_at: int | None) -> None:
        """`directory` is None where it cannot be used; `directory_at` is where its first member stands."""
        self._tally = tally
        self._directory, self._directory_at = directory, directory_at

    def of_blocks(self, bad: list[Block]) -> None:
        """Blocks with a header that holds, and other contents; the directory may still prove their lines."""
        listed = {one.offset: one for one in self._directory.records()} if self._directory and bad else {}
        for block in bad:
            header, record = block.header, listed.get(block.offset)
            if record is not None and self._listed(record):
                self._tally.problem(block.offset, header.member_length, _NOT_AS_TOLD, hint=_SAVES)
                continue
            self._tally.problem(
                block.offset, header.member_length, _NOT_AS_TOLD, events=header.events, loses=True
            )
            self._tally.facts.gone.append(self._tally.span(block.offset, header))

    def of_regions(self, regions: Iterable[Region]) -> None:
        """What is no block: lines that readers read all the same, and damage."""
        for region in regions:
            if region.plain is not None and self._is_read(region.plain):
                self._plain(region, region.plain)
            else:
                self._damage(region)

    def _is_read(self, plain: Plain) -> bool:
        """Whether readers read a region that is not ours: a directory would hide it."""
        return self._directory is None and (plain.gzip or plain.offset == 0)

    def _plain(self, region: Region, plain: Plain) -> None:
        tally, explain = self._tally, Explain()
        lines, none = self._plain_lines(plain, explain)
        tally.facts.plain += lines
        if none:
            what = f"{none:,} of its lines are no events"
            tally.problem(plain.offset, plain.length, what, events=none, loses=True)
        tally.facts.torn_bytes += explain.torn_bytes
        for finding in explain.damage:
            tally.problem(finding.offset, finding.bytes, finding.reason, events=finding.events, loses=True)
        if lines and lines == self._by_ordinals(region):
            what = "a block without its header: its lines can be read, but not found by an index"
            tally.problem(plain.offset, plain.length, what)

    def _plain_lines(self, plain: Plain, explain: Explain) -> tuple[int, int]:
        """How many events are in lines that are in no block of ours, and how many lines are none."""
        is_tail = plain.offset + plain.length == self._tally.size
        reader = PlainReader(self._tally.info, plain, explain, is_tail=is_tail)
        lines = none = 0
        while chunk := reader.read():
            events = sum(map(is_event, chunk))
            lines += events
            none += sum(map(bool, map(bytes.strip, chunk))) - events
        return lines, none

    def _damage(self, region: Region) -> None:
        events: int | None
        if self._directory is not None:
            records = self._records_in(region, self._directory)
            lost = [record for record in records if not self._listed(record)]
            events = sum(record.events for record in lost)
            self._tally.gone(self._tally.span(record.offset, record) for record in lost)
            if records and not lost:
                self._tally.problem(region.offset, region.length, HEADER_DAMAGED, hint=_SAVES)
                return
        elif region.hidden is not None and self._by_lines(region, region.hidden):
            self._tally.problem(region.offset, region.length, region.reason)
            return
        else:
            events = self._by_ordinals(region)
            events = self._by_footer(region) if events is None else events
        loses = events is None or events > 0
        self._tally.problem(region.offset, region.length, region.reason, events=events, loses=loses)

    # -- by the directory ------------------------------------------------------------------------------------

    def _records_in(self, region: Region, directory: Directory) -> list[BlockRecord]:
        """The blocks that should be where a region is."""
        return [
            record
            for record in directory.records()
            if region.offset <= record.offset < region.end and record.offset not in self._tally.headers
        ]

    def _listed(self, record: BlockRecord) -> bool:
        """Whether a block without a header has its lines, by the directory; if so they are counted."""
        content = listed_lines(self._tally.read_at, record)
        if content is None:
            return False
        header = BlockHeader(
            record.flags, record.member_length, record.content_length, record.events, record.first_seq,
            record.last_seq, record.first_ordinal, record.last_ordinal, record.min_ts, record.max_ts,
            record.lost,
        )  # fmt: skip
        self._tally.untold_lines(header, content)  # without a header's tables all of them would be wrong
        self._tally.count(record.offset, header)
        return True

    # -- by its lines ----------------------------------------------------------------------------------------

    def _by_lines(self, region: Region, block: Block) -> bool:
        """Whether a block without a header has lines that tell of it; if so they are counted."""
        content = mended_lines(self._tally.read_at, block)
        if content is None:
            return False
        header = self._placed(region, block.header)
        self._tally.headers[block.offset] = header
        self._tally.count(block.offset, header)
        self._tally.lines(block.offset, header, content)
        return True

    def _placed(self, region: Region, header: BlockHeader) -> BlockHeader:
        """A header with ordinals next to those of the blocks around it."""
        following, before = self._following(region), self._before(region)
        first = following.first_ordinal - header.events if following is not None else 1
        first = max(first, 1) if before is None else before + 1
        return replace(header, first_ordinal=first, last_ordinal=first + header.events - 1)

    # -- by the ordinals around it ---------------------------------------------------------------------------

    def _by_ordinals(self, region: Region) -> int | None:
        """How many events are missing between the blocks around a region."""
        following, before = self._following(region), self._before(region)
        if before is None or following is None:
            return None
        first = following.first_ordinal
        count = max(first - before - 1, 0)
        if count:
            self._gone(region, before + 1, first - 1, count)
        return count

    def _before(self, region: Region) -> int | None:
        """The ordinal of the event before a region: of a block that its lines told of, if one adjoins."""
        told = [offset for offset in self._tally.headers if offset < region.offset]
        if region.before is None or not told:
            return region.before
        return max(region.before, self._tally.headers[max(told)].last_ordinal)

    def _following(self, region: Region) -> BlockHeader | None:
        """The first block behind a region."""
        behind = [offset for offset in self._tally.headers if offset >= region.end]
        return self._tally.headers[min(behind)] if behind else None

    def _gone(self, region: Region, first: int, last: int, events: int) -> None:
        self._tally.gone([Span(first, last, events, self._tally.name.path, region.offset)])

    # -- by the footer ---------------------------------------------------------------------------------------

    def _by_footer(self, region: Region) -> int | None:
        """How many events a region took that has no blocks on both sides."""
        if self._is_end(region):
            return 0
        footer = self._footer()
        if footer is None:
            return None
        headers = self._tally.headers
        listed = sum(header.events for header in headers.values())
        told = sum(span.events for span in self._tally.facts.gone if span.offset not in headers)
        count = max(footer.events - listed - told, 0)
        following = self._following(region)
        if count and following is not None:
            self._gone(region, footer.first_ordinal, following.first_ordinal - 1, count)
        elif count:
            last = max((header.last_ordinal for header in headers.values()), default=footer.first_ordinal - 1)
            self._gone(region, last + 1, footer.last_ordinal, count)
        return count

    def _is_end(self, region: Region) -> bool:
        """Whether a region is a part of directory or footer, behind which no block stands."""
        if self._directory_at is not None and region.offset > self._directory_at:
            return True
        try:
            kind, _ = parse_payload(self._tally.read_at(region.offset, 12 + c.MAX_EXTRA))
        except BadHeader:
            return False
        return kind != c.KIND_BLOCK

    def _footer(self) -> Footer | None:
        at = max(self._tally.size - c.FOOTER_SIZE, 0)
        try:
            return parse_footer(self._tally.read_at(at, c.FOOTER_SIZE))
        except BadHeader:
            return None
