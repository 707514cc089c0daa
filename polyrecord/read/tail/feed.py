"""New events of an archive that grows, poll by poll, with the position that they bring a reader to."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from polyrecord.read.archive import ShardInfo
from polyrecord.read.blocks import PlannedBlock, sift_plain
from polyrecord.read.explain import Explain
from polyrecord.read.match import Matcher
from polyrecord.read.order import never_goes_back
from polyrecord.read.plain import PlainReader
from polyrecord.read.selection import Selection
from polyrecord.read.tail.rows import Row, rows_in, rows_of
from polyrecord.read.tail.settle import WriterQueue
from polyrecord.read.tail.shards import Found, GrowingShard, footer_of
from polyrecord.read.tail.watch import Watch
from polyrecord.times import format_ts

Positions: TypeAlias = dict[tuple[str, str], int]
"""Per writer and stream the last seq that went out."""

BATCH_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class FeedBatch:
    """Lines in the order they go out, where each comes from, and the positions that all of them lead to."""

    lines: list[bytes] = field(default_factory=list)
    places: list[tuple[str, str]] = field(default_factory=list)  # writer and stream
    seqs: list[int] = field(default_factory=list)
    moved: Positions = field(default_factory=dict)

    def moved_by(self, count: int) -> Positions:
        """The positions that the first `count` lines lead to."""
        if count == len(self.lines):
            return self.moved
        return dict(zip(self.places[:count], self.seqs[:count], strict=True))


class _Entry(NamedTuple):
    """A line, or None for the end of a block; `stamp` is the latest time of the writer so far."""

    stamp: bytes
    writer: str
    seq: int
    line: bytes | None
    stream: str


class Feed:
    """What an archive holds beyond some positions, and what is added to it from then on.

    Within a writer lines come by seq, as long as it flushes its streams within `settle.PATIENCE` seconds of
    each other, and within a writer and stream always; writers are merged by time among what a poll finds.
    """

    def __init__(
        self, root: Path, selection: Selection, explain: Explain, positions: Positions | None = None
    ) -> None:
        """Without `positions` everything is new."""
        self.positions: Positions = dict(positions or {})
        self.baseline: list[ShardInfo] = []
        self._selection, self._matcher = selection, Matcher(selection)
        self._explain = explain
        self._watch = Watch(root)
        self._shards: dict[tuple[str, str, int], GrowingShard] = {}
        self._writers: dict[str, WriterQueue] = {}
        self._known: dict[str, int | None] = {}
        self._polls = 0
        for (writer, _), seq in self.positions.items():
            self._known[writer] = max(seq, self._known.get(writer) or 0)

    def skip(self, *, exactly: bool) -> None:
        """Take all that is there as gone out. `exactly` finds the positions of sealed shards too.

        `baseline` then lists the shards; `positions` says how far those went that were open.
        """
        ignored = Explain()
        for info in self._watch.new_shards():
            self.baseline.append(info)
            place = info.name.writer, info.name.stream
            self._known.setdefault(info.name.writer, None)
            footer = footer_of(info) if info.name.sealed and exactly else None
            if footer is not None:
                self._move(place, footer.last_seq)
            elif exactly or not info.name.sealed:
                for found in self._shard(info).look(ignored):
                    self._move(place, _last_seq(found, ignored))

    def _move(self, place: tuple[str, str], seq: int) -> None:
        self.positions[place] = max(seq, self.positions.get(place, 0))
        self._known[place[0]] = max(seq, self._known.get(place[0]) or 0)

    @property
    def is_waiting(self) -> bool:
        """Whether events were seen that are held back for earlier ones."""
        return any(queue.is_waiting for queue in self._writers.values())

    def poll(self, *, at_once: bool = False) -> Iterator[FeedBatch]:
        """What is new, in batches of about `BATCH_BYTES`; `at_once` holds nothing back.

        What was taken from it has gone out as far as this feed is concerned: take all of it.
        """
        now = time.monotonic()
        for _ in range(2 if at_once else 1):  # the second makes sure of what the first found
            self._polls += 1
            self._look(now, at_once=at_once)
        waiting = {writer for writer, queue in self._writers.items() if queue.is_waiting}
        taken = {w: self._writers[w].take(now, self._polls, at_once=at_once) for w in sorted(waiting)}
        yield from self._batches({writer: blocks for writer, blocks in taken.items() if blocks})

    def _look(self, now: float, *, at_once: bool) -> None:
        for info in self._watch.new_shards():
            if not self._selection.takes_date(info.name.date):
                self._known.setdefault(info.name.writer, None)
            elif not self._is_behind(info):
                self._shard(info)
        for key, shard in list(self._shards.items()):
            for found in shard.look(self._explain, at_once=at_once):
                self._queue(found.info.name.writer).add(found, now, self._polls)
            if shard.done:
                del self._shards[key]

    def _is_behind(self, info: ShardInfo) -> bool:
        """Whether all of a sealed shard went out already, by its footer."""
        position = self.positions.get((info.name.writer, info.name.stream))
        footer = footer_of(info) if position is not None and info.name.sealed else None
        return footer is not None and position is not None and footer.last_seq <= position

    def _shard(self, info: ShardInfo) -> GrowingShard:
        name = info.name
        beyond = self.positions.get((name.writer, name.stream), 0)
        shard = GrowingShard(info, self._matcher, beyond)
        self._shards[name.stream, name.writer, name.number] = shard
        return shard

    def _queue(self, writer: str) -> WriterQueue:
        queue = self._writers.get(writer)
        if queue is None:
            through = self._known.get(writer, 0)
            queue = self._writers[writer] = WriterQueue(through, is_steady=never_goes_back(writer))
        return queue

    def _batches(self, taken: dict[str, list[Found]]) -> Iterator[FeedBatch]:
        batch, held = FeedBatch(), 0
        for row in _by_time({writer: self._rows(blocks) for writer, blocks in taken.items()}, taken):
            place = row.writer, row.stream
            if row.seq > self.positions.get(place, 0):
                self.positions[place] = batch.moved[place] = row.seq
            if row.line is None:
                continue
            batch.lines.append(row.line)
            batch.places.append(place)
            batch.seqs.append(row.seq)
            held += len(row.line) + 1
            if held >= BATCH_BYTES:
                yield batch
                batch, held = FeedBatch(), 0
        if batch.moved or batch.lines:
            yield batch

    def _rows(self, blocks: list[Found]) -> Iterator[_Entry]:
        """The rows of one writer's blocks by seq; a block is read when its first seq has its turn."""
        heap: list[tuple[int, int, _Entry, Iterator[_Entry]]] = []
        at, stamp = 0, b""
        while at < len(blocks) or heap:
            if at < len(blocks) and (not heap or blocks[at].first_seq <= heap[0][0]):
                rows = self._read(blocks[at])
                number, at = at, at + 1
            else:
                _, number, given, rows = heappop(heap)
                stamp = max(stamp, given.stamp)
                yield given._replace(stamp=stamp)
            row = next(rows, None)
            if row is not None:
                heappush(heap, (row.seq, number, row, rows))

    def _read(self, found: Found) -> Iterator[_Entry]:
        """What of a block or region is selected and beyond the position, and its end."""
        name = found.info.name
        beyond = max(self.positions.get((name.writer, name.stream), 0), found.after)
        last = found.last_seq
        for seq, ts, line in self._lines(found):
            last = max(last, seq)
            if seq > beyond:
                yield _Entry(ts, name.writer, seq, line, name.stream)
        yield _Entry(b"", name.writer, last, None, name.stream)

    def _lines(self, found: Found) -> Iterable[Row]:
        piece = found.piece
        if isinstance(piece, PlainReader):
            return self._plain_lines(piece)
        name = piece.info.name
        if not piece.wanted or piece.last_seq <= self.positions.get((name.writer, name.stream), 0):
            return ()
        return rows_in(piece, self._matcher, self._explain)

    def _plain_lines(self, reader: PlainReader) -> Iterator[Row]:
        while lines := reader.read():
            yield from rows_of(sift_plain(reader, lines, self._matcher, self._explain))


