"""Seeded archives of any size to measure on, made once and found again in the temporary directory.

    python benchmarks/archives.py day 10000000 [--seed 7] [--into FOLDER]
    python benchmarks/archives.py month 4500000

`day`: three bots of 778 events/s each, restarted once, so six writers; 30 sealed shards, all of one UTC
date. A larger archive is longer, not denser: the last 300 seconds hold 70,000 latency events whatever its
size. `month`: the latency events of one bot over 30 dates. Blocks are as large as `polyrecord repack`
leaves them.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Literal, TypeAlias

from market import EVENTS_PER_TICK, Market

from polyrecord.read.replay import replay
from polyrecord.record.bulk import BulkWriter
from polyrecord.record.identity import read_manifest, write_manifest
from polyrecord.record.policy import RotatePolicy
from polyrecord.times import SECOND, format_ts, parse_ts

Kind: TypeAlias = Literal["day", "month"]
VERSION = 2  # of what is generated: a change of any byte of it is a new one
SEED = 7
END_NS = parse_ts("2026-11-20T20:00:00Z")
DAY_NS = 86_400 * SECOND
BOTS = ("alpha", "beta", "gamma")
SESSIONS = 2  # of a bot in a day
DAYS = 30
TICK_NS = 12_857_142  # of one bot: three of them make 70,000 ticks in 300 s
_SHARE = 0.3  # of a writer's events fit one shard: books need two, the other streams one each


@dataclass(frozen=True, slots=True)
class Session:
    """What one writer is going to write: `ticks` of them from `start` on, `step` ns apart."""

    writer: str
    start: int
    step: int
    ticks: int
    seed: int
    latency_only: bool

    @property
    def end(self) -> int:
        """When the last tick is over."""
        return self.start + self.step * self.ticks


def archive(kind: Kind, events: int, seed: int = SEED, *, quiet: bool = False) -> Path:
    """The archive of that kind and size; made now if it does not lie in the temporary directory."""
    root = store() / f"{kind}-{events}-{seed}-v{VERSION}"
    if not root.exists():
        if not quiet:
            print(f"making an archive of {events:,} events ({kind})", file=sys.stderr)
        make(root, kind, events, seed)
    return root


def store() -> Path:
    """Where archives are kept from one run to the next."""
    return Path(tempfile.gettempdir()) / "polyrecord-bench"


def make(root: Path, kind: Kind, events: int, seed: int = SEED) -> None:
    """Write an archive, on all cores; it appears whole or not at all."""
    hidden = root.with_name(f".{root.name}.{os.getpid()}")
    shutil.rmtree(hidden, ignore_errors=True)
    hidden.mkdir(parents=True)
    with ProcessPoolExecutor() as pool:
        list(pool.map(write_session, repeat(hidden), plan(kind, events, seed)))
    hidden.rename(root)


def plan(kind: Kind, events: int, seed: int) -> list[Session]:
    """Who writes what; the ticks of each do not depend on how many processes there are."""
    return list(_month(events, seed) if kind == "month" else _day(events, seed))


def _day(events: int, seed: int) -> Iterator[Session]:
    ticks = events // EVENTS_PER_TICK // len(BOTS) // SESSIONS
    for session in range(SESSIONS):
        for number, bot in enumerate(BOTS):
            start = END_NS - (SESSIONS - session) * ticks * TICK_NS + number * TICK_NS // len(BOTS)
            name = f"{_compact(start)}.{bot}.{4000 + number}.000{session}"
            own_seed = seed * 100 + session * 10 + number
            yield Session(name, start, TICK_NS, ticks, own_seed, latency_only=False)


def _compact(ns: int) -> str:
    return format_ts(ns)[:19].replace("-", "").replace(":", "").lower()


def _month(events: int, seed: int) -> Iterator[Session]:
    ticks = events // DAYS
    for day in range(DAYS):
        start = END_NS - END_NS % DAY_NS - (DAYS - 1 - day) * DAY_NS
        name = f"{_compact(start)}.alpha.4000.0000"
        yield Session(name, start, DAY_NS // ticks, ticks, seed * 100 + day, latency_only=True)


def span(events: int, seed: int = SEED) -> tuple[int, int]:
    """When the day of so many events begins and ends, in ns."""
    sessions = plan("day", events, seed)
    return min(session.start for session in sessions), max(session.end for session in sessions)


def traces(root: Path, events: int, count: int, seed: int = 1) -> list[str]:
    """Trace ids from all over a day of so many events, drawn by the seed."""
    rng, (start, end) = random.Random(seed), span(events)
    moments = [rng.randrange(start, end - (end - start) // 4) for _ in range(count)]
    signals = (replay(root, types=["signal"], since=moment) for moment in moments)
    return [next(iter(found)).trace_id or "" for found in signals]


def write_session(root: Path, session: Session) -> int:
    """Write all that one writer has to say; returns the number of its events."""
    market = Market(session.seed)
    rotate = RotatePolicy(max_events=max(1, int(session.ticks * EVENTS_PER_TICK * _SHARE)))
    with BulkWriter(root, session.writer, kind="recorder", rotate=rotate) as writer:
        write = _latencies if session.latency_only else _ticks
        write(writer, market, session)
    manifest = read_manifest(root, session.writer) or {}
    manifest |= {"started": format_ts(session.start), "ended": format_ts(session.end), "host": "bench"}
    write_manifest(root, session.writer, manifest)
    return sum(stream["events"] for stream in manifest["streams"].values())


def _ticks(writer: BulkWriter, market: Market, session: Session) -> None:
    add, tick = writer.add, market.tick
    for ts in range(session.start, session.end, session.step):
        for at, (event_type, data, trace) in enumerate(tick(ts)):
            add(ts + at * 137_911, event_type, data, trace_id=trace)


def _latencies(writer: BulkWriter, market: Market, session: Session) -> None:
    for ts in range(session.start, session.end, session.step):
        event_type, data, trace = market.latency_event()
        writer.add(ts, event_type, data, trace_id=trace)


def main() -> None:
    """Make an archive and say where it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("kind", choices=("day", "month"))
    parser.add_argument("events", type=int)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--into", type=Path, help="a folder of its own, made anew")
    options = parser.parse_args()
    if options.into is None:
        print(archive(options.kind, options.events, options.seed))
        return
    make(options.into, options.kind, options.events, options.seed)
    print(options.into)


if __name__ == "__main__":
    main()
