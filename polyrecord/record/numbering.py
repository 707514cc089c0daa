"""Number events, format and index their lines, cut blocks. Pure: serves live drain and bulk writes."""

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
from polyrecord.record.drops import Loss
from polyrecord.record.encode import rescue
from polyrecord.record.item import CLOSE
from polyrecord.record.keys import TraceKeys, ValueKeys, quote
from polyrecord.record.lines import Column, lines_of, one_line, one_lines
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
        self._routes: dict[Kind, BlockBuilder] = {}

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
        """Take the writer's next event; `payload` is its data as one JSON value, then CLOSE."""
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
        builder.add(f'{head},"data":'.encode() + payload + b"\n", event_type, seq, ts, charge, lost)
        if trace_id is not None:
            builder.add_traces((key,), opaque=opaque)
        if values:
            builder.add_values(values)

    def add_all(self, portion: Portion) -> bool:
        """Take the writer's next events; False, and nothing is taken, when they are too many for one block.

        What they hold must be of the right types: where it raises, nothing is taken either.
        """
        count = len(portion)
        parts = self._by_builder(portion)
        if self._is_large(portion):
            return False
        runs = [(builder, self._run(part, seqs)) for builder, part, seqs in parts]
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
        kinds = list(zip(portion.types, portion.streams, strict=True))
        routes = {kind: self._builder_for(*kind) for kind in set(kinds)}
        builders = dict.fromkeys(routes.values())
        if len(builders) == 1:
            return [(builder, portion, numbers) for builder in builders]
        places = {
            builder: [at for at, kind in enumerate(kinds) if routes[kind] is builder] for builder in builders
        }
        return [(b, portion.at(own), [numbers[at] for at in own]) for b, own in places.items()]

    def _run(self, part: Portion, seqs: Sequence[int]) -> Run:
        """The lines and keys of events of one builder."""
        content = b"".join(part.payloads)
        types = {name: part.types.count(name) for name in {*part.types}}
        traces = self._traces.get_all(part.traces)
        lines = lines_of(
            part.stamps, seqs, self._kinds_of(part, types), traces.columns, self._fields_of(part),
            one_lines(part.payloads, content),
        )  # fmt: skip
        values = self._values_of(part, content)
        return Run(lines, types, seqs, part.stamps, part.charge, traces.keys, traces.opaque, values)

    def _kinds_of(self, part: Portion, types: Iterable[str]) -> Column:
        """The event types' part of the lines; `types` are the different ones."""
        texts = {name: f',"event_type":{self._quoted.get(name) or self._quote(name)}' for name in types}
        column = {name: text.encode() for name, text in texts.items()}
        return next(iter(column.values())) if len(column) == 1 else [column[name] for name in part.types]

    def _fields_of(self, part: Portion) -> Column:
        """The envelopes' part of the lines."""
        envelopes = part.distinct_envelopes
        texts = {id(envelope): self._fields(envelope).encode() for envelope in envelopes}
        if len(envelopes) == 1:
            return next(iter(texts.values()))
        return [texts[id(envelope)] for envelope in part.envelopes]

    def _values_of(self, part: Portion, content: bytes) -> list[int]:
        """The value keys of the events that have any; `content` is their payloads, joined."""
        keys = [key for envelope in part.distinct_envelopes for key in self._values.of_envelope(envelope)]
        for at in self._values.holders(part.payloads, content):
            keys += self._values.of_data(part.payloads[at])
        return keys

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

    def _fields(self, envelope: Mapping[str, str] | None) -> str:
        """The fields of an envelope as they stand in a line."""
        if not envelope:
            return ""
        return "".join(f',"{name}":{quote(envelope[name])}' for name in ENVELOPE if name in envelope)

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
