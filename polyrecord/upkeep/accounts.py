"""What one writer numbered against what is there: by ordinals in each stream, by seqs over all of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any, Final

from polyrecord.read.order import never_goes_back
from polyrecord.read.pruned import PrunedShard
from polyrecord.times import SECOND
from polyrecord.upkeep.problems import Kind, Problem
from polyrecord.upkeep.seqs import SeqSet
from polyrecord.upkeep.shard_facts import ShardFacts, Span

_FLUSH_SECONDS: Final = 1.0
_LONGEST_FLUSH: Final = 1e6  # seconds
_COPIES: Final = ("cut", "merged", "salvaged")  # in the manifest of a writer whose totals are another's


@dataclass(slots=True)
class _Stream:
    """One stream of a writer."""

    spans: list[Span] = field(default_factory=list)
    gone: list[Span] = field(default_factory=list)
    numbers: set[int] = field(default_factory=set)
    events: int = 0
    pruned: list[PrunedShard] = field(default_factory=list)

    def add(self, facts: ShardFacts) -> None:
        self.numbers.add(facts.name.number)
        self.gone += facts.gone
        self.events += facts.events
        for span in facts.spans:
            last = self.spans[-1] if self.spans else None
            whole = span.last - span.first + 1 == span.events
            if last is not None and whole and span.first == last.last + 1 and _is_whole(last):
                events = last.events + span.events
                self.spans[-1] = Span(last.first, span.last, events, last.path, last.offset)
            else:
                self.spans.append(span)


def _is_whole(span: Span) -> bool:
    return span.last - span.first + 1 == span.events


class Account:
    """Everything of one writer, shard by shard; afterwards, what is missing."""

    def __init__(self, writer: str, manifest: dict[str, Any] | None, pruned: Sequence[PrunedShard]) -> None:
        self.writer = writer
        self.declared: Counter[str] = Counter()  # events, by stream
        self.lost = 0
        self.plain = 0
        self.twice = 0
        self._manifest = manifest
        self._pruned = pruned
        self._streams: dict[str, _Stream] = defaultdict(_Stream)
        self._seqs = SeqSet()
        self._ends: list[tuple[int, int]] = []
        self._clean = False
        for shard in pruned:
            self._streams[shard.name.stream].pruned.append(shard)

    @property
    def events(self) -> int:
        """Events in whole blocks."""
        return sum(stream.events for stream in self._streams.values())

    @property
    def has_ended(self) -> bool:
        """Whether the writer came to an orderly end, as far as is known."""
        manifest = self._manifest or {}
        return self._clean or bool(manifest.get("ended") or manifest.get("streams"))

    def add(self, facts: ShardFacts) -> int:
        """Take what a shard holds; how many of its events were there already."""
        self._streams[facts.name.stream].add(facts)
        self.declared.update(facts.lost_by_stream)
        self.lost += facts.lost
        self.plain += facts.plain
        self._ends += facts.ends
        self._clean = self._clean or facts.clean
        twice = self._seqs.add(facts.seqs)
        self.twice += twice
        return twice

    def declare(self, shards: Iterable[ShardFacts]) -> None:
        """What these shards, all of a stream, declare lost takes the place of what they declared before."""
        self.declared.clear()
        self.lost = 0
        for facts in shards:
            self.declared.update(facts.lost_by_stream)
            self.lost += facts.lost

    @property
    def gone(self) -> int:
        """Events in blocks that are damaged."""
        return sum(span.events for stream in self._streams.values() for span in stream.gone)

    def missing_shards(self) -> Iterator[tuple[str, range]]:
        """Stream and numbers of shards that are not there and were not pruned."""
        for name, stream in sorted(self._streams.items()):
            known = stream.numbers | {shard.name.number for shard in stream.pruned}
            for before, number in pairwise([0, *sorted(known)]):
                if number > before + 1:
                    yield name, range(before + 1, number)

    def missing(self) -> Iterator[Problem]:
        """What was never declared lost and is in no shard."""
        total = 0
        spare = sum(shard.lost for shard in self._pruned)  # declared in shards that were pruned
        for name, stream in sorted(self._streams.items()):
            missing = max(self._missing_in(name, stream) - spare, 0)
            total += missing
            if missing:
                path, offset = self._where(name, stream)
                what = f"events of {name} are missing, the first before this; nobody declared them lost"
                yield Problem(path, what, offset, events=missing, loses=True, kind=Kind.NUMBERS)
        rest = self._missing_by_seq() - total
        if rest > 0:
            what = "events this writer numbered are in no shard: a stream, or the end of one, is missing"
            yield Problem(
                PurePosixPath("logs/_writers", f"{self.writer}.json"), what, events=rest, loses=True
            )

    def _missing_in(self, name: str, stream: _Stream) -> int:
        last = max((span.last for span in (*stream.spans, *stream.gone)), default=0)
        last = max(last, self._told(name), max((shard.last_ordinal for shard in stream.pruned), default=0))
        gone = sum(span.last - span.first + 1 for span in stream.gone)
        pruned = sum(shard.events for shard in stream.pruned)
        return last - stream.events - gone - pruned - self.declared[name]

    def _told(self, name: str) -> int:
        """The last ordinal by the manifest of a writer that ended; 0 where it does not say."""
        streams = None if self._is_copy else (self._manifest or {}).get("streams")
        told = streams.get(name) if isinstance(streams, dict) else None
        last = told.get("last_ordinal") if isinstance(told, dict) else None
        return last if isinstance(last, int) else 0

    @property
    def _is_copy(self) -> bool:
        return any(name in (self._manifest or {}) for name in _COPIES)

    def _where(self, name: str, stream: _Stream) -> tuple[PurePosixPath, int | None]:
        """The first place where ordinals jump, or the stream's end."""
        ordinal = 0
        gone = {(span.first, span.last) for span in stream.gone}
        for span in sorted(stream.spans, key=lambda one: one.first):
            if span.first > ordinal + 1 and (ordinal + 1, span.first - 1) not in gone:
                return span.path, span.offset
            if not _is_whole(span):
                return span.path, span.offset
            ordinal = max(ordinal, span.last)
        if stream.spans:
            return stream.spans[-1].path, None
        return PurePosixPath(name), None

    def overlaps(self) -> Iterator[Problem]:
        """Ordinals that several blocks claim, where they should follow each other."""
        if not never_goes_back(self.writer):
            return
        for stream in self._streams.values():
            ordinal = 0
            for span in sorted(stream.spans, key=lambda one: one.first):
                if span.first <= ordinal:
                    yield Problem(
                        span.path, "ordinals that another block has too", span.offset, kind=Kind.NUMBERS
                    )
                ordinal = max(ordinal, span.last)

    def _missing_by_seq(self) -> int:
        """Seqs nobody accounts for. A crash took some of the last: those are not counted."""
        if self._manifest is None or self._is_copy or not self._seqs.exact:
            return 0
        highest = self._seqs.highest if self.has_ended else self._settled()
        present = self._seqs.count if self.has_ended else self._seqs.up_to(highest)
        pruned = sum(shard.events + shard.lost for shard in self._pruned)
        return highest - present - self.gone - pruned - self.lost - self.plain

    def _settled(self) -> int:
        """The highest seq of the events that were written well before the end, in all streams."""
        flush = (self._manifest or {}).get("flush")
        seconds = flush.get("seconds") if isinstance(flush, dict) else None
        interval = seconds if isinstance(seconds, int | float) else _FLUSH_SECONDS
        interval = min(max(interval, 0), _LONGEST_FLUSH)
        end = max((ts for _, ts in self._ends), default=0) - round((2 * interval + 1) * SECOND)
        return max((seq for seq, ts in self._ends if ts <= end), default=0)
