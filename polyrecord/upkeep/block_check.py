"""The lines of one block against its header: every member of it that can be worked out from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import orjson

from polyrecord.format.block import BlockHeader, cut_name
from polyrecord.format.constants import LEDGER_LOSS, OPAQUE, UNINDEXED
from polyrecord.format.layout import ShardName
from polyrecord.ids import is_hex, normal_id, trace_key, value_key
from polyrecord.read.lines import Head, decode_head, read_head
from polyrecord.read.order import never_goes_back
from polyrecord.record.line_keys import document_of, paths_of, values_in
from polyrecord.times import date_of
from polyrecord.transfer.rows import MOST_LOST, lost_by, ns_of


@dataclass(slots=True)
class BlockFacts:
    """What a block's lines say: their seqs, what they declare lost, and what is wrong with them."""

    seqs: list[int] = field(default_factory=list)
    lost: int = 0
    lost_by_stream: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


def check_block(content: bytes, header: BlockHeader, name: ShardName) -> BlockFacts:
    """Look at every line of a block whose sums are right."""
    facts = BlockFacts()
    lines = content[:-1].split(b"\n") if content else []
    heads = list(_heads(lines, facts))
    if not heads:
        return facts
    facts.seqs = [head.seq for head in heads]
    times = [head.ts for head in heads]
    facts.wrong += _order(facts.seqs, times, header, name)
    facts.wrong += _bounds(times, header, name)
    facts.wrong += _types(heads, header)
    if not header.flags & UNINDEXED:
        facts.wrong += _traces(heads, header)
        facts.wrong += _values(lines, header)
    if never_goes_back(name.writer):
        _losses(lines, heads, facts)
        if min(facts.lost, MOST_LOST) != header.lost:
            facts.wrong.append(f"header says {header.lost:,} events lost, its lines {facts.lost:,}")
    return facts


def _heads(lines: list[bytes], facts: BlockFacts) -> Iterator[Head]:
    bad = 0
    first = ""
    for line in lines:
        try:
            yield read_head(line)
        except ValueError as error:  # NotAnEvent, or a number of thousands of digits
            bad += 1
            first = first or str(error)
    if bad:
        facts.wrong.append(f"{bad:,} of its lines are no events: {first}")


def is_event(line: bytes) -> bool:
    """Whether a line is an event, however it is spelled."""
    try:
        decode_head(line)
    except ValueError:
        return False
    return True


def _order(seqs: list[int], times: list[bytes], header: BlockHeader, name: ShardName) -> Iterator[str]:
    if any(seq >= following for seq, following in pairwise(seqs)):
        yield "seq does not grow from line to line"
    if (seqs[0], seqs[-1]) != (header.first_seq, header.last_seq):
        said = f"{header.first_seq} to {header.last_seq}"
        yield f"header says seq {said}, its lines {seqs[0]} to {seqs[-1]}"
    if never_goes_back(name.writer) and times != sorted(times):
        yield "ts goes back"


def _bounds(times: list[bytes], header: BlockHeader, name: ShardName) -> Iterator[str]:
    try:
        low, high = ns_of(min(times)), ns_of(max(times))
    except (ValueError, OverflowError):
        yield "holds a ts that is no time"
        return
    if (low, high) != (header.min_ts, header.max_ts):
        yield "times are not those its header says"
    dates = {date_of(low), date_of(high)} - {name.date}
    if dates:
        yield f"events of {', '.join(sorted(dates))} in a shard of {name.date}"


def _types(heads: list[Head], header: BlockHeader) -> Iterator[str]:
    counts: Counter[str] = Counter()
    for event_type, count in Counter(head.event_type for head in heads).items():
        counts[cut_name(event_type).decode()] += count
    if dict(counts) != header.types:
        yield "event types are not those its header says"


def _traces(heads: list[Head], header: BlockHeader) -> Iterator[str]:
    normal = {normal_id(trace) for trace in {head.trace_id for head in heads} if trace is not None}
    missing = {trace_key(one) for one in normal} - set(header.trace_keys)
    if missing:
        yield f"{len(missing):,} trace ids of its lines are not in its index"
    if not header.flags & OPAQUE and not all(map(is_hex, normal)):
        yield "holds opaque trace ids, which its header denies"


_NEEDLES: Final = (b'order_id"', b'intent_id"', b"\\u")


def _values(lines: list[bytes], header: BlockHeader) -> Iterator[str]:
    paths = paths_of(header.paths)
    needles = (*_NEEDLES, *(f'{path.rpartition(".")[2]}"'.encode() for path in header.paths))
    keys: set[int] = set()
    for line in lines:
        if any(needle in line for needle in needles):
            keys.update(value_key(str(value)) for value in values_in(document_of(line) or {}, paths))
    missing = keys - set(header.value_keys)
    if missing:
        yield f"{len(missing):,} values of its lines are not in its index"


def _losses(lines: list[bytes], heads: list[Head], facts: BlockFacts) -> None:
    if len(lines) != len(heads):
        return
    for line, head in zip(lines, heads, strict=True):
        if head.event_type == LEDGER_LOSS:
            facts.lost += lost_by(line)
            for stream, count in _by_stream(line):
                facts.lost_by_stream[stream] += count


def _by_stream(line: bytes) -> Iterator[tuple[str, int]]:
    try:
        streams = orjson.loads(line)["data"]["streams"]
        told = [(str(stream), entry["count"]) for stream, entry in streams.items()]
    except (ValueError, KeyError, TypeError, AttributeError):
        return
    yield from ((stream, min(n, MOST_LOST)) for stream, n in told if isinstance(n, int) and n > 0)
