"""How long `record()` takes while the disk hangs, against a loop without a recorder, in alternation.

`python -m tests.torture.probe '{"disk": ..., "rounds": 5, "seconds": 5.0, "pause": 0.0}'` on a disk that can
be frozen; prints one JSON object. Each iteration works for some tens of microseconds, records, or calls a
function that does nothing, and sleeps for `pause` seconds, if any. The whole iteration is timed, because what
else runs on the machine interrupts a call the more often the longer it takes, and an iteration takes about as
long with a recorder as without. A wait for the interpreter lock shows in it wherever it happens.

Where it may, the process runs before all others of the machine (SCHED_FIFO): what they do is not what is
measured. The kernel stops such a process that never rests, so it rests for a moment, untimed, now and then.
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import time
from array import array
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from polyrecord.record.recorder import EventRecorder

_LEAST: Final = 20e-6  # seconds an iteration takes at the least
_WORK: Final = range(1_000)
_RUN_NS: Final = 20_000_000
_REST: Final = 0.002  # seconds after each run
_BUFFER: Final = 1 << 20  # overflows while the disk hangs, so dropping is in what is measured
_DATA: Final = {"market": "BTC-USD", "side": "buy", "price": 97_123.5, "size": 0.25, "reason": "x" * 100}


def nothing(event_type: str, data: dict[str, Any]) -> bool:
    """In place of `record()`."""
    return bool(event_type) and bool(data)


def loop(record: Callable[..., Any], seconds: float, pause: float) -> tuple[array[int], array[int]]:
    """Times of calls and of whole iterations, ns."""
    now, most, at = time.perf_counter_ns, int(seconds / _LEAST), 0
    calls, whole = array("q", bytes(8 * most)), array("q", bytes(8 * most))
    begun = now()
    until, rest = begun + round(seconds * 1e9), begun + _RUN_NS
    while begun < until and at < most:
        total = 0
        for number in _WORK:
            total += number
        data = {**_DATA, "n": at}
        before = now()
        record("book_delta", data)
        after = now()
        if pause:
            time.sleep(pause)
        ended = now()
        calls[at], whole[at] = after - before, ended - begun
        begun, at = ended, at + 1
        if ended > rest:
            time.sleep(_REST)
            begun = now()
            rest = begun + _RUN_NS
    return calls[:at], whole[:at]


def measure(plan: dict[str, Any], root: Path, *, recording: bool) -> dict[str, float]:
    """One run on a frozen disk."""
    disk, pause = plan["disk"], plan["pause"]
    recorder = (
        EventRecorder(root, buffer_bytes=_BUFFER, overload="drop_oldest", min_free=0) if recording else None
    )
    record = nothing if recorder is None else recorder.record
    loop(record, 0.5, pause)  # opened, and warm
    gc.collect()
    subprocess.run(["fsfreeze", "-f", disk], check=True)
    try:
        calls, whole = loop(record, plan["seconds"], pause)
    finally:
        subprocess.run(["fsfreeze", "-u", disk], check=True)
    dropped = 0
    if recorder is not None:
        recorder.close().wait(30)
        dropped = recorder.stats().dropped
    return {**_figures("call", calls), **_figures("iteration", whole), "n": len(calls), "dropped": dropped}


def _figures(name: str, times: array[int]) -> dict[str, float]:
    ordered = sorted(times)
    at = {"p50": len(ordered) // 2, "p999": len(ordered) * 999 // 1000, "max": len(ordered) - 1}
    return {f"{name}_{what}_us": ordered[index] / 1e3 for what, index in at.items()}


def main(arguments: list[str]) -> None:
    """Measure in alternation and print medians over the rounds."""
    plan = json.loads(arguments[0])
    disk = Path(plan["disk"])
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))  # threads started later inherit it
    rounds: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    for at in range(plan["rounds"]):
        for recording in (False, True) if at % 2 == 0 else (True, False):
            root = disk / f"archive{at}"
            rounds[recording].append(measure(plan, root, recording=recording))
    medians = {
        name: {key: statistics.median(each[key] for each in found) for key in found[0]}
        for name, found in (("without", rounds[False]), ("with", rounds[True]))
    }
    sys.stdout.write(json.dumps({"medians": medians, "without": rounds[False], "with": rounds[True]}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
