"""What an archive can prove to be whole, from headers (docs/format.md, section 7; docs/retention.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from polyrecord.events.routes import TELEMETRY
from polyrecord.read.archive import ShardInfo
from polyrecord.read.ends import UncleanEnd, ends_of
from polyrecord.read.explain import Explain
from polyrecord.read.holdings import Holdings, Place
from polyrecord.read.losses import Lost, split_missing
from polyrecord.read.notices import gap_seconds
from polyrecord.read.order import never_goes_back
from polyrecord.read.ordinals import Account, follow, weave
from polyrecord.read.pieces import Piece, blocks_of, in_order, is_unbounded, piece_of_pruned, touches
from polyrecord.read.pruned import pruned_shards
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source

_TRIES = 3


@dataclass(frozen=True, slots=True)
class StreamCoverage:
    """How much of one stream is here, over all writers; the words are those of Coverage."""

    stream: str
    events: int
    lost: int
    unknown: int
    pruned: int


@dataclass(frozen=True, slots=True)
class Sampled:
    """The share of an event type that its writers were told to record, from the lowest to the highest."""

    event_type: str
    lowest: float
    highest: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what was to be recorded is here.

    `events` are kept, in whole blocks; `lost` were declared lost by their writer, `unknown` are missing
    without a word. `pruned` were deleted on purpose, and count neither as kept nor as missing. `gaps` of
    feeds, `gap_seconds` together, are what venues left out. `ends` are the writers that are gone without an
    orderly end, and what they may have lost by it. Plain gzip and text have no headers and are not counted:
    where damage made a block of ours look like plain gzip, its events are `unknown` here although they are
    read.
    """

    events: int
    lost: int
    unknown: int
    pruned: int = 0
    gaps: int = 0
    gap_seconds: float = 0.0
    ends: tuple[UncleanEnd, ...] = ()
    sampling: tuple[Sampled, ...] = ()
    streams: tuple[StreamCoverage, ...] = ()

    @property
    def ratio(self) -> float:
        """Kept of all that was not deleted on purpose, 0 to 1; 1 when there was nothing to keep."""
        total = self.events + self.lost + self.unknown
        return self.events / total if total else 1.0

    @property
    def unclean(self) -> tuple[str, ...]:
        """The writers that are gone without an orderly end."""
        return tuple(end.writer for end in self.ends)


def coverage(source: Source, selection: Selection | None = None, explain: Explain | None = None) -> Coverage:
    """Coverage of the blocks in a selection's window and streams; event types make no difference.

    What is missing between two blocks counts where the time between them touches the window.
    """
    wanted = selection or Selection()
    window = Selection(wanted.since_ns, wanted.until_ns, streams=wanted.streams)
    told = explain if explain is not None else Explain()
    for last in (False,) * (_TRIES - 1) + (True,):
        counts = Explain(strict=told.strict)
        ledger = _Ledger(source, window, counts)
        found = ledger.coverage()
        if last or not ledger.has_changed():
            break
    told.absorb(counts)
    return found


def unclean_ends(source: Source, shards: Iterable[ShardInfo], explain: Explain) -> tuple[UncleanEnd, ...]:
    """How those writers of these shards ended that are gone without an orderly end, by name."""
    gone = pruned_shards(source.root) if source.has_manifests else []
    return tuple(ends_of(source, source.shards(), {info.name.writer for info in shards}, gone, explain))


def unclean_writers(source: Source, shards: Iterable[ShardInfo], explain: Explain) -> tuple[str, ...]:
    """The writers of these shards that are gone without an orderly end."""
    return tuple(end.writer for end in unclean_ends(source, shards, explain))


