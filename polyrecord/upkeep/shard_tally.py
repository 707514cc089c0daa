"""What is counted of one shard as its blocks, lines and problems are found."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from polyrecord.format.block import BlockHeader
from polyrecord.format.directory import BlockRecord
from polyrecord.format.resync import ReadAt
from polyrecord.read.archive import ShardInfo
from polyrecord.upkeep.block_check import BlockFacts, check_block
from polyrecord.upkeep.problems import Kind, Problem
from polyrecord.upkeep.shard_facts import ShardFacts, Span

_SHOWN: Final = 20  # problems of one kind in one shard
_U64: Final = 1 << 64
_NO_KEYS: Final = array("I")


class ShardTally:
    """Adds up a shard's facts. `headers` are those of its blocks by offset, their numbers only."""

    def __init__(self, info: ShardInfo, read_at: ReadAt, size: int) -> None:
        self.info, self.name = info, info.name
        self.read_at, self.size = read_at, size
        self.facts = ShardFacts(info.name, size)
        self.headers: dict[int, BlockHeader] = {}
        self.last_seq = 0  # the highest of the blocks counted
        self._told: Counter[str] = Counter()

    def know(self, offset: int, header: BlockHeader) -> None:
        """Take a block's numbers for true, whatever becomes of its lines."""
        self.headers[offset] = replace(header, trace_keys=_NO_KEYS, value_keys=_NO_KEYS)

    def count(self, offset: int, header: BlockHeader) -> None:
        """Count a block whose lines can be read."""
        self.facts.spans.append(self.span(offset, header))
        self.facts.blocks += 1
        self.facts.events += header.events
        self.facts.ends.append((header.last_seq, header.max_ts))
        self.last_seq = max(self.last_seq, header.last_seq)

    def lines(self, offset: int, header: BlockHeader, content: bytes) -> None:
        """Count a block's lines, and tell what is wrong with them."""
        for what in self.untold_lines(header, content).wrong:
            self.problem(offset, header.member_length, what, kind=Kind.LINES)

    def untold_lines(self, header: BlockHeader, content: bytes) -> BlockFacts:
        """Count a block's lines; what is wrong with them is only returned."""
        lines = check_block(content, header, self.name)
        self.facts.seqs.extend(seq for seq in lines.seqs if seq < _U64)
        self.facts.lost += lines.lost
        self.facts.lost_by_stream.update(lines.lost_by_stream)
        return lines

    def span(self, offset: int, block: BlockHeader | BlockRecord) -> Span:
        """The ordinals of a block."""
        return Span(block.first_ordinal, block.last_ordinal, block.events, self.name.path, offset)

    def gone(self, spans: Iterable[Span]) -> None:
        """Take ordinals for lost by a problem that is told."""
        known = {(span.first, span.last) for span in self.facts.gone}
        self.facts.gone += [span for span in spans if (span.first, span.last) not in known]

    def problem(
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
        """Tell a problem; of one kind that loses nothing the first are enough."""
        self._told[what] += 1
        if loses or self._told[what] <= _SHOWN:
            self.facts.problems.append(
                Problem(self.name.path, what, offset, length, events, loses, hint, kind)
            )
