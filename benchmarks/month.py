"""A month of latencies: `polyrecord summarize` over 30 dates, from histograms and from the events
themselves.

Whole processes, files in the page cache, taking turns. The histograms of minutes, hours and days are
derived by `polyrecord compact`; `--exact` reads every value all the same. Every percentile of every stage
is compared with the exact one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import archives
from day import compacted
from row import Check, Result, Row, Scale, Table
from timing import POLYRECORD, alternate, has_command, process, run

FIRST, ROLLED, EXACT = "nothing derived, exact", "from histograms", "exact, after compact"
PERCENTILES = ("p50", "p95", "p99", "p99_9")
OFF = "times the error that is told"
NONE = "there are no histograms yet"


def measure(scale: Scale) -> Result:
    """As far as this polyrecord can."""
    root = archives.archive("month", scale.month)
    ask = [POLYRECORD, "summarize", "--format", "json", "--root"]
    exact = ["--exact"] if has_command("summarize", "--exact") else []
    commands = {FIRST: [*ask, str(root), *exact]}
    derived = compacted(root) if exact else None
    if derived is not None:
        commands |= {ROLLED: [*ask, str(derived)], EXACT: [*ask, str(derived), "--exact"]}
    found = alternate(
        {name: process(command) for name, command in commands.items()}, scale.rounds, scale.budget
    )
    error = Check(None, 1, OFF, "percentiles", why=NONE)
    if derived is not None:
        error = _error(commands[ROLLED], commands[EXACT])
    checks = (Check(found.get(ROLLED), 1, "s", why=NONE), error)
    title = f"{scale.month:,} latency events of 30 dates"
    return Result(checks, (Table(title, "s", found, FIRST),), {"first": found[FIRST]})


def _error(rolled: Sequence[str], exact: Sequence[str]) -> Check:
    """How far the percentiles are off, against what the answer itself says."""
    answer, truth = json.loads(run(rolled)[1]), json.loads(run(exact)[1])
    if answer.get("error") is None:
        return Check(None, 1, OFF, "percentiles", why="so few events are not taken from histograms")
    return Check(deviation(answer, truth) / answer["error"], 1, OFF, "percentiles")


def deviation(answer: dict[str, Any], truth: dict[str, Any]) -> float:
    """The largest relative difference of a percentile of any stage."""
    pairs = zip(answer["stages"], truth["stages"], strict=True)
    return max(abs(float(a[name]) / float(b[name]) - 1) for a, b in pairs for name in PERCENTILES)


ROW = Row(
    "month",
    "A month of latencies",
    __doc__ or "",
    """Without histograms every latency event of the month is read: {first:.1f} s.""",
    measure,
    "py-spy record -- polyrecord summarize",
)

if __name__ == "__main__":
    from goals import main

    main(["--only", ROW.name])
