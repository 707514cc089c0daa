"""Findings and observed fields as tables and CSV; importing this teaches the renderers."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType

from polyrecord.report.observed import Observed, ObservedField
from polyrecord.report.render import words
from polyrecord.report.render.as_csv import table_of, to_csv
from polyrecord.report.render.as_table import grid, heading, more, parts, top
from polyrecord.report.validate import Finding, Validation

_MOST_ROWS = 60


@parts.register
def _validation(answer: Validation, width: int) -> Iterable[RenderableType]:
    yield from top(f"{words.count(answer.events, 'event')} checked", answer.window, answer.coverage)
    yield (
        f"{answer.validated:,} are of a type in the catalogue, {answer.unknown:,} of another; "
        f"{answer.invalid:,} break a rule"
    )
    for row in answer.rules[:_MOST_ROWS]:
        name = words.short(row.event_type or "(no type)", 48)
        yield heading(f"\n{name}: {words.shown(row.field)}: {row.count:,} times")
        yield f"  {words.shown(row.first.reason)}"
        yield f"  first: {words.shown(row.first.file)}, seq {row.first.seq}"
    yield from more(len(answer.rules) - _MOST_ROWS, "rules")
    if answer.unknown_types:
        listed = list(answer.unknown_types.items())[:_MOST_ROWS]
        yield heading("\nnot in the catalogue")
        yield grid(
            width, ["type", "events"], ((words.short(name, 48), f"{count:,}") for name, count in listed)
        )
        yield from more(len(answer.unknown_types) - len(listed), "types")


@to_csv.register
def _validation_csv(answer: Validation) -> bytes:
    names = list(Finding.__dataclass_fields__)
    return table_of(names, ([getattr(row, name) for name in names] for row in answer.findings))


@parts.register
def _observed(answer: Observed, width: int) -> Iterable[RenderableType]:
    title = f"{words.shown(answer.event_type)} as it occurs, {words.count(answer.events, 'event')}"
    yield from top(title, answer.window, answer.coverage)
    rows = (
        (
            words.short(row.path, 40), "|".join(row.types), words.percent(row.share),
            _number(row.least), _number(row.most), words.short(row.example, 24),
        )
        for row in answer.fields
    )  # fmt: skip
    yield grid(width, ["field", "types", "share", "min", "max", "example"], rows, texts=(0, 1, 5))
    yield from more(answer.left_out, "fields")


@to_csv.register
def _observed_csv(answer: Observed) -> bytes:
    names = list(ObservedField.__dataclass_fields__)
    return table_of(names, ([getattr(row, name) for name in names] for row in answer.fields))


def _number(value: float | None) -> str:
    return "" if value is None else str(value) if isinstance(value, int) else f"{value:.10g}"
