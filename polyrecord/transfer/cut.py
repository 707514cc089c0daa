"""A selection of a source as an archive of its own, small enough to send."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from polyrecord.errors import NotFound
from polyrecord.events.routes import EVENTS
from polyrecord.format.constants import VERSION
from polyrecord.read.archive import ShardInfo
from polyrecord.read.blocks import lines
from polyrecord.read.coverage import coverage, unclean_writers
from polyrecord.read.event import NotAnEvent
from polyrecord.read.explain import Explain
from polyrecord.read.lines import read_head
from polyrecord.read.order import never_goes_back
from polyrecord.read.replay import prefer_exact
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source
from polyrecord.record.identity import read_manifest
from polyrecord.record.verbatim import VerbatimWriter
from polyrecord.times import format_ts, parse_ts
from polyrecord.transfer.ledger import joined, read_ledger
from polyrecord.transfer.pick import Pick
from polyrecord.transfer.place import check_out, new_archive
from polyrecord.transfer.rows import missing_of
from polyrecord.transfer.strand import Strand, place_of
from polyrecord.transfer.union import Tally, write_strand
from polyrecord.version import __version__

OnProgress: TypeAlias = Callable[[int, int], None]
"""Told how many bytes of the source have been dealt with, and of how many."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be cut out: the selection, or of it the events of any of `traces`.

    With `around_ns` everything from so long before the first of these events to so long after the last.
    `words` are the selection as it was typed, for the manifests.
    """

    selection: Selection
    traces: tuple[str, ...] = ()
    around_ns: int | None = None
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """An archive that was written: `ledger` of its events were not asked for, they say what was lost."""

    path: Path
    events: int
    ledger: int
    writers: int
    shards: int
    bytes: int


def cut(
    source: Source, wanted: Wanted, out: Path, explain: Explain, on_progress: OnProgress | None = None
) -> Written:
    """Write what is wanted of a source as an archive, or as a tar of one where `out` ends in `.tar`.

    Nothing is at `out` before it is whole. Raises NotFound when there is no such event, UsageError when
    something is there already, OSError.
    """
    check_out(out)
    pick = _pick(source, wanted, explain)
    infos = sorted(source.shards(pick.window, explain), key=lambda info: (info.name.writer, info.name.number))
    job = _Cut(source, pick, explain, on_progress, _about(source, pick, wanted))
    with new_archive(out) as root:
        job.write(root, infos)
        if not job.tally.asked:
            raise NotFound("no such events", path=source.root)
        shards, size = job.shards, sum(path.stat().st_size for path in job.shards)
    return Written(out, job.events, job.tally.ledger, job.writers, len(shards), size)


def _pick(source: Source, wanted: Wanted, explain: Explain) -> Pick:
    selections = [replace(wanted.selection, trace=trace) for trace in wanted.traces] or [wanted.selection]
    exact = tuple(prefer_exact(source, selection, explain) for selection in selections)
    if wanted.around_ns is None:
        return Pick(exact)
    return Pick((_around(source, exact, wanted.around_ns),))


def _around(source: Source, selections: tuple[Selection, ...], around_ns: int) -> Selection:
    """Everything of the window from so long before the first selected event to so long after the last."""
    times = [ends for selection in selections for ends in _ends(source, selection)]
    if not times:
        raise NotFound("no such events", path=source.root)
    whole = selections[0]
    since, until = min(times) - around_ns, max(times) + around_ns + 1
    return Selection(
        since if whole.since_ns is None else max(since, whole.since_ns),
        until if whole.until_ns is None else min(until, whole.until_ns),
        streams=whole.streams,
    )


def _ends(source: Source, selection: Selection) -> Iterator[int]:
    """The first and the last time of the selected events, in ns; nothing where there are none."""
    first, last = b"~", b""
    for line in lines(source, selection, Explain()):
        try:
            ts = read_head(line).ts
        except NotAnEvent:
            continue
        first, last = min(first, ts), max(last, ts)
    if last:
        yield parse_ts(first.decode())
        yield parse_ts(last.decode())


def _about(source: Source, pick: Pick, wanted: Wanted) -> dict[str, Any]:
    """What the manifests say of the cut: of when, with what, which selection, and how whole it was."""
    window = pick.selections[0]
    whole = coverage(source, Selection(window.since_ns, window.until_ns, streams=window.streams), Explain())
    return {
        "at": format_ts(time.time_ns()),
        "polyrecord": __version__,
        "selection": {
            "since": None if window.since_ns is None else format_ts(window.since_ns),
            "until": None if window.until_ns is None else format_ts(window.until_ns),
            "words": list(wanted.words),
        },
        "coverage": {
            "events": whole.events,
            "lost": whole.lost,
            "unknown": whole.unknown,
            "unclean": list(whole.unclean),
        },
    }


class _Cut:
    """Writes writer by writer, stream by stream; one block of each stream is in memory."""

    def __init__(
        self,
        source: Source,
        pick: Pick,
        explain: Explain,
        on_progress: OnProgress | None,
        about: dict[str, Any],
    ) -> None:
        self._source, self._pick, self._explain = source, pick, explain
        self._on_progress, self._about = on_progress, about
        self._done = self._total = 0
        self._declared = read_ledger(source, pick.window)
        self.tally = Tally()
        self.events = self.writers = 0
        self.shards: list[Path] = []

    def write(self, root: Path, infos: list[ShardInfo]) -> None:
        """Write what is taken of these shards below `root`."""
        self._total = sum(info.path.stat().st_size for info in infos if info.path.exists())
        unclean = (
            set(unclean_writers(self._source, infos, Explain())) if self._source.has_manifests else set()
        )
        for writer, own in groups(infos, lambda info: info.name.writer).items():
            manifest = self._manifest(writer, is_clean=writer not in unclean)
            with VerbatimWriter(root, writer, manifest) as to:
                self._write_writer(to, own)
                shards = to.finish(clean=writer not in unclean)
            self.shards += shards
            self.events += to.events
            self.writers += bool(shards)

    def _write_writer(self, to: VerbatimWriter, own: list[ShardInfo]) -> None:
        for chain in groups(own, lambda info: info.name.stream).values():
            name = chain[0].name
            whole, inside = (joined([declared], (name.writer, name.stream)) for declared in self._declared)
            lost = None if never_goes_back(name.writer) else self._missing(chain[0])
            for part in strands_of(chain):
                strand = Strand(
                    part, self._pick, self._explain, alone=True, lost_before=lost, declared=whole,
                    on_progress=self._advance,
                )  # fmt: skip
                write_strand(strand, place_of(part[0]) or EVENTS, to, self.tally, inside)
                lost = None if lost is None else 0

    def _missing(self, one: ShardInfo) -> int:
        """What is missing in the stream of an import, whose shards of several dates alternate."""
        if one.is_log:
            return 0
        listed = self._source.shards(Selection(streams=frozenset({one.name.stream})))
        return missing_of([info for info in listed if info.name.writer == one.name.writer], self._pick.window)

    def _advance(self, more: int) -> None:
        self._done += more
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)

    def _manifest(self, writer: str, *, is_clean: bool) -> dict[str, Any]:
        known = read_manifest(self._source.root, writer) if self._source.has_manifests else None
        at = self._about["at"]
        base = known or {"writer": writer, "kind": "cut", "format": VERSION, "started": at, "ended": at}
        about = {**self._about, "of": base["cut"]} if "cut" in base else self._about
        return {**base, "ended": base.get("ended") if is_clean else None, "cut": about}


def groups(infos: list[ShardInfo], key: Callable[[ShardInfo], str]) -> dict[str, list[ShardInfo]]:
    """Shards by what a key says of them, in the order they come."""
    found: dict[str, list[ShardInfo]] = {}
    for info in infos:
        found.setdefault(key(info), []).append(info)
    return found


def strands_of(chain: list[ShardInfo]) -> list[list[ShardInfo]]:
    """A writer's shards of one stream as rows of shards that follow each other: an import has one a date."""
    if never_goes_back(chain[0].name.writer):
        return [chain]
    return list(groups(chain, lambda info: info.name.date).values())
