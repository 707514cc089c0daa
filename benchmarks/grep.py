"""Searching a recorded day for text: `polyrecord grep` beside ripgrep, zgrep and jq on the same files.

    python benchmarks/grep.py [--events 500000] [--rounds 5] [--json]

Whole processes, start included, files in the page cache. The candidates take turns; medians are printed. Each
must count the same lines, or the run fails. The last row narrows by time first, which only an index can.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sessions import write_session

from polyrecord.read.replay import replay

BIN = Path(sys.executable).parent
PATTERNS = {
    "text that is rare": 'order-4999[0-9]{2}|"seq":4321[0-9]{2}',
    "text that is common": "signal",
    "no fixed text in it": "a[0-9]{3}f[0-9]e",
}


def candidates(root: Path, pattern: str) -> dict[str, str]:
    """Name -> shell command; each prints one number."""
    files = f"{root}/*/*/date=*/*.jsonl.gz"
    return {
        "polyrecord grep": f"{BIN}/polyrecord grep -c --root {root} '{pattern}'",
        "rg -z": f"rg -z --no-filename '{pattern}' {root} | wc -l",
        "zgrep -E": f"zgrep -h -E '{pattern}' {files} | wc -l",
    }


def timed(command: str) -> tuple[float, str]:
    """Wall time of a shell command, and what it prints."""
    start = time.perf_counter()
    done = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, check=False)
    return time.perf_counter() - start, done.stdout.strip()


def measure(events: int, rounds: int) -> dict[str, dict[str, float]]:
    """Median seconds by pattern and candidate."""
    medians = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_session(root, events)
        last = max(event.ts for event in replay(root, types=["signal"]))
        for title, pattern in PATTERNS.items():
            commands = candidates(root, pattern)
            medians[title] = alternate(commands, rounds, same=True)
            since = last[:17] + "00Z"
            ours = {"the last minute": f"{commands['polyrecord grep']} --since {since}"}
            medians[title] |= alternate(ours, rounds, same=False)
    return medians


def alternate(commands: dict[str, str], rounds: int, *, same: bool) -> dict[str, float]:
    """Median seconds of commands that take turns; with `same` all have to print the same."""
    samples: dict[str, list[float]] = {
        name: [] for name in commands if shutil.which(commands[name].split()[0])
    }
    for _ in range(rounds):
        printed = {}
        for name, seconds in samples.items():
            elapsed, printed[name] = timed(commands[name])
            seconds.append(elapsed)
        if same and len(set(printed.values())) != 1:
            sys.exit(f"the counts differ: {printed}")
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
    print(f"searching {options.events:,} events, whole processes, medians of {options.rounds}")
    for title, seconds in medians.items():
        print(title)
        for name, value in seconds.items():
            print(
                f"  {name:20} {value:7.3f} s  {value / seconds['polyrecord grep']:6.2f} times polyrecord grep"
            )


if __name__ == "__main__":
    main()
