"""The reference implementation, in Java, reads our logs: the same counts at the same values."""

from __future__ import annotations

import csv
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from polyrecord.derived.buckets import highest_of, index_of
from polyrecord.derived.hlog import Interval, log_lines, tag_of

JAR = Path("/usr/share/java/hdrhistogram.jar")
SECOND = 1_000_000_000
STAGES = {
    "book_to_signal_ms": [0, 1, 999, 2_047, 2_048, 1_500_000, 1_500_001, 73 * 60 * SECOND],
    'a, b "c"\n_ms': list(range(0, 50_000_000, 7_919)),
}


@pytest.fixture
def processor(require_tool: Callable[[str], str]) -> list[str]:
    """The command line of the reference's own log processor."""
    java = require_tool("java")
    if not JAR.exists():
        message = "HdrHistogram for Java is not installed: apt-get install libhdrhistogram-java"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return [java, "-cp", str(JAR), "org.HdrHistogram.HistogramLogProcessor"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of two intervals for each stage, the values of it in turns."""
    path = tmp_path / "some.hlog"
    parts = [interval(number, stage) for number in range(2) for stage in STAGES]
    path.write_text("".join(f"{line}\n" for line in log_lines(parts, 0, ["a comment"])))
    return path


def interval(number: int, stage: str) -> Interval:
    counts = counts_of(STAGES[stage][number::2])
    return Interval(
        number * 60 * SECOND,
        (number + 1) * 60 * SECOND,
        tag_of(stage),
        sorted(counts),
        [counts[at] for at in sorted(counts)],
    )


def counts_of(values: list[int]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for value in values:
        counts[index_of(value)] = counts.get(index_of(value), 0) + 1
    return counts


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_reference_lists_the_tags(processor: list[str], log: Path) -> None:
    assert run(*processor, "-i", str(log), "-listtags").split("\n")[1:3] == [
        "a%2C%20b%20%22c%22%0A_ms", "book_to_signal_ms",
    ]  # fmt: skip


@pytest.mark.parametrize("stage", STAGES)
def test_the_reference_counts_as_many_at_every_value(processor: list[str], log: Path, stage: str) -> None:
    told = run(*processor, "-i", str(log), "-tag", tag_of(stage), "-csv", "-outputValueUnitRatio", "1")
    rows = list(csv.reader(line for line in told.splitlines() if not line.startswith("#")))
    counts = counts_of(STAGES[stage])
    assert rows[0] == ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"]
    assert int(rows[-1][2]) == len(STAGES[stage])
    for value, _, total, _ in rows[1:]:
        below = sum(count for at, count in counts.items() if highest_of(at) <= float(value))
        assert below == int(total)


def test_the_reference_reads_a_window_of_it(processor: list[str], log: Path) -> None:
    told = run(*processor, "-i", str(log), "-tag", "book_to_signal_ms", "-csv", "-start", "60", "-end", "120")
    rows = [line.split(",") for line in told.splitlines() if line[:1].isdigit()]
    assert int(rows[-1][2]) == len(STAGES["book_to_signal_ms"][1::2])
