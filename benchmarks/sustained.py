"""Events a second that reach the disk, compressed, indexed and numbered, none dropped.

Lines of 316 bytes, the same seeded events for all, each candidate in a process of its own, taking turns;
the time is from the first event to the closed file. Our producer flushes every 25,000 events and waits
for the flush before the last, so that nothing is dropped; that is asserted. The limit is `orjson.dumps`
of the event's dict and isal level 1 in one thread, without index or numbers, in parts of 16 KiB, its
fastest; mcap gets its messages encoded beforehand. The memory is what the process has more than before
the recorder was made, twenty times during the run.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from row import Check, Result, Row, Scale, Table
from timing import alternate, python_file, run

BUFFER_MB = 67.1  # a recorder's default buffer bound
OURS, LIMIT, MCAP = "polyrecord", "orjson.dumps + isal, one thread", "mcap, messages encoded before"
KINDS = {OURS: "ours", LIMIT: "limit", MCAP: "mcap"}


def _candidate(kind: str, count: int, answers: list[dict[str, Any]]) -> Callable[[], float]:
    def rate() -> float:
        folder = Path(tempfile.mkdtemp())
        try:
            _, output = run(python_file("flow.py", kind, str(count), str(folder)))
            answers.append(json.loads(output))
        finally:
            shutil.rmtree(folder)
        return count / float(answers[-1]["seconds"])

    return rate


def measure(scale: Scale) -> Result:
    """Rates of all, memory of ours."""
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in KINDS}
    here = {name: kind for name, kind in KINDS.items() if name != MCAP or find_spec("mcap")}
    rates = alternate(
        {name: _candidate(kind, scale.sustained, answers[name]) for name, kind in here.items()},
        min(3, scale.rounds),
    )
    memory = [answer["memory_mb"] for answer in answers[OURS]]
    peak = statistics.median(max(samples) for samples in memory)
    growth = statistics.median(max(samples[-5:]) - max(samples[5:10]) for samples in memory)
    share, other = 100 * rates[OURS] / rates[LIMIT], rates.get(MCAP)
    checks = (
        Check(share, 65, f"% of {LIMIT}", "rate", True),
        Check(other and rates[OURS] / other, 2.5, f"times {MCAP}", "rate", True, "mcap is not installed"),
        Check(peak, BUFFER_MB + 30, "MB, the buffer bound and 30", "most memory"),
        Check(growth, 5, "MB more in the last quarter than in the second", "flat memory"),
    )
    figures = {name: rates.get(name) for name in KINDS}
    tables = (
        Table("events a second", "events/s", figures, OURS, 0),
        Table("memory while recording", "MB", {"most": peak, "last quarter less second": growth}, digits=1),
    )
    facts = {"ours_us": 1e6 / rates[OURS], "limit_us": 1e6 / rates[LIMIT], "rate": rates[OURS]}
    return Result(checks, tables, facts)


ROW = Row(
    "sustained",
    "Sustained rate to disk",
    __doc__ or "",
    """An event costs {ours_us:.2f} us from the call to the disk; the bare encoder and compressor take
{limit_us:.2f} us. Compressing and writing release the interpreter lock and run beside it; what is left is
Python that holds the lock: `record()` itself, then numbering, formatting and indexing the lines of a
slice at once. mcap runs as much Python for a message in the caller, without an index of traces.""",
    measure,
    "py-spy record --gil --threads -- python benchmarks/flow.py ours 2000000 /tmp/flow",
)

if __name__ == "__main__":
    from goals import main

    main(["--only", ROW.name])
