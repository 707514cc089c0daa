"""Number events and cut blocks of their lines. Pure: serves live drain and bulk writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import orjson

from polyrecord.events.routes import TELEMETRY, stream_of
from polyrecord.format.block import cut_name
from polyrecord.format.constants import LEDGER_LOSS
from polyrecord.format.layout import check_stream
from polyrecord.record.blocks import DAY_NS, BlockBuilder, PendingBlock, Run
from polyrecord.record.compose import Composer
from polyrecord.record.drops import Loss
from polyrecord.record.encode import rescue
from polyrecord.record.item import CLOSE
from polyrecord.record.policy import BlockPolicy
from polyrecord.record.portion import Portion, is_uniform
from polyrecord.times import format_ts

Kind: TypeAlias = tuple[str, str | None]
"""Event type and stream, None for the type's own."""

Emit: TypeAlias = Callable[[PendingBlock], None]
"""Where cut blocks go."""

_MOST_KNOWN = 1_000  # event types
_PORTION_SHARE = 8  # part of a block that is added at once
_MOST_INDEX = 1_500  # bytes by which a header may pass its bound: that is 2,000 below the most it may have


class Numbering:
    """One writer's sequence: seq over all streams, ordinals within each, a block builder for each."""

    def __init__(self, emit: Emit, policy: BlockPolicy, index_keys: Iterable[str] = ()) -> None:
        self.seq = 0
        self.kept = 0  # events numbered and not lost
        self.pending = 0  # events not yet cut
        self.pending_bytes = 0  # what they count for in the buffer
        self._emit = emit
        self._policy = policy
        self._composer = Composer(index_keys)
        self._builders: dict[str, BlockBuilder] = {}
        self._routes: dict[Kind, BlockBuilder] = {}

    @property
    def declared_paths(self) -> tuple[str, ...]:
        """Key paths indexed beyond those that every archive covers."""
        return self._composer.declared_paths

    def add(
        self,
        ts: int,
        ts_text: str,
        event_type: str,
        payload: bytes,
        trace_id: str | None = None,
        envelope: Mapping[str, str] | None = None,
        stream: str | None = None,
        charge: int = 0,
        lost: int = 0,
    ) -> None:
        """Take the writer's next event; `payload` is its data as one JSON value, then CLOSE."""
        builder = self._builder(stream or stream_of(event_type), ts)
        seq = self.seq + 1
        line = self._composer.line(ts_text, seq, event_type, payload, trace_id, envelope)
        # What can fail has not failed: from here on the event counts.
        self.seq = seq
        self.kept += 1
        self.pending += 1
        self.pending_bytes += charge
        builder.add(line.text, event_type, seq, ts, charge, lost)
        builder.add_traces(line.trace_keys, opaque=line.opaque)
        builder.add_values(line.value_keys)

    def add_all(self, portion: Portion) -> bool:
        """Take the writer's next events; False, and nothing is taken, when they are too many for one block.

        What they hold must be of the right types: where it raises, nothing is taken either.
        """
        count = len(portion)
        if self._is_large(portion):
            return False
        runs = [
            (builder, self._composer.run(part, seqs)) for builder, part, seqs in self._by_builder(portion)
        ]
        if not self._is_indexed(runs, count):
            return False
        # What can fail has not failed: from here on the events count.
        for builder, run in runs:
            self._make_ready(builder, portion.stamps[0])
            builder.add_all(run)
        self.seq += count
        self.kept += count
        self.pending += count
        self.pending_bytes += sum(run.charge for _, run in runs)
        return True

    def _by_builder(self, portion: Portion) -> list[tuple[BlockBuilder, Portion, Sequence[int]]]:
        """Builders with the events they take, and the numbers of these."""
        numbers = range(self.seq + 1, self.seq + 1 + len(portion))
        if is_uniform(portion.types) and is_uniform(portion.streams):
            return [(self._builder_for(portion.types[0], portion.streams[0]), portion, numbers)]
        routed = self._routed(portion)
        builders = dict.fromkeys(routed)
        if len(builders) == 1:
            return [(routed[0], portion, numbers)]
        places: dict[BlockBuilder, list[int]] = {builder: [] for builder in builders}
        for at, builder in enumerate(routed):
            places[builder].append(at)
        return [(b, portion.at(own), [numbers[at] for at in own]) for b, own in places.items()]

    def _routed(self, portion: Portion) -> list[BlockBuilder]:
        """The builder of each event."""
        if is_uniform(portion.streams):
            by_type = {name: self._builder_for(name, portion.streams[0]) for name in {*portion.types}}
            return [by_type[name] for name in portion.types]
        kinds = list(zip(portion.types, portion.streams, strict=True))
        by_kind = {kind: self._builder_for(*kind) for kind in {*kinds}}
        return [by_kind[kind] for kind in kinds]

    def _is_large(self, portion: Portion) -> bool:
        """Whether a block might pass its bounds by much when all of these are added at once; one may."""
        if len(portion) == 1:
            return False
        if portion.stamps[0] // DAY_NS != portion.stamps[-1] // DAY_NS:
            return True
        return sum(map(len, portion.payloads)) > self._policy.content_bytes // _PORTION_SHARE

    @staticmethod
    def _is_indexed(runs: Sequence[tuple[BlockBuilder, Run]], count: int) -> bool:
        """Whether the headers stay near their bound; they may pass it by one event."""
        if count == 1:
            return True
        names = [name for builder, run in runs for name in run.types if not builder.knows(name)]
        values = sum(len(run.value_keys) for _, run in runs)
        return 4 * (count + values) + sum(map(_index_bytes, names)) <= _MOST_INDEX

    def _builder_for(self, event_type: str, stream: str | None) -> BlockBuilder:
        """The builder of a kind; raises TypeError for what is no type."""
        known = self._routes.get((event_type, stream))
        if known is not None:
            return known
        if type(event_type) is not str or not event_type:
            raise TypeError("not an event type")
        if len(self._routes) > _MOST_KNOWN:  # types made up at run time must not fill the memory
            self._routes.clear()
        builder = self._builder_of(stream or stream_of(event_type))
        self._routes[event_type, stream] = builder
        return builder

    def _builder(self, stream: str, ts: int) -> BlockBuilder:
        builder = self._builder_of(stream)
        self._make_ready(builder, ts)
        return builder

    def _builder_of(self, stream: str) -> BlockBuilder:
        builder = self._builders.get(stream)
        if builder is None:
            paths = self._composer.declared_paths
            builder = self._builders[stream] = BlockBuilder(check_stream(stream), self._policy, paths)
        return builder

    def _make_ready(self, builder: BlockBuilder, ts: int) -> None:
        """Cut what a builder has where it is full, or of another day."""
        if len(builder) and (builder.full or builder.day != ts // DAY_NS):
            self._cut(builder)

    def lose(self, ts: int, loss: Loss, since: int, until: int) -> None:
        """Number the events that were dropped and declare them in a `loss` event."""
        first_seq = self.seq + 1
        self.seq += loss.count
        types: Counter[str] = Counter()
        for (event_type, _), count in loss.events.items():
            types[event_type] += count
        data = {
            "reason": loss.reason,
            "count": loss.count,
            "first_seq": first_seq,
            "last_seq": self.seq,
            "event_types": dict(types),
            "streams": self._skip_ordinals(loss, ts),
            "since_ts": format_ts(since),
            "until_ts": format_ts(until),
        }
        payload = _dumps(data) + CLOSE
        self.add(ts, format_ts(ts), LEDGER_LOSS, payload, stream=TELEMETRY, lost=loss.count)

    def give_up(self, ts: int, block: PendingBlock) -> None:
        """Declare a block lost that could not be written: its events have their numbers already."""
        index = block.index
        ordinals = {"count": index.events, "first_ordinal": index.first_ordinal,
                    "last_ordinal": index.last_ordinal}  # fmt: skip
        data = {
            "reason": "write_error",
            "count": index.events,
            "first_seq": index.first_seq,
            "last_seq": index.last_seq,
            "event_types": index.types,
            "streams": {block.stream: ordinals},
            "since_ts": format_ts(index.min_ts),
            "until_ts": format_ts(index.max_ts),
        }
        payload = _dumps(data) + CLOSE
        self.kept -= index.events
        self.add(ts, format_ts(ts), LEDGER_LOSS, payload, stream=TELEMETRY, lost=index.events)

    def _skip_ordinals(self, loss: Loss, ts: int) -> dict[str, dict[str, int]]:
        ranges: dict[str, dict[str, int]] = {}
        for (event_type, stream), count in loss.events.items():
            builder = self._builder(stream or stream_of(event_type), ts)
            known = ranges.setdefault(builder.stream, {"count": 0, "first_ordinal": builder.ordinal + 1})
            builder.ordinal += count
            known["count"] += count
            known["last_ordinal"] = builder.ordinal
        return ranges

    def cut(self) -> None:
        """Cut whatever is pending in every stream.

        The ledger first: were a crash to take what comes after it, a loss would be declared and its
        neighbours unknown; the other way round there would be a gap that nobody declared.
        """
        for builder in sorted(self._builders.values(), key=lambda builder: builder.stream != TELEMETRY):
            if len(builder):
                self._cut(builder)

    def _cut(self, builder: BlockBuilder) -> None:
        self.pending -= len(builder)
        self.pending_bytes -= builder.charge
        self._emit(builder.cut())


def _index_bytes(name: str) -> int:
    return len(cut_name(name)) + 5


def _dumps(data: Mapping[str, Any]) -> bytes:
    """A ledger's entry as JSON: the names of types in it are a bot's, and may be no text that UTF-8 knows."""
    try:
        return orjson.dumps(data)
    except TypeError:
        return rescue(data)
