"""The events of the sustained row, and its candidates: each runs in a process of its own and prints JSON.

python benchmarks/flow.py ours|limit|mcap EVENTS FOLDER
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from market import TOKENS
from peers import load

DIFFERENT = 4096  # far more than fit the 32 KiB that a deflate stream looks back
LINE_BYTES = 316
TS = "2026-11-20T12:34:56.789123456Z"
_FILL = "market"  # cut so that every line has the same length
_PART = 16 << 10  # larger ones take longer: the allocator gives their pages back each time
_SAMPLES = 20
_BATCH = 25_000  # events between two flushes; the producer waits for the one before the last


def events(seed: int = 7) -> list[tuple[str, dict[str, Any]]]:
    """Trace ids and data of `orderbook_delta` events whose lines have 316 bytes each, seq of six digits."""
    rng = random.Random(seed)
    markets = [f"0x{rng.getrandbits(512):0128x}" for _ in TOKENS]
    return [_event(rng, markets) for _ in range(DIFFERENT)]


def _event(rng: random.Random, markets: list[str]) -> tuple[str, dict[str, Any]]:
    trace = f"{rng.getrandbits(128):032x}"
    token, side = rng.randrange(len(TOKENS)), rng.choice(("BUY", "SELL"))
    level = {"side": side, "price": f"0.{rng.randrange(10, 90)}", "size": f"{rng.randrange(1, 4000)}.5"}
    data: dict[str, Any] = {"token_id": TOKENS[token], _FILL: "", "changes": [level]}
    data[_FILL] = markets[token][: LINE_BYTES - len(line_of(trace, data, 100_000))]
    return trace, data


def envelope(trace: str, data: dict[str, Any], seq: int) -> dict[str, Any]:
    """The event as a dict, as the bare encoder gets it."""
    return {"ts": TS, "seq": seq, "event_type": "orderbook_delta", "trace_id": trace, "data": data}


def line_of(trace: str, data: dict[str, Any], seq: int) -> bytes:
    """The event's line, with its line feed."""
    return orjson.dumps(envelope(trace, data, seq)) + b"\n"


def resident_mb() -> float:
    """Memory of this process that is in use, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def ours(count: int, folder: Path) -> dict[str, Any]:
    """A recorder whose producer is at most three batches ahead of the disk; until it is closed."""
    from polyrecord import EventRecorder

    pool = events()
    with EventRecorder(folder / "warm") as recorder:  # what is loaded on first use is no part of the memory
        recorder.record("warm", {})
    before, memory, step = resident_mb(), [], max(1, count // _SAMPLES)
    start = time.perf_counter()
    recorder = EventRecorder(folder / "archive")
    record, flushes = recorder.record, deque[Any]()
    for number in range(count):
        trace, data = pool[number % DIFFERENT]
        record("orderbook_delta", data, trace)
        if not number % _BATCH:
            flushes.append(recorder.flush())
            if len(flushes) > 2:
                flushes.popleft().wait()
        if not number % step:
            memory.append(resident_mb() - before)
    recorder.close().wait()
    elapsed = time.perf_counter() - start
    stats = recorder.stats()
    assert stats.dropped == 0, stats
    assert stats.written == count, stats
    return {"seconds": elapsed, "memory_mb": memory}


def limit(count: int, folder: Path) -> dict[str, Any]:
    """What nobody can beat in one thread: `orjson.dumps` of the dict, joined, isal level 1; nothing else."""
    from isal import isal_zlib

    pool, dumps = events(), orjson.dumps
    whole = [envelope(trace, data, 100_000) for trace, data in pool]
    start = time.perf_counter()
    packer, parts, size = isal_zlib.compressobj(1, 8, 31), [], 0
    with (folder / "limit.gz").open("wb") as file:
        for number in range(count):
            line = dumps(whole[number % DIFFERENT])
            parts.append(line)
            size += len(line) + 1
            if size >= _PART:
                file.write(packer.compress(b"\n".join(parts) + b"\n"))
                parts, size = [], 0
        file.write(packer.compress(b"\n".join(parts)) + packer.flush())
    return {"seconds": time.perf_counter() - start}


def to_mcap(count: int, folder: Path) -> dict[str, Any]:
    """mcap's Python writer with zstd chunks, its messages encoded beforehand."""
    mcap = load("mcap.writer")

    messages = [line_of(trace, data, 100_000) for trace, data in events()]
    start = time.perf_counter()
    with (folder / "events.mcap").open("wb") as file:
        writer = mcap.Writer(file, compression=mcap.CompressionType.ZSTD)
        writer.start()
        channel = writer.register_channel(
            "events", "json", writer.register_schema("event", "jsonschema", b"{}")
        )
        add = writer.add_message
        for number in range(count):
            add(channel, number, messages[number % DIFFERENT], number)
        writer.finish()
    return {"seconds": time.perf_counter() - start}


CANDIDATES: dict[str, Callable[[int, Path], dict[str, Any]]] = {"ours": ours, "limit": limit, "mcap": to_mcap}

if __name__ == "__main__":
    print(json.dumps(CANDIDATES[sys.argv[1]](int(sys.argv[2]), Path(sys.argv[3]))))
