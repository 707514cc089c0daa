"""Replay order without I/O: a generator that asks for plans and bytes and gives runs of lines.

Within a writer its chains (one per stream) merge by seq, across writers by (time, writer, seq): see
docs/format.md, section 7. Where blocks do not overlap, whole blocks pass and no line is looked at. At
most one inflated block per chain is in memory.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from operator import attrgetter, itemgetter
from typing import TypeAlias

from polyrecord.read.archive import ShardInfo
from polyrecord.read.chain import Chain, Need, NeedPlan, Reply, WriterMerge
from polyrecord.read.explain import Explain
from polyrecord.read.lines import time_of
from polyrecord.read.match import Matcher
from polyrecord.read.order import needed_for_order, never_goes_back, with_floors
from polyrecord.read.plan import Piece, PlannedBlock, ShardPlan
from polyrecord.read.run import Stamp


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines in replay order, and the writer of each where that was asked for."""

    lines: list[bytes]
    writers: list[str]


_AT_ONCE = 8  # writers whose lines are sorted together where they interleave
Steps: TypeAlias = Generator[Need | Batch, Reply, None]


def merge(
    shards: Sequence[ShardInfo],
    siblings: Sequence[ShardInfo],
    matcher: Matcher,
    explain: Explain,
    *,
    named: bool = True,
) -> Steps:
    """Batches in replay order, and between them needs, each to be answered by `send`.

    Batches name the writer of each line if `named`. `siblings` are all shards of the writers whose times may
    go back: what is not selected counts there.
    """
    by_writer = _by_writer(shards)
    if len(by_writer) > 1 and not all(map(never_goes_back, by_writer)):
        writers = yield from _plan_ahead(by_writer, _by_writer(siblings), matcher, explain)
    else:
        writers = [WriterMerge(w, _chains(own), matcher, explain) for w, own in by_writer.items()]
    yield from _merge_writers({writer.writer: writer for writer in writers}, named=named)


def _merge_writers(writers: dict[str, WriterMerge], *, named: bool) -> Steps:
    heap = [bound for writer in writers.values() if (bound := writer.bound) is not None]
    heapify(heap)
    while heap:
        first = writers[heappop(heap)[1]]
        if not first.ready:
            yield from first.settle(heap[0] if heap else None)
        group = [first]
        if first.ready and (not heap or _is_before(first.bound, heap[0])):
            while heap and len(group) < _AT_ONCE and writers[heap[0][1]].ready:
                group.append(writers[heappop(heap)[1]])
            batch = _take(group, heap[0] if heap else None, named=named)
            if batch.lines:
                yield batch
        for writer in group:
            if (bound := writer.bound) is not None:
                heappush(heap, bound)


def _is_before(bound: Stamp | None, limit: Stamp) -> bool:
    return bound is not None and bound < limit


def _take(group: list[WriterMerge], limit: Stamp | None, *, named: bool) -> Batch:
    """What the writers of a group have ready before `limit` and before one of them has to read on."""
    if len(group) == 1:
        lines = group[0].take(limit)
        return Batch(lines, [group[0].writer] * len(lines) if named else [])
    ends = [writer.last for writer in group]
    through = min(ends if limit is None else [*ends, limit])
    if all(writer.bare for writer in group):
        in_order = sorted(group, key=attrgetter("writer"))
        return _take_bare(in_order, through) if named else _take_lines(in_order, through)
    rows = [row for writer in group for row in writer.take_rows(through)]
    rows.sort(key=itemgetter(0, 1))  # stable: a writer's lines keep their order
    return Batch([line for _, _, line in rows], [writer for _, writer, _ in rows])


def _take_bare(group: list[WriterMerge], through: Stamp) -> Batch:
    """The same of lines that tell their times, writers by name: a stable sort needs only the times."""
    lines: list[bytes] = []
    writers: list[str] = []
    for writer in group:
        taken = writer.take(through, least=0)
        lines += taken
        writers += [writer.writer] * len(taken)
    if len(lines) < 2:
        return Batch(lines, writers)
    in_order = itemgetter(*sorted(range(len(lines)), key=list(map(time_of, lines)).__getitem__))
    return Batch(list(in_order(lines)), list(in_order(writers)))


