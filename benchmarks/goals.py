"""Runs the benchmarks and prints goals, results and verdicts; `--write` makes docs/performance.md of them.

benchmarks/run [--quick] [--only NAME ...] [--details] [--write] [--json]
"""

from __future__ import annotations

import argparse
import compileall
import importlib
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import page
from row import FULL, QUICK, TINY, Result, Row, Scale
from timing import machine

NAMES = (
    "record", "lag", "sustained", "size", "find", "window", "day", "month", "replay", "start", "growth",
    "grep", "stdin",
)  # fmt: skip
SCALES = {scale.name: scale for scale in (FULL, QUICK, TINY)}


def rows(names: Sequence[str] = NAMES) -> list[Row]:
    """The rows in the order of the page."""
    found = [importlib.import_module(name).ROW for name in names]
    return [row for row in found if isinstance(row, Row)]


def goal_lines(results: Sequence[tuple[Row, Result]]) -> list[tuple[str, str, str, str]]:
    """What, goal, result and verdict of every check."""
    return [
        (f"{row.title}: {check.what}" if check.what else row.title, check.goal, check.result, check.verdict)
        for row, result in results
        for check in result.checks
    ]


def as_text(lines: Sequence[Sequence[str]]) -> str:
    """Lines in columns."""
    head = ("what", "goal", "result", "verdict")
    table = [head, *lines]
    widths = [max(len(line[column]) for line in table) for column in range(3)]
    return "\n".join(
        "  ".join([*(line[column].ljust(widths[column]) for column in range(3)), line[3]]) for line in table
    )


def prepare() -> None:
    """Compile the package, as installing it does: a start that has to do that takes 80 ms longer."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(Path(__file__).parents[1] / "polyrecord", quiet=1)


def measure(scale: Scale, names: Sequence[str]) -> list[tuple[Row, Result]]:
    """Run the rows one after the other, and say so."""
    results = []
    for row in rows(names):
        start = time.perf_counter()
        results.append((row, row.measure(scale)))
        print(f"{row.name}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    return results


def as_json(results: Sequence[tuple[Row, Result]]) -> str:
    """Everything that was measured, for programs."""
    found = {
        row.name: {
            "checks": [
                {"goal": check.goal, "value": check.value, "bound": check.bound, "verdict": check.verdict}
                for check in result.checks
            ],
            "tables": {table.title: {"unit": table.unit, **table.figures} for table in result.tables},
            "facts": dict(result.facts),
        }
        for row, result in results
    }
    return json.dumps({"machine": machine(), "rows": found}, indent=1)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", dest="scale", action="store_const", const="quick", default="full")
    parser.add_argument("--scale", choices=SCALES, help=argparse.SUPPRESS)
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="NAME")
    parser.add_argument("--details", action="store_true", help="the figures of all candidates as well")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    options = parser.parse_args(arguments)
    scale = SCALES[options.scale]
    if options.write and (scale is not FULL or options.only != NAMES):
        parser.error("--write needs a full run of every row")
    prepare()
    results = measure(scale, options.only)
    if options.json:
        print(as_json(results))
        return
    if scale is not FULL:
        most = f"{max(scale.sizes):,}"
        print(f"{scale.name}: archives of {most} events at most; the goals are for 10 to 30 million")
    goals = goal_lines(results)
    print(machine())
    print(as_text(goals))
    if options.write:
        page.write(scale, results, goals)
    if options.details or len(options.only) == 1:
        for _, result in results:
            print(*(line for table in result.tables for line in table.lines()), *result.notes, sep="\n")


if __name__ == "__main__":
    main()
