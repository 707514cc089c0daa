"""Answers as tables for a terminal: they fit its width, from 80 columns up."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from functools import singledispatch
from importlib import import_module

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from polyrecord.report.question import Coverage, Window
from polyrecord.report.render import words
from polyrecord.report.render.whole import coverage_line

LEAST_WIDTH = 80
_WIDE_GAPS = 100  # columns from which a wider gap between them fits
# Who says what a table of an answer is made of: each is loaded for its own answers only.
_HOMES = {
    "LatencySummary": "latency_table",
    "EdgeReport": "edge_table",
    "TraceReport": "trace_table",
    "ArchiveInfo": "info_table",
}


def to_table(answer: object, *, width: int, colour: bool) -> str:
    """The answer as text of so many columns, at least 80; with escape sequences only for `colour`."""
    file = io.StringIO()
    console = Console(
        file=file, width=max(width, LEAST_WIDTH), color_system="standard" if colour else None,
        force_terminal=colour, no_color=not colour, markup=False, emoji=False, highlight=False,
    )  # fmt: skip
    for part in parts(answer, console.width):
        console.print(part, crop=False, soft_wrap=not isinstance(part, Table))
    lines = file.getvalue().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"


def text_table(names: Sequence[str], rows: Iterable[Sequence[str]], *, width: int, colour: bool) -> str:
    """Rows of text; what does not fit the width goes on below."""
    file = io.StringIO()
    console = Console(
        file=file, width=max(width, LEAST_WIDTH), force_terminal=colour, no_color=not colour, markup=False,
        emoji=False, highlight=False,
    )  # fmt: skip
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for place, name in enumerate(names):
        table.add_column(name, overflow="fold", no_wrap=place == 0)
    for row in rows:
        table.add_row(*(Text(words.shown(cell)) for cell in row))
    console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


@singledispatch
def parts(answer: object, width: int) -> Iterable[RenderableType]:
    """What a table of an answer is made of; other modules register their answers here."""
    home = _HOMES.get(type(answer).__name__)
    if home is None:
        raise TypeError(f"not an answer: {type(answer).__name__}")
    import_module(f"polyrecord.report.render.{home}")
    return parts.dispatch(type(answer))(answer, width)


def heading(text: str) -> Text:
    """A line that names what follows."""
    return Text(text, style="bold")


def grid(
    width: int, columns: Sequence[str], rows: Iterable[Sequence[str]], texts: Sequence[int] = (0,)
) -> Table:
    """A table without lines; `texts` are the columns of text, the others are figures, which are never cut."""
    cells = list(rows)
    table = Table(
        box=None, padding=(0, 1), pad_edge=False, collapse_padding=width < _WIDE_GAPS, header_style="bold"
    )
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number in texts else "right", no_wrap=True)
        if number not in texts:
            table.columns[-1].min_width = max(len(name), *(len(row[number]) for row in cells), 0)
    for row in cells:
        table.add_row(*row)
    return table


def window_line(window: Window) -> str:
    """The window in words."""
    since = "the beginning" if window.since is None else words.moment(window.since)
    until = "the end" if window.until is None else words.moment(window.until)
    return f"from {since} to {until}"


def top(title: str, window: Window, coverage: Coverage) -> list[RenderableType]:
    """What every table begins with."""
    return [heading(title), f"{window_line(window)}\n{coverage_line(coverage)}\n"]


def told_method(error: float | None) -> Iterable[RenderableType]:
    """How far off percentiles may be that come from histograms."""
    if error is not None:
        yield f"percentiles from histograms: at most {error:.2%} off; --exact has them from the values"


def more(count: int, what: str) -> Iterable[RenderableType]:
    """How many rows are not shown."""
    if count > 0:
        yield f"and {count:,} more {what}: --format json lists all"
