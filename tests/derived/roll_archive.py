"""An archive of latencies of several writers and days, sealed, with roll-ups where wanted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson

from polyrecord.derived.place import Derivable, derivable
from polyrecord.derived.rollup import derive_histograms
from polyrecord.read.archive import Archive
from polyrecord.read.selection import Selection
from polyrecord.record.bulk import BulkWriter
from polyrecord.report.question import Question
from polyrecord.upkeep.compact_tables import make_tables

DAY = 86_400_000_000_000
HOUR = DAY // 24
MINUTE = HOUR // 60
FIRST = 20_600 * DAY
STAGES = ("ws_to_book_update_ms", "book_to_signal_ms", "end_to_end_ms")


@dataclass(frozen=True)
class Latency:
    """One latency event as it is recorded: `data` is its JSON, or what becomes it."""

    ts: int
    data: dict[str, object] | bytes
    trace_id: str | None = None


@dataclass
class Latencies:
    """An archive and what was recorded in it, by writer."""

    root: Path
    recorded: dict[str, list[Latency]] = field(default_factory=dict)

    def record(self, writer: str, events: Iterable[Latency], event_type: str = "latency") -> None:
        """Record events and seal their shards."""
        with BulkWriter(self.root, f"{writer}.0123456789abcdef") as bulk:
            for event in events:
                data = event.data if isinstance(event.data, bytes) else orjson.dumps(event.data)
                bulk.add(event.ts, event_type, data, trace_id=event.trace_id)
                self.recorded.setdefault(writer, []).append(event)
            bulk.finish()

    def compact(self) -> list[Path | None]:
        """Make typed tables and roll-ups of every shard."""
        return [self.roll_up(shard) for shard in self.shards()]

    def roll_up(self, shard: Derivable) -> Path | None:
        """Make the typed tables and the roll-up of one shard."""
        make_tables(shard)
        return derive_histograms(shard)

    def shards(self) -> list[Derivable]:
        """The sealed shards."""
        return [shard for info in Archive(self.root).shards() if (shard := derivable(info)) is not None]

    def ask(self, since_ns: int | None = None, until_ns: int | None = None) -> Question:
        """The question for the latencies of a window."""
        archive, types = Archive(self.root), frozenset({"latency"})
        return Question(archive, Selection(since_ns, until_ns, types, streams=archive.streams_of(types)))

    def values(self, stage: str, since_ns: int = 0, until_ns: int = 1 << 62) -> np.ndarray:
        """What was measured of a stage in a window, from 0 up, in the order of time."""
        events = sorted(self.all(since_ns, until_ns), key=lambda event: event.ts)
        found = [
            event.data[stage] for event in events if isinstance(event.data, dict) and stage in event.data
        ]
        return np.array([value for value in found if isinstance(value, int | float) and value >= 0])

    def all(self, since_ns: int = 0, until_ns: int = 1 << 62) -> list[Latency]:
        """The events of a window, of all writers."""
        every = [event for events in self.recorded.values() for event in events]
        return [event for event in every if since_ns <= event.ts < until_ns]


def some_latencies(
    seed: int, first: int, length: int, count: int, strategies: Sequence[str] = ("atomic", "maker")
) -> list[Latency]:
    """So many events, spread over a time in ns: one in ten has a null, one in a hundred a negative stage."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(first, first + length, count))
    values = np.round(np.exp(rng.normal(1, 1.5, (count, 2))), 6)
    told = []
    for number, (ts, (first_stage, second)) in enumerate(zip(times.tolist(), values.tolist(), strict=True)):
        book = None if number % 10 == 0 else -second if number % 100 == 1 else second
        total = None if book is None else round(first_stage + book, 6)
        data = {
            "strategy": strategies[number % len(strategies)],
            STAGES[0]: first_stage, STAGES[1]: book, STAGES[2]: total,
        }  # fmt: skip
        told.append(Latency(ts, data, f"{seed:08x}{number:024x}"))
    return told
