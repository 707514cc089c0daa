"""What must be read for the order's sake, beyond what is selected (docs/format.md, section 7).

Writers merge by time, where a time that goes back counts as the latest so far of its writer. A recorder's
time never goes back. An import's may, so the latest time so far can stand in an event that is not selected.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

from polyrecord.times import format_ts

if TYPE_CHECKING:  # who only asks how a writer's times run loads nothing that reads blocks
    from polyrecord.read.plan import PlannedBlock

_RECORDER = re.compile(r"\d{8}t\d{6}\.")


def never_goes_back(writer: str) -> bool:
    """Whether a writer is a recorder session, by its name: its times only grow."""
    return _RECORDER.match(writer) is not None


def needed_for_order(blocks: Sequence[PlannedBlock]) -> set[PlannedBlock]:
    """The wanted blocks of one writer and those that share some of their seq range."""
    wanted = sorted((b.first_seq, b.last_seq) for b in blocks if b.wanted)
    starts = [first for first, _ in wanted]
    ends = list(accumulate((last for _, last in wanted), max))
    return {b for b in blocks if b.wanted or _overlaps(b, starts, ends)}


def _overlaps(block: PlannedBlock, starts: list[int], ends: list[int]) -> bool:
    before_its_end = bisect_left(starts, block.last_seq + 1)
    return before_its_end > 0 and ends[before_its_end - 1] >= block.first_seq


def with_floors(blocks: Sequence[PlannedBlock], read: set[PlannedBlock]) -> dict[PlannedBlock, PlannedBlock]:
    """Each block of `read` with its floor: the latest time of the blocks wholly before it."""
    by_end = sorted(blocks, key=lambda block: block.last_seq)
    ends = [block.last_seq for block in by_end]
    latest = list(accumulate((block.max_ts for block in by_end), max))
    placed = {}
    for block in read:
        before = bisect_left(ends, block.first_seq)
        placed[block] = replace(block, floor=format_ts(latest[before - 1]).encode()) if before else block
    return placed
