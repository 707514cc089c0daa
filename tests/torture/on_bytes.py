"""Hostile bytes: random corruptions of a shard, and the fuzzers."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Final

from tests.hostile.corruptions import run
from tests.torture.bench import REPO, Bench
from tests.torture.registry import Need, scenario

_ATHERIS: Final = Need(
    "atheris", lambda: importlib.util.find_spec("atheris") is not None, "pip install 'polyrecord[torture]'"
)


@scenario("corrupted bytes", quick=1_000, full=100_000)
def corruptions(bench: Bench, size: int) -> None:
    """Random flips, cuts, insertions and swaps in a shard: each loss is reported, nothing wrong is read"""
    chunk = 1_000
    for at in range(0, size, chunk):
        result = run(min(chunk, size - at), bench.chance.randrange(2**32), bench.place())
        bench.tally.runs += result.tried
        bench.tally.accounted += result.lines_lost
        bench.tally.lost += result.undetected
        bench.tally.wrong += result.wrong
        if not result.ok:
            bench.tally.breach(f"corruptions: {result.examples}")
        bench.say(f"{at} of {size}")


@scenario("fuzz", _ATHERIS, quick=5, full=60)
def fuzz(bench: Bench, size: int) -> None:
    """Coverage-guided fuzzing of the block parser, the scan, the directory and the line codec, in seconds"""
    _run_module(bench, "fuzz_format", str(size))


@scenario("soak", quick=4, full=40)
def soak(bench: Bench, size: int) -> None:
    """Days of recording by a clock that runs ahead, with crashes, recovery, retention and flat memory"""
    _run_module(bench, "soak", "--days", str(size))


def _run_module(bench: Bench, name: str, *arguments: str) -> None:
    command = [sys.executable, "-m", f"tests.torture.{name}", *arguments]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    bench.tally.runs += 1
    if done.returncode:
        bench.tally.breach(f"{' '.join(command)}: {(done.stdout + done.stderr)[-3000:]}")
