"""The edge as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType

from polyrecord.report.edge import BY, PARTS, EdgeGroup, EdgeReport
from polyrecord.report.render import words
from polyrecord.report.render.as_table import grid, heading, more, parts, top

_MOST_REASONS = 20


@parts.register
def _edge(answer: EdgeReport, width: int) -> Iterable[RenderableType]:
    yield from edge_parts(answer, width, BY)


def edge_parts(answer: EdgeReport, width: int, by: str) -> Iterable[RenderableType]:
    """The edge of decisions that are grouped by a field."""
    yield from top(f"edge of {words.count(answer.events, 'decision')}", answer.window, answer.coverage)
    for rate in answer.strategies:
        share = f"{rate.accepted:,} of {rate.decisions:,} decisions accepted"
        yield heading(f"{_named(rate.strategy)}: {share}, {words.percent(rate.acceptance_rate)}")
        for group in answer.groups:
            if group.strategy == rate.strategy:
                yield from _group(group, width)
    if answer.reject_reasons:
        yield heading("reject reasons")
        listed = answer.reject_reasons[:_MOST_REASONS]
        rows = ((_named(row.reason), _named(row.strategy), f"{row.count:,}") for row in listed)
        yield grid(width, ["reason", words.shown(by), "count"], rows, texts=(0, 1))
        yield from more(len(answer.reject_reasons) - len(listed), "reasons")


def _group(group: EdgeGroup, width: int) -> Iterable[RenderableType]:
    first = f"{_named(group.decision)} {group.count:,}"
    rows = [
        (
            "  " + name.replace("_", " "),
            words.amount(None if getattr(group.mean, name) is None else getattr(group, name)),
            words.rounded(getattr(group.mean, name)),
            "" if name == "gross" else words.percent(getattr(group.share_of_gross, name)),
        )
        for name in PARTS
    ]
    yield grid(width, [f"  {first}", "sum", "mean", "of gross"], rows)
    if group.unreadable:
        yield f"  missing or unreadable, and in no sum: {words.count(group.unreadable, 'amount')}"
    yield ""


def _named(text: str | None) -> str:
    return "(none)" if text is None else words.short(text, 48)
