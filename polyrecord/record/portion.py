"""Events in columns, to be numbered many at once: a fraction of what they cost one by one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Self

from polyrecord.record.item import OVERHEAD, Envelope, Item, Payload


@dataclass(frozen=True, slots=True)
class Portion:
    """Consecutive events in columns, oldest first.

    `recorded` are the payloads as they were in the buffer, by which they count there; `payloads` the same
    with raw frames encoded: data and CLOSE.
    """

    stamps: Sequence[int]
    types: Sequence[str]
    traces: Sequence[str | None]
    recorded: Sequence[Payload]
    envelopes: Sequence[Envelope]
    streams: Sequence[str | None]
    payloads: Sequence[bytes]

    @classmethod
    def of(
        cls,
        items: Sequence[Item],
        stamps_of: Callable[[Sequence[int]], Sequence[int]],
        encode: Callable[..., bytes],
    ) -> Self:
        """The columns of these items, at least one.

        `stamps_of` makes timestamps of monotonic times, `encode` a raw frame's payload.
        """
        mono_ns, types, traces, recorded, envelopes, streams = zip(*items, strict=True)
        payloads = recorded
        if set(map(type, recorded)) != {bytes}:
            payloads = tuple(one if isinstance(one, bytes) else encode(*one) for one in recorded)
        return cls(stamps_of(mono_ns), types, traces, recorded, envelopes, streams, payloads)

    def __len__(self) -> int:
        return len(self.stamps)

    def part(self, start: int, end: int) -> Self:
        """The events from `start` to before `end`."""
        return type(self)(
            self.stamps[start:end], self.types[start:end], self.traces[start:end], self.recorded[start:end],
            self.envelopes[start:end], self.streams[start:end], self.payloads[start:end],
        )  # fmt: skip

    def at(self, places: Sequence[int]) -> Self:
        """The events at these places."""
        return type(self)(
            [self.stamps[at] for at in places], [self.types[at] for at in places],
            [self.traces[at] for at in places], [self.recorded[at] for at in places],
            [self.envelopes[at] for at in places], [self.streams[at] for at in places],
            [self.payloads[at] for at in places],
        )  # fmt: skip

    @property
    def charge(self) -> int:
        """The bytes that the events count for in the buffer."""
        if self.recorded is self.payloads or set(map(type, self.recorded)) == {bytes}:
            return OVERHEAD * len(self.recorded) + sum(map(len, self.recorded))
        sizes = [len(one if isinstance(one, bytes) else one[0]) for one in self.recorded]
        return OVERHEAD * len(sizes) + sum(sizes)

    @property
    def distinct_envelopes(self) -> Collection[Envelope]:
        """The envelopes, each object once: a recorder's own is the same in most of its events."""
        if is_uniform(self.envelopes):
            return self.envelopes[:1]
        return {id(envelope): envelope for envelope in self.envelopes}.values()


def is_uniform(column: Sequence[object]) -> bool:
    """Whether all are the same; one pass in C."""
    return column.count(column[0]) == len(column)
