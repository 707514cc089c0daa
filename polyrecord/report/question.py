"""What all questions have in common: archive, window, event types, and what is known to be missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from polyrecord.read import coverage as read_coverage
from polyrecord.read.blocks import chunks
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source
from polyrecord.times import format_ts

_SEEN_ONCE = ("torn_bytes", "padding_bytes", "plain_members")


@dataclass(frozen=True, slots=True)
class Window:
    """The time asked about: nine-digit text, `since` inclusive, `until` exclusive; None is unbounded."""

    since: str | None
    until: str | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Events kept, declared lost, and missing without a word, in the blocks that the window touches."""

    events: int
    lost: int
    unknown: int
    ratio: float
    unclean: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """One reading of a source; `explain` gathers what it cost and met."""

    source: Source
    selection: Selection = field(default_factory=Selection)
    explain: Explain = field(default_factory=Explain)

    @property
    def window(self) -> Window:
        """The selection's window as text."""
        since, until = self.selection.since_ns, self.selection.until_ns
        return Window(_text(since), _text(until))

    def chunks(self) -> Iterator[bytes]:
        """The selected lines, a block at a time."""
        return chunks(self.source, self.selection, self.explain)

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
        # Of one file nobody can tell whether its writer came to an orderly end in another.
        unclean = found.unclean if self.source.has_manifests else ()
        # Plain lines have no headers: those that were read are counted, and those that were no events.
        events, unknown = found.events + self.explain.plain_events, found.unknown + self.explain.rejected
        return self._without_damage(Coverage(events, found.lost, unknown, 1.0, unclean))

    def _without_damage(self, found: Coverage) -> Coverage:
        """The headers' account less what reading could not get: that is as good as missing."""
        counted = min(sum(finding.counted for finding in self.explain.damage), found.events)
        uncounted = sum(finding.uncounted for finding in self.explain.damage)
        events, unknown = found.events - counted, found.unknown + counted + uncounted
        whole = events + found.lost + unknown
        ratio = round(events / whole, 6) if whole else 1.0
        return replace(found, events=events, unknown=unknown, ratio=ratio)


def _text(ns: int | None) -> str | None:
    return None if ns is None else format_ts(ns)
