"""The last events in replay order, from as few blocks as can be: the one that ends last is read first."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush, heappushpop
from itertools import accumulate
from itertools import count as count_up
from typing import NamedTuple, TypeAlias

from polyrecord.read.archive import Archive, ShardInfo
from polyrecord.read.blocks import PlannedBlock, plan_shard
from polyrecord.read.explain import Explain
from polyrecord.read.match import Matcher
from polyrecord.read.order import never_goes_back
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source
from polyrecord.read.tail.rows import rows_in
from polyrecord.times import SECOND, format_ts, parse_ts

_DAY: int = 86_400 * SECOND
Through: TypeAlias = Mapping[tuple[str, str], int]
"""The last seq of a writer and stream that counts."""


class Placed(NamedTuple):
    """A line and its place in replay order: `stamp` is text that sorts as the order does."""

    stamp: bytes
    writer: str
    seq: int
    line: bytes


def last_lines(
    source: Source,
    selection: Selection,
    count: int,
    explain: Explain,
    *,
    shards: Sequence[ShardInfo] | None = None,
    through: Through | None = None,
) -> list[bytes]:
    """The last `count` selected lines in replay order, without their line feeds.

    `shards` and `through` say what is there, where an archive grows meanwhile. Where there is anything but
    blocks of ours, all that is selected is read.
    """
    if not count:
        return []
    found = source.shards(selection, explain) if shards is None else shards
    looking = Explain(strict=explain.strict)
    try:
        lines = _Last(source, found, selection, count, through or {}, looking).run()
    except _NotOnlyBlocks:
        replay = Replay(source, selection, explain=explain, whole_id_wins=False)
        return list(deque(replay.lines(), maxlen=count))
    explain.absorb(looking)
    return lines


class _NotOnlyBlocks(Exception):
    """Some lines are plain gzip or text, of which no header says where they belong."""


class _Last:
    """Shards and blocks wait by the latest stamp they can hold; the one with the latest is looked into."""

    def __init__(
        self,
        source: Source,
        shards: Sequence[ShardInfo],
        selection: Selection,
        count: int,
        through: Through,
        explain: Explain,
    ) -> None:
        self._source, self._shards, self._count = source, shards, count
        self._through, self._explain = through, explain
        self._matcher = Matcher(selection)
        self._waiting: list[tuple[int, int, ShardInfo | PlannedBlock]] = []
        self._number = count_up()
        self._kept: list[Placed] = []
        self._by_seq = False
        self._times: dict[str, _Times] = {}

    def run(self) -> list[bytes]:
        self._begin()
        while self._waiting:
            highest, _, unit = heappop(self._waiting)
            if len(self._kept) == self._count and self._text(-highest) < self._kept[0].stamp:
                break
            if isinstance(unit, PlannedBlock):
                self._keep(unit)
            else:
                self._plan(unit)
        return [placed.line for placed in sorted(self._kept)]

    def _begin(self) -> None:
        writers = {info.name.writer for info in self._shards}
        going_back = {writer for writer in writers if not never_goes_back(writer)}
        self._by_seq = len(writers) == 1
        by_date = isinstance(self._source, Archive)  # of other sources the dates in names are made up
        for info in self._shards:
            if info.is_log:
                raise _NotOnlyBlocks
            if by_date and never_goes_back(info.name.writer) and not self._by_seq:
                self._wait(parse_ts(info.name.date) + _DAY, info)
            elif self._by_seq or info.name.writer not in going_back:
                self._plan(info)
        if not self._by_seq:
            for writer in going_back:
                self._plan_going_back(writer)

    def _wait(self, highest: int, unit: ShardInfo | PlannedBlock) -> None:
        heappush(self._waiting, (-highest, next(self._number), unit))

    def _text(self, highest: int) -> bytes:
        return b"%020d" % highest if self._by_seq else format_ts(highest).encode()

    def _plan(self, info: ShardInfo) -> None:
        for block in _blocks(info, self._matcher, self._explain):
            self._wait(block.last_seq if self._by_seq else block.max_ts, block)

    def _plan_going_back(self, writer: str) -> None:
        """All blocks of a writer whose times may go back: the latest so far may stand in any of them."""
        selected = {info.name.as_sealed() for info in self._shards}
        every, wanted = [], []
        for info in self._source.shards():
            if info.name.writer == writer:
                blocks = _blocks(info, self._matcher, self._explain, everything=True)
                every += blocks
                wanted += [b for b in blocks if b.wanted and info.name.as_sealed() in selected]
        times = self._times[writer] = _Times(every, self._matcher, self._explain)
        for block in wanted:
            self._wait(times.latest(block), block)

    def _keep(self, block: PlannedBlock) -> None:
        name = block.info.name
        through = self._through.get((name.writer, name.stream))
        times = self._times.get(name.writer)
        for seq, ts, line in rows_in(block, self._matcher, self._explain):
            if through is not None and seq > through:
                continue
            stamp = b"%020d" % seq if self._by_seq else ts if times is None else times.at(block, seq)
            placed = Placed(stamp, name.writer, seq, line)
            if len(self._kept) < self._count:
                heappush(self._kept, placed)
            else:
                heappushpop(self._kept, placed)


def _blocks(
    info: ShardInfo, matcher: Matcher, explain: Explain, *, everything: bool = False
) -> list[PlannedBlock]:
    plan = plan_shard(info, matcher, explain, everything=everything)
    if plan.plain:
        raise _NotOnlyBlocks
    return plan.blocks


class _Times:
    """The latest time so far at any event of a writer, from headers and the blocks around the event."""

    def __init__(self, blocks: Sequence[PlannedBlock], matcher: Matcher, explain: Explain) -> None:
        self._matcher, self._explain = matcher, explain
        self._blocks = sorted(blocks, key=lambda block: block.first_seq)
        self._starts = [block.first_seq for block in self._blocks]
        self._latest = list(accumulate((block.max_ts for block in self._blocks), max))
        self._inside: dict[PlannedBlock, tuple[list[int], list[bytes]]] = {}

    def latest(self, block: PlannedBlock) -> int:
        """A time in ns that no event of a block counts as later than."""
        return self._latest[bisect_right(self._starts, block.last_seq) - 1]

    def at(self, block: PlannedBlock, seq: int) -> bytes:
        """The latest time up to an event of a block."""
        stamp = b""
        for other in self._blocks[: bisect_right(self._starts, seq)]:
            if other.last_seq < block.first_seq:
                stamp = max(stamp, format_ts(other.max_ts).encode())
                continue
            seqs, latest = self._of(other)
            before = bisect_right(seqs, seq)
            stamp = max(stamp, latest[before - 1]) if before else stamp
        return stamp

    def _of(self, block: PlannedBlock) -> tuple[list[int], list[bytes]]:
        if block not in self._inside:
            rows = list(rows_in(block, self._matcher, Explain(), everything=True))
            latest = list(accumulate((ts for _, ts, _ in rows), max))
            self._inside[block] = ([seq for seq, _, _ in rows], latest)
        return self._inside[block]
