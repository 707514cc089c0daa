"""What all questions have in common: archive, window, event types, and what is known to be missing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

from polyrecord.read import coverage as read_coverage
from polyrecord.read.coverage import Sampled, StreamCoverage
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source
from polyrecord.report.used import Used
from polyrecord.times import format_ts

if TYPE_CHECKING:
    from polyrecord.report.cached import Parts

T = TypeVar("T")
_SEEN_ONCE = ("torn_bytes", "padding_bytes", "plain_members")


@dataclass(frozen=True, slots=True)
class Window:
    """The time asked about: nine-digit text, `since` inclusive, `until` exclusive; None is unbounded."""

    since: str | None
    until: str | None


@dataclass(frozen=True, slots=True)
class UncleanEnd:
    """A writer that is gone without an orderly end: up to `seconds` after `last_ts` may be missing."""

    writer: str
    last_ts: str | None
    seconds: float | None
    recovered: bool


@dataclass(frozen=True, slots=True)
class Coverage:
    """Events kept, declared lost, and missing without a word, in the blocks that the window touches.

    `pruned` were deleted on purpose and are none of these. `gaps` are what feeds left out, `gap_seconds`
    together; `sampling` is what share of a type was to be recorded. `ends` says of the `unclean` writers what
    they may have lost at their end.
    """

    events: int
    lost: int
    unknown: int
    ratio: float
    unclean: tuple[str, ...] = ()
    pruned: int = 0
    gaps: int = 0
    gap_seconds: float = 0.0
    ends: tuple[UncleanEnd, ...] = ()
    sampling: tuple[Sampled, ...] = ()
    streams: tuple[StreamCoverage, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """One reading of a source; `explain` gathers what it cost and met, `used` what it was had from."""

    source: Source
    selection: Selection = field(default_factory=Selection)
    explain: Explain = field(default_factory=Explain)
    used: Used = field(default_factory=Used)

    @property
    def window(self) -> Window:
        """The selection's window as text."""
        since, until = self.selection.since_ns, self.selection.until_ns
        return Window(_text(since), _text(until))

    def answered(self, answer: Callable[[Parts, Explain], T]) -> T:
        """What `answer` makes of the question's shards, from tables and lines; raises DataError."""
        from polyrecord.report.cached import answered  # a trace is not had from tables

        return answered(self.source, self.selection, self.explain, self.used, answer)

    def coverage(self) -> Coverage:
        """How complete the streams asked about are in this window."""
        counts = Explain(strict=self.explain.strict)
        found = read_coverage.coverage(self.source, self.selection, counts)
        counts.shards_found = counts.blocks_found = (
            0  # of other streams too: the answer is not read from those
        )
        # What is torn, padded or plain is there once, however often it is come across.
        seen = {name: max(getattr(self.explain, name), getattr(counts, name)) for name in _SEEN_ONCE}
        self.explain.absorb(counts)
        for name, most in seen.items():
            setattr(self.explain, name, most)
        return self._without_damage(self._told(found))

    def _told(self, found: read_coverage.Coverage) -> Coverage:
        # Of one file nobody can tell whether its writer came to an orderly end in another.
        ends = found.ends if self.source.has_manifests else ()
        # Plain lines have no headers: those that were read are counted, and those that were no events.
        events, unknown = found.events + self.explain.plain_events, found.unknown + self.explain.rejected
        return Coverage(
            events, found.lost, unknown, 1.0, tuple(end.writer for end in ends), found.pruned, found.gaps,
            round(found.gap_seconds, 3),
            tuple(UncleanEnd(end.writer, _text(end.last_ts), end.seconds, end.recovered) for end in ends),
            found.sampling, found.streams,
        )  # fmt: skip

    def _without_damage(self, found: Coverage) -> Coverage:
        """The headers' account less what reading could not get: that is as good as missing."""
        counted = min(sum(finding.counted for finding in self.explain.damage), found.events)
        events, unknown = found.events - counted, found.unknown + counted
        return replace(found, events=events, unknown=unknown, ratio=_ratio(events, found.lost + unknown))


def _ratio(kept: int, missing: int) -> float:
    """To six places, but never 1 where something is missing."""
    ratio = round(kept / (kept + missing), 6) if kept + missing else 1.0
    return min(ratio, 0.999999) if missing else ratio


def _text(ns: int | None) -> str | None:
    return None if ns is None else format_ts(ns)
