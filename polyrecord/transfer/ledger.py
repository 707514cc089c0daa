"""What recorders declared lost, per writer and stream, in the order they did."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import accumulate
from typing import TypeAlias

from polyrecord.events.routes import TELEMETRY
from polyrecord.format.constants import LEDGER_LOSS
from polyrecord.read.event import Event, NotAnEvent
from polyrecord.read.explain import Explain
from polyrecord.read.order import never_goes_back
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source
from polyrecord.record.blocks import DAY_NS
from polyrecord.transfer.rows import MOST_LOST


class Ledger:
    """The declarations of one writer about one stream: their seqs, and how many events each."""

    __slots__ = ("_seqs", "_sums", "_taken")

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        """`counts` are events by the seq of the declaration."""
        entries = sorted((counts or {}).items())
        self._seqs = [seq for seq, _ in entries]
        self._sums = [0, *accumulate(count for _, count in entries)]
        self._taken = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ledger) and (self._seqs, self._sums) == (other._seqs, other._sums)

    __hash__ = None  # type: ignore[assignment]

    def between(self, after: int, through: int) -> int:
        """Events declared lost behind a seq, up to another."""
        return self._sums[bisect_right(self._seqs, through)] - self._sums[bisect_right(self._seqs, after)]

    def take(self, through: int | None = None) -> int:
        """Events declared lost up to a seq, or at all, that were not taken yet."""
        end = len(self._seqs) if through is None else bisect_right(self._seqs, through)
        taken, self._taken = self._taken, max(end, self._taken)
        return self._sums[self._taken] - self._sums[taken]


Declared: TypeAlias = dict[tuple[str, str], dict[int, int]]
"""By writer and stream: events declared lost, by the seq of the declaration."""


def read_ledger(source: Source, window: Selection | None = None) -> tuple[Declared, Declared]:
    """All that is declared on the dates of a window, and what is declared within it."""
    whole, inside = Declared(), Declared()
    if not source.has_manifests:
        return whole, inside
    bounds = window or Selection()
    ledger = Selection(types=frozenset({LEDGER_LOSS}), streams=frozenset({TELEMETRY}))
    for event in Replay(source, _whole_days(ledger, bounds), explain=Explain()):
        if not never_goes_back(event.writer):
            continue
        try:
            seq, counts, at = event.seq, _counts(event), event.ts_ns
        except (NotAnEvent, ValueError):
            continue
        for stream, count in counts.items():
            whole.setdefault((event.writer, stream), {})[seq] = count
            if bounds.lowest_ns <= at and (bounds.until_ns is None or at < bounds.highest_ns):
                inside.setdefault((event.writer, stream), {})[seq] = count
    return whole, inside


def joined(ledgers: Iterable[Declared], place: tuple[str, str]) -> Ledger:
    """What several sources declare lost of one stream, each declaration once."""
    counts: dict[int, int] = {}
    for ledger in ledgers:
        for seq, count in ledger.get(place, {}).items():
            counts[seq] = max(count, counts.get(seq, 0))
    return Ledger(counts)


def _whole_days(selection: Selection, window: Selection) -> Selection:
    since, until = window.since_ns, window.until_ns
    return replace(
        selection,
        since_ns=None if since is None else since // DAY_NS * DAY_NS,
        until_ns=None if until is None else -(-until // DAY_NS) * DAY_NS,
    )


def _counts(event: Event) -> dict[str, int]:
    streams = event.data.get("streams") if isinstance(event.data, dict) else None
    told = streams.items() if isinstance(streams, dict) else ()
    counts = {stream: entry.get("count") for stream, entry in told if isinstance(entry, dict)}
    return {stream: min(n, MOST_LOST) for stream, n in counts.items() if isinstance(n, int) and n > 0}
