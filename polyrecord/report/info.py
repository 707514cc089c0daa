"""What a source holds: of an archive by names and headers alone, of plain lines by reading them. No SQL."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from polyrecord.read.archive import ShardInfo
from polyrecord.read.coverage import StreamCoverage
from polyrecord.read.selection import Selection
from polyrecord.read.shard import HeaderTable, RawRecord, ShardIndex, open_shard
from polyrecord.report.question import Coverage, Question, Window
from polyrecord.report.tally import Tally
from polyrecord.times import format_ts

_LENGTH, _CONTENT, _EVENTS, _FIRST_SEQ, _LAST_SEQ, _MIN_TS, _MAX_TS = 1, 2, 3, 5, 6, 9, 10


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One shard as a whole; `bytes` is its file's size, `content_bytes` that of its lines as events.

    Plain gzip and text (`plain`) have no headers: their lines were read and counted.
    """

    path: str
    stream: str
    writer: str
    date: str
    sealed: bool
    plain: bool
    blocks: int
    events: int
    first_ts: str | None
    last_ts: str | None
    first_seq: int | None
    last_seq: int | None
    bytes: int
    content_bytes: int
    ratio: float | None
    types: dict[str, int]


@dataclass(frozen=True, slots=True)
class StreamRow:
    """One stream: its shards added up; `lost`, `unknown` and `pruned` are its part of the coverage."""

    stream: str
    shards: int
    open_shards: int
    writers: int
    blocks: int
    events: int
    lost: int
    unknown: int
    pruned: int
    first_ts: str | None
    last_ts: str | None
    bytes: int
    content_bytes: int
    ratio: float | None
    types: dict[str, int]


@dataclass(frozen=True, slots=True)
class ArchiveInfo:
    """The shards that hold something of what is selected, each as a whole.

    Where conditions are asked for (`counted`), the figures are of the events they hold of.
    """

    root: str
    window: Window
    coverage: Coverage
    streams: tuple[StreamRow, ...]
    shards: tuple[ShardRow, ...]
    counted: bool = False


def describe(question: Question) -> ArchiveInfo:
    """What the archive holds of the selection."""
    shards = tuple(sorted(_shards(question), key=lambda row: (row.stream, row.date, row.path)))
    coverage = question.coverage()
    return ArchiveInfo(
        str(question.source.root),
        question.window,
        coverage,
        tuple(_streams(shards, coverage)),
        shards,
        bool(question.selection.where),
    )


def _shards(question: Question) -> Iterator[ShardRow]:
    for info in question.source.shards(question.selection, question.explain):
        index = open_shard(info, question.explain)
        if index is None or not _is_selected(index, question.selection):
            continue
        if question.selection.where:
            row = _counted(info, index, question)
            if row.events:
                yield row
        else:
            yield _row(info, index, _plain_tally(info, index, question))


def _plain_tally(info: ShardInfo, index: ShardIndex, question: Question) -> Tally | None:
    """What stands in the plain regions of a shard, all of it; None where there are none."""
    if index.plain is None:
        return None
    return _tally(info, Selection(), question, plain_only=True)


def _counted(info: ShardInfo, index: ShardIndex, question: Question) -> ShardRow:
    """A shard's selected events, counted one by one."""
    tally = _tally(info, question.selection, question, plain_only=False)
    bare = ShardIndex(info, index.size, HeaderTable([]), plain_regions=index.plain_regions)
    row = _row(info, bare, tally)
    return replace(row, blocks=index.table.blocks)


def _tally(info: ShardInfo, selection: Selection, question: Question, *, plain_only: bool) -> Tally:
    # Of an archive of ours no line is read: what reads them is not loaded.
    from polyrecord.read.match import Matcher
    from polyrecord.report.counts import tally_shard

    return tally_shard(info, Matcher(selection), question.explain, plain_only=plain_only)


def _is_selected(index: ShardIndex, selection: Selection) -> bool:
    if index.plain is not None:
        return True
    if selection.types and not index.table.type_mask(selection.type_names):
        return False
    unbounded = selection.since_ns is None and selection.until_ns is None
    return unbounded or any(_in_window(record, selection) for record in index.records())


def _in_window(record: RawRecord, selection: Selection) -> bool:
    if record[_MAX_TS] < selection.lowest_ns:
        return False
    return selection.until_ns is None or record[_MIN_TS] < selection.highest_ns


def _row(info: ShardInfo, index: ShardIndex, plain: Tally | None) -> ShardRow:
    """A shard by its records, and what was counted of its plain lines."""
    records = list(index.records())
    lines = plain or Tally(0, None, None, {}, 0)
    content = sum(record[_CONTENT] for record in records) + lines.content_bytes
    first, last = [lines.first_ts] if lines.first_ts else [], [lines.last_ts] if lines.last_ts else []
    return ShardRow(
        path=info.shown,
        stream=info.name.stream,
        writer=info.name.writer,
        date=info.name.date,
        sealed=info.name.sealed,
        plain=index.plain is not None,
        blocks=len(records),
        events=sum(record[_EVENTS] for record in records) + lines.events,
        first_ts=min((*first, *_text(min, [record[_MIN_TS] for record in records])), default=None),
        last_ts=max((*last, *_text(max, [record[_MAX_TS] for record in records])), default=None),
        first_seq=min((record[_FIRST_SEQ] for record in records), default=None),
        last_seq=max((record[_LAST_SEQ] for record in records), default=None),
        bytes=index.size,
        content_bytes=content,
        ratio=_ratio(content, index.size if index.plain is None else 0),
        types=dict(sorted((Counter(index.types) + Counter(lines.types)).items())),
    )


def _ratio(content: int, size: int) -> float | None:
    return round(content / size, 3) if content and size else None


def _streams(shards: Iterable[ShardRow], coverage: Coverage) -> Iterator[StreamRow]:
    """The streams with shards, and those of which all is deleted or missing."""
    by_stream: dict[str, list[ShardRow]] = defaultdict(list)
    for row in shards:
        by_stream[row.stream].append(row)
    told = {each.stream: each for each in coverage.streams}
    gone = [each.stream for each in coverage.streams if each.pruned or each.unknown]
    for stream in dict.fromkeys([*by_stream, *gone]):
        whole = told.get(stream) or StreamCoverage(stream, 0, 0, 0, 0)
        yield _stream(stream, by_stream.get(stream, []), whole)


def _stream(stream: str, rows: list[ShardRow], whole: StreamCoverage) -> StreamRow:
    types: Counter[str] = Counter()
    for row in rows:
        types.update(row.types)
    content = sum(row.content_bytes for row in rows)
    return StreamRow(
        stream=stream,
        shards=len(rows),
        open_shards=sum(not row.sealed for row in rows),
        writers=len({row.writer for row in rows}),
        blocks=sum(row.blocks for row in rows),
        events=sum(row.events for row in rows),
        lost=whole.lost,
        unknown=whole.unknown,
        pruned=whole.pruned,
        first_ts=min((row.first_ts for row in rows if row.first_ts), default=None),
        last_ts=max((row.last_ts for row in rows if row.last_ts), default=None),
        bytes=sum(row.bytes for row in rows),
        content_bytes=content,
        ratio=_ratio(content, sum(row.bytes for row in rows if not row.plain)),
        types=dict(sorted(types.items())),
    )


def _text(pick: Callable[[list[int]], int], times: list[int]) -> list[str]:
    """The first or the last of several times as text: one call, for a text costs 4 us."""
    return [format_ts(pick(times))] if times else []
