"""docs/performance.md from a run: the goals first, then every row with all its candidates."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from growth import lines
from plot import svg
from row import Result, Row, Scale
from timing import machine

DOCS = Path(__file__).parent.parent / "docs"
PLOT = "performance-growth.svg"
HEAD = """Written by `benchmarks/run --write`. {}.
Load average {:.1f} at the end: on a machine that others share too, ratios hold best.
All candidates of a row took turns, on the same seeded events; medians are given."""


def page(scale: Scale, results: Sequence[tuple[Row, Result]], goals: Sequence[Sequence[str]]) -> str:
    """The page's text."""
    head = [
        "# Performance",
        HEAD.format(machine(), os.getloadavg()[0]),
        "\n".join(["| what | goal | result | verdict |", "|---|---|---|---|", *map(_table_line, goals)]),
        "A verdict follows from the figures of this run alone; below stands where the time goes.",
    ]
    return "\n\n".join([*head, *(_chapter(scale, row, result) for row, result in results)]) + "\n"


def _table_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _chapter(scale: Scale, row: Row, result: Result) -> str:
    figures = "\n".join(line for table in result.tables for line in table.lines())
    method = row.method.strip()
    where = row.where.format(**result.facts)
    parts = [
        f"## {row.title}", method, f"```\n$ benchmarks/run --only {row.name}\n{figures}\n```", where,
        f"Where the time goes: `{row.profile}`.",
    ]  # fmt: skip
    if row.name == "growth":
        parts.insert(
            3, f"![{' and '.join(line.title for line in lines(result, scale))} as work grows]({PLOT})"
        )
    return "\n\n".join([*parts, *result.notes])


def write(scale: Scale, results: Sequence[tuple[Row, Result]], goals: Sequence[Sequence[str]]) -> None:
    """Write the page and its plot."""
    DOCS.joinpath("performance.md").write_text(page(scale, results, goals), encoding="utf-8")
    for row, result in results:
        if row.name == "growth":
            DOCS.joinpath(PLOT).write_text(svg(lines(result, scale)), encoding="utf-8")
