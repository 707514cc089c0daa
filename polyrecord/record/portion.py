"""Events in columns, to be numbered many at once: a quarter of what they cost one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from polyrecord.record.blocks import BlockBuilder, Run
from polyrecord.record.buffer import LINE_END, OVERHEAD, Envelope, Item, Payload
from polyrecord.times import SECOND, format_second, format_ts

Kind: TypeAlias = tuple[str, str | None]
"""Event type and stream, None for the type's own."""

Route: TypeAlias = tuple[str, BlockBuilder]
"""`,"event_type":"…"`, and the builder of the stream."""

_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")  # between the tokens of JSON a space means the same
_TEN_DIGITS = 1_000_000_000 * SECOND  # from here on a time's seconds have ten digits, until 2286


@dataclass(frozen=True, slots=True)
class Portion:
    """Consecutive events in columns, oldest first; payloads are data and LINE_END.

    `recorded` are the payloads as they were in the buffer, by which they count there.
    """

    stamps: list[int]
    types: Sequence[str]
    traces: Sequence[str | None]
    payloads: Sequence[bytes]
    envelopes: Sequence[Envelope]
    streams: Sequence[str | None]
    recorded: Sequence[Payload]

    def charge(self, places: Iterable[int] | None = None) -> int:
        """The bytes that the events at these places, or all, count for in the buffer."""
        some = self.recorded if places is None else [self.recorded[at] for at in places]
        sizes = [len(payload if isinstance(payload, bytes) else payload[0]) for payload in some]
        return OVERHEAD * len(sizes) + sum(sizes)


def portion_of(items: Sequence[Item], stamps: list[int], payloads: Sequence[bytes]) -> Portion:
    """The columns of these items; `payloads` are theirs, raw frames encoded."""
    _, types, traces, recorded, envelopes, streams = zip(*items, strict=True)
    return Portion(stamps, types, traces, payloads, envelopes, streams, recorded)


def one_line(payload: bytes) -> bytes:
    """The payload without line breaks but its own; only orjson.Fragment brings them."""
    if payload.find(b"\n") < len(payload) - 1 or b"\r" in payload:
        return payload[:-1].translate(_ONE_LINE) + b"\n"
    return payload


def one_lines(payloads: Sequence[bytes], content: bytes) -> Sequence[bytes]:
    """The payloads, each on one line; `content` is all of them, joined."""
    if content.count(b"\n") == len(payloads) and b"\r" not in content:
        return payloads
    return [one_line(payload) for payload in payloads]


def heads(
    stamps: list[int], first_seq: int, kinds: Iterable[str], traces: Iterable[str], fields: Iterable[str]
) -> list[bytes]:
    """What stands before the data in each line; `kinds`, `traces` and `fields` are parts of it, as text."""
    start, moments = _moments(stamps)
    columns = zip(moments, range(first_seq, first_seq + len(stamps)), kinds, traces, fields, strict=False)
    return [
        f'{{"ts":"{start}{moment}Z","seq":{seq}{kind}{trace}{field},"data":'.encode()
        for moment, seq, kind, trace, field in columns
    ]


def _moments(stamps: list[int]) -> tuple[str, Sequence[str]]:
    """The nine-digit texts of times in order, without the Z: what they have in common, and each rest."""
    second = stamps[0] // SECOND
    if second != stamps[-1] // SECOND or stamps[0] < _TEN_DIGITS:
        return "", [format_ts(ts)[:-1] for ts in stamps]
    # The digits behind the second, by two passes in C over the list as text: "[1763…, 1763…]".
    return f"{format_second(second)}.", f", {str(stamps)[1:-1]}".split(f", {second}")[1:]


def run_of(portion: Portion, lines: Sequence[bytes], first_seq: int, places: Sequence[int] | None) -> Run:
    """What a builder takes of a portion: the events at these places, None for all.

    `lines` are two pieces to an event.
    """
    if places is None:
        seqs = range(first_seq, first_seq + len(portion.stamps))
        return Run(b"".join(lines), portion.types, seqs, portion.stamps, portion.charge())
    return Run(
        b"".join([piece for at in places for piece in (lines[2 * at], lines[2 * at + 1])]),
        [portion.types[at] for at in places],
        [first_seq + at for at in places],
        [portion.stamps[at] for at in places],
        portion.charge(places),
    )


def interleaved(starts: Sequence[bytes], payloads: Sequence[bytes]) -> list[bytes]:
    """Start and payload of each line in turn."""
    pieces = [LINE_END] * (2 * len(starts))
    pieces[::2] = starts
    pieces[1::2] = payloads
    return pieces


def by_builder(
    routes: Mapping[Kind, Route], kinds: Sequence[Kind]
) -> list[tuple[BlockBuilder, Sequence[int] | None]]:
    """The builders of these routes, each with the places of its events; None where there is but one."""
    builders = list(dict.fromkeys(builder for _, builder in routes.values()))
    if len(builders) == 1:
        return [(builders[0], None)]
    return [
        (builder, [at for at, kind in enumerate(kinds) if routes[kind][1] is builder]) for builder in builders
    ]
