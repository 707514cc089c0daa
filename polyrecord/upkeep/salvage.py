"""Everything readable of a damaged archive as a new one, which is verified before it takes its place.

Whole shards are copied. Of damaged ones the whole blocks are, byte for byte, into shards of the same names:
writers, seqs and ordinals stay what they were, so what is missing can still be told from them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from polyrecord.errors import ArchiveMissing, DataError, UsageError
from polyrecord.format.layout import ShardName
from polyrecord.read.archive import Archive, ShardInfo
from polyrecord.read.blocks import chunks
from polyrecord.read.coverage import unclean_writers
from polyrecord.read.explain import Explain
from polyrecord.read.order import never_goes_back
from polyrecord.read.selection import Selection
from polyrecord.record.files import make_directory, sync_directory
from polyrecord.record.identity import write_manifest
from polyrecord.record.recovery.find import read_manifest
from polyrecord.record.regular import read_at
from polyrecord.times import format_ts
from polyrecord.transfer.place import check_out, new_archive
from polyrecord.upkeep.copying import copy_bytes, copy_folders
from polyrecord.upkeep.living import manifest_place
from polyrecord.upkeep.mended import note_removed, write_mended
from polyrecord.upkeep.names import list_archive
from polyrecord.upkeep.opening import open_shard, tell_unreadable
from polyrecord.upkeep.parts import parts_of
from polyrecord.upkeep.problems import Kind, Problem
from polyrecord.upkeep.salvage_tally import Salvaged, SalvageTally
from polyrecord.upkeep.shard_check import check_shard
from polyrecord.upkeep.shard_facts import ShardFacts
from polyrecord.upkeep.verify import Verification, verify
from polyrecord.version import __version__

OnProgress: TypeAlias = Callable[[int, int], None]
"""Told how many bytes have been dealt with, and of how many."""


def salvage(root: Path, out: Path, on_progress: OnProgress | None = None) -> Salvaged:
    """Write everything readable to a new archive, or to a tar of one where `out` ends in `.tar`.

    Nothing is written to `root`. The new archive is at `out` only when all of it was read back: otherwise
    DataError is raised, and nothing is there. Raises ArchiveMissing, UsageError, OSError.
    """
    _check_place(root, out)
    readable = _readable(root)
    with new_archive(out) as place:
        job = _Salvage(root, place, on_progress)
        job.run()
        found = _verified(place, on_progress)
        _check(job.tally, found, readable, out)
    return job.tally.result(out, found)


def look(root: Path, on_progress: OnProgress | None = None) -> Salvaged:
    """What `salvage` would keep; nothing is written."""
    job = _Salvage(root, None, on_progress)
    job.run()
    return job.tally.result(None, None)


def _check_place(root: Path, out: Path) -> None:
    check_out(out)
    if out.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            "lies inside the archive", path=out, hint="nothing is ever written to a damaged archive"
        )


def _readable(root: Path) -> int:
    """Events that the reading side gives of an archive."""
    if not list_archive(root).shards:  # raises where there is no archive
        return 0
    return sum(chunk.count(b"\n") for chunk in chunks(Archive(root), Selection(), Explain()))


def _verified(place: Path, on_progress: OnProgress | None) -> Verification | None:
    try:
        return verify(place, on_progress)
    except ArchiveMissing:  # nothing could be kept
        return None


def _check(tally: SalvageTally, found: Verification | None, readable: int, out: Path) -> None:
    """Raise DataError unless all that was written is in the new archive, and all that could be read."""
    events = 0 if found is None else found.events
    damaged = [problem for problem in found.problems if problem.kind is Kind.BYTES] if found else []
    if damaged or events != tally.events:
        first = damaged[0] if damaged else None
        what = f"{tally.events:,} events were written, {events:,} can be read back"
        raise DataError(
            f"the new archive is not good: {first.what if first else what}; it was removed",
            path=str(first.path) if first else out, offset=first.offset if first else None,
            hint="nothing was changed in the damaged one; is the disk of --out good?",
        )  # fmt: skip
    if events + tally.left_out < readable:
        what = f"{readable:,} events can be read of the archive, {events:,} of the new one; it was removed"
        raise DataError(what, path=tally.root, hint="please report this: nothing readable may be left out")


class _Salvage:
    """One pass over the archive; without `place` nothing is written."""

    def __init__(self, root: Path, place: Path | None, on_progress: OnProgress | None) -> None:
        self.tally = SalvageTally(root, place)
        self._root, self._place, self._on_progress = root, place, on_progress
        self._ordinals: dict[tuple[str, str], int] = {}
        self._done = self._total = 0

    def run(self) -> None:
        listing = list_archive(self._root)
        self._total = listing.bytes
        for problem in listing.problems:
            self.tally.problems.add(problem)
        infos = [ShardInfo(self._root, name) for name in listing.shards]
        unclean = set(unclean_writers(Archive(self._root), infos, Explain())) if infos else set()
        for writer in sorted({name.writer for name in listing.shards} | set(listing.manifests)):
            self._manifest(writer, is_clean=writer not in unclean)
        for name in sorted(listing.shards):
            self._shard(name)
        if self._place is not None:
            for problem in copy_folders(self._root, self._place):
                self.tally.problems.add(problem)
        self.tally.close()

    def _manifest(self, writer: str, *, is_clean: bool) -> None:
        try:
            manifest = read_manifest(self._root, writer)
        except UsageError:
            return
        if manifest is None:
            self.tally.problems.add(Problem(manifest_place(writer), "manifest cannot be read"))
            return
        about: dict[str, Any] = {
            "at": format_ts(time.time_ns()),
            "polyrecord": __version__,
            "name": self._root.resolve().name,
            "clean": is_clean,
        }
        ended = manifest.get("ended") if is_clean else None
        if self._place is not None:
            write_manifest(self._place, writer, {**manifest, "ended": ended, "salvaged": about})

    # -- shards ----------------------------------------------------------------------------------------------

    def _shard(self, name: ShardName) -> None:
        try:
            opened = open_shard(self._root, name, self.tally.problems)
        except FileNotFoundError:
            return
        if opened is None:
            return
        name, descriptor = opened
        try:
            facts = check_shard(self._root, name, descriptor, self._advance)
            if name.sealed and not facts.problems:
                self._copy(facts, descriptor)
            else:
                self._mend(facts, descriptor)
        except OSError as error:
            if self._place is not None and (error.filename or "").startswith(str(self._place)):
                raise
            tell_unreadable(name, error, self.tally.problems)
        finally:
            os.close(descriptor)

    def _copy(self, facts: ShardFacts, descriptor: int) -> None:
        self.tally.copy(facts)
        self._note_ordinals(facts.name, [span.last for span in facts.spans])
        if self._place is not None:
            to = self._place / facts.name.path
            make_directory(to.parent)
            copy_bytes(descriptor, to)
            sync_directory(to.parent)

    def _mend(self, facts: ShardFacts, descriptor: int) -> None:
        """Keep the good parts of a shard that is damaged, or being written."""
        name, reading = facts.name, partial(read_at, descriptor)
        before = self._ordinals.get((name.writer, name.stream), 0 if name.number == 1 else None)
        parts = parts_of(reading, facts.size, before)
        self.tally.mend(facts, parts)
        self._note_ordinals(name, [part.last_ordinal for part in parts.kept])
        if parts.kept:
            write_mended(self._place, facts, parts, reading)
        elif self._place is not None:
            note_removed(self._place, facts)

    def _note_ordinals(self, name: ShardName, ordinals: list[int]) -> None:
        key = name.writer, name.stream
        if never_goes_back(name.writer) and ordinals:
            self._ordinals[key] = max(self._ordinals.get(key, 0), *ordinals)

    def _advance(self, more: int) -> None:
        self._done += more
        if self._on_progress is not None:
            self._on_progress(self._done, self._total)
