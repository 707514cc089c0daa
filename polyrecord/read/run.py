"""Lines in order on their way out: how many may go before another writer or stream has its turn."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate, chain, compress
from operator import itemgetter
from typing import TypeAlias, TypeVar

from polyrecord.read.lines import order_by_seq, regular_seq, regular_ts, time_of
from polyrecord.read.sift import Sifted

Stamp: TypeAlias = tuple[bytes, str]
"""Time as nine-digit text, and writer: what writers merge by."""
Row: TypeAlias = tuple[bytes, str, bytes]
"""A stamp and a line."""


class Run:
    """Items of one block, or of several merged, not yet given out. Seq and time are told when needed."""

    __slots__ = ("_lines", "_selected", "_seqs", "_stamps")

    def __init__(
        self,
        lines: list[bytes],
        seqs: list[int] | None = None,
        stamps: list[bytes] | None = None,
        selected: list[bool] | None = None,
    ) -> None:
        """Without `seqs` and `stamps` they are told from the lines, which then must be as ours are."""
        self._lines, self._seqs, self._stamps, self._selected = lines, seqs, stamps, selected

    @property
    def left(self) -> bool:
        """Whether any line is left."""
        return bool(self._lines)

    @property
    def next_seq(self) -> int:
        """The seq of the next line."""
        return self._seq(0)

    @property
    def last_seq(self) -> int:
        """The seq of the last line."""
        return self._seq(len(self._lines) - 1)

    @property
    def next_ts(self) -> bytes:
        """The time of the next line, nine-digit text."""
        return self._ts(0)

    def _seq(self, at: int) -> int:
        return regular_seq(self._lines[at]) if self._seqs is None else self._seqs[at]

    def _ts(self, at: int) -> bytes:
        return regular_ts(self._lines[at]) if self._stamps is None else self._stamps[at]

    def cut_through_seq(self, limit: int) -> Run:
        """Split off the lines with a seq up to `limit`."""
        if self.last_seq <= limit:
            return self._split_off(len(self._lines))
        if self._seqs is None:
            return self._split_off(bisect_right(self._lines, limit, key=regular_seq))
        return self._split_off(bisect_right(self._seqs, limit))

    def _split_off(self, end: int) -> Run:
        """The lines up to `end`; they are no longer held here: what was given out is to be freed."""
        return Run(
            _cut(self._lines, end),
            self._seqs and _cut(self._seqs, end),
            self._stamps and _cut(self._stamps, end),
            self._selected and _cut(self._selected, end),
        )

    @property
    def lines(self) -> list[bytes]:
        """All lines."""
        return self._lines

    @property
    def selected_lines(self) -> list[bytes]:
        """Those that are selected."""
        return self._lines if self._selected is None else list(compress(self._lines, self._selected))

    def entries(self) -> list[tuple[int, bytes, bytes, bool]]:
        """All lines with their seqs, times, and whether they are selected."""
        seqs = self._seqs if self._seqs is not None else map(regular_seq, self._lines)
        stamps = self._stamps if self._stamps is not None else map(regular_ts, self._lines)
        selected = self._selected if self._selected is not None else [True] * len(self._lines)
        return list(zip(seqs, self._lines, stamps, selected, strict=True))

    @property
    def bare(self) -> bool:
        """Whether all lines are selected and tell their times themselves."""
        return self._stamps is None and self._selected is None

    @property
    def last_ts(self) -> bytes:
        """The time of the last line."""
        return self._ts(len(self._lines) - 1)

    def risen(self, latest: bytes) -> Run:
        """The same lines, a time that goes back taken as the latest so far."""
        stamps = self._stamps if self._stamps is not None else map(regular_ts, self._lines)
        rising = list(accumulate(stamps, max, initial=latest))[1:]
        return Run(self._lines, self._seqs, rising, self._selected)

    def take(self, limit: Stamp | None, writer: str, *, least: int = 1) -> list[bytes]:
        """The selected ones of the next lines up to (time, writer), of which there are at least so many."""
        return self._split_off(max(self._end_before(limit, writer), least)).selected_lines

    def take_rows(self, limit: Stamp, writer: str) -> list[Row]:
        """The same, possibly none, as rows that sort."""
        taken = self._split_off(self._end_before(limit, writer))
        return [(ts, writer, line) for _, line, ts, selected in taken.entries() if selected]

    def _end_before(self, limit: Stamp | None, writer: str) -> int:
        if limit is None or self.last_ts < limit[0]:
            return len(self._lines)
        cut = bisect_right if writer < limit[1] else bisect_left
        if self._stamps is None:
            return cut(self._lines, limit[0], key=time_of)
        return cut(self._stamps, limit[0])


_T = TypeVar("_T")


def _cut(items: list[_T], end: int) -> list[_T]:
    """The first items, taken out of the list."""
    cut = items[:end]
    del items[:end]
    return cut


def run_of(sifted: Sifted) -> Run:
    """What was sifted, ready to go out. Foreign lines out of order keep the file's order."""
    if sifted.heads is None:
        return Run(sifted.lines, selected=sifted.selected)
    seqs = list(accumulate((head.seq for head in sifted.heads), max))
    return Run(sifted.lines, seqs, [head.ts for head in sifted.heads], sifted.selected)


def merge_runs(runs: Sequence[Run]) -> Run:
    """One run of all their lines, by seq."""
    if len(runs) == 1:
        return runs[0]
    if all(run.bare for run in runs):
        # Sorting ascending stretches is one merge in C: a third of what a heap costs.
        lines = list(chain.from_iterable(run.lines for run in runs))
        lines.sort(key=order_by_seq(min(run.next_seq for run in runs), max(run.last_seq for run in runs)))
        return Run(lines)
    rows = [row for run in runs for row in run.entries()]
    rows.sort(key=itemgetter(0))
    return Run([r[1] for r in rows], [r[0] for r in rows], [r[2] for r in rows], [r[3] for r in rows])
