"""How complete an answer is, in words: the same on a table, and on stderr beside CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from polyrecord.read.coverage import Sampled
from polyrecord.report.question import Coverage, UncleanEnd
from polyrecord.report.render import words

_MOST_ENDS: Final = 3


def coverage_line(coverage: Coverage) -> str:
    """One line of figures, and one for each of the first writers that did not end in order."""
    line = f"coverage {words.covered(coverage.ratio)}: {', '.join(_figures(coverage))}"
    remarks = [line, *_remarks(coverage)]
    return "\n".join(["; ".join(remarks), *map(_end, coverage.ends[:_MOST_ENDS])])


def _figures(coverage: Coverage) -> Iterator[str]:
    yield f"{coverage.events:,} events kept"
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