def _last_seq(found: Found, explain: Explain) -> int:
    """The last seq of a block, or of a plain region, which has to be read for it."""
    last, reader = found.last_seq, found.piece
    while isinstance(reader, PlainReader) and (lines := reader.read()):
        rows = rows_of(sift_plain(reader, lines, Matcher(Selection()), explain))
        last = max(last, max((seq for seq, _, _ in rows), default=0))
    return last


def _by_time(writers: dict[str, Iterator[_Entry]], taken: dict[str, list[Found]]) -> Iterator[_Entry]:
    """The rows of all writers by (time, writer); a writer is not read before its first time has its turn."""
    if len(writers) == 1:
        yield from next(iter(writers.values()))
        return
    heap: list[tuple[bytes, str, _Entry | None]] = [(_earliest(taken[w]), w, None) for w in writers]
    heap.sort()
    while heap:
        _, writer, row = heappop(heap)
        if row is not None:
            yield row
        following = next(writers[writer], None)
        if following is not None:
            heappush(heap, (following.stamp, writer, following))


def _earliest(blocks: list[Found]) -> bytes:
    times = [found.piece.min_ts for found in blocks if isinstance(found.piece, PlannedBlock)]
    return format_ts(min(times)).encode() if times and len(times) == len(blocks) else b""
