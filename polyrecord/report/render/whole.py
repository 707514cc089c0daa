"""How complete an answer is, in words: the same on a table, and on stderr beside CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from polyrecord.read import coverage as read_coverage
from polyrecord.read.coverage import Sampled
from polyrecord.report.question import Coverage, UncleanEnd
from polyrecord.report.render import words
from polyrecord.times import format_ts

_MOST_ENDS: Final = 3
_NOT_ALL: Final = 0.999999


def coverage_line(coverage: Coverage) -> str:
    """One line of figures, and one for each of the first writers that did not end in order."""
    line = f"coverage {words.covered(coverage.ratio)}: {', '.join(_figures(coverage))}"
    lines = ["; ".join([line, *_remarks(coverage)]), *map(_end, coverage.ends[:_MOST_ENDS])]
    hidden = len(coverage.ends) - _MOST_ENDS
    return "\n".join([*lines, f"  and {words.count(hidden, 'more writer')}"] if hidden > 0 else lines)


def in_words(found: read_coverage.Coverage) -> Coverage:
    """What a look at an archive found, as answers tell it: times as text, a ratio of 1 only for all."""
    ends = (UncleanEnd(end.writer, _text(end.last_ts), end.seconds, end.recovered) for end in found.ends)
    return Coverage(
        found.events, found.lost, found.unknown, min(found.ratio, _NOT_ALL) if _missing(found) else 1.0,
        found.unclean, found.pruned, found.gaps, round(found.gap_seconds, 3), tuple(ends), found.sampling,
        found.streams,
    )  # fmt: skip


def _missing(found: read_coverage.Coverage) -> int:
    return found.lost + found.unknown


def _text(ns: int | None) -> str | None:
    return None if ns is None else format_ts(ns)


def _figures(coverage: Coverage) -> Iterator[str]:
    yield f"{words.count(coverage.events, 'event')} kept"
    yield f"{coverage.lost:,} dropped"
    yield f"{coverage.unknown:,} unknown"
    if coverage.gaps:
        yield f"{words.count(coverage.gaps, 'gap')} of {words.seconds(coverage.gap_seconds)}"


def _remarks(coverage: Coverage) -> Iterator[str]:
    if coverage.pruned:
        yield f"{coverage.pruned:,} pruned"
    for sampled in coverage.sampling:
        yield f"{words.short(sampled.event_type)} sampled at {_rate(sampled)}"
    if coverage.unclean:
        yield f"{words.count(len(coverage.unclean), 'writer')} did not end in order"


def _rate(sampled: Sampled) -> str:
    lowest, highest = (f"{rate * 100:.3g} %" for rate in (sampled.lowest, sampled.highest))
    return lowest if lowest == highest else f"{lowest} to {highest}"


def _end(end: UncleanEnd) -> str:
    recovered = ", recovered" if end.recovered else ""
    much = "events" if end.seconds is None else f"up to {words.seconds(end.seconds)}"
    when = f" after {words.moment(end.last_ts)}" if end.last_ts else ""
    return f"  {words.shown(end.writer)}{recovered}:\n    {much}{when} may be missing"
