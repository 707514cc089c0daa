"""kill -9 at random moments: recording, rotating, sealing, starting, forking."""

from __future__ import annotations

import time
from typing import Any

from tests.torture.bench import Bench, Victim
from tests.torture.checker import Promise
from tests.torture.journal import Journal
from tests.torture.registry import scenario

_PER_ARCHIVE = 10  # each restart records into the archive that the killed ones left


@scenario("kill -9", quick=20, full=300)
def kills(bench: Bench, size: int) -> None:
    """Killed at random moments and started again on the same archive"""
    done = 0
    while done < size:
        root, dead = bench.place(), []
        for _ in range(min(_PER_ARCHIVE, size - done)):
            victim = bench.start(
                root, recorder=_options(bench), rate=bench.chance.choice([500, 3000, 10_000])
            )
            _let_it_run(bench, victim)
            victim.kill()
            dead.append((victim, bench.crashed(victim)))
            done += 1
            bench.say(f"{done} of {size} kills")
        bench.judge(root, dead)


def _options(bench: Bench) -> dict[str, Any]:
    """Small blocks and shards, so that a kill meets writes, seals and new files often."""
    chance = bench.chance
    return {
        "flush_interval": chance.choice([0.02, 0.1, 0.3]),
        "block_bytes": chance.choice([2_000, 20_000, 256 << 10]),
        "rotate": {"max_events": chance.choice([50, 500, 5_000])},
        "sync": {"mode": chance.choice(["never", "interval", "flush"])},
    }


def _let_it_run(bench: Bench, victim: Victim) -> None:
    """In one of five runs the kill meets the start; else some tenths of a second later."""
    if bench.chance.random() < 0.2:
        time.sleep(bench.chance.uniform(0.0, 0.3))
        return
    victim.until_recorded(1)
    time.sleep(bench.chance.uniform(0.0, 0.5))


@scenario("kill -9 of a family", quick=2, full=30)
def kills_of_families(bench: Bench, size: int) -> None:
    """Killed while forked children record with the recorder they inherited"""
    for at in range(size):
        root = bench.place()
        victim = bench.start(root, recorder=_options(bench), children=2, end="wait")
        victim.until_recorded(50)
        time.sleep(bench.chance.uniform(0.0, 0.4))
        victim.kill()
        promise = bench.crashed(victim)
        everybody: list[tuple[Victim | Journal, Promise]] = [(victim, promise)]
        everybody += [(journal, promise) for journal in bench.children(victim)]
        bench.judge(root, everybody)
        bench.say(f"{at + 1} of {size} kills")
