"""What recording adds to the slow calls and to the event loop, at 5,000 events a second while blocks are
written.

A loop wakes up each millisecond and makes five calls, of `record()` or of nothing; each leg is a process
of its own, with and without taking turns. The recorder flushes as it does by default, five times a second
at this rate. Medians over the legs of their percentiles; what counts is the difference.
"""

from __future__ import annotations

import json
import statistics
import tempfile

from row import Check, Result, Row, Scale, Table
from timing import python_file, run

KINDS = ("without", "with")


def measure(scale: Scale) -> Result:
    """Legs by turns."""
    legs: dict[str, list[dict[str, float]]] = {kind: [] for kind in KINDS}
    for _ in range(scale.legs):
        for kind in KINDS:
            with tempfile.TemporaryDirectory() as folder:
                command = python_file("loop.py", kind, str(scale.leg_seconds), folder)
                legs[kind].append(json.loads(run(command)[1]))
    names = list(legs["with"][0])
    medians = {
        kind: {name: statistics.median(leg[name] for leg in legs[kind]) for name in names} for kind in KINDS
    }
    excess = {name: medians["with"][name] - medians["without"][name] for name in names}
    checks = (
        Check(excess["call p99"], 5, "us more", "call, p99"),
        Check(excess["call p99.9"], 50, "us more", "call, p99.9"),
        Check(excess["loop lag p99"] / 1e3, 1, "ms more", "event-loop lag, p99"),
    )
    tables = (
        Table("with a recorder", "us", medians["with"], digits=1),
        Table("the same loop without", "us", medians["without"], digits=1),
    )
    return Result(checks, tables, {"p50": medians["with"]["call p50"], "p99": medians["with"]["call p99"]})


ROW = Row(
    "lag",
    "Slow calls and the event loop at 5,000 events/s",
    __doc__ or "",
    """A call takes {p50:.1f} us in the middle and {p99:.1f} us at p99: its caches are cold after a sleep,
and it may find the interpreter lock with the drain, which formats at most 128 events before it lets go.
Compressing and writing hold no lock.""",
    measure,
    "py-spy record --gil --threads -- python benchmarks/loop.py with 20 /tmp/loop",
)

if __name__ == "__main__":
    from goals import main

    main(["--only", ROW.name])
