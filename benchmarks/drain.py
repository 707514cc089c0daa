"""What the drain does for an event, in one thread with nothing beside it.

python benchmarks/drain.py [EVENTS]

Nanoseconds an event, the median of five rounds, which take slices in columns and event by event in turn:
events of the sustained row, which are all of one kind, and a bot's mix, as in the other rows.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice

import orjson
from flow import events
from market import Market

from polyrecord.clock import SystemClock
from polyrecord.record.admission import Admission, encode_frame
from polyrecord.record.buffer import Buffer
from polyrecord.record.item import CLOSE, Item
from polyrecord.record.numbering import Numbering
from polyrecord.record.policy import BlockPolicy, Overload
from polyrecord.record.portion import Portion
from polyrecord.record.privacy import Privacy
from polyrecord.record.timeline import Timeline
from polyrecord.times import format_ts

_SLICE = 1024
_ROUNDS = 5


class Pipeline:
    """What serves a recorder's drain, without the threads."""

    def __init__(self) -> None:
        self.timeline = Timeline(SystemClock())
        self.steps = Privacy().steps()
        self.numbering = Numbering(lambda _: None, BlockPolicy())
        buffer = Buffer(1 << 26, Overload.DROP_NEWEST)
        self.take = Admission(buffer, self.numbering, self.timeline, self.steps).take

    def look(self, items: list[Item]) -> None:
        """Search for secrets alone."""
        self.steps.look(Portion.of(items, self.timeline.stamps, encode_frame))

    def one_by_one(self, items: list[Item]) -> None:
        """Number each event on its own."""
        for mono_ns, event_type, trace_id, payload, envelope, stream in items:
            assert isinstance(payload, bytes)
            ts = self.timeline.stamp(mono_ns)
            cleaned = self.steps.clean(ts, payload, trace_id, envelope)
            self.numbering.add(ts, format_ts(ts), event_type, *cleaned, stream)


def one_kind() -> Iterator[Item]:
    """Events of the sustained row as they wait in the buffer."""
    pool = [(trace, orjson.dumps(data)) for trace, data in events()]
    for number in count():
        trace, data = pool[number % len(pool)]
        yield time.monotonic_ns(), "orderbook_delta", trace, data + CLOSE, None, None


def mix() -> Iterator[Item]:
    """A bot's events as they wait in the buffer."""
    market, envelope = Market(7), {"bot_id": "alpha"}
    while True:
        for event_type, data, trace in market.tick(time.time_ns()):
            yield time.monotonic_ns(), event_type, trace, data + CLOSE, envelope, None


def ns_each(work: Callable[[list[Item]], object], items: list[Item]) -> float:
    """Nanoseconds an event, slice by slice."""
    start = time.perf_counter()
    for at in range(0, len(items), _SLICE):
        work(items[at : at + _SLICE])
    return 1e9 * (time.perf_counter() - start) / len(items)


def figures(source: Iterable[Item], number: int) -> dict[str, float]:
    """The medians by what is done."""
    rounds = []
    for _ in range(_ROUNDS):
        items = list(islice(source, number))
        rounds.append({
            "searching for secrets": ns_each(Pipeline().look, items),
            "all, in columns": ns_each(Pipeline().take, items),
            "all, one by one": ns_each(Pipeline().one_by_one, items),
        })  # fmt: skip
    return {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}


def main() -> None:
    """Print both tables."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for title, source in (("one kind", one_kind()), ("a bot's mix", mix())):
        print(f"{title}:")
        for name, ns in figures(source, number).items():
            print(f"  {name:<24}{ns:>8,.0f} ns")


if __name__ == "__main__":
    main()
