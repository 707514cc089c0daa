"""A shard read from header to header, without a directory: its blocks, and what of it is damaged or twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from polyrecord.format import constants as c
from polyrecord.format.block import BadHeader, BlockHeader, parse_header
from polyrecord.format.directory import Footer, parse_footer
from polyrecord.format.resync import ReadAt
from polyrecord.format.scan import Block, Damage, Ending, Found, Padding, Plain, Torn, scan
from polyrecord.read.copies import without_copies
from polyrecord.read.damage import Gaps, Loss

DIRECTORY_DAMAGED: Final = "directory is damaged, which costs no event; read from header to header"
DIRECTORY_MISSING: Final = "directory is missing, and maybe blocks before it; read from header to header"
OUT_OF_ORDER: Final = "blocks do not stand in the order of their seqs; they are read in that order"


@dataclass(frozen=True, slots=True)
class Hopped:
    """What a walk over a shard found, each block once: in file order, or by seq where no region is plain."""

    blocks: list[Block]
    plain: list[Plain]
    losses: list[Loss]
    torn_bytes: int = 0
    padding_bytes: int = 0


def hop(read_at: ReadAt, size: int, *, sealed: bool, first: bool) -> Hopped:
    """Walk over a shard; `first` says that nothing comes before it, so that its ordinals begin with 1."""
    walk = _Walk(read_at, size, sealed=sealed, first=first)
    for found in scan(read_at, size):
        walk.take(found)
    return walk.end()


class _Walk:
    """Gathers what a scan finds; tells only at the end, when it is known what stands where."""

    def __init__(self, read_at: ReadAt, size: int, *, sealed: bool, first: bool) -> None:
        self._read_at, self._size = read_at, size
        self._sealed, self._first = sealed, first
        self._found: list[Block | Damage | Plain] = []
        self._losses: list[Loss] = []
        self._endings: list[Ending] = []
        self._guessed: set[int] = set()  # offsets of blocks whose ordinals no header tells
        self._unplaced: set[int] = set()  # and of those that nothing around them tells either
        self._torn: Torn | None = None
        self._padding = 0

    def take(self, found: Found) -> None:
        if isinstance(found, Ending):
            self._endings.append(found)
        elif isinstance(found, Padding):
            self._padding += found.length
        elif isinstance(found, Torn):
            self._torn = found
        elif isinstance(found, Damage) and found.block is not None:
            self._losses.append(Loss(found.offset, found.length, 0, found.reason))
            self._found.append(found.block)
        else:
            self._found.append(found)

    def _of_torn(self, found: Torn, blocks: Sequence[Block]) -> Iterator[Loss]:
        """What is cut short in a sealed shard, with its events, unless ordinals behind it tell of them."""
        start = self._read_at(found.offset, 12 + c.MAX_EXTRA)
        events: int | None
        try:
            header = parse_header(start)
            is_told = self._footer() is not None or any(
                block.header.last_ordinal >= header.first_ordinal for block in blocks
            )
            events = 0 if is_told else header.events
        except BadHeader as error:
            events = 0 if "not a block" in str(error) else None  # a directory's member costs none
        yield Loss(found.offset, found.length, events, "last member is cut short", uncounted=events or 0)

    def end(self) -> Hopped:
        blocks = self._numbered()
        blocks, copies = without_copies(blocks, self._read_at, self._guessed)
        plain = [found for found in self._found if isinstance(found, Plain)]
        gaps = Gaps(blocks, self._found, self._footer(), self._unplaced, first=self._first)
        moved = [Loss(0, self._size, 0, OUT_OF_ORDER)] if _goes_back(blocks) else []
        moved += copies
        if moved:  # what is missing need not be missing where damage is: the first of these tells it
            total = gaps.take_all()
            events = None if plain or self._guessed & {block.offset for block in blocks} else total
            moved[0] = replace(moved[0], events=events)
        self._losses += [*moved, *gaps.losses()]
        if gaps.untold:
            self._losses.append(Loss(self._size, 0, gaps.untold, "blocks before the directory are missing"))
        if self._sealed:
            self._losses += self._of_torn(self._torn, blocks) if self._torn is not None else ()
            self._losses += self._of_sealed(blocks, plain)
        torn_bytes = self._torn.length if self._torn is not None and not self._sealed else 0
        losses = sorted(self._losses, key=lambda loss: loss.offset)
        if not plain:  # whoever adds up ordinals goes from block to block
            blocks = sorted(blocks, key=lambda block: block.header.first_seq)
        return Hopped(blocks, plain, losses, torn_bytes, self._padding)

    def _numbered(self) -> list[Block]:
        """The blocks. One whose ordinals are not known has those next to the block that it stands next to."""
        last: int | None = 0 if self._first else None
        numbered: list[Block] = []
        for at, found in enumerate(self._found):
            if isinstance(found, Block):
                header = found.header
                if not header.first_ordinal:
                    header = self._with_ordinals(at, found, last)
                last = header.last_ordinal
                numbered.append(Block(found.offset, header))
        return numbered

    def _with_ordinals(self, at: int, block: Block, last: int | None) -> BlockHeader:
        """A header with ordinals behind the last, where that block adjoins, else before the next ones."""
        header, following = block.header, self._following(at)
        adjoins = last is not None and (at == 0 or isinstance(self._found[at - 1], Block))
        first = 1 if last is None else last + 1
        self._guessed.add(block.offset)
        if not adjoins and following is not None:
            first = max(following - header.events, first)
        elif not adjoins:
            self._unplaced.add(block.offset)
        return replace(header, first_ordinal=first, last_ordinal=first + header.events - 1)

    def _following(self, at: int) -> int | None:
        """The first ordinal behind a block, told by the next block that knows its own, or by the footer."""
        between = 0
        for found in self._found[at + 1 :]:
            if not isinstance(found, Block):
                return None
            if found.header.first_ordinal:
                return found.header.first_ordinal - between
            between += found.header.events
        footer = self._footer()
        return None if footer is None else footer.last_ordinal + 1 - between

    def _footer(self) -> Footer | None:
        """The footer, wherever it stands: it knows the last ordinal."""
        for ending in self._endings:
            if ending.kind == c.KIND_FOOTER:
                try:
                    return parse_footer(self._read_at(ending.offset, ending.length))
                except BadHeader:
                    continue
        return None

    def _of_sealed(self, blocks: Sequence[Block], plain: Sequence[Plain]) -> Iterator[Loss]:
        if not self._size:
            yield Loss(0, 0, None, "sealed shard is empty")
        elif blocks and not (plain and plain[-1].offset + plain[-1].length == self._size):
            end = max(block.offset + block.header.member_length for block in blocks)
            if self._endings and self._endings[-1].offset >= end and self._torn is None:
                yield Loss(end, max(self._size - end, 0), 0, DIRECTORY_DAMAGED)
            else:
                yield Loss(self._size, 0, None, DIRECTORY_MISSING)


def _goes_back(blocks: Sequence[Block]) -> bool:
    seqs = [block.header.first_seq for block in blocks]
    return seqs != sorted(seqs)
