"""`polyrecord summarize` of a whole sealed day, without and with what `polyrecord compact` derives.

Whole processes, files in the page cache, taking turns. The limit of the cached answer is DuckDB over
typed Parquet made by hand from the same latency events; that of the first answer is pure decompression of
the touched stream (isal, two threads, into memory) and a typed parse of every field by DuckDB, which
answers nothing yet.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import archives
from row import Check, Result, Row, Scale, Table
from statements import INFLATE_AND_PARSE, MAKE_PARQUET, OVER_GZIP, OVER_PARQUET
from timing import POLYRECORD, alternate, has_command, process, run, script
from window import metrics

FIRST, CACHED = "polyrecord summarize, nothing derived", "polyrecord summarize, after compact"
PARQUET, PARSE, GZIP = (
    "DuckDB, typed Parquet by hand",
    "decompression and typed parse",
    "DuckDB over gzip JSON",
)


def compacted(root: Path) -> Path | None:
    """The same archive with what is derived from its metrics, made once; None where there is no compact."""
    if not has_command("compact"):
        return None
    place = root.with_name(f"{root.name}-compacted")
    if not place.exists():
        hidden = place.with_name(f".{place.name}.{os.getpid()}")
        shutil.copytree(root, hidden, copy_function=os.link)
        hidden.rename(place)
    # Each time: what an earlier polyrecord derived may be stale to this one, and would not be used.
    run([POLYRECORD, "compact", "--root", str(place), "--stream", "logs/metrics"])
    return place


def _parquet(root: Path) -> Path:
    path = root.with_name(f"{root.name}.latency.parquet")
    if not path.exists():
        run(script(MAKE_PARQUET, str(path), *metrics(root)))
    return path


def _summarize(root: Path) -> list[str]:
    exact = ["--exact"] if has_command("summarize", "--exact") else []
    return [POLYRECORD, "summarize", "--root", str(root), "--format", "json", *exact]


def measure(scale: Scale) -> Result:
    """Ours and the limits."""
    root = archives.archive("day", scale.day)
    derived = compacted(root)
    commands = {
        FIRST: _summarize(root),
        PARSE: script(INFLATE_AND_PARSE, *metrics(root)),
        GZIP: script(OVER_GZIP, "2026", *metrics(root)),
        PARQUET: script(OVER_PARQUET, str(_parquet(root))),
    }
    if derived is not None:
        commands[CACHED] = _summarize(derived)
    found = alternate(
        {name: process(command) for name, command in commands.items()}, scale.rounds, scale.budget
    )
    cached = found[CACHED] / found[PARQUET] if derived is not None else None
    checks = (
        Check(cached, 1.5, f"times {PARQUET}", "cached", why="there is no polyrecord compact yet"),
        Check(found[FIRST] / found[PARSE], 1.3, f"times {PARSE}", "first time"),
    )
    title = f"a day of {scale.day:,} events"
    return Result(checks, (Table(title, "s", found, FIRST),), {"first": found[FIRST], "limit": found[PARSE]})


ROW = Row(
    "day",
    "The latency of a day",
    __doc__ or "",
    """The first answer takes {first:.2f} s, where decompression and a typed parse alone take {limit:.2f}
s. Two threads share the work: one inflates, proves every block's CRC and line count, and looks for
stages that are texts or truth values, which the engine would take for numbers; the engine parses the
piece before. Those proofs are passes over the text that no parser shares, and half of the difference;
the rest is the start and the answer itself, which the limit does not give. Typed columns beside the
sealed shards leave the counting of values, of which there are few different ones, and the start.""",
    measure,
    "py-spy record --native -- polyrecord summarize",
)

if __name__ == "__main__":
    from goals import main

    main(["--only", ROW.name])