def _take_lines(group: list[WriterMerge], through: Stamp) -> Batch:
    """The same without the writers' names: half the work."""
    lines = [line for writer in group for line in writer.take(through, least=0)]
    lines.sort(key=time_of)
    return Batch(lines, [])


def _by_writer(shards: Iterable[ShardInfo]) -> dict[str, list[ShardInfo]]:
    groups: dict[str, list[ShardInfo]] = {}
    for info in shards:
        groups.setdefault(info.name.writer, []).append(info)
    return groups


def _place(info: ShardInfo) -> tuple[str, str]:
    """Which chain a shard belongs to.

    A recorder's shards of a stream follow each other; an import writes those of several dates by turns.
    """
    name = info.name
    return name.stream, "" if never_goes_back(name.writer) else name.date


def _chains(shards: Iterable[ShardInfo]) -> list[Chain]:
    """The chains of one writer, not looked at yet; shards come by number."""
    chains: dict[tuple[str, str], Chain] = {}
    for info in shards:
        chains.setdefault(_place(info), Chain()).shards.append(info)
    return list(chains.values())


def _plan_ahead(
    by_writer: dict[str, list[ShardInfo]],
    siblings: dict[str, list[ShardInfo]],
    matcher: Matcher,
    explain: Explain,
) -> Generator[Need, Reply, list[WriterMerge]]:
    """Plan all shards first: only where several writers have a part does it matter that times go back."""
    plans = {}
    for writer, own in by_writer.items():
        plan = yield from _plan_writer(own, siblings.get(writer, []))
        if any(_is_wanted(piece) for part in plan.values() for piece in part.pieces):
            plans[writer] = plan
    merges = []
    for writer, plan in plans.items():
        may_go_back = len(plans) > 1 and not never_goes_back(writer)
        chains = _planned_chains(_for_order(plan) if may_go_back else _only_wanted(plan))
        merges.append(WriterMerge(writer, chains, matcher, explain, may_go_back=may_go_back))
    return merges


_Plans: TypeAlias = dict[ShardInfo, ShardPlan]


def _is_wanted(piece: Piece) -> bool:
    return not isinstance(piece, PlannedBlock) or piece.wanted


def _plan_writer(own: list[ShardInfo], siblings: list[ShardInfo]) -> Generator[Need, Reply, _Plans]:
    """The plans of a writer's shards; where times may go back, of all shards and blocks it has.

    Plain regions of shards that are not selected are left out: nothing of them can be skipped.
    """
    selected = set(own)
    plans = {}
    for info in siblings or own:
        plan = yield NeedPlan(info, everything=bool(siblings))
        assert isinstance(plan, ShardPlan)
        if info not in selected:
            plan = ShardPlan([replace(block, wanted=False) for block in plan.blocks])
        plans[info] = plan
    return plans


def _only_wanted(plans: _Plans) -> _Plans:
    return {
        info: ShardPlan([piece for piece in plan.pieces if _is_wanted(piece)]) for info, plan in plans.items()
    }


def _for_order(plans: _Plans) -> _Plans:
    """What is wanted and what the order of that depends on: of plain lines any block, for want of headers."""
    blocks = [block for plan in plans.values() for block in plan.blocks]
    if any(plan.plain for plan in plans.values()) or all(block.wanted for block in blocks):
        return plans
    placed: dict[PlannedBlock, PlannedBlock] = with_floors(blocks, needed_for_order(blocks))
    return {
        info: ShardPlan([placed[block] for block in plan.blocks if block in placed])
        for info, plan in plans.items()
    }


def _planned_chains(plans: _Plans) -> list[Chain]:
    chains: dict[tuple[str, str], Chain] = {}
    for info, plan in plans.items():
        chains.setdefault(_place(info), Chain()).add(plan)
    return list(chains.values())
