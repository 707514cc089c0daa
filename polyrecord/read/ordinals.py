"""One stream of one writer, counted: what is here, what was deleted, what is missing (docs/format.md, 7)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain

from polyrecord.read.pieces import Piece, is_unbounded, touches
from polyrecord.read.selection import Selection

_EARLIEST, _LATEST = -(1 << 63), (1 << 63) - 1


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


def _within(piece: Piece, account: Account) -> int:
    """Events of a piece that have ordinals of the span looked at, as many as there can be."""
    overlap = min(piece.last, account.high) - max(piece.first, account.low) + 1
    return min(max(overlap, 0), piece.events)
