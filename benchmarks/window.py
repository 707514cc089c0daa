"""The last 300 seconds: `polyrecord summarize --window 300` on archives of one density and growing length.

Whole processes, files in the page cache. The window holds 70,000 latency events in each archive. DuckDB reads
the metrics of the whole day as typed JSON, filters by time and computes the same percentiles.
"""

from __future__ import annotations

from pathlib import Path

import archives
from row import Check, Result, Row, Scale, Table
from statements import OVER_GZIP
from timing import POLYRECORD, alternate, process, script

from polyrecord.times import SECOND, format_ts

WINDOW = 300
FLOOR = "python and DuckDB, select 1"
SELECT_1 = "import duckdb; print(duckdb.execute('select 1').fetchall())"
DUCKDB = "DuckDB over the day's files"


def command(root: Path, seconds: int) -> list[str]:
    """The whole process that asks for the last seconds of an archive."""
    until = format_ts(archives.END_NS)
    arguments = ["--root", str(root), "--window", str(seconds), "--until", until, "--format", "json"]
    return [POLYRECORD, "summarize", *arguments]


def metrics(root: Path) -> list[str]:
    """The files that hold the latency events."""
    return sorted(map(str, root.glob("logs/metrics/date=*/*.jsonl.gz")))


def measure(scale: Scale) -> Result:
    """Every size, and DuckDB on one of them."""
    roots = {events: archives.archive("day", events) for events in scale.sizes}
    names = {events: f"polyrecord, {events:,} events" for events in roots}
    since = format_ts(archives.END_NS - WINDOW * SECOND)
    candidates = {names[events]: process(command(root, WINDOW)) for events, root in roots.items()}
    candidates[DUCKDB] = process(script(OVER_GZIP, since, *metrics(archives.archive("day", scale.day))))
    candidates[FLOOR] = process(script(SELECT_1))
    found = alternate(candidates, scale.rounds, scale.budget)
    ours, least, most = names[scale.day], names[scale.sizes[0]], names[scale.sizes[-1]]
    checks = (
        Check(found[ours], 0.5, "s", f"{scale.day:,} events"),
        Check(
            found[most] / found[least],
            1.25,
            f"times that on {scale.sizes[0]:,}",
            f"{scale.sizes[-1]:,} events",
        ),
    )
    return Result(
        checks,
        (Table("the last 300 seconds", "s", found, ours),),
        {"ours": found[ours], "floor": found[FLOOR]},
    )


ROW = Row(
    "window",
    "The last 300 seconds of latency",
    __doc__ or "",
    """Of the {ours:.2f} s, a process that loads DuckDB and selects 1 takes {floor:.2f} s. Blocks out of
the window stay closed, by the times in the directory, so the size of the archive does not matter; DuckDB
on its own inflates the day.""",
    measure,
    "python -X importtime -m polyrecord summarize --window 300",
)

if __name__ == "__main__":
    from goals import main

    main(["--only", ROW.name])
