"""Number events, format and index their lines, cut blocks. Pure: serves live drain and bulk writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from itertools import repeat
from typing import Any, TypeAlias

import orjson

from polyrecord.events.routes import TELEMETRY, stream_of
from polyrecord.format.block import cut_name
from polyrecord.format.constants import LEDGER_LOSS
from polyrecord.format.layout import check_stream
from polyrecord.record.blocks import DAY_NS, BlockBuilder, PendingBlock
from polyrecord.record.buffer import LINE_END, Loss
from polyrecord.record.encode import rescue
from polyrecord.record.keys import TraceKeys, ValueKeys, quote
from polyrecord.record.policy import BlockPolicy
from polyrecord.record.portion import (
    Kind,
    Portion,
    Route,
    by_builder,
    heads,
    interleaved,
    one_line,
    one_lines,
    run_of,
)
from polyrecord.times import format_ts

Emit: TypeAlias = Callable[[PendingBlock], None]
"""Where cut blocks go."""

_MOST_KNOWN = 1_000  # event types
_PORTION_SHARE = 8  # part of a block that is added at once
_MOST_INDEX = 1_500  # bytes by which a header may pass its bound: that is 2,000 below the most it may have
ENVELOPE = ("span_id", "parent_span_id", "bot_id", "intent_id", "level", "reason_code", "ts_local")


class Numbering:
    """One writer's sequence: seq over all streams, ordinals within each, a block builder for each."""

    def __init__(self, emit: Emit, policy: BlockPolicy, index_keys: Iterable[str] = ()) -> None:
        self.seq = 0
        self.kept = 0  # events numbered and not lost
        self.pending = 0  # events not yet cut
        self.pending_bytes = 0  # what they count for in the buffer
        self._emit = emit
        self._policy = policy
        self._values = ValueKeys(index_keys)
        self._traces = TraceKeys()
        self._builders: dict[str, BlockBuilder] = {}
        self._quoted: dict[str, str] = {}
        self._routes: dict[Kind, Route] = {}

    @property
    def declared_paths(self) -> tuple[str, ...]:
        """Key paths indexed beyond those that every archive covers."""
        return self._values.declared

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
        """Take the writer's next event; `payload` is its data as one JSON value, then LINE_END."""
        builder = self._builder(stream or stream_of(event_type), ts)
        seq = self.seq + 1
        quoted = self._quoted.get(event_type) or self._quote(event_type)
        head = f'{{"ts":"{ts_text}","seq":{seq},"event_type":{quoted}'
        if trace_id is not None:
            fragment, key, opaque = self._traces.get(trace_id)
            head += fragment
        head += self._fields(envelope)
        values = self._values.find(payload, envelope)
        payload = one_line(payload)
        # What can fail has not failed: from here on the event counts.
        self.seq = seq
        self.kept += 1
        self.pending += 1
        self.pending_bytes += charge
        builder.add(f'{head},"data":'.encode() + payload, event_type, seq, ts, charge, lost)
        if trace_id is not None:
            builder.add_traces((key,), opaque=opaque)
        if values:
            builder.add_values(values)

    def add_all(self, portion: Portion) -> bool:
        """Take the writer's next events; False, and nothing is taken, when they are too many for one block.

        What they hold must be of the right types: where it raises, nothing is taken either.
        """
        count = len(portion.stamps)
        kinds = list(zip(portion.types, portion.streams, strict=True))
        routes = {kind: self._routes.get(kind) or self._route(*kind) for kind in set(kinds)}
        traces = self._traces.get_all(_ids(portion.traces))
        content = b"".join(portion.payloads)
        values = self._values_in(portion, content)
        if not self._fits(portion, routes, len(content), values):
            return False
        fields = map(self._fields, portion.envelopes) if any(portion.envelopes) else repeat("")
        kind_parts = [routes[kind][0] for kind in kinds] if len(routes) > 1 else repeat(routes[kinds[0]][0])
        starts = heads(portion.stamps, self.seq + 1, kind_parts, traces.fragments(portion.traces), fields)
        lines = interleaved(starts, one_lines(portion.payloads, content))
        # What can fail has not failed: from here on the events count.
        for builder, places in by_builder(routes, kinds):
            self._make_ready(builder, portion.stamps[0])
            builder.add_all(run_of(portion, lines, self.seq + 1, places))
            own = portion.traces if places is None else [portion.traces[at] for at in places]
            keys, opaque = traces.keys(_ids(own))
            builder.add_traces(keys, opaque=opaque)
            for at in values if places is None else values.keys() & set(places):
                builder.add_values(values[at])
        self.seq += count
        self.kept += count
        self.pending += count
        self.pending_bytes += portion.charge()
        return True

    def _values_in(self, portion: Portion, content: bytes) -> dict[int, list[int]]:
        """The value keys of the events that have any, by their places."""
        find, payloads, envelopes = self._values.find, portion.payloads, portion.envelopes
        places = set(self._values.holders(payloads, content))
        if any(envelopes):
            places.update(at for at, envelope in enumerate(envelopes) if envelope)
        return {at: find(payloads[at], envelopes[at]) for at in places}

    def _fits(
        self, portion: Portion, routes: Mapping[Kind, Route], size: int, values: Mapping[int, list[int]]
    ) -> bool:
        """Whether a block stays near its bounds when all of these are added at once."""
        count = len(portion.stamps)
        if count == 1:
            return True
        if portion.stamps[0] // DAY_NS != portion.stamps[-1] // DAY_NS:
            return False
        names = [name for (name, _), (_, builder) in routes.items() if not builder.knows(name)]
        index = 4 * (count + sum(map(len, values.values()))) + sum(map(_index_bytes, names))
        return index <= _MOST_INDEX and size <= self._policy.content_bytes // _PORTION_SHARE

    def _fields(self, envelope: Mapping[str, str] | None) -> str:
        """The fields of an envelope as they stand in a line."""
        if not envelope:
            return ""
        return "".join(f',"{name}":{quote(envelope[name])}' for name in ENVELOPE if name in envelope)

    def _route(self, event_type: str, stream: str | None) -> Route:
        if type(event_type) is not str or not event_type:
            raise TypeError("not an event type")
        if len(self._routes) > _MOST_KNOWN:  # types made up at run time must not fill the memory
            self._routes.clear()
        builder = self._builder_of(stream or stream_of(event_type))
        route = self._routes[event_type, stream] = (f',"event_type":{quote(event_type)}', builder)
        return route

    def _builder(self, stream: str, ts: int) -> BlockBuilder:
        builder = self._builder_of(stream)
        self._make_ready(builder, ts)
        return builder

    def _builder_of(self, stream: str) -> BlockBuilder:
        builder = self._builders.get(stream)
        if builder is None:
            paths = self._values.declared
            builder = self._builders[stream] = BlockBuilder(check_stream(stream), self._policy, paths)
        return builder

    def _make_ready(self, builder: BlockBuilder, ts: int) -> None:
        """Cut what a builder has where it is full, or of another day."""
        if len(builder) and (builder.full or builder.day != ts // DAY_NS):
            self._cut(builder)

    def _quote(self, event_type: str) -> str:
        if len(self._quoted) > _MOST_KNOWN:  # types made up at run time must not fill the memory
            self._quoted.clear()
        quoted = self._quoted[event_type] = quote(event_type)
        return quoted

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
        payload = _dumps(data) + LINE_END
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
        payload = _dumps(data) + LINE_END
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


def _ids(traces: Iterable[str | None]) -> set[str]:
    return {trace_id for trace_id in traces if trace_id is not None}


def _index_bytes(name: str) -> int:
    return len(cut_name(name)) + 5


def _dumps(data: Mapping[str, Any]) -> bytes:
    """A ledger's entry as JSON: the names of types in it are a bot's, and may be no text that UTF-8 knows."""
    try:
        return orjson.dumps(data)
    except TypeError:
        return rescue(data)
