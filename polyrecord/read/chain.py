"""One writer's lines in seq order, merged from its chains of shards. Asks for what it needs; does no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.lines import are_regular, bare_lines
from polyrecord.read.load import Loaded, load_split
from polyrecord.read.match import Matcher
from polyrecord.read.plain import PlainReader
from polyrecord.read.plan import Piece, PlannedBlock, ShardPlan
from polyrecord.read.run import Row, Run, Stamp, merge_runs, run_of
from polyrecord.read.sift import sift_block, sift_plain
from polyrecord.times import format_ts


@dataclass(frozen=True, slots=True)
class NeedPlan:
    """Asks for the ShardPlan of a shard; with `everything` of all its blocks."""

    info: ShardInfo
    everything: bool = False


@dataclass(frozen=True, slots=True)
class NeedBlock:
    """Asks for the bytes of a block; None when they cannot be had."""

    block: PlannedBlock


@dataclass(frozen=True, slots=True)
class NeedLines:
    """Asks for the next chunk of lines of a plain region."""

    reader: PlainReader


Need: TypeAlias = NeedPlan | NeedBlock | NeedLines
Reply: TypeAlias = ShardPlan | bytes | list[bytes] | None
Asking: TypeAlias = Generator[Need, Reply, None]


@dataclass(slots=True)
class Chain:
    """Shards that follow each other, read one after the other, a block at a time.

    `queue` is what is known to come next, `shards` what has not been looked at.
    """

    shards: deque[ShardInfo] = field(default_factory=deque)
    queue: deque[Piece] = field(default_factory=deque)
    run: Run | None = None

    def add(self, plan: ShardPlan) -> None:
        """Put a shard's pieces at the end of the queue."""
        self.queue.extend(plan.pieces)

    @property
    def alive(self) -> bool:
        """Whether anything is left to read or to give out."""
        return bool(self.run or self.queue or self.shards)

    @property
    def next_seq(self) -> int:
        """A seq that no line to come is below: the next line's, or that of a block not yet read.

        Of plain lines, which no header describes, 0: they are read at once.
        """
        if self.run is not None:
            return self.run.next_seq
        following = self.queue[0] if self.queue else None
        return following.first_seq if isinstance(following, PlannedBlock) else 0

    @property
    def known_through(self) -> int:
        """Up to which seq the lines to come are in memory."""
        return self.run.last_seq if self.run is not None else self.next_seq - 1

    @property
    def next_ts(self) -> bytes:
        """A time that no line to come is before, where times do not go back."""
        if self.run is not None:
            return self.run.next_ts
        if self.queue:
            return _floor(self.queue[0])
        return self.shards[0].name.date.encode() if self.shards else b""


