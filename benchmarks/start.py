"""What a process pays before it does anything: `import polyrecord`, `polyrecord --help`, `info` on 30 shards.

Whole processes, many rounds, taking turns with a bare interpreter (`python -c pass`), whose time is taken off
where the goal says so. Which modules a command loads is counted, not timed: `python -X importtime`.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import archives
from row import Check, Result, Row, Scale, Table
from timing import POLYRECORD, PYTHON, alternate, process, script

BARE, IMPORT, HELP, INFO = (
    "python -c pass",
    "import polyrecord",
    "polyrecord --help",
    "polyrecord info, 30 shards",
)
HEAVY = ("rich", "duckdb")


def loaded(arguments: Sequence[str], names: Sequence[str]) -> int:
    """How many of these packages a Python process loads."""
    done = subprocess.run(
        [PYTHON, "-X", "importtime", *arguments], capture_output=True, text=True, check=True
    )
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    return sum(name in modules for name in names)


def measure(scale: Scale) -> Result:
    """Times, and counts of modules."""
    root = archives.archive("day", scale.day)
    trace = archives.traces(root, scale.day, 1)[0]
    info = ["info", "--root", str(root), "--format", "json"]
    seconds = alternate(
        {
            BARE: process(script("pass"), lambda _: True),
            IMPORT: process(script("import polyrecord"), lambda _: True),
            HELP: process([POLYRECORD, "--help"]),
            INFO: process([POLYRECORD, "info", "--root", str(root)]),
            f"{INFO}, as JSON": process([POLYRECORD, *info]),
        },
        max(1, scale.bursts // 20),
    )
    found = {name: 1e3 * value for name, value in seconds.items()}
    heavy = sum(
        loaded(["-m", "polyrecord", *arguments], HEAVY)
        for arguments in (info, ["trace", trace, "--root", str(root), "--format", "json"])
    )
    checks = (
        Check(seconds[INFO], 0.2, "s", INFO),
        Check(found[IMPORT] - found[BARE], 50, "ms more than a bare interpreter", IMPORT),
        Check(found[HELP] - found[BARE], 120, "ms more than a bare interpreter", HELP),
        Check(loaded(["-c", "import polyrecord"], ["asyncio"]), 0, "of asyncio loaded", IMPORT),
        Check(heavy, 0, "of rich and duckdb loaded", "info and trace as JSON"),
    )
    facts = {"bare": found[BARE], "import": found[IMPORT] - found[BARE], "help": found[HELP] - found[BARE]}
    return Result(checks, (Table("whole processes", "ms", found, BARE, 0),), facts)


ROW = Row(
    "start",
    "Starting",
    __doc__ or "",
    """A bare interpreter takes {bare:.0f} ms here; importing polyrecord adds {import:.0f} ms, the help
{help:.0f} ms. Heavy libraries are imported inside the function that needs them, and so is what reads
lines where headers are enough.""",
    measure,
    "python -X importtime -c 'import polyrecord'",
)

if __name__ == "__main__":
    from goals import main

    main(["--only", ROW.name])
