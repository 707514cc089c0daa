"""What an archive can prove to be whole, from headers (docs/format.md, section 7; docs/retention.md)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import TypeAlias

from polyrecord.events.routes import TELEMETRY
from polyrecord.read.archive import ShardInfo
from polyrecord.read.ends import UncleanEnd, ends_of
from polyrecord.read.explain import Explain
from polyrecord.read.losses import Lost, split_missing
from polyrecord.read.manifests import Manifest, manifest_writers, read_manifest
from polyrecord.read.notices import gap_seconds
from polyrecord.read.order import never_goes_back
from polyrecord.read.ordinals import (
    Account,
    End,
    Piece,
    blocks_of,
    follow,
    in_order,
    is_unbounded,
    piece_of_pruned,
    touches,
    weave,
)
from polyrecord.read.pruned import PrunedShard, pruned_shards
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source

_TRIES = 3
_Place: TypeAlias = tuple[str, str]  # writer, stream


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
        self._source, self._window, self._explain = source, window, explain
        self._whole = source.has_manifests  # else a few files, of which nobody can tell what was beside them
        self._shards: dict[_Place, list[ShardInfo]] = defaultdict(list)
        self._everything = source.shards()
        for info in self._everything:
            self._shards[info.name.writer, info.name.stream].append(info)
        self._pruned: dict[_Place, list[PrunedShard]] = defaultdict(list)
        # After the shards: one that is deleted between is then in both, and passed over where it is opened.
        self._gone = pruned_shards(source.root) if self._whole else []
        self._gone_of: dict[str, list[PrunedShard]] = defaultdict(list)
        for shard in self._gone:
            self._pruned[shard.name.writer, shard.name.stream].append(shard)
            self._gone_of[shard.name.writer].append(shard)
        self._manifests = self._read_manifests()
        self._last: dict[_Place, End] = dict(self._read_ends())
        self._places = sorted(
            filter(self._is_wanted, self._shards.keys() | self._pruned.keys() | self._last.keys())
        )

    def has_changed(self) -> bool:
        """Whether shards were deleted while they were looked at."""
        if not self._whole or all(info.path.exists() or info.sealed_path.exists() for info in self._opened()):
            return False
        return pruned_shards(self._source.root) != self._gone

    def _read_manifests(self) -> dict[str, Manifest]:
        names = manifest_writers(self._source.root) if self._whole else []
        found = (read_manifest(self._source.root, name) for name in names)
        return {manifest.writer: manifest for manifest in found if manifest is not None}

    def coverage(self) -> Coverage:
        accounts = {place: self._account(place) for place in self._places}
        counted = {place: account for place, account in accounts.items() if self._is_counted(place[1])}
        by_writer: dict[str, dict[str, Account]] = defaultdict(dict)
        for (writer, stream), account in accounts.items():
            by_writer[writer][stream] = account
        lost = {writer: self._losses(writer, theirs) for writer, theirs in by_writer.items()}
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

    def _read_ends(self) -> Iterator[tuple[_Place, End]]:
        """How far writers that ended in order say that their streams went."""
        for writer, manifest in self._manifests.items():
            for stream, totals in manifest.totals.items():
                yield (writer, stream), End(totals.last_ordinal, manifest.started_ns, manifest.ended_ns)

    def _is_wanted(self, place: _Place) -> bool:
        """Whether a stream is asked about, or told of losses in."""
        return place[1] == TELEMETRY or self._is_counted(place[1])

    def _is_counted(self, stream: str) -> bool:
        return self._window.takes_stream(stream)

    def _opened(self) -> Iterator[ShardInfo]:
        """The shards that were looked into."""
        for place in self._places:
            yield from self._inside(place)

    def _inside(self, place: _Place) -> Iterator[ShardInfo]:
        days = replace(self._window, streams=frozenset())
        return (info for info in self._shards.get(place, ()) if info.may_hold(days))

    def _account(self, place: _Place) -> Account:
        window = replace(self._window, streams=frozenset())
        shards, gone, end = self._shards.get(place, []), self._pruned.get(place, []), self._last.get(place)
        if not gone and self._is_elsewhere(place):
            return Account()
        begins = self._whole or any(info.name.number == 1 for info in shards[:1])
        if never_goes_back(place[0]):
            pieces = in_order(shards, gone, window, self._explain)
            return follow(pieces, window, begins=begins, started_ns=self._started(place[0]), end=end)
        inside = list(self._inside(place))

        def others() -> Iterator[Piece]:
            outside = (info for info in shards if info not in inside)
            return chain.from_iterable(blocks_of(info, self._window, self._beside()) for info in outside)

        if not is_unbounded(window):
            begins = self._first_is_inside(inside)
        blocks = chain.from_iterable(blocks_of(info, self._window, self._explain) for info in inside)
        deleted = (piece_of_pruned(shard) for shard in gone if shard.last_ordinal)
        return weave(chain(blocks, deleted), others, window, begins=begins, end=end)

    def _is_elsewhere(self, place: _Place) -> bool:
        """Whether nothing of a stream can be in the window: no shard by its date, nor the session at all."""
        manifest = self._manifests.get(place[0])
        if manifest is None or manifest.started_ns is None or manifest.ended_ns is None:
            return False
        is_then = touches(self._window, manifest.started_ns, max(manifest.started_ns, manifest.ended_ns))
        return not is_then and next(self._inside(place), None) is None

    def _first_is_inside(self, inside: list[ShardInfo]) -> bool:
        """Whether the very first block of a stream is in the window."""
        first = next((info for info in inside if info.name.number == 1), None)
        piece = None if first is None else next(blocks_of(first, self._window, self._beside()), None)
        return piece is not None and touches(self._window, piece.min_ts, piece.max_ts)

    def _torn(self, place: _Place) -> int:
        """Events of a last member that is cut short, where no ordinal behind it tells of them."""
        uncounted = [finding for finding in self._explain.damage if finding.uncounted]
        if not uncounted or place in self._last or not self._shards.get(place):
            return 0
        last = self._shards[place][-1].path
        return sum(finding.uncounted for finding in uncounted if finding.path == last)

    def _beside(self) -> Explain:
        """Counts of what is looked at a second time, and thrown away."""
        return Explain(strict=self._explain.strict)

    def _started(self, writer: str) -> int | None:
        manifest = self._manifests.get(writer)
        return None if manifest is None else manifest.started_ns

    def _losses(self, writer: str, theirs: dict[str, Account]) -> Lost:
        ledger = self._shards.get((writer, TELEMETRY), [])
        gone = self._gone_of.get(writer, [])
        manifest = self._manifests.get(writer)
        renumbered = manifest is not None and manifest.is_renumbered
        return split_missing(theirs, self._window, ledger, gone, self._beside(), renumbered=renumbered)

    def _telemetry(self) -> Iterator[ShardInfo]:
        """The shards in which gaps of the window are told."""
        for place in self._places:
            if place[1] == TELEMETRY:
                yield from self._inside(place)

    def _ends(self) -> tuple[UncleanEnd, ...]:
        writers = {info.name.writer for info in self._opened()}
        ends = ends_of(self._source, self._everything, writers, self._gone, self._explain)
        return tuple(end for end in ends if self._may_have_lost(end))

    def _may_have_lost(self, end: UncleanEnd) -> bool:
        """Whether what went missing at an end can be of the window."""
        if end.last_ts is None:
            return True
        until = end.last_ts + round((end.seconds or 0.0) * 1e9)
        return touches(self._window, end.last_ts, until)

    def _sampling(self, writers: set[str]) -> tuple[Sampled, ...]:
        rates: dict[str, list[float]] = defaultdict(list)
        for writer in writers & self._manifests.keys():
            for name, rate in self._manifests[writer].sampling.items():
                rates[name].append(rate)
        return tuple(Sampled(name, min(told), max(told)) for name, told in sorted(rates.items()))

    def _streams(self, counted: dict[_Place, Account], lost: dict[str, Lost]) -> Iterator[StreamCoverage]:
        for stream in sorted({place[1] for place in counted}):
            theirs = {writer: account for (writer, name), account in counted.items() if name == stream}
            declared = sum(lost[writer].streams.get(stream, 0) for writer in theirs)
            explained = sum(
                min(lost[writer].streams.get(stream, 0), account.missing)
                for writer, account in theirs.items()
            )
            missing = sum(account.missing for account in theirs.values())
            torn = sum(self._torn((writer, stream)) for writer in theirs)
            yield StreamCoverage(
                stream,
                sum(account.kept for account in theirs.values()),
                declared,
                missing - explained + torn,
                sum(account.pruned for account in theirs.values()),
            )