class WriterMerge:
    """The lines of one writer in seq order.

    With `may_go_back` a time counts as the latest so far, also of lines that are not selected.
    """

    def __init__(
        self,
        writer: str,
        chains: Iterable[Chain],
        matcher: Matcher,
        explain: Explain,
        *,
        may_go_back: bool = False,
    ) -> None:
        self.writer = writer
        self._chains = [chain for chain in chains if chain.alive]
        self._matcher, self._explain = matcher, explain
        self._may_go_back = may_go_back
        self._splits = may_go_back or matcher.selection.text is None  # else lines are looked for whole
        self._latest = _earliest(self._chains) if may_go_back else b""
        self._out: Run | None = None

    @property
    def bound(self) -> Stamp | None:
        """A stamp that nothing to come is before, exact when lines are ready; None at the end."""
        if self._out is not None:
            return self._out.next_ts, self.writer
        if not self._chains:
            return None
        if self._may_go_back:
            return self._latest, self.writer
        return min(chain.next_ts for chain in self._chains), self.writer

    @property
    def ready(self) -> bool:
        """Whether lines can be taken."""
        return self._out is not None

    def settle(self, limit: Stamp | None) -> Asking:
        """Read until lines are ready, or nothing is left, or nothing can be before `limit`."""
        while self._out is None:
            for chain in self._chains:
                yield from self._open(chain)
            self._chains = [chain for chain in self._chains if chain.alive]
            bound = self.bound
            if bound is None or (limit is not None and bound > limit):
                return
            first = min(self._chains, key=lambda chain: chain.next_seq)
            if first.run is None:
                yield from self._read(first)
            else:
                self._fill(first.run)

    def _fill(self, first: Run) -> None:
        """Make ready what comes before the first line that is not in memory."""
        through = max(min(chain.known_through for chain in self._chains), first.next_seq)
        runs = [chain.run for chain in self._chains if chain.run and chain.run.next_seq <= through]
        self._out = merge_runs([run.cut_through_seq(through) for run in runs])
        if self._may_go_back:
            self._out = self._out.risen(self._latest)
            self._latest = self._out.last_ts

    @property
    def last(self) -> Stamp:
        """A stamp just after the last line that is ready."""
        assert self._out is not None
        # Never before the next line, lest a writer whose times go back against its word stops the merge.
        return max(self._out.last_ts, self._out.next_ts), self.writer + "\0"

    def take(self, limit: Stamp | None, *, least: int = 1) -> list[bytes]:
        """The ready lines that come before `limit`, at least so many; the selected ones are given."""
        assert self._out is not None
        lines = self._out.take(limit, self.writer, least=least)
        self._release()
        return lines

    @property
    def bare(self) -> bool:
        """Whether what is ready is all selected and tells its times itself."""
        return self._out is not None and self._out.bare

    def take_rows(self, limit: Stamp) -> list[Row]:
        """What `take` gives, possibly nothing, as rows that sort."""
        assert self._out is not None
        rows = self._out.take_rows(limit, self.writer)
        self._release()
        return rows

    def _release(self) -> None:
        """Let go of the blocks once all that was ready is given out; only then are others read."""
        if self._out is not None and self._out.left:
            return
        self._out = None
        for chain in self._chains:
            if chain.run is not None and not chain.run.left:
                chain.run = None
                self._explain.blocks_held -= 1

    def _open(self, chain: Chain) -> Asking:
        """Look at the chain's shards up to the first that holds something."""
        while chain.shards and not (chain.run or chain.queue):
            plan = yield NeedPlan(chain.shards.popleft())
            assert isinstance(plan, ShardPlan)
            chain.add(plan)

    def _read(self, chain: Chain) -> Asking:
        """Bring the chain's next block, or chunk of plain lines, into memory."""
        following = chain.queue[0]
        if isinstance(following, PlainReader):
            run = yield from self._read_plain(chain, following)
        else:
            chain.queue.popleft()
            run = yield from self._read_block(following)
        if run is not None and run.left:
            self._explain.hold()
            chain.run = run

    def _read_plain(self, chain: Chain, reader: PlainReader) -> Generator[Need, Reply, Run | None]:
        lines = yield NeedLines(reader)
        assert isinstance(lines, list)
        if not lines:
            chain.queue.popleft()
            return None
        sifted = sift_plain(reader, lines, self._matcher, self._explain, everything=self._may_go_back)
        return run_of(sifted)

    def _read_block(self, planned: PlannedBlock) -> Generator[Need, Reply, Run | None]:
        self._latest = max(self._latest, planned.floor)
        member = yield NeedBlock(planned)
        if not isinstance(member, bytes):
            return None
        everything = self._may_go_back
        loaded = load_split(
            planned, member, self._matcher, self._explain, everything=everything, split=self._splits
        )
        if not loaded.content:
            return None
        run = self._whole(planned, loaded)
        if run is not None:
            return run
        sifted = sift_block(
            planned, loaded.header, loaded.content, self._matcher, self._explain, everything=everything
        )
        return run_of(sifted)

    def _whole(self, planned: PlannedBlock, loaded: Loaded) -> Run | None:
        """All of a block's lines, where all are selected and as ours are."""
        header, _, ended = loaded
        if ended is None or not (planned.wanted and self._matcher.takes_all_of(header)):
            return None
        if not are_regular(ended, ended=True):
            return None
        self._explain.lines_read += header.events
        self._explain.lines_kept += header.events
        return Run(bare_lines(ended))


def _earliest(chains: Iterable[Chain]) -> bytes:
    """The earliest time in chains whose shards are all planned."""
    return min((_floor(piece) for chain in chains for piece in chain.queue), default=b"")


def _floor(piece: Piece) -> bytes:
    """A time that nothing in a piece is before, as far as is known."""
    return format_ts(piece.min_ts).encode() if isinstance(piece, PlannedBlock) else piece.floor
