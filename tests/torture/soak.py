"""Forty days of recording in minutes: a clock that runs ahead, rotation, crashes, recovery, retention.

    python -m tests.torture.soak [--days 40] [--events 600] [--json]

One process records for all the days, an hour at a time, and has its memory measured each day. Beside it, each
day, another writer records into the same archive and is killed -9. Each night the shards of dead writers are
sealed and retention keeps the last days. At the end the archive is sound, every event that a flush
acknowledged is there unless it was deleted on purpose, and the memory is where it was after the first days.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from polyrecord.read.archive import Archive
from polyrecord.read.coverage import coverage
from polyrecord.read.pruned import pruned_shards
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.record.policy import RotatePolicy
from polyrecord.record.recorder import EventRecorder
from polyrecord.record.recovery import recover_dead
from polyrecord.testing import FrozenClock
from polyrecord.times import SECOND
from polyrecord.upkeep.prune import prune
from polyrecord.upkeep.retention import Policy, Retention
from polyrecord.upkeep.verify import verify

_DAY = 86_400 * SECOND
_KEPT_DAYS = 5
_TYPES = ("signal", "orderbook_delta", "latency", "order_request", "trade")
_MOST_GROWTH = 24 << 20  # bytes of RSS from the eighth day to the last

_KILLED = """
import os, sys
from polyrecord import EventRecorder
from polyrecord.testing import FrozenClock
clock = FrozenClock(int(sys.argv[2]))
recorder = EventRecorder(sys.argv[1], clock=clock, recover="never", min_free=0)
events = int(sys.argv[3])
for n in range(events):
    recorder.record("signal", {"killed": n})
assert recorder.flush().wait(60).ok
print(recorder.writer, flush=True)
for n in range(events, events + 50):
    recorder.record("signal", {"killed": n})
os.kill(os.getpid(), 9)
"""


@dataclass(frozen=True)
class SoakResult:
    """What forty days left; all but the first three figures must be 0 for it to be good."""

    days: int
    acknowledged: int
    pruned: int
    lost: int
    wrong: int
    problems: int
    unknown: int
    growth_bytes: int

    @property
    def good(self) -> bool:
        """Whether nothing was lost in silence and the memory stayed flat."""
        return not (self.lost or self.wrong or self.problems) and self.growth_bytes <= _MOST_GROWTH


class Soak:
    """One run over an archive."""

    def __init__(self, root: Path, days: int, events: int, seed: int) -> None:
        """`events` are recorded in each hour."""
        self._root, self._days, self._events = root, days, events
        self._random = random.Random(seed)
        self._clock = FrozenClock("2026-11-01T00:00:00Z")
        self._acknowledged: dict[str, int] = {}  # by writer, the events 0 to n-1 of each
        self._memory: list[int] = []

    def run(self) -> SoakResult:
        """Record all the days, then look at what is there."""
        rotate = RotatePolicy(max_seconds=6 * 3600)
        recorder = EventRecorder(
            self._root, clock=self._clock, rotate=rotate, recover="never", signals=False, min_free=0
        )
        with recorder:
            for _ in range(self._days):
                self._day(recorder)
        return self._result()

    def _day(self, recorder: EventRecorder) -> None:
        done = self._acknowledged.get(recorder.writer, 0)
        for _ in range(24):
            for number in range(done, done + self._events):
                recorder.record(self._random.choice(_TYPES), {"n": number}, f"{number:032x}")
            assert recorder.flush().wait(60).ok
            done += self._events
            self._acknowledged[recorder.writer] = done
            self._clock.advance(3600 + self._random.uniform(-20, 20))
        self._kill_another()
        self._housekeeping(recorder.writer)
        gc.collect()
        self._memory.append(resident_bytes())

    def _kill_another(self) -> None:
        events = self._random.randrange(1, self._events)
        done = subprocess.run(
            [sys.executable, "-c", _KILLED, str(self._root), str(self._clock.wall), str(events)],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == -9, done.stderr
        self._acknowledged[done.stdout.strip()] = events

    def _housekeeping(self, mine: str) -> None:
        for found in recover_dead(self._root, skip=mine):
            assert not found.failed
        policy = Policy(max_age_ns=_KEPT_DAYS * _DAY, told_age=f"{_KEPT_DAYS}d")
        prune(self._root, Retention({"*": policy}), self._clock.wall_ns())

    def _result(self) -> SoakResult:
        found: dict[str, list[int]] = {}
        for event in Replay(Archive(self._root), Selection()):
            data = event.data
            number = data.get("n", data.get("killed"))
            if number is not None:
                found.setdefault(event.writer, []).append(number)
        gone: dict[str, int] = {}
        for shard in pruned_shards(self._root):
            gone[shard.name.writer] = gone.get(shard.name.writer, 0) + shard.events
        lost = wrong = 0
        for writer, events in self._acknowledged.items():
            numbers = found.get(writer, [])
            wrong += numbers != sorted(set(numbers))
            here = sum(number < events for number in numbers)
            lost += max(events - here - gone.get(writer, 0), 0)
        return SoakResult(
            self._days, sum(self._acknowledged.values()), sum(gone.values()), lost, wrong,
            len(verify(self._root).problems), coverage(Archive(self._root)).unknown, self._growth(),
        )  # fmt: skip

    def _growth(self) -> int:
        settled = min(7, len(self._memory) - 1)
        return max(max(self._memory[settled:]) - self._memory[settled], 0)


def resident_bytes() -> int:
    """What this process holds in memory now (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def soak(root: Path, *, days: int, events: int, seed: int = 1) -> SoakResult:
    """Run it over an empty directory."""
    return Soak(root, days, events, seed).run()


def main() -> None:
    """Run it and print what it left."""
    parser = argparse.ArgumentParser(description="Forty days of recording in minutes.")
    parser.add_argument("--days", type=int, default=40)
    parser.add_argument("--events", type=int, default=600, help="recorded in each hour")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak") as folder:
        result = soak(Path(folder), days=options.days, events=options.events, seed=options.seed)
    print(json.dumps(asdict(result)))
    sys.exit(not result.good)


if __name__ == "__main__":
    main()
