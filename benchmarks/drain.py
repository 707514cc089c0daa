"""What the drain does for an event, step by step, in one thread with nothing beside it.

python benchmarks/drain.py [EVENTS]

The events are those of the sustained row, encoded beforehand. Nanoseconds an event, the median of five
rounds, which go through columns and event by event in turn.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from flow import DIFFERENT, events

from polyrecord.clock import SystemClock
from polyrecord.record.admission import AT_ONCE, encode_frame
from polyrecord.record.item import CLOSE, Item
from polyrecord.record.numbering import Numbering
from polyrecord.record.policy import BlockPolicy
from polyrecord.record.portion import Portion
from polyrecord.record.privacy import Privacy
from polyrecord.record.timeline import Timeline
from polyrecord.times import format_ts

_SLICE = 1024
_ROUNDS = 5
_Made = TypeVar("_Made")


def items(count: int, clock: SystemClock) -> list[Item]:
    """Events as they wait in the buffer."""
    pool = [(trace, orjson.dumps(data)) for trace, data in events()]
    found: list[Item] = []
    for number in range(count):
        trace, data = pool[number % DIFFERENT]
        found.append((clock.mono_ns(), "orderbook_delta", trace, data + CLOSE, None, None))
    return found


class Stopwatch:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    def __call__(self, step: str, action: Callable[..., _Made], *given: Any) -> _Made:
        start = time.perf_counter()
        made = action(*given)
        self.seconds[step] += time.perf_counter() - start
        return made


def in_columns(count: int) -> dict[str, float]:
    """Nanoseconds an event, by step."""
    clock, timed = SystemClock(), Stopwatch()
    timeline, steps, numbering = Timeline(clock), Privacy().steps(), Numbering(lambda _: None, BlockPolicy())
    waiting = items(count, clock)
    for start in range(0, count, _SLICE):
        some = waiting[start : start + _SLICE]
        portion = timed("times and columns", Portion.of, some, timeline.stamps, encode_frame)
        assert not timed("search for secrets", steps.look, portion)
        for at in range(0, len(some), AT_ONCE):
            assert timed("lines, keys, blocks", numbering.add_all, portion.part(at, at + AT_ONCE))
    return {step: 1e9 * seconds / count for step, seconds in timed.seconds.items()}


def one_by_one(count: int) -> float:
    """Nanoseconds an event that is taken on its own."""
    clock = SystemClock()
    timeline, steps, numbering = Timeline(clock), Privacy().steps(), Numbering(lambda _: None, BlockPolicy())
    waiting = items(count, clock)
    start = time.perf_counter()
    for mono_ns, event_type, trace_id, payload, envelope, stream in waiting:
        assert isinstance(payload, bytes)
        ts = timeline.stamp(mono_ns)
        cleaned = steps.clean(ts, payload, trace_id, envelope)
        numbering.add(ts, format_ts(ts), event_type, *cleaned, stream)
    return 1e9 * (time.perf_counter() - start) / count


def main() -> None:
    """Print the table."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rounds = [(in_columns(count), one_by_one(count)) for _ in range(_ROUNDS)]
    figures = {step: statistics.median(found[step] for found, _ in rounds) for step in rounds[0][0]}
    figures["in columns, together"] = sum(figures.values())
    figures["one by one"] = statistics.median(alone for _, alone in rounds)
    for step, ns in figures.items():
        print(f"{step:<24}{ns:>8,.0f} ns")


if __name__ == "__main__":
    main()
