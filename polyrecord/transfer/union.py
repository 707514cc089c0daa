"""Strands of one stream become one: each event once, in seq order, and what is missing counted once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from operator import itemgetter
from typing import TypeAlias

from polyrecord.record.verbatim import VerbatimWriter
from polyrecord.transfer.ledger import Ledger
from polyrecord.transfer.rows import Row
from polyrecord.transfer.strand import Batch, Strand


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another line than the one kept under the same writer, stream and seq; `source` is the number of its."""

    writer: str
    stream: str
    seq: int
    source: int
    kept: bytes
    line: bytes


OnConflict: TypeAlias = Callable[[Conflict], None]


@dataclass(slots=True)
class Tally:
    """What was taken of a strand: lines asked for, and lines of the ledger that came along."""

    asked: int = 0
    ledger: int = 0

    def count(self, row: Row) -> None:
        if row.asked:
            self.asked += 1
        else:
            self.ledger += 1


def write_strand(
    strand: Strand, stream: str, writer: VerbatimWriter, tally: Tally, ledger: Ledger | None = None
) -> None:
    """Write one strand as it is; `stream` is where its losses go, those of the `ledger` too."""
    declared = ledger or Ledger()
    for batch in strand:
        writer.lose(stream, batch.missing + (batch.hole[2] if batch.hole is not None else 0))
        if batch.member is not None and batch.header is not None:
            writer.lose(stream, declared.take(batch.header.last_seq))
            writer.add_block(batch.stream, batch.member, batch.header)
            tally.asked += batch.header.events
        for row in batch.rows:
            writer.lose(stream, declared.take(row.recorded.seq))
            writer.add(row.stream, row.recorded)
            tally.count(row)
    writer.lose(stream, declared.take())


_Entry: TypeAlias = tuple[int, int, int, Row | Batch]
"""Seq, rank at that seq, number of the strand, and a row or, before its rows, what is missing at a batch."""


def _entries(number: int, strand: Strand) -> Iterator[_Entry]:
    for batch in strand:
        if batch.hole is not None:
            yield batch.hole[0], 0, number, batch
        elif batch.missing:
            first = batch.rows[0].recorded.seq if batch.rows else batch.through
            yield first, 0, number, batch
        for row in batch.rows:
            yield row.recorded.seq, 1, number, row


class Union:
    """Writes several strands of one (writer, stream) as one."""

    def __init__(
        self, name: str, stream: str, writer: VerbatimWriter, on_conflict: OnConflict, ledger: Ledger
    ) -> None:
        self._name, self._stream, self._writer = name, stream, writer
        self._on_conflict, self._ledger = on_conflict, ledger
        self._losses = _Losses()
        self._seq = 0
        self._kept: list[Row] = []  # of that seq
        self._first = 0  # the strand they are from

    def write(self, strands: Sequence[Strand], tally: Tally) -> None:
        """Write them all; of different lines under one seq those of the first strand are kept."""
        entries = merge(*(_entries(at, one) for at, one in enumerate(strands)), key=itemgetter(0, 1, 2))
        for seq, _, number, item in entries:
            if isinstance(item, Batch):
                self._losses.add(number, item)
            elif self._is_new(seq, number, item):
                self._writer.lose(self._stream, self._losses.before(seq) + self._ledger.take(seq))
                self._writer.add(self._stream, item.recorded)
                self._losses.filled(seq)
                tally.count(item)
        self._writer.lose(self._stream, self._losses.rest() + self._ledger.take())

    def _is_new(self, seq: int, number: int, row: Row) -> bool:
        if seq != self._seq or not self._kept:
            self._seq, self._first, self._kept = seq, number, [row]
            return True
        if number == self._first:
            self._kept.append(row)
            return True
        line = row.recorded.line
        if all(line != kept.recorded.line for kept in self._kept):
            kept = self._kept[0].recorded.line
            self._on_conflict(Conflict(self._name, self._stream, seq, number, kept, line))
        return False


@dataclass(slots=True)
class _Stretch:
    """A stretch of seqs up to `end`: how many each strand misses in it, and how many were declared."""

    end: int
    sums: dict[int, int]
    given: int = 0

    def take_in(self, other: _Stretch) -> None:
        self.end = max(self.end, other.end)
        self.given += other.given
        for number, missing in other.sums.items():
            self.sums[number] = self.sums.get(number, 0) + missing

    def declare(self) -> int:
        """How many more there are than were declared."""
        more = max(max(self.sums.values()) - self.given, 0)
        self.given += more
        return more


@dataclass(slots=True)
class _Losses:
    """What several strands miss without a word: the most that one of them says of the same stretch of seqs.

    `holes` are blocks that cannot be read, each with the events no strand has given.
    """

    stretches: list[_Stretch] = field(default_factory=list)
    due: int = 0
    holes: dict[tuple[int, int, int], int] = field(default_factory=dict)

    def add(self, number: int, batch: Batch) -> None:
        if batch.hole is not None:
            self.holes.setdefault(batch.hole, batch.hole[2])
        if not batch.missing:
            return
        new = _Stretch(batch.through, {number: batch.missing})
        if self.stretches and self.stretches[-1].end <= batch.after:
            self.due += self.stretches[-1].declare()
        while self.stretches and self.stretches[-1].end > batch.after:
            new.take_in(self.stretches.pop())
        self.stretches.append(new)

    def filled(self, seq: int) -> None:
        """A line was written that a hole may have held."""
        for hole in self.holes:
            self.holes[hole] -= hole[0] <= seq <= hole[1]

    def before(self, seq: int) -> int:
        """How many are known to be missing before a seq and were not declared yet."""
        if self.stretches and seq > self.stretches[-1].end:
            self.due += self.stretches[-1].declare()
        for hole in [hole for hole in self.holes if hole[1] < seq]:
            self.due += max(self.holes.pop(hole), 0)
        due, self.due = self.due, 0
        return due

    def rest(self) -> int:
        """What is left to declare at the end."""
        return self.before(1 << 64)