class _Ledger:
    """Adds up one look at an archive, per writer and stream."""

    def __init__(self, source: Source, window: Selection, explain: Explain) -> None:
        self._source, self._explain = source, explain
        self._window, self._days = window, replace(window, streams=frozenset())
        self._holdings = Holdings(source, window)

    def has_changed(self) -> bool:
        """Whether shards were deleted while they were looked at."""
        return self._holdings.has_changed()

    def coverage(self) -> Coverage:
        accounts = {place: self._account(place) for place in self._holdings.places}
        counted = {place: one for place, one in accounts.items() if self._holdings.is_counted(place)}
        lost = self._losses(accounts)
        gaps = list(gap_seconds(self._telemetry(), self._window, self._beside()))
        missing = sum(account.missing for account in counted.values())
        explained = sum(each.explained for each in lost.values())
        torn = sum(self._torn(place) for place in counted)
        seen = {place[0] for place, account in accounts.items() if account.kept}
        return Coverage(
            events=sum(account.kept for account in counted.values()),
            lost=sum(each.total for each in lost.values()),
            unknown=missing - explained + torn,
            pruned=sum(account.pruned for account in counted.values()),
            gaps=len(gaps),
            gap_seconds=sum(gaps),
            ends=self._ends(),
            sampling=self._sampling(seen),
            streams=tuple(self._streams(counted, lost)),
        )

    # -- one stream of one writer ----------------------------------------------------------------------------

    def _account(self, place: Place) -> Account:
        holdings, window = self._holdings, self._days
        shards, gone, end = holdings.shards(place), holdings.pruned_at(place), holdings.end(place)
        if not gone and holdings.is_elsewhere(place):
            return Account()
        if never_goes_back(place[0]):
            begins = self._begins(shards)
            pieces = in_order(shards, gone, window, self._explain)
            return follow(pieces, window, begins=begins, started_ns=holdings.started(place[0]), end=end)
        inside = list(holdings.inside(place))

        def others() -> Iterator[Piece]:
            outside = (info for info in shards if info not in inside)
            return chain.from_iterable(blocks_of(info, self._window, self._beside()) for info in outside)

        begins = self._begins(shards) if is_unbounded(window) else self._first_is_inside(inside)
        blocks = chain.from_iterable(blocks_of(info, self._window, self._explain) for info in inside)
        deleted = (piece_of_pruned(shard) for shard in gone if shard.last_ordinal)
        return weave(chain(blocks, deleted), others, window, begins=begins, end=end)

    def _begins(self, shards: Sequence[ShardInfo]) -> bool:
        """Whether the first shard of a stream is here, or should be."""
        return self._holdings.is_whole or any(info.name.number == 1 for info in shards[:1])

    def _first_is_inside(self, inside: list[ShardInfo]) -> bool:
        """Whether the very first block of a stream is in the window."""
        first = next((info for info in inside if info.name.number == 1), None)
        piece = None if first is None else next(blocks_of(first, self._window, self._beside()), None)
        return piece is not None and touches(self._window, piece.min_ts, piece.max_ts)

    def _torn(self, place: Place) -> int:
        """Events of a last member that is cut short, where no ordinal behind it tells of them."""
        uncounted = [finding for finding in self._explain.damage if finding.uncounted]
        shards = self._holdings.shards(place)
        if not uncounted or self._holdings.end(place) is not None or not shards:
            return 0
        return sum(finding.uncounted for finding in uncounted if finding.path == shards[-1].path)

    def _beside(self) -> Explain:
        """Counts of what is looked at a second time, and thrown away."""
        return Explain(strict=self._explain.strict)

    # -- all streams of one writer ---------------------------------------------------------------------------

    def _losses(self, accounts: dict[Place, Account]) -> dict[str, Lost]:
        by_writer: dict[str, dict[str, Account]] = defaultdict(dict)
        for (writer, stream), account in accounts.items():
            by_writer[writer][stream] = account
        return {writer: self._lost(writer, theirs) for writer, theirs in by_writer.items()}

    def _lost(self, writer: str, theirs: dict[str, Account]) -> Lost:
        ledger, gone = self._holdings.shards((writer, TELEMETRY)), self._holdings.pruned_of(writer)
        manifest = self._holdings.manifests.get(writer)
        renumbered = manifest is not None and manifest.is_renumbered
        return split_missing(theirs, self._window, ledger, gone, self._beside(), renumbered=renumbered)

    # -- the whole archive -----------------------------------------------------------------------------------

    def _telemetry(self) -> Iterator[ShardInfo]:
        """The shards in which gaps of the window are told."""
        for place in self._holdings.places:
            if place[1] == TELEMETRY:
                yield from self._holdings.inside(place)

    def _ends(self) -> tuple[UncleanEnd, ...]:
        holdings = self._holdings
        writers = {info.name.writer for info in holdings.inside()}
        ends = ends_of(self._source, holdings.everything, writers, holdings.pruned, self._explain)
        return tuple(end for end in ends if self._may_have_lost(end))

    def _may_have_lost(self, end: UncleanEnd) -> bool:
        """Whether what went missing at an end can be of the window."""
        if end.last_ts is None:
            return True
        until = end.last_ts + round((end.seconds or 0.0) * 1e9)
        return touches(self._window, end.last_ts, until)

    def _sampling(self, writers: set[str]) -> tuple[Sampled, ...]:
        rates: dict[str, list[float]] = defaultdict(list)
        for writer in writers & self._holdings.manifests.keys():
            for name, rate in self._holdings.manifests[writer].sampling.items():
                rates[name].append(rate)
        return tuple(Sampled(name, min(told), max(told)) for name, told in sorted(rates.items()))

    def _streams(self, counted: dict[Place, Account], lost: dict[str, Lost]) -> Iterator[StreamCoverage]:
        for stream in sorted({place[1] for place in counted}):
            theirs = {writer: account for (writer, name), account in counted.items() if name == stream}
            declared = {writer: lost[writer].streams.get(stream, 0) for writer in theirs}
            explained = sum(min(declared[writer], account.missing) for writer, account in theirs.items())
            missing = sum(account.missing for account in theirs.values())
            torn = sum(self._torn((writer, stream)) for writer in theirs)
            yield StreamCoverage(
                stream,
                sum(account.kept for account in theirs.values()),
                sum(declared.values()),
                missing - explained + torn,
                sum(account.pruned for account in theirs.values()),
            )
