"""What recorders say of missing events: `loss` and `gap` events. Only blocks that list them are inflated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from polyrecord.format.constants import LEDGER_LOSS
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.shard import open_shard
from polyrecord.times import SECOND, parse_ts

GAP: Final = "gap"
_MOST: Final = 1 << 63
_LONGEST_GAP: Final = 1e9  # seconds


@dataclass(frozen=True, slots=True)
class Declared:
    """Events of one stream that a recorder says it lost, with ordinals from `first` to `last`."""

    stream: str
    count: int
    first: int
    last: int

    def within(self, low: int, high: int) -> int:
        """How many of them there can be between two ordinals."""
        return min(self.count, max(min(self.last, high) - max(self.first, low) + 1, 0))


def declared(shards: Iterable[ShardInfo], window: Selection, explain: Explain) -> Iterator[Declared]:
    """What the `loss` events of these shards, within the window, say of each stream."""
    for data in _data(shards, LEDGER_LOSS, window, explain):
        streams = data.get("streams")
        for stream, entry in streams.items() if isinstance(streams, dict) else ():
            told = entry if isinstance(entry, dict) else {}
            numbers = [_number(told.get(name)) for name in ("count", "first_ordinal", "last_ordinal")]
            count, first, last = numbers
            if count is not None and first is not None and last is not None:
                yield Declared(stream, count, first, last)


def gap_seconds(shards: Iterable[ShardInfo], window: Selection, explain: Explain) -> Iterator[float]:
    """How long each feed gap of the window was; 0 where it does not say."""
    for data in _data(shards, GAP, window, explain):
        yield _seconds(data)


def _seconds(data: dict[str, Any]) -> float:
    silent = data.get("silent_ms")
    if isinstance(silent, int | float) and not isinstance(silent, bool):
        return min(max(silent / 1000, 0.0), _LONGEST_GAP)
    since, until = data.get("since_ts"), data.get("until_ts")
    try:
        return min(max((parse_ts(str(until)) - parse_ts(str(since))) / SECOND, 0.0), _LONGEST_GAP)
    except (ValueError, OverflowError):
        return 0.0


def _data(
    shards: Iterable[ShardInfo], event_type: str, window: Selection, explain: Explain
) -> Iterator[dict[str, Any]]:
    """The data of the events of a type, shard by shard."""
    wanted = Selection(window.since_ns, window.until_ns, frozenset({event_type}))
    for info in shards:
        index = open_shard(info, Explain())
        if index is not None and event_type in index.types:
            yield from _data_in(info, wanted, explain)


def _data_in(info: ShardInfo, wanted: Selection, explain: Explain) -> Iterator[dict[str, Any]]:
    # Most archives have no such event: what reads lines is not loaded to find none.
    from polyrecord.read.blocks import chunks_of_shard
    from polyrecord.read.match import Matcher

    for chunk in chunks_of_shard(info, Matcher(wanted), explain):
        yield from filter(None, map(_data_of, chunk.splitlines()))


def _data_of(line: bytes) -> dict[str, Any] | None:
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    data = event.get("data") if isinstance(event, dict) else None
    return data if isinstance(data, dict) else None


def _number(value: Any) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 < value < _MOST else None
