"""What is taken of one writer's stream in one source, a block at a time, and what is missing in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Final, TypeAlias

from polyrecord.events.routes import TELEMETRY, stream_of
from polyrecord.format.block import BlockHeader
from polyrecord.format.constants import LEDGER_LOSS, UNINDEXED
from polyrecord.format.layout import is_stream, parse_shard_path
from polyrecord.read.archive import ShardInfo
from polyrecord.read.blocks import Piece, PlannedBlock, Sifted, load, plan_shard, sift_block, sift_plain
from polyrecord.read.event import NotAnEvent
from polyrecord.read.explain import Explain, Finding
from polyrecord.read.files import ShardFile
from polyrecord.read.lines import Head, is_regular, read_head
from polyrecord.read.order import never_goes_back
from polyrecord.read.plain import PlainReader
from polyrecord.read.shard import RawRecord, open_shard
from polyrecord.record.blocks import DAY_NS
from polyrecord.record.verbatim import Recorded
from polyrecord.transfer.ledger import Ledger
from polyrecord.transfer.pick import AnyOf, Pick
from polyrecord.transfer.rows import (
    EVENTS,
    FIRST,
    FIRST_SEQ,
    LAST,
    LAST_SEQ,
    Row,
    in_window,
    lost_by,
    ns_of,
)

OnProgress: TypeAlias = Callable[[int], None]
"""Told how many more bytes of the source have been dealt with."""

_LATEST: Final = 1 << 64
_WORTH_KEEPING: Final = 64 << 10  # bytes of lines: smaller blocks are packed anew, into larger ones


@dataclass(frozen=True, slots=True)
class Batch:
    """What is taken of one block or chunk: rows, or the block as it is (`member`).

    `missing` events went missing without a word after the seq `after` and up to `through`. `hole` is a
    block that cannot be read: its first and last seq and its events.
    """

    rows: list[Row] = field(default_factory=list)
    missing: int = 0
    after: int = 0
    through: int = 0
    stream: str = ""
    member: bytes | None = None
    header: BlockHeader | None = None
    hole: tuple[int, int, int] | None = None


def place_of(info: ShardInfo) -> str | None:
    """The stream a shard of ours belongs to, by where it lies; None of logs and files that lie elsewhere."""
    if info.is_log:
        return None
    parts = info.path.absolute().parts
    for length in (4, 5):
        name = parse_shard_path(PurePosixPath(*parts[-length:])) if len(parts) > length else None
        if name is not None and is_stream(name.stream):
            return name.stream
    return None


class Strand:
    """Iterates over the batches of shards that follow each other in seq order."""

    def __init__(
        self,
        infos: Sequence[ShardInfo],
        pick: Pick,
        explain: Explain,
        *,
        alone: bool = False,
        lost_before: int | None = None,
        declared: Ledger | None = None,
        after: int = 0,
        on_progress: OnProgress | None = None,
    ) -> None:
        """`alone`: no other strand is merged with it, so large blocks taken whole come as they are.

        What is `declared` lost is not told here; what else is missing is `lost_before` where ordinals of
        several dates alternate, and told from the ordinals as they come where that is None. What is missing
        before the first line is so after the seq `after`.
        """
        self._infos, self._pick, self._explain = infos, pick, explain
        self._alone, self._on_progress = alone, on_progress
        self._follows = lost_before is None
        self._is_recorder = bool(infos) and never_goes_back(infos[0].name.writer)
        self._missing = lost_before or 0
        self._declared = declared or Ledger()
        self._block_seq = 0  # the last of the block before
        self._ordinal: int | None = None
        self._after, self._highest = after, 0

    def __iter__(self) -> Iterator[Batch]:
        for info in self._infos:
            yield from self._shard(info)
        if self._missing:
            yield Batch(missing=self._missing, after=self._after, through=self._after + 1)

    def _shard(self, info: ShardInfo) -> Iterator[Batch]:
        stream = place_of(info)
        if stream is not None and not (self._pick.takes_stream(stream) or stream == TELEMETRY):
            return
        if self._alone:  # a writer's shards of two dates may overlap in seq
            self._highest = 0
        matcher = self._pick.matcher(stream)
        pieces = _plan(info, matcher, self._explain)
        records = self._records(info)
        done = 0
        last = pieces[-1] if info is self._infos[-1] and pieces else None
        for piece in pieces:
            if isinstance(piece, PlannedBlock):
                self._account(records.get(piece.offset), follows=piece is not last)
                if piece.wanted:
                    yield self._block(info, piece, stream or "", matcher)
                done = self._progress(done, piece.offset + piece.length)
            else:
                yield from self._plain(piece, stream, matcher)
                done = self._progress(done, piece.start)
        self._progress(done, _size(info))

    def _progress(self, done: int, now: int) -> int:
        if self._on_progress is not None and now > done:
            self._on_progress(now - done)
        return max(now, done)

    def _records(self, info: ShardInfo) -> dict[int, tuple[bool, RawRecord]]:
        """The records of a shard's blocks by offset, each with whether it is the very first of its stream."""
        if not self._follows or info.is_log:
            return {}
        index = open_shard(info, Explain())
        records = index.records() if index is not None else iter(())
        is_first = info.name.number == 1
        return {record[0]: (is_first and at == 0, record) for at, record in enumerate(records)}

    def _account(self, entry: tuple[bool, RawRecord] | None, *, follows: bool) -> None:
        """Add what ordinals say is missing before and inside a block of the window, and nobody declared.

        A cut has what was lost at its end inside its last block: nothing `follows` that would tell it.
        """
        if entry is None or not in_window(entry[1], self._pick.window):
            return
        begins, record = entry
        before = 0 if begins else self._ordinal
        missing = max(record[LAST] - record[FIRST] + 1 - record[EVENTS], 0)
        after, through = record[FIRST_SEQ], record[LAST_SEQ] if follows else _LATEST
        if before is not None:
            missing += max(record[FIRST] - before - 1, 0)
            after = min(self._block_seq, after)
        if missing:
            self._missing += max(missing - self._declared.between(after, through), 0)
        self._ordinal, self._block_seq = record[LAST], record[LAST_SEQ]

    def _block(self, info: ShardInfo, planned: PlannedBlock, stream: str, matcher: AnyOf) -> Batch:
        member = _read(info, planned, self._explain)
        findings = len(self._explain.damage)
        header, content = load(planned, member, matcher, self._explain) if member else (None, b"")
        if header is None or len(self._explain.damage) > findings:
            return self._batch(hole=(planned.first_seq, planned.last_seq, planned.events))
        if not content:
            return Batch()
        is_sound = member is not None and header.member_length == len(member)
        if stream and is_sound and self._is_kept_whole(header, content, matcher):
            self._explain.lines_read += header.events
            self._explain.lines_kept += header.events
            return self._batch(through=header.last_seq, stream=stream, member=member, header=header)
        sifted = sift_block(planned, header, content, matcher, self._explain)
        return self._rows(sifted, stream or None, matcher, header)

    def _is_kept_whole(self, header: BlockHeader, content: bytes, matcher: AnyOf) -> bool:
        if not self._alone or len(content) < _WORTH_KEEPING or header.flags & UNINDEXED:
            return False
        if header.min_ts // DAY_NS != header.max_ts // DAY_NS or not is_regular(content):
            return False
        return any(part.takes_all_of(header) for part in matcher.asked)

    def _plain(self, reader: PlainReader, stream: str | None, matcher: AnyOf) -> Iterator[Batch]:
        while lines := reader.read():
            yield self._rows(sift_plain(reader, lines, matcher, self._explain), stream, matcher, None)

    def _rows(self, sifted: Sifted, stream: str | None, matcher: AnyOf, header: BlockHeader | None) -> Batch:
        rows = list(self._make_rows(sifted, stream, matcher, header))
        if not rows:
            return Batch()
        return self._batch(rows=rows, through=header.last_seq if header else rows[-1].recorded.seq)

    def _make_rows(
        self, sifted: Sifted, stream: str | None, matcher: AnyOf, header: BlockHeader | None
    ) -> Iterator[Row]:
        heads = sifted.heads if sifted.heads is not None else map(_head, sifted.lines)
        paths = header.paths if header is not None else ()
        declares = stream == TELEMETRY and self._is_recorder
        for head, line in zip(heads, sifted.lines, strict=True):
            if head is None:
                continue
            place = stream or stream_of(head.event_type)
            if stream is None and not self._pick.takes_stream(place):
                continue
            lost = lost_by(line) if declares and head.event_type == LEDGER_LOSS else 0
            self._highest = max(head.seq, self._highest)
            yield Row(
                place,
                Recorded(
                    line + b"\n", self._highest, ns_of(head.ts), head.event_type, head.trace_id, paths, lost
                ),
                matcher.is_asked_for(head, line, paths),
            )

    def _batch(
        self,
        *,
        rows: Iterable[Row] = (),
        through: int = 0,
        stream: str = "",
        member: bytes | None = None,
        header: BlockHeader | None = None,
        hole: tuple[int, int, int] | None = None,
    ) -> Batch:
        """A batch that what was missing before it belongs to."""
        through = hole[1] if hole is not None else through
        batch = Batch(list(rows), self._missing, self._after, through, stream, member, header, hole)
        self._missing, self._after = 0, through
        self._highest = max(self._highest, through)
        return batch


def _plan(info: ShardInfo, matcher: AnyOf, explain: Explain) -> list[Piece]:
    """The pieces of a shard, all of its blocks, those wanted that any of the parts wants."""
    first, *others = matcher.parts
    pieces = plan_shard(info, first, explain, everything=True).pieces
    for part in others:
        also = {block.offset for block in plan_shard(info, part, Explain(), everything=True).blocks
                if block.wanted}  # fmt: skip
        pieces = [
            replace(piece, wanted=True) if isinstance(piece, PlannedBlock) and piece.offset in also else piece
            for piece in pieces
        ]
    return pieces


def _read(info: ShardInfo, planned: PlannedBlock, explain: Explain) -> bytes:
    try:
        with ShardFile(info) as file:
            return file.read_at(planned.offset, planned.length)
    except OSError as error:
        reason = f"block cannot be read: {error.strerror}"
        events = planned.events
        explain.found(Finding(info.path, planned.offset, planned.length, events, reason, counted=events))
        return b""


def _size(info: ShardInfo) -> int:
    try:
        with ShardFile(info) as file:
            return file.size
    except OSError:
        return 0


def _head(line: bytes) -> Head | None:
    try:
        return read_head(line)
    except NotAnEvent:
        return None
