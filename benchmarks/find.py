"""One trace out of a day in 30 sealed shards: `polyrecord trace ID` beside zgrep, ripgrep and DuckDB.

Whole processes, start included, on the same files; the candidates take turns, each round with another id, and
each must find the events of that trace. Warm: the files are in the page cache. Cold: the kernel is asked to
forget the archive's files (POSIX_FADV_DONTNEED) before each run; Python and its libraries stay in the cache.
DuckDB reads the columns of the envelope, `data` as text, and looks for the id.
"""

from __future__ import annotations

import itertools
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import archives
from row import Check, Result, Row, Scale, Table
from timing import POLYRECORD, alternate, drop_from_cache, process, script

from polyrecord.read.archive import Archive
from polyrecord.read.traces import find_trace

OURS, COLD, INSIDE = "polyrecord trace", "polyrecord trace, cold", "find_trace(), no new process"
START = "python -c pass"
OTHERS = ("zgrep", "rg -z", "DuckDB")
FEWEST = 5  # events of a trace
DUCKDB = """
import duckdb, sys
columns = "{ts: 'VARCHAR', seq: 'UBIGINT', event_type: 'VARCHAR', trace_id: 'VARCHAR', data: 'JSON'}"
lines = f"read_json(?, columns={columns}, format='newline_delimited')"
rows = duckdb.execute(f"select * from {lines} where trace_id = ?", [sys.argv[2:], sys.argv[1]]).fetchall()
print("\\n".join(map(str, rows)))
"""


def command(name: str, root: Path, trace: str) -> list[str]:
    """What each candidate runs; it prints a line for each event of the trace, which holds the id."""
    files = sorted(map(str, root.glob("*/*/date=*/*.jsonl.gz")))
    return {
        OURS: [POLYRECORD, "trace", trace, "--root", str(root), "--format", "json"],
        "zgrep": ["zgrep", "-h", trace, *files],
        "rg -z": ["rg", "-z", "--no-filename", trace, str(root)],
        "DuckDB": script(DUCKDB, trace, *files),
    }[name]


def _turn(name: str, root: Path, ids: list[str]) -> Callable[[], float]:
    turns = itertools.cycle(ids)

    def seconds() -> float:
        trace = next(turns)
        return process(command(name, root, trace), lambda output: output.count(trace) >= FEWEST)()

    return seconds


def _cold(root: Path, ids: list[str]) -> Callable[[], float]:
    found = _turn(OURS, root, ids)

    def seconds() -> float:
        drop_from_cache(root)
        return found()

    return seconds


def _inside(root: Path, trace: str) -> float:
    start = time.perf_counter()
    match = find_trace(Archive(root), trace)
    elapsed = time.perf_counter() - start
    if len(match.events) < FEWEST:
        sys.exit(f"find_trace found {len(match.events)} events")
    return elapsed


def measure(scale: Scale) -> Result:
    """Everybody on the same day."""
    root = archives.archive("day", scale.day)
    ids = archives.traces(root, scale.day, scale.rounds)
    here = [name for name in (OURS, *OTHERS) if name == "DuckDB" or shutil.which(command(name, root, "x")[0])]
    found = alternate({name: _turn(name, root, ids) for name in here}, scale.rounds, scale.budget)
    extra = {COLD: _cold(root, ids), START: process(script("pass"), lambda _: True)}
    found |= alternate(extra, scale.rounds)
    found[INSIDE] = statistics.median(_inside(root, trace) for trace in ids)
    best = min(found[name] for name in OTHERS if name in found)
    checks = (
        Check(found[OURS], 0.25, "s", "warm"),
        Check(found[COLD], 0.6, "s", "cold"),
        Check(best / found[OURS], 40, "times faster than the best of zgrep, rg -z and DuckDB", "warm", True),
    )
    figures = {name: found.get(name) for name in (OURS, COLD, INSIDE, START, *OTHERS)}
    title = f"one trace among {scale.day:,} events"
    facts = {"whole": found[OURS], "inside": found[INSIDE], "start": found[START]}
    return Result(checks, (Table(title, "s", figures, OURS),), facts)


ROW = Row(
    "find",
    "Finding one trace",
    __doc__ or "",
    """Of the {whole:.2f} s, {inside:.3f} s is the search in a process that runs already: the directories
of the shards say which blocks may hold the id, about two bytes for each trace of a block, and these few are
inflated. {start:.3f} s is an interpreter that does nothing; the rest is importing what the command
needs and encoding its answer. The others have no index: they inflate every byte. See [decision
2](decisions/0002-the-directory.md).""",
    measure,
    "python -X importtime -m polyrecord trace ID; py-spy record -- polyrecord trace ID",
)

if __name__ == "__main__":
    from goals import main

    main(["--only", ROW.name])
