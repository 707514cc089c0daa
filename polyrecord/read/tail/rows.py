"""Lines of a block with the seq and the time that order them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import TypeAlias

from polyrecord.read.blocks import PlannedBlock, Sifted, damaged, load, sift_block
from polyrecord.read.explain import Explain
from polyrecord.read.files import ShardFile
from polyrecord.read.lines import regular_seq, regular_ts
from polyrecord.read.match import Matcher

Row: TypeAlias = tuple[int, bytes, bytes]
"""Seq, time as nine-digit text, and line."""


def rows_in(
    block: PlannedBlock, matcher: Matcher, explain: Explain, *, everything: bool = False
) -> Iterable[Row]:
    """What is selected in a block, or all that it holds; a block that cannot be had is a finding."""
    try:
        with ShardFile(block.info) as file:
            member = file.read_at(block.offset, block.length)
    except OSError as error:
        explain.found(damaged(block, f"block cannot be read: {error.strerror}"))
        return ()
    header, content = load(block, member, matcher, explain, everything=everything)
    if not content:
        return ()
    return rows_of(sift_block(block, header, content, matcher, explain, everything=everything))


def rows_of(sifted: Sifted) -> Iterator[Row]:
    """What was sifted; lines of others that are out of order keep the file's order."""
    if sifted.heads is None:
        return ((regular_seq(line), regular_ts(line), line) for line in sifted.lines)
    seqs = accumulate((head.seq for head in sifted.heads), max)
    heads = sifted.heads
    return ((seq, head.ts, line) for seq, head, line in zip(seqs, heads, sifted.lines, strict=True))
