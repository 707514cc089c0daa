"""Candidates that take turns, whole processes, medians."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PYTHON = sys.executable
POLYRECORD = str(Path(sys.executable).parent / "polyrecord")


def alternate(
    candidates: Mapping[str, Callable[[], float]], rounds: int, budget: float = float("inf")
) -> dict[str, float]:
    """The median of what each candidate returns, in the order they are called, round after round.

    One that has taken `budget` seconds of wall time sits out the rounds that are left.
    """
    samples: dict[str, list[float]] = {name: [] for name in candidates}
    spent = dict.fromkeys(candidates, 0.0)
    for number in range(rounds):
        for name, call in candidates.items():
            if number and spent[name] >= budget:
                continue
            start = time.perf_counter()
            samples[name].append(call())
            spent[name] += time.perf_counter() - start
    return {name: statistics.median(values) for name, values in samples.items()}


def run(command: Sequence[str], codes: Sequence[int] = (0,)) -> tuple[float, str]:
    """Wall time of a whole process, and what it prints; ends the run if it fails."""
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - start
    if done.returncode not in codes:
        sys.exit(f"{' '.join(command)[:300]}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return elapsed, done.stdout


def process(command: Sequence[str], sound: Callable[[str], bool] = bool) -> Callable[[], float]:
    """A candidate that is a whole process, whose output has to be `sound`."""

    def seconds() -> float:
        elapsed, output = run(command)
        if not sound(output):
            sys.exit(f"{' '.join(command)[:300]}: the answer is wrong\n{output[:2000]}")
        return elapsed

    return seconds


def script(source: str, *arguments: str) -> list[str]:
    """The command that runs a Python program given as text."""
    return [PYTHON, "-c", source, *arguments]


def python_file(name: str, *arguments: str) -> list[str]:
    """The command that runs a program that lies beside this one."""
    return [PYTHON, str(Path(__file__).with_name(name)), *arguments]


def has_command(*words: str) -> bool:
    """Whether this polyrecord has such a command, or a command such an option."""
    command, *options = words
    done = subprocess.run([POLYRECORD, command, "--help"], capture_output=True, text=True, check=False)
    return done.returncode == 0 and all(option in done.stdout for option in options)


def machine() -> str:
    """One line on where the figures come from."""
    model, info = "", Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        model = next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), "")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    known = (platform.system(), platform.machine(), model, f"{os.cpu_count()} cores", f"{memory:.0f} GiB")
    return ", ".join(filter(None, (*known, f"Python {platform.python_version()}")))


def drop_from_cache(root: Path) -> None:
    """Ask the kernel to forget every file of a tree; other processes keep theirs."""
    for path in root.rglob("*"):
        if path.is_file():
            fd = os.open(path, os.O_RDONLY)
            try:
                os.fsync(fd)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(fd)
