"""One way to read a whole archive, in a process of its own; prints events and seconds as JSON.

python benchmarks/reading.py lines|envelope|dicts|loop|mcap|mcap-dicts PATH
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path


def lines(path: Path) -> int:
    """Raw lines in order."""
    from polyrecord.read.replay import replay

    return sum(1 for _ in replay(path).lines())


def envelope(path: Path) -> int:
    """Events whose envelope is read, `data` left raw."""
    from polyrecord.read.replay import replay

    return sum(1 for event in replay(path) if event.event_type)


def dicts(path: Path) -> int:
    """Events with their `data` as dicts."""
    from polyrecord.read.replay import replay

    return sum(1 for event in replay(path) if event.event_type and event.data is not None)


def loop(path: Path) -> int:
    """What anybody writes: gzip.open and json.loads, file after file, in no order."""
    count = 0
    for file in sorted(path.glob("*/*/date=*/*.jsonl.gz")):
        with gzip.open(file) as stream:
            for line in stream:
                count += json.loads(line)["data"] is not None
    return count


def mcap(path: Path) -> int:
    """Raw messages of an MCAP file in the order of their times."""
    from mcap.reader import make_reader

    with path.open("rb") as file:
        return sum(1 for _ in make_reader(file).iter_messages())


def mcap_dicts(path: Path) -> int:
    """The same, each message parsed."""
    from mcap.reader import make_reader

    with path.open("rb") as file:
        return sum(
            1 for _, _, message in make_reader(file).iter_messages() if json.loads(message.data)["data"]
        )


WAYS: dict[str, Callable[[Path], int]] = {
    "lines": lines,
    "envelope": envelope,
    "dicts": dicts,
    "loop": loop,
    "mcap": mcap,
    "mcap-dicts": mcap_dicts,
}

if __name__ == "__main__":
    start = time.perf_counter()
    events = WAYS[sys.argv[1]](Path(sys.argv[2]))
    print(json.dumps({"events": events, "seconds": time.perf_counter() - start}))
