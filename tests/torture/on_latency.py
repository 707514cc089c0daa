"""The bot does not notice that its disk hangs."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.torture.bench import REPO, Bench
from tests.torture.disks import loop
from tests.torture.registry import EXT4, FREEZE, ROOT, scenario

_SECONDS = 5.0
_MOST_US = 1_000


@scenario("latency, hung disk", ROOT, EXT4, FREEZE, quick=3, full=9)
def latency(bench: Bench, size: int) -> None:
    """The slowest record() of a bot that never rests, while the disk hangs for 5 s, against no recorder"""
    _measure(bench, size, pause=0.0)


@scenario("latency, hung disk, paced", ROOT, EXT4, FREEZE, quick=3, full=9)
def latency_paced(bench: Bench, size: int) -> None:
    """The same of a bot that sleeps 0.2 ms between events"""
    _measure(bench, size, pause=0.0002)


def _measure(bench: Bench, rounds: int, *, pause: float) -> None:
    with loop(bench.place("disk")) as disk:
        plan = {"disk": str(disk.mount), "rounds": rounds, "seconds": _SECONDS, "pause": pause}
        command = [sys.executable, "-m", "tests.torture.probe", json.dumps(plan)]
        done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    if done.returncode:
        bench.tally.breach(done.stderr[-3000:])
        return
    told = json.loads(done.stdout)
    bench.tally.runs += 2 * rounds
    medians = told["medians"]
    for what in ("call", "iteration"):
        bench.tally.notes.append(f"{what}, us: {_compare(medians, what)}")
    # A sleep ends when the kernel and the machine below it please: of a paced bot the slowest says nothing.
    for figure in ("call_max_us", "iteration_p999_us" if pause else "iteration_max_us"):
        slower = medians["with"][figure] - medians["without"][figure]
        bench.expect(slower < _MOST_US, f"{figure} is {slower:.0f} more with a recorder: {told}")
    bench.expect(medians["with"]["dropped"] > 0, f"the buffer did not overflow, so nothing was shown: {told}")


def _compare(medians: dict[str, dict[str, float]], what: str) -> str:
    """Medians over the rounds, with and without a recorder."""
    parts = []
    for figure, name in (("p50", "median"), ("p999", "99.9 %"), ("max", "slowest")):
        key = f"{what}_{figure}_us"
        parts.append(f"{name} {medians['with'][key]:.0f} (without {medians['without'][key]:.0f})")
    return ", ".join(parts)
