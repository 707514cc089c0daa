"""Blocks that stand in a shard twice: each is read once."""

from __future__ import annotations

from collections.abc import Sequence

from polyrecord.format.content import BadBlock
from polyrecord.format.mend import lines_of
from polyrecord.format.resync import ReadAt
from polyrecord.format.scan import Block
from polyrecord.read.damage import Loss


def without_copies(
    blocks: Sequence[Block], read_at: ReadAt, guessed: set[int]
) -> tuple[list[Block], list[Loss]]:
    """The blocks without those that stand in the file twice, and what is said of these.

    Of two with the same lines that stays whose header is not `guessed`.

    Looks into blocks only where their seqs do not grow, as they do in every shard.
    """
    highest, kept, losses = 0, list[Block](), list[Loss]()
    by_range: dict[tuple[int, int, int], list[Block]] = {}
    for block in blocks:
        header = block.header
        same = by_range.setdefault((header.first_seq, header.last_seq, header.events), [])
        twin = _twin(block, same, read_at, guessed) if header.first_seq <= highest else None
        highest = max(highest, header.last_seq)
        if twin is None:
            same.append(block)
            kept.append(block)
            continue
        better, worse = twin
        if better is block:
            kept[kept.index(worse)] = block
            same[same.index(worse)] = block
        where = f"a copy of the block at byte {better.offset:,}; its events are given once"
        losses.append(Loss(worse.offset, worse.header.member_length, 0, where))
    return sorted(kept, key=lambda block: block.offset), losses


def _twin(
    block: Block, others: Sequence[Block], read_at: ReadAt, guessed: set[int]
) -> tuple[Block, Block] | None:
    """The better and the worse of this block and one with the same lines; None where there is none."""
    if not others:
        return None
    lines = _lines(block, read_at)
    for other in others:
        others_lines = _lines(other, read_at)
        if lines is None:
            return other, block
        if others_lines is None or (lines == others_lines and other.offset in guessed):
            return block, other
        if lines == others_lines:
            return other, block
    return None


def _lines(block: Block, read_at: ReadAt) -> bytes | None:
    header = block.header
    try:
        return lines_of(read_at(block.offset, header.member_length), header.content_length, 0)
    except BadBlock:
        return None
