"""A stream's shards as pieces: blocks, stretches of them or whole shards, each with its span of ordinals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from polyrecord.format import constants as c
from polyrecord.format.block import BadHeader
from polyrecord.format.directory import Footer, parse_footer
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.files import ShardFile
from polyrecord.read.pruned import PrunedShard
from polyrecord.read.selection import Selection
from polyrecord.read.shard import RawRecord, open_shard
from polyrecord.times import date_of

_EVENTS, _FIRST, _LAST, _MIN_TS, _MAX_TS, _LOST = 3, 7, 8, 9, 10, 11
_END_OF_TIME = 1 << 63  # ns


@dataclass(frozen=True, slots=True)
class Piece:
    """A block or a deleted shard: its events have ordinals from `first` to `last`.

    `lost` is what the `loss` events in it declare, of any stream.
    """

    first: int
    last: int
    events: int
    min_ts: int
    max_ts: int
    lost: int
    pruned: bool = False

    @property
    def missing(self) -> int:
        """Ordinals between the first and the last that no event has."""
        return max(self.last - self.first + 1 - self.events, 0)


def touches(window: Selection, min_ts: int, max_ts: int) -> bool:
    """Whether a window has something of the time from `min_ts` to `max_ts`, both ns and inclusive."""
    if max_ts < window.lowest_ns:
        return False
    return window.until_ns is None or min_ts < window.highest_ns


def _holds(window: Selection, piece: Piece) -> bool:
    """Whether all of a piece is in the window."""
    if piece.min_ts < window.lowest_ns:
        return False
    return window.until_ns is None or piece.max_ts < window.highest_ns


def is_unbounded(window: Selection) -> bool:
    """Whether all of the time is asked about."""
    return window.since_ns is None and window.until_ns is None


def piece_of(record: RawRecord) -> Piece:
    """A block as a piece."""
    return Piece(
        record[_FIRST], record[_LAST], record[_EVENTS], record[_MIN_TS], record[_MAX_TS], record[_LOST]
    )


def piece_of_pruned(shard: PrunedShard) -> Piece:
    """A deleted shard as a piece."""
    first, last = shard.first_ordinal, shard.last_ordinal
    return Piece(first, last, shard.events, shard.min_ts, shard.max_ts, shard.lost, pruned=True)


def read_footer(info: ShardInfo) -> Footer | None:
    """The footer of a sealed shard, None where there is none that holds; raises OSError."""
    with ShardFile(info) as file:
        try:
            return parse_footer(file.read_at(max(file.size - c.FOOTER_SIZE, 0), c.FOOTER_SIZE))
        except BadHeader:
            return None


def whole_of(info: ShardInfo) -> Piece | None:
    """A shard outside the window as one piece, at the cost of its footer; None where it cannot tell."""
    try:
        footer = read_footer(info)
    except OSError:
        return None
    if footer is not None:
        return _whole(footer)
    index = open_shard(info, Explain())
    pieces = [] if index is None else [piece_of(record) for record in index.records()]
    return joined(pieces) if pieces else None


def _whole(footer: Footer) -> Piece:
    first, last = footer.first_ordinal, footer.last_ordinal
    return Piece(first, last, footer.events, footer.min_ts, footer.max_ts, footer.lost)


def joined(pieces: list[Piece]) -> Piece:
    """Several pieces as one."""
    return Piece(
        min(piece.first for piece in pieces), max(piece.last for piece in pieces),
        sum(piece.events for piece in pieces),
        min(piece.min_ts for piece in pieces), max(piece.max_ts for piece in pieces),
        sum(piece.lost for piece in pieces),
    )  # fmt: skip


def blocks_of(info: ShardInfo, window: Selection, explain: Explain) -> Iterator[Piece]:
    """The blocks of a shard as pieces, or all as one where that comes to the same: the shard lies within the
    window and misses nothing. None, and a finding, where it cannot be read."""
    index = open_shard(info, explain)
    if index is None:
        return
    whole = None if index.footer is None else _whole(index.footer)
    if whole is not None and not whole.missing and _holds(window, whole):
        yield whole
    else:
        yield from map(piece_of, index.records())


def in_order(
    shards: Sequence[ShardInfo], pruned: Sequence[PrunedShard], window: Selection, explain: Explain
) -> Iterator[Piece | None]:
    """The pieces of a recorder's stream by shard number: the blocks of those shards that the window touches
    by date, the next shard on either side as one piece, and what was deleted."""
    inside = {info.name.number: info for info in shards if info.may_hold(window)}
    beside = {info.name.number: info for info in _neighbours(shards, window)}
    gone = {shard.name.number: shard for shard in pruned}
    for number in sorted(inside.keys() | beside.keys() | gone.keys()):
        if number in gone:
            if gone[number].last_ordinal:
                yield piece_of_pruned(gone[number])
        elif number in inside:
            yield from _stretches_of(inside[number], window, explain)
        else:
            yield whole_of(beside[number])


def _stretches_of(info: ShardInfo, window: Selection, explain: Explain) -> Iterator[Piece]:
    """The blocks of a shard as pieces, those before the window as one, and those behind it; where it does not
    touch the shard's times, all as one, by its footer."""
    try:
        footer = read_footer(info)
    except OSError:
        footer = None  # blocks_of says why
    if footer is None or is_unbounded(window):
        yield from blocks_of(info, window, explain)
    elif touches(window, footer.min_ts, footer.max_ts):
        yield from _stretches(info, window, explain)
    else:
        explain.shards_opened += 1
        explain.bytes_read += c.FOOTER_SIZE
        yield _whole(footer)


def _stretches(info: ShardInfo, window: Selection, explain: Explain) -> Iterator[Piece]:
    index = open_shard(info, explain)
    low, high = window.lowest_ns, window.highest_ns if window.until_ns is not None else _END_OF_TIME

    def side(record: RawRecord) -> int:
        return -1 if record[_MAX_TS] < low else int(record[_MIN_TS] >= high)

    for where, records in groupby(index.records() if index is not None else (), side):
        if where == 0:
            yield from map(piece_of, records)
        else:
            yield _stretch(list(records))


def _stretch(records: list[RawRecord]) -> Piece:
    """Blocks that follow each other as one piece."""
    events, lost = sum(map(itemgetter(_EVENTS), records)), sum(map(itemgetter(_LOST), records))
    first, last = records[0], records[-1]
    return Piece(first[_FIRST], last[_LAST], events, first[_MIN_TS], last[_MAX_TS], lost)


def _neighbours(shards: Sequence[ShardInfo], window: Selection) -> list[ShardInfo]:
    """The last shard before a window's days and the first behind them."""
    others = [info for info in shards if not info.may_hold(window)]
    first = "" if window.since_ns is None else date_of(window.lowest_ns)
    before = [info for info in others if info.name.date < first]
    after = [info for info in others if info.name.date >= first]
    return before[-1:] + after[:1]
