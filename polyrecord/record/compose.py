"""An event's line and its index keys, one at a time or many at once. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from polyrecord.record.blocks import Run
from polyrecord.record.item import Envelope
from polyrecord.record.keys import TraceKeys, ValueKeys, quote
from polyrecord.record.lines import Column, lines_of, one_line, one_lines
from polyrecord.record.portion import Portion

ENVELOPE: Final = (
    "span_id", "parent_span_id", "bot_id", "intent_id", "level", "reason_code", "ts_local",
)  # fmt: skip
_MOST_KNOWN = 1_000  # event types


class Line(NamedTuple):
    """One event's line with its line feed, and its keys."""

    text: bytes
    trace_keys: tuple[int, ...]
    opaque: bool
    value_keys: list[int]


class Composer:
    """Makes lines and keys; remembers the texts of what repeats. Raises on what is of the wrong type."""

    def __init__(self, index_keys: Iterable[str] = ()) -> None:
        """`index_keys`: further key paths; raises ConfigError."""
        self._values = ValueKeys(index_keys)
        self._traces = TraceKeys()
        self._types: dict[str, str] = {}
        self._fields: tuple[Envelope, str] = (None, "")

    @property
    def declared_paths(self) -> tuple[str, ...]:
        """Key paths indexed beyond those that every archive covers."""
        return self._values.declared

    def line(
        self,
        ts_text: str,
        seq: int,
        event_type: str,
        payload: bytes,
        trace_id: str | None,
        envelope: Mapping[str, str] | None,
    ) -> Line:
        """One event; `payload` is data and CLOSE."""
        fragment, key, opaque = ("", None, False) if trace_id is None else self._traces.get(trace_id)
        told = f"{self._type_text(event_type)}{fragment}{self._fields_text(envelope)}"
        head = f'{{"ts":"{ts_text}","seq":{seq}{told},"data":'
        values = self._values.find(payload, envelope)
        keys = () if key is None else (key,)
        return Line(head.encode() + one_line(payload) + b"\n", keys, opaque, values)

    def run(self, part: Portion, seqs: Sequence[int]) -> Run:
        """Several events of one stream, with these numbers."""
        content = b"".join(part.payloads)
        types = {name: part.types.count(name) for name in {*part.types}}
        traces = self._traces.get_all(part.traces)
        lines = lines_of(
            part.stamps, seqs, self._types_column(part, types), traces.columns, self._fields_column(part),
            one_lines(part.payloads, content),
        )  # fmt: skip
        values = self._values_in(part, content)
        return Run(lines, types, seqs, part.stamps, part.charge, traces.keys, traces.opaque, values)

    def _types_column(self, part: Portion, types: Iterable[str]) -> Column:
        texts = {name: self._type_text(name).encode() for name in types}
        return next(iter(texts.values())) if len(texts) == 1 else [texts[name] for name in part.types]

    def _type_text(self, event_type: str) -> str:
        known = self._types.get(event_type)
        if known is None:
            if len(self._types) > _MOST_KNOWN:  # types made up at run time must not fill the memory
                self._types.clear()
            known = self._types[event_type] = f',"event_type":{quote(event_type)}'
        return known

    def _fields_column(self, part: Portion) -> Column:
        envelopes = part.distinct_envelopes
        if len(envelopes) == 1:
            return self._fields_text(part.envelopes[0]).encode()
        texts = {id(envelope): _fields_of(envelope).encode() for envelope in envelopes}
        return [texts[id(envelope)] for envelope in part.envelopes]

    def _fields_text(self, envelope: Envelope) -> str:
        """The fields of an envelope; those of a recorder's own are asked for again and again."""
        known, text = self._fields
        if envelope is not known:
            text = _fields_of(envelope)
            self._fields = envelope, text
        return text

    def _values_in(self, part: Portion, content: bytes) -> list[int]:
        """The value keys of the events that have any; `content` is their payloads, joined."""
        keys = [key for envelope in part.distinct_envelopes for key in self._values.of_envelope(envelope)]
        for at in self._values.holders(part.payloads, content):
            keys += self._values.of_data(part.payloads[at])
        return keys


def _fields_of(envelope: Envelope) -> str:
    """The fields of an envelope as they stand in a line."""
    if not envelope:
        return ""
    return "".join(f',"{name}":{quote(envelope[name])}' for name in ENVELOPE if name in envelope)
