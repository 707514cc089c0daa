"""One trace out of a recorded day: `polyrecord trace` beside zgrep, ripgrep and DuckDB on the same files.

    python benchmarks/find.py [--events 500000] [--rounds 5] [--json]

Whole processes, start included, files in the page cache; and `find_trace` called in a process that runs
already, as a notebook does. The candidates take turns; medians are printed. Each must find the five events of
the same trace, or the run fails.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sessions import EVENTS_PER_TICK, write_session

from polyrecord.read.archive import Archive
from polyrecord.read.replay import replay
from polyrecord.read.traces import find_trace

BIN = Path(sys.executable).parent
DUCKDB = """
import duckdb, sys
columns = "{ts: 'VARCHAR', seq: 'UBIGINT', event_type: 'VARCHAR', trace_id: 'VARCHAR', data: 'JSON'}"
lines = f"read_json(?, columns={columns})"
rows = duckdb.execute(f"select * from {lines} where trace_id = ?", [sys.argv[2:], sys.argv[1]]).fetchall()
print("\\n".join(map(str, rows)))
"""


def candidates(root: Path, trace: str) -> dict[str, list[str]]:
    """Name -> command; each prints five lines that hold the trace's events."""
    files = sorted(map(str, root.glob("*/*/date=*/*.jsonl.gz")))
    found = {
        "polyrecord trace": [
            str(BIN / "polyrecord"),
            "trace",
            trace,
            "--root",
            str(root),
            "--format",
            "json",
        ],
        "polyrecord replay --trace": [
            str(BIN / "polyrecord"),
            "replay",
            "--trace",
            trace,
            "--root",
            str(root),
        ],
        "zgrep": ["zgrep", "-h", trace, *files],
        "rg -z": ["rg", "-z", "--no-filename", trace, str(root)],
        "duckdb": [sys.executable, "-c", DUCKDB, trace, *files],
    }
    return {name: command for name, command in found.items() if shutil.which(command[0])}


def seconds(command: list[str], trace: str) -> float:
    """Wall time of a whole process that must find the trace."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - start
    if done.stdout.count(trace) < EVENTS_PER_TICK // 2:
        sys.exit(f"{command[0]} did not find the trace: {done.stderr[-500:]}")
    return elapsed


def seconds_inside(root: Path, trace: str) -> float:
    """Wall time of a call in this process, every file opened anew."""
    start = time.perf_counter()
    match = find_trace(Archive(root), trace)
    elapsed = time.perf_counter() - start
    if len(match.events) != EVENTS_PER_TICK // 2:
        sys.exit(f"find_trace found {len(match.events)} events")
    return elapsed


def measure(events: int, rounds: int) -> dict[str, float]:
    """Median seconds by candidate."""
    samples: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_session(root, events)
        orders = [event.trace_id or "" for event in replay(root, types=["order_request"])]
        for trace in random.Random(1).sample(orders, rounds):
            samples.setdefault("find_trace(), no new process", []).append(seconds_inside(root, trace))
            for name, command in candidates(root, trace).items():
                samples.setdefault(name, []).append(seconds(command, trace))
    return {name: statistics.median(values) for name, values in samples.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    medians = measure(options.events, options.rounds)
    if options.json:
        print(json.dumps({"events": options.events, "seconds": medians}))
        return
    ours = medians["polyrecord trace"]
    print(f"one trace among {options.events:,} events, whole processes, medians of {options.rounds}")
    for name, value in medians.items():
        print(f"{name:28} {value:7.3f} s  {value / ours:6.1f} times polyrecord trace")


if __name__ == "__main__":
    main()
