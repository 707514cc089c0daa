"""What an archive holds, from names and headers alone: nothing is decompressed. No SQL."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from polyrecord.read.archive import ShardInfo
from polyrecord.read.selection import Selection
from polyrecord.read.shard import RawRecord, ShardIndex, open_shard
from polyrecord.report.question import Coverage, Question, Window
from polyrecord.times import format_ts

_LENGTH, _CONTENT, _EVENTS, _FIRST_SEQ, _LAST_SEQ, _MIN_TS, _MAX_TS = 1, 2, 3, 5, 6, 9, 10


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One shard as a whole; `bytes` is its file's size, `content_bytes` that of its lines.

    Of plain gzip and text (`plain`), which have no headers, only the file's size is known.
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
    """One stream: its shards added up."""

    stream: str
    shards: int
    open_shards: int
    writers: int
    blocks: int
    events: int
    first_ts: str | None
    last_ts: str | None
    bytes: int
    content_bytes: int
    ratio: float | None
    types: dict[str, int]


@dataclass(frozen=True, slots=True)
class ArchiveInfo:
    """The shards that hold something of the window and the types asked for, each as a whole."""

    root: str
    window: Window
    coverage: Coverage
    streams: tuple[StreamRow, ...]
    shards: tuple[ShardRow, ...]


def describe(question: Question) -> ArchiveInfo:
    """What the archive holds of the selection."""
    shards = tuple(sorted(_shards(question), key=lambda row: (row.stream, row.date, row.path)))
    return ArchiveInfo(
        str(question.source.root), question.window, question.coverage(), tuple(_streams(shards)), shards
    )


def _shards(question: Question) -> Iterator[ShardRow]:
    for info in question.source.shards(question.selection, question.explain):
        index = open_shard(info, question.explain)
        if index is not None and _is_selected(index, question.selection):
            yield _row(info, index)


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


def _row(info: ShardInfo, index: ShardIndex) -> ShardRow:
    records = list(index.records())
    content = sum(record[_CONTENT] for record in records)
    return ShardRow(
        path=str(info.name.path),
        stream=info.name.stream,
        writer=info.name.writer,
        date=info.name.date,
        sealed=info.name.sealed,
        plain=index.plain is not None,
        blocks=len(records),
        events=sum(record[_EVENTS] for record in records),
        first_ts=_stamp(min((record[_MIN_TS] for record in records), default=None)),
        last_ts=_stamp(max((record[_MAX_TS] for record in records), default=None)),
        first_seq=min((record[_FIRST_SEQ] for record in records), default=None),
        last_seq=max((record[_LAST_SEQ] for record in records), default=None),
        bytes=index.size,
        content_bytes=content,
        ratio=_ratio(content, index.size if index.plain is None else 0),
        types=dict(sorted(index.types.items())),
    )


def _stamp(ns: int | None) -> str | None:
    return None if ns is None else format_ts(ns)


def _ratio(content: int, size: int) -> float | None:
    return round(content / size, 3) if content and size else None


def _streams(shards: Iterable[ShardRow]) -> Iterator[StreamRow]:
    by_stream: dict[str, list[ShardRow]] = defaultdict(list)
    for row in shards:
        by_stream[row.stream].append(row)
    for stream, rows in by_stream.items():
        yield _stream(stream, rows)


def _stream(stream: str, rows: list[ShardRow]) -> StreamRow:
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
        first_ts=min((row.first_ts for row in rows if row.first_ts), default=None),
        last_ts=max((row.last_ts for row in rows if row.last_ts), default=None),
        bytes=sum(row.bytes for row in rows),
        content_bytes=content,
        ratio=_ratio(content, sum(row.bytes for row in rows if not row.plain)),
        types=dict(sorted(types.items())),
    )
