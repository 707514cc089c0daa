"""Lines a second that `polyrecord record` takes from a pipe, beside what else such a pipe could end in.

    python benchmarks/stdin.py [--lines 300000] [--rounds 5] [--json]

Whole processes, start included: `cat` pipes a file of lines, as a bot in another language writes them, into
each candidate. They take turns; medians are printed. What we record is counted afterwards, from the files.
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

import orjson
from sessions import write_session

from polyrecord.read.replay import replay
from polyrecord.testing import shard_files

BIN = Path(sys.executable).parent
OURS = "polyrecord record"
LOADS_AND_GZIP = """
import gzip, json, sys
with gzip.open(sys.argv[1], "wt", compresslevel=1) as out:
    for line in sys.stdin:
        out.write(json.dumps(json.loads(line), separators=(",", ":")) + "\\n")
"""
LIVE_RECORDER = """
import sys, time
import orjson
from polyrecord import EventRecorder
with EventRecorder(sys.argv[1], buffer_bytes=256 << 20) as recorder:
    for number, line in enumerate(sys.stdin.buffer):
        event = orjson.loads(line)
        recorder.record(event["event_type"], event["data"], event.get("trace_id"))
        if number % 1_000 == 0:
            while recorder.stats().buffered_bytes > 32 << 20:
                time.sleep(0.005)
"""


def write_lines(folder: Path, count: int) -> Path:
    """A session's events as a bot would print them."""
    write_session(folder / "session", count)
    path = folder / "lines.jsonl"
    with path.open("wb") as file:
        for event in replay(folder / "session"):
            line = orjson.loads(event.line)
            del line["ts"], line["seq"]
            file.write(orjson.dumps(line) + b"\n")
    shutil.rmtree(folder / "session")
    return path


def candidates(place: Path) -> dict[str, list[str]]:
    """Name -> the command at the pipe's end; what it makes goes to `place`."""
    python, polyrecord = sys.executable, f"{BIN}/polyrecord"
    commands = {
        "cat > /dev/null": ["/bin/sh", "-c", "cat > /dev/null"],
        OURS: [polyrecord, "record", "--root", str(place)],
        "polyrecord record --tee": [polyrecord, "record", "--tee", "--root", str(place)],
        "EventRecorder in a loop": [python, "-c", LIVE_RECORDER, str(place)],
        "json.loads, dumps, gzip -1": [python, "-c", LOADS_AND_GZIP, str(place)],
        "jq -c . | gzip -1": ["/bin/sh", "-c", f"jq -c . | gzip -1 > {place}"],
    }
    return {name: command for name, command in commands.items() if "jq" not in name or shutil.which("jq")}


def timed(command: list[str], lines: Path) -> float:
    """Seconds until a command has taken all lines from a pipe and ended."""
    start = time.perf_counter()
    with subprocess.Popen(["/bin/cat", str(lines)], stdout=subprocess.PIPE) as cat:
        subprocess.run(
            command, stdin=cat.stdout, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    return time.perf_counter() - start


def check(place: Path, count: int) -> None:
    """End the run unless an archive of ours holds every line."""
    kept = sum(1 for _ in replay(place).lines()) if shard_files(place) else 0
    if kept != count:
        sys.exit(f"{kept:,} events of {count:,} lines")


def measure(count: int, rounds: int) -> tuple[dict[str, float], int]:
    """Median seconds by candidate, and the size of the input in bytes."""
    samples: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        lines, place = write_lines(Path(folder), count), Path(folder) / "out"
        for number in range(rounds):
            for name, command in candidates(place).items():
                samples.setdefault(name, []).append(timed(command, lines))
                if name.startswith(OURS) and number == 0:
                    check(place, count)
                shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        size = lines.stat().st_size
    return {name: statistics.median(values) for name, values in samples.items()}, size


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--lines", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    medians, size = measure(options.lines, options.rounds)
    if options.json:
        rates = {name: options.lines / seconds for name, seconds in medians.items()}
        print(json.dumps({"lines": options.lines, "bytes": size, "seconds": medians, "lines_per_s": rates}))
        return
    print(f"{options.lines:,} lines, {size / 1e6:.0f} MB, through a pipe, medians of {options.rounds}")
    for name, seconds in medians.items():
        rate, ratio = options.lines / seconds, seconds / medians[OURS]
        print(f"  {name:28} {seconds:6.2f} s {rate:12,.0f} lines/s {ratio:6.2f} times {OURS}")


if __name__ == "__main__":
    main()
