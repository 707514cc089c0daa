"""One leg of the event loop: 5,000 calls a second, with or without a recorder; prints percentiles as JSON.

python benchmarks/loop.py with|without SECONDS FOLDER
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from record import SMALL, TRACE

RATE = 5_000
BATCH = 5  # calls each time the loop wakes up, every millisecond
_WARM = 0.2  # of the leg is not counted


async def ticks(call: Callable[[], object], seconds: float) -> tuple[list[int], list[float]]:
    """Nanoseconds of each call, and seconds by which the loop woke up late."""
    calls, lags = [], []
    step, clock = BATCH / RATE, time.perf_counter_ns
    due = time.perf_counter()
    for _ in range(max(1, int(seconds / step))):
        due += step
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        lags.append(time.perf_counter() - due)
        for _ in range(BATCH):
            start = clock()
            call()
            calls.append(clock() - start)
    return calls, lags


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def leg(call: Callable[[], object], seconds: float) -> dict[str, float]:
    """Percentiles of one leg, its warm-up left out."""
    calls, lags = asyncio.run(ticks(call, seconds))
    calls, lags = calls[int(_WARM * len(calls)) :], lags[int(_WARM * len(lags)) :]
    return {
        "call p50": percentile(calls, 0.5) / 1e3,
        "call p99": percentile(calls, 0.99) / 1e3,
        "call p99.9": percentile(calls, 0.999) / 1e3,
        "loop lag p50": percentile(lags, 0.5) * 1e6,
        "loop lag p99": percentile(lags, 0.99) * 1e6,
    }


def main() -> None:
    """Run a leg."""
    kind, seconds, folder = sys.argv[1], float(sys.argv[2]), Path(sys.argv[3])
    if kind == "without":
        print(json.dumps(leg(lambda: None, seconds)))
        return
    from polyrecord import EventRecorder

    with EventRecorder(folder) as recorder:
        record = recorder.record
        print(json.dumps(leg(lambda: record("signal", SMALL, TRACE), seconds)))
        stats = recorder.stats()
    assert stats.dropped == 0, stats
    assert stats.blocks or seconds < 1, stats  # it was flushing meanwhile


if __name__ == "__main__":
    main()
