"""Searching a day for text: `polyrecord grep` beside ripgrep and zgrep on the same files.

Whole processes, start included, files in the page cache, taking turns. Each must count the same lines, or
the run fails. The last row of each narrows by time first, which only an index can.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import archives
from row import Result, Row, Scale, Table
from timing import POLYRECORD, alternate, run

from polyrecord.times import SECOND, format_ts

PATTERNS = {
    "text that is rare": 'order-[0-9]*77"|"seq":4321[0-9]',
    "text that is common": "signal",
    "no fixed text in it": "a[0-9]{3}f[0-9]e",
}
OURS, LAST = "polyrecord grep", "polyrecord grep, the last minute"


def _commands(root: Path, pattern: str) -> dict[str, str]:
    files = f"{root}/*/*/date=*/*.jsonl.gz"
    since = format_ts(archives.END_NS - 60 * SECOND)
    ours = f"{POLYRECORD} grep -c --root {root} '{pattern}'"
    found = {
        OURS: ours,
        "rg -z": f"rg -z --no-filename '{pattern}' {root} | wc -l",
        "zgrep -E": f"zgrep -h -E '{pattern}' {files} | wc -l",
        LAST: f"{ours} --since {since}",
    }
    return {name: command for name, command in found.items() if shutil.which(command.split()[0])}


def _candidate(name: str, command: str, counts: dict[str, int]) -> Callable[[], float]:
    def seconds() -> float:
        elapsed, output = run(["/bin/bash", "-c", command], codes=(0, 1))
        counts[name] = int(output)
        if name != LAST and counts[name] != counts[OURS]:
            sys.exit(f"the counts differ: {counts}")
        return elapsed

    return seconds


def measure(scale: Scale) -> Result:
    """Three patterns."""
    root, tables = archives.archive("day", scale.lines), []
    for title, pattern in PATTERNS.items():
        counts: dict[str, int] = {}
        commands = _commands(root, pattern)
        candidates = {name: _candidate(name, command, counts) for name, command in commands.items()}
        tables.append(Table(title, "s", alternate(candidates, scale.rounds, scale.budget), OURS))
    return Result((), tuple(tables))


ROW = Row(
    "grep",
    "Searching for text",
    __doc__ or "",
    """Every line has to be inflated, and that is most of it; ripgrep leaves it to a second process. See
[decision 4](decisions/0004-searching-text.md).""",
    measure,
    "py-spy record --native -- polyrecord grep -c TEXT",
)

if __name__ == "__main__":
    from goals import main

    main(["--only", ROW.name])
