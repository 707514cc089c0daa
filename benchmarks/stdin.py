"""Lines a second that `polyrecord record` takes from a pipe, beside what else such a pipe could end in.

Whole processes, start included, taking turns: `cat` pipes a file of lines, as a bot in another language
writes them, into each candidate. What we record is counted afterwards, from the files.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import archives
import orjson
from row import Result, Row, Scale, Table
from timing import POLYRECORD, PYTHON, alternate

from polyrecord.read.replay import replay
from polyrecord.testing import shard_files

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


def _write_lines(path: Path, events: int) -> int:
    """A day's events as a bot would print them; how many there are."""
    count = 0
    with path.open("wb") as file:
        for event in replay(archives.archive("day", events)):
            line = orjson.loads(event.line)
            del line["ts"], line["seq"]
            file.write(orjson.dumps(line) + b"\n")
            count += 1
    return count


def _commands(place: Path) -> dict[str, list[str]]:
    commands = {
        "cat > /dev/null": ["/bin/sh", "-c", "cat > /dev/null"],
        OURS: [POLYRECORD, "record", "--root", str(place)],
        "polyrecord record --tee": [POLYRECORD, "record", "--tee", "--root", str(place)],
        "EventRecorder in a loop": [PYTHON, "-c", LIVE_RECORDER, str(place)],
        "json.loads, dumps, gzip -1": [PYTHON, "-c", LOADS_AND_GZIP, str(place)],
        "jq -c . | gzip -1": ["/bin/sh", "-c", f"jq -c . | gzip -1 > {place}"],
    }
    return {name: command for name, command in commands.items() if "jq" not in name or shutil.which("jq")}


def _candidate(name: str, command: list[str], lines: Path, place: Path, count: int) -> Callable[[], float]:
    def rate() -> float:
        start = time.perf_counter()
        with subprocess.Popen(["/bin/cat", str(lines)], stdout=subprocess.PIPE) as cat:
            subprocess.run(
                command, stdin=cat.stdout, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        elapsed = time.perf_counter() - start
        if name.startswith(OURS):
            _check(place, count)
        shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
        return count / elapsed

    return rate


def _check(place: Path, count: int) -> None:
    kept = sum(1 for _ in replay(place).lines()) if shard_files(place) else 0
    if kept != count:
        sys.exit(f"{kept:,} events of {count:,} lines")


def measure(scale: Scale) -> Result:
    """Everybody takes the same lines."""
    with tempfile.TemporaryDirectory() as folder:
        lines, place = Path(folder, "lines.jsonl"), Path(folder, "out")
        count = _write_lines(lines, scale.lines // 5)
        size = lines.stat().st_size / 1e6
        candidates = {
            name: _candidate(name, command, lines, place, count) for name, command in _commands(place).items()
        }
        found = alternate(candidates, scale.rounds, scale.budget)
    return Result((), (Table(f"{count:,} lines, {size:.0f} MB", "lines/s", found, OURS, 0),))


ROW = Row(
    "stdin",
    "Recording a pipe",
    __doc__ or "",
    """A block of lines is checked and numbered at once rather than line by line. See [decision
3](decisions/0003-recording-a-pipe.md).""",
    measure,
    "py-spy record -- polyrecord record < lines.jsonl",
)

if __name__ == "__main__":
    from goals import main

    main(["--only", ROW.name])
