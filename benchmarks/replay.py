"""Events a second that a replay gives: raw lines, envelopes, dicts; beside gzip and json.loads, and mcap.

Each reads the whole archive in a process of its own, files in the page cache; the start of the process is
not counted, the imports are. Ours are in recorded order over six writers; the loop takes file after file.
The MCAP file holds the same lines as messages, in zstd chunks.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import archives
from peers import load
from row import Check, Result, Row, Scale, Table
from timing import alternate, python_file, run

LOOP = "gzip.open and json.loads"
NAMES = {
    "lines": "polyrecord, raw lines",
    "envelope": "polyrecord, envelopes",
    "dicts": "polyrecord, dicts",
    "loop": LOOP,
    "mcap": "mcap reader, raw messages",
    "mcap-dicts": "mcap reader and json.loads",
}


def _mcap(root: Path) -> Path:
    """The archive's lines in an MCAP file, made once."""
    path = root.with_name(f"{root.name}.mcap")
    if path.exists():
        return path
    mcap = load("mcap.writer")

    from polyrecord.read.replay import replay as replayed

    hidden = path.with_name(f".{path.name}.{os.getpid()}")
    with hidden.open("wb") as file:
        writer = mcap.Writer(file, compression=mcap.CompressionType.ZSTD)
        writer.start()
        channel = writer.register_channel(
            "events", "json", writer.register_schema("event", "jsonschema", b"{}")
        )
        for number, line in enumerate(replayed(root).lines()):
            writer.add_message(channel, number, line, number)
        writer.finish()
    hidden.rename(path)
    return path


def _rate(way: str, path: Path, events: int) -> Callable[[], float]:
    def rate() -> float:
        answer = json.loads(run(python_file("reading.py", way, str(path)))[1])
        if answer["events"] != events:
            sys.exit(f"{way} gave {answer['events']:,} of {events:,} events")
        return events / float(answer["seconds"])

    return rate


def measure(scale: Scale) -> Result:
    """Everybody reads the same lines."""
    root = archives.archive("day", scale.replayed)
    events = int(json.loads(run(python_file("reading.py", "lines", str(root)))[1])["events"])
    paths = dict.fromkeys(("lines", "envelope", "dicts", "loop"), root)
    if find_spec("mcap"):
        paths |= dict.fromkeys(("mcap", "mcap-dicts"), _mcap(root))
    candidates = {NAMES[way]: _rate(way, path, events) for way, path in paths.items()}
    found = alternate(candidates, scale.rounds, scale.budget * 2)
    raw, envelopes, dicts = (found[NAMES[way]] for way in ("lines", "envelope", "dicts"))
    checks = (
        Check(raw, 1e6, "lines/s", "raw lines", True),
        Check(envelopes / found[LOOP], 6, f"times {LOOP}", "envelopes", True),
        Check(dicts / found[LOOP], 4, f"times {LOOP}", "dicts", True),
    )
    figures = {name: found.get(name) for name in NAMES.values()}
    title = f"{events:,} events"
    return Result(
        checks, (Table(title, "events/s", figures, LOOP, 0),), {"raw_us": 1e6 / raw, "dict_us": 1e6 / dicts}
    )


ROW = Row(
    "replay",
    "Replay",
    __doc__ or "",
    """A raw line takes {raw_us:.2f} us. A fifth of that is inflating the block and proving its CRC, three
tenths are cutting it into lines and looking whether all begin and end as ours do, a third is the merge of
six writers with four or five streams each, which interleave line by line: two sorts in C. An envelope adds
what decoding it takes and the object; an event with its dict takes {dict_us:.2f} us, most of which is making
the objects. What is left of six times the loop after inflating and decoding is too little for any Python
that touches an event. See [decision 11](decisions/0011-replay-in-one-thread.md).""",
    measure,
    "py-spy record --native -- python benchmarks/reading.py dicts ARCHIVE",
)

if __name__ == "__main__":
    from goals import main

    main(["--only", ROW.name])
