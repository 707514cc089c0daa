"""One stream of one writer, counted: what is here, what was deleted, what is missing (docs/format.md, 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
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
_EARLIEST, _LATEST = -(1 << 63), (1 << 63) - 1


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


@dataclass(frozen=True, slots=True)
class End:
    """How far a writer that ended in order says that its stream went, and when it began and ended."""

    last_ordinal: int
    started_ns: int | None
    ended_ns: int | None


@dataclass(slots=True)
class Account:
    """Events of one place in a window: kept, deleted on purpose, missing for whatever reason.

    `low` and `high` are the ordinals between which the missing ones are, `since` is a time (ns) before which
    none of them was recorded: a recorder says so later. `declared` is what `loss` events in this stream say,
    of any stream.
    """

    kept: int = 0
    pruned: int = 0
    missing: int = 0
    declared: int = 0
    since: int = _LATEST
    low: int = 1 << 64
    high: int = 0

    def add(self, piece: Piece) -> None:
        """Take the events of a piece."""
        if piece.pruned:
            self.pruned += piece.events
        else:
            self.kept += piece.events
            self.declared += piece.lost
        self.reach(piece.first, piece.last)

    def miss(self, count: int, since: int) -> None:
        """Take so many events for missing, from a time on."""
        if count > 0:
            self.missing += count
            self.since = min(self.since, since)

    def reach(self, first: int, last: int) -> None:
        """Take these ordinals for looked at."""
        self.low, self.high = min(self.low, first), max(self.high, last)


def touches(window: Selection, min_ts: int, max_ts: int) -> bool:
    """Whether a window has something of the time from `min_ts` to `max_ts`, both ns and inclusive."""
    if max_ts < window.lowest_ns:
        return False
    return window.until_ns is None or min_ts < window.highest_ns


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


def follow(
    pieces: Iterable[Piece | None],
    window: Selection,
    *,
    begins: bool,
    started_ns: int | None,
    end: End | None,
) -> Account:
    """The account of a stream whose times never go back, from its pieces in order.

    A hole counts where the time between its neighbours touches the window. None stands for a piece that
    cannot be read and is outside the window. `begins` says that the ordinals before the first piece are
    missing too, since `started_ns`.
    """
    walk = _Walk(window, 0 if begins else None, started_ns)
    for piece in pieces:
        walk.take(piece)
    if end is not None:
        walk.end(end)
    return walk.account


class _Walk:
    def __init__(self, window: Selection, reached: int | None, started_ns: int | None) -> None:
        self.account = Account()
        self._window = window
        self._reached = reached  # the last ordinal so far, None where nobody can tell
        self._started = started_ns
        self._then: int | None = None  # the time of that event

    def take(self, piece: Piece | None) -> None:
        if piece is None:
            self._reached = None
            return
        since = self._started if self._then is None else self._then
        self._hole(piece.first - 1, piece.min_ts if since is None else since, piece.min_ts)
        if touches(self._window, piece.min_ts, piece.max_ts):
            self.account.add(piece)
            self.account.miss(piece.missing, piece.min_ts)
        self._reached = max(self._reached or 0, piece.last)
        self._then = piece.max_ts if self._then is None else max(self._then, piece.max_ts)

    def end(self, end: End) -> None:
        since = end.started_ns if self._then is None else self._then
        until = end.ended_ns if end.ended_ns is not None else _LATEST
        self._hole(end.last_ordinal, _EARLIEST if since is None else since, until)

    def _hole(self, last: int, since: int, until: int) -> None:
        """The ordinals up to `last` that did not come, between two times: a clock may have been set back."""
        if self._reached is None or last <= self._reached:
            return
        if touches(self._window, min(since, until), max(since, until)):
            self.account.miss(last - self._reached, min(since, until))
            self.account.reach(self._reached + 1, last)


def weave(
    pieces: Iterable[Piece],
    others: Callable[[], Iterable[Piece]],
    window: Selection,
    *,
    begins: bool,
    end: End | None,
) -> Account:
    """The account of a stream whose times may go back, as those of an import: ordinals then alternate
    between days, and missing is what no piece has of the ordinals looked at.

    `others` gives pieces beside `pieces`, of days outside the window; it is called only where something
    seems to be missing. `begins` says that the ordinals before the first piece are missing too.
    """
    account = Account()
    outside: list[Piece] = []
    for piece in pieces:
        if touches(window, piece.min_ts, piece.max_ts):
            account.add(piece)
        else:
            outside.append(piece)
    if begins and account.high:
        account.reach(1, 1)
    if is_unbounded(window) and end is not None and end.last_ordinal:
        account.reach(1, end.last_ordinal)
    missing = max(account.high - account.low + 1, 0) - account.kept - account.pruned
    if missing > 0 and not is_unbounded(window):
        missing -= sum(_within(piece, account) for piece in chain(outside, others()))
    account.miss(missing, _EARLIEST)
    return account


def is_unbounded(window: Selection) -> bool:
    """Whether all of the time is asked about."""
    return window.since_ns is None and window.until_ns is None


def _within(piece: Piece, account: Account) -> int:
    """Events of a piece that have ordinals of the span looked at, as many as there can be."""
    overlap = min(piece.last, account.high) - max(piece.first, account.low) + 1
    return min(max(overlap, 0), piece.events)


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


def _holds(window: Selection, piece: Piece) -> bool:
    """Whether all of a piece is in the window."""
    if piece.min_ts < window.lowest_ns:
        return False
    return window.until_ns is None or piece.max_ts < window.highest_ns


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
    low, high = window.lowest_ns, window.highest_ns if window.until_ns is not None else _LATEST + 1

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
