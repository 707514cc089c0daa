"""How many events there are, by any field of theirs: read line by line, without an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from polyrecord.read.archive import ShardInfo
from polyrecord.read.blocks import PlannedBlock, ShardPlan, lines, load, plan_shard, sift_block, sift_plain
from polyrecord.read.event import NotAnEvent, read_json
from polyrecord.read.explain import Explain
from polyrecord.read.files import ShardFile
from polyrecord.read.lines import Head, read_head
from polyrecord.read.match import Matcher
from polyrecord.read.where import field_path, text_of, value_at
from polyrecord.report.question import Coverage, Question, Window
from polyrecord.report.tally import Tally

# How much of a time as text names the period it lies in.
PERIODS: Final = {"minute": 16, "hour": 13, "date": 10}
_Key: TypeAlias = Callable[[bytes], str | None]


@dataclass(frozen=True, slots=True)
class GroupRow:
    """The events with one value of the field; None where they have none. Times are those of their lines."""

    value: str | None
    events: int
    share: float
    first_ts: str
    last_ts: str


@dataclass(frozen=True, slots=True)
class EventCounts:
    """The selected events by one field: periods in their order, other values by falling count."""

    by: str
    window: Window
    coverage: Coverage
    events: int
    groups: tuple[GroupRow, ...]


def count_by(question: Question, field: str) -> EventCounts:
    """The number of selected events for each value of a field, or for each `minute`, `hour` or `date`."""
    key = _key_of(field)
    groups: dict[str | None, list[Any]] = {}
    for line in lines(question.source, question.selection, question.explain):
        ts = _head(line).ts
        group = groups.setdefault(key(line), [0, ts, ts])
        group[0] += 1
        group[1], group[2] = min(group[1], ts), max(group[2], ts)
    events = sum(group[0] for group in groups.values())
    rows = [
        GroupRow(value, count, round(count / events, 6), first.decode(), last.decode())
        for value, (count, first, last) in groups.items()
    ]
    in_time = field in PERIODS
    rows.sort(key=lambda row: (row.value or "",) if in_time else (-row.events, row.value or ""))
    return EventCounts(field, question.window, question.coverage(), events, tuple(rows))


def _head(line: bytes) -> Head:
    return read_head(line)


def _key_of(field: str) -> _Key:
    """What tells the group of a line."""
    if field in PERIODS:
        length = PERIODS[field]
        return lambda line: _head(line).ts[:length].decode()
    if field == "event_type":
        return lambda line: _head(line).event_type
    paths = field_path(field)

    def value(line: bytes) -> str | None:
        return text_of(value_at(read_json(line), paths))

    return value


def tally_shard(info: ShardInfo, matcher: Matcher, explain: Explain, *, plain_only: bool) -> Tally:
    """The selected events of one shard; with `plain_only` those of its plain regions alone."""
    types: dict[str, int] = {}
    first, last, size = b"~", b"", 0
    for head, length in _heads(info, matcher, explain, plain_only=plain_only):
        types[head.event_type] = types.get(head.event_type, 0) + 1
        first, last = min(first, head.ts), max(last, head.ts)
        size += length + 1
    events = sum(types.values())
    return Tally(events, first.decode() if events else None, last.decode() or None, types, size)


def _heads(
    info: ShardInfo, matcher: Matcher, explain: Explain, *, plain_only: bool
) -> Iterator[tuple[Head, int]]:
    plan = plan_shard(info, matcher, explain)
    for reader in plan.plain:
        while chunk := reader.read():
            sifted = sift_plain(reader, chunk, matcher, explain)
            yield from zip(sifted.heads or (), map(len, sifted.lines), strict=True)
    if not plain_only:
        for line in _block_lines(info, plan, matcher, explain):
            try:
                yield read_head(line), len(line)
            except NotAnEvent:
                continue


def _block_lines(info: ShardInfo, plan: ShardPlan, matcher: Matcher, explain: Explain) -> Iterator[bytes]:
    blocks: list[PlannedBlock] = plan.blocks
    if not blocks:
        return
    with ShardFile(info) as file:
        for block in blocks:
            header, content = load(block, file.read_at(block.offset, block.length), matcher, explain)
            if content:
                yield from sift_block(block, header, content, matcher, explain).lines
