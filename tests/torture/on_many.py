"""Many processes and threads on one archive at once."""

from __future__ import annotations

import time

from tests.torture.bench import Bench
from tests.torture.checker import Promise
from tests.torture.registry import scenario

_PROCESSES = 8
_THREADS = 3


@scenario("many writers", quick=1, full=10)
def many(bench: Bench, size: int) -> None:
    """8 processes of 3 threads, some forking, some killed and replaced, seal into the same folders"""
    for at in range(size):
        root = bench.place()
        options = {"flush_interval": 0.05, "rotate": {"max_events": 200}}
        victims = [
            bench.start(root, recorder=options, events=600, threads=_THREADS, rate=400, children=number % 2)
            for number in range(_PROCESSES)
        ]
        doomed = [victim for number, victim in enumerate(victims) if number % 4 == 0]
        for victim in doomed:
            victim.until_recorded(100)
            time.sleep(bench.chance.uniform(0.0, 0.3))
            victim.kill()
        late = [bench.start(root, recorder=options, events=300, threads=_THREADS) for _ in doomed]
        everybody = []
        for victim in (*victims, *late):
            if victim not in doomed:
                code = victim.wait()
                bench.expect(code == 0, f"exit code {code}: {victim.said()[-1000:]}")
            promise = bench.crashed(victim) if victim in doomed else Promise(ended=True)
            everybody += [(told, promise) for told in (victim.journal(), *bench.children(victim))]
        bench.judge(root, everybody)
        bench.say(f"{at + 1} of {size}")
