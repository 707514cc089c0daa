"""From events as they came to numbered lines: sampled, without secrets, as many at once as can be."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Protocol

import orjson

from polyrecord.record.item import CLOSE, Item, item_size, text_of
from polyrecord.record.numbering import Numbering
from polyrecord.record.portion import Portion
from polyrecord.record.steps import Steps
from polyrecord.times import format_ts

AT_ONCE = 128  # events numbered at once, fewer where that is much beside a block's bounds
_STEP = 8


class Origin(Protocol):
    """Where events come from: told what becomes of those that are not numbered."""

    def drop(self, item: Item, reason: str) -> None:
        """An event cannot be recorded."""

    def release(self, size: int) -> None:
        """An event that counted for so many bytes is gone."""


class Times(Protocol):
    """Makes timestamps of monotonic times; those of one writer never go back."""

    def stamp(self, mono_ns: int) -> int:
        """Of one event."""

    def stamps(self, mono_ns: Iterable[int]) -> list[int]:
        """Of several, in order."""


class Admission:
    """Numbers events in order; what cannot be recorded is dropped. Serves one thread."""

    def __init__(self, origin: Origin, numbering: Numbering, times: Times, steps: Steps) -> None:
        self.oldest_ns = 0  # monotonic time of the oldest event not yet cut
        self._origin = origin
        self._numbering = numbering
        self._times = times
        self._steps = steps
        self._at_once = AT_ONCE

    def take(self, items: list[Item]) -> None:
        """Number events, those that sampling keeps."""
        items = self._sampled(items)
        if not items:
            return
        if not self._numbering.pending:
            self.oldest_ns = items[0][0]
        self._number_slice(items)

    def take_one(self, item: Item) -> None:
        """Number one event, whose time may be before those of others."""
        self._number_safely(item, self._times.stamp(item[0]), suspect=None)

    def _number_slice(self, items: list[Item]) -> None:
        try:
            portion = Portion.of(items, self._times.stamps, encode_frame)
        except Exception:  # noqa: BLE001 - a frame that is none: which, shows in halves
            self._number_halves(items)
            return
        start = 0
        for at in sorted(self._steps.look(portion)):
            self._number_portions(items[start:at], portion.part(start, at))
            self._number_safely(items[at], portion.stamps[at], suspect=True)
            start = at + 1
        self._number_portions(items[start:], portion.part(start, len(items)))

    def _number_halves(self, items: list[Item]) -> None:
        if len(items) == 1:
            self._number_safely(items[0], self._times.stamp(items[0][0]), suspect=True)
            return
        middle = len(items) // 2
        self._number_slice(items[:middle])
        self._number_slice(items[middle:])

    def _sampled(self, items: list[Item]) -> list[Item]:
        """The events that are kept; the room of the others is given back."""
        if not self._steps.samples:
            return items
        kept = []
        for item in items:
            if self._steps.takes(text_of(item[1]), None if item[2] is None else text_of(item[2])):
                kept.append(item)
            else:
                self._origin.release(item_size(item))
        return kept

    def _number_portions(self, items: list[Item], portion: Portion) -> None:
        """Number events that hold no secrets, as many at once as a block can take."""
        if self._steps.localizes:
            portion = self._localized(portion)
        start = 0
        while start < len(items):
            end = min(start + self._at_once, len(items))
            self._number_portion(items[start:end], portion.part(start, end))
            start = end

    def _localized(self, portion: Portion) -> Portion:
        told = zip(portion.stamps, portion.envelopes, strict=True)
        return replace(portion, envelopes=[self._steps.localized(ts, envelope) for ts, envelope in told])

    def _number_portion(self, items: list[Item], portion: Portion) -> None:
        try:
            if self._numbering.add_all(portion):
                self._at_once = min(self._at_once + _STEP, AT_ONCE)
                return
        except Exception:  # noqa: BLE001 - one of them is unusual: which, shows one by one
            for item, ts in zip(items, portion.stamps, strict=True):
                self._number_safely(item, ts, suspect=False)
            return
        middle = len(items) // 2
        self._at_once = max(middle, _STEP)
        self._number_portion(items[:middle], portion.part(0, middle))
        self._number_portion(items[middle:], portion.part(middle, len(items)))

    def _number_safely(self, item: Item, ts: int, *, suspect: bool | None) -> None:
        try:
            self._number(item, ts, suspect=suspect)
        except Exception:  # noqa: BLE001 - one bad event must not end the recording; it is declared lost
            self._origin.drop(item, "unrecordable")
            self._origin.release(item_size(item))

    def _number(self, item: Item, ts: int, *, suspect: bool | None) -> None:
        """Number one event, whatever a bot took for a type or an id."""
        _, event_type, trace_id, payload, envelope, stream = item
        event_type = text_of(event_type) or "unnamed"
        if trace_id is not None:
            trace_id = text_of(trace_id)
        tail = payload if isinstance(payload, bytes) else encode_frame(*payload)
        tail, trace_id, envelope = self._steps.clean(ts, tail, trace_id, envelope, suspect=suspect)
        self._numbering.add(ts, format_ts(ts), event_type, tail, trace_id, envelope, stream, item_size(item))


def encode_frame(frame: bytes, source: str, received_ns: int | None) -> bytes:
    """A raw frame's data and CLOSE: its bytes as text where they are UTF-8, else as base64."""
    data: dict[str, Any] = {"source": source}
    if received_ns is not None:
        data["received_ns"] = received_ns
    try:
        data["frame"] = frame.decode()
    except UnicodeDecodeError:
        data["frame_b64"] = base64.b64encode(frame).decode()
    return orjson.dumps(data) + CLOSE
