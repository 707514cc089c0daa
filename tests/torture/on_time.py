"""Wall clocks that step, midnight, leap days."""

from __future__ import annotations

import struct
import subprocess
import time
from pathlib import Path
from typing import Final

from tests.torture import by_hand
from tests.torture.bench import Bench
from tests.torture.checker import Promise
from tests.torture.on_room import end
from tests.torture.registry import FAKETIME, FAKETIME_GLOB, scenario, tool

_CC: Final = tool("cc", "gcc libc6-dev")
_MIDNIGHTS: Final = ("2026-11-20 23:59:58.5", "2028-02-28 23:59:58.5", "2028-02-29 23:59:58.5",
  "2026-12-31 23:59:58.5", "2100-02-28 23:59:58.5")  # fmt: skip


@scenario("midnight", FAKETIME, quick=1, full=5)
def midnight(bench: Bench, size: int) -> None:
    """Over midnight of common days, leap days and New Year: each event in the shard of its date"""
    library = next(Path("/").glob(FAKETIME_GLOB[1:]))
    for at in range(size):
        start = _MIDNIGHTS[at % len(_MIDNIGHTS)]
        root = bench.place()
        env = {"LD_PRELOAD": str(library), "FAKETIME": f"@{start}", "TZ": "UTC"}
        victim = bench.start(root, env=env, seconds=3.0, threads=3, rate=300)
        code = victim.wait()
        bench.expect(code == 0, f"{start}: exit code {code}, {victim.said()[-1000:]}")
        dates = {shard.date for shard in by_hand.read(root)}
        bench.expect(len(dates) == 2, f"{start}: shards of {sorted(dates)}, not of two dates")
        bench.judge(root, [(victim, Promise(ended=True))])
        bench.say(f"{at + 1} of {size}")


class _Clock:
    """A clock of a victim, that steps when it is told to."""

    def __init__(self, folder: Path) -> None:
        """Compile what is preloaded."""
        self._offset = folder / "offset"
        self._offset.write_bytes(bytes(8))
        library = folder / "clockstep.so"
        source = Path(__file__).with_name("clockstep.c")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        self.env = {"LD_PRELOAD": str(library), "CLOCKSTEP_FILE": str(self._offset)}

    def set(self, seconds: float) -> None:
        """Seconds to add to the true time."""
        with self._offset.open("r+b") as file:
            file.write(struct.pack("=q", round(seconds * 1e9)))


@scenario("clock steps", _CC, quick=1, full=10)
def steps(bench: Bench, size: int) -> None:
    """The wall clock is set forth and back by seconds to days: times never go back, each step is told"""
    for at in range(size):
        clock = _Clock(bench.place("clock"))
        root = bench.place()
        victim = bench.start(root, env=clock.env, end="handle", threads=3, rate=1_000)
        victim.until_acknowledged()
        told = [bench.chance.choice([-86_400, -3_600, -2, 2, 3_600, 86_400]) for _ in range(3)]
        offset = 0.0
        for step in told:
            time.sleep(bench.chance.uniform(0.3, 0.8))
            offset += step
            clock.set(offset)
        victim.until_recorded(500)
        time.sleep(1.2)
        end(bench, victim)
        _expect_steps(bench, root, told)
        bench.judge(root, [(victim, Promise(ended=True))])
        bench.say(f"{at + 1} of {size}")


def _expect_steps(bench: Bench, root: Path, told: list[int]) -> None:
    found = [(event["ts"], event["data"]["step_ns"]) for shard in by_hand.read(root)
             for event in shard.events if event["event_type"] == "clock_step"]  # fmt: skip
    seen = [round(step / 1e9) for _, step in sorted(found)]
    made = [round(step) for step in told]
    bench.expect(seen == made, f"steps of {told} s, and clock_step events tell of {sorted(found)}")
