"""Everything readable of a damaged archive as a new one, which is verified before it takes its place.

Whole shards are copied. Of damaged ones the whole blocks are, byte for byte, into shards of the same names:
writers, seqs and ordinals stay what they were, so what is missing can still be told from them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeAlias

import orjson

from polyrecord.errors import ArchiveMissing, DataError, UsageError
from polyrecord.format.block import BlockKeys, header_length, inflate, parse_header
from polyrecord.format.constants import UNINDEXED
from polyrecord.format.layout import QUARANTINE, REJECTS, ShardName
from polyrecord.read.archive import Archive, ShardInfo
from polyrecord.read.blocks import chunks
from polyrecord.read.coverage import unclean_writers
from polyrecord.read.explain import Explain
from polyrecord.read.order import never_goes_back
from polyrecord.read.selection import Selection
from polyrecord.record.files import ShardFile, make_directory, sync_directory, write_atomically
from polyrecord.record.identity import write_manifest
from polyrecord.record.line_keys import keys_of
from polyrecord.record.recovery.find import read_manifest
from polyrecord.record.recovery.quarantine import stem
from polyrecord.record.regular import open_regular, read_at
from polyrecord.record.rejects import RejectsFile
from polyrecord.record.verbatim import renumbered
from polyrecord.times import format_ts
from polyrecord.transfer.place import check_out, new_archive
from polyrecord.upkeep.copying import copy_bytes, copy_folders
from polyrecord.upkeep.names import list_archive
from polyrecord.upkeep.parts import Part, Parts, blocks_of, parts_of
from polyrecord.upkeep.problems import Kind, Problem, Problems
from polyrecord.upkeep.shard_check import check_shard
from polyrecord.upkeep.shard_facts import ShardFacts
from polyrecord.upkeep.verify import Verification, verify
from polyrecord.version import __version__

OnProgress: TypeAlias = Callable[[int, int], None]
"""Told how many bytes have been dealt with, and of how many."""

UNPLACED: Final = "salvage"  # logs/_rejects/salvage.jsonl


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was kept, or with `out` None would be: `copied` of the shards are as they were.

    `rescued` events were in blocks without a valid header. `lost` is what damage took, as far as known, and
    `verification` what the new archive was found to be.
    """

    root: Path
    out: Path | None
    shards: int
    copied: int
    events: int
    rescued: int
    count: int
    losing: int
    lost_events: int
    problems: tuple[Problem, ...]
    verification: Verification | None = None

    @property
    def loses(self) -> bool:
        """Whether something is lost: to damage, or missing before."""
        return bool(self.losing) or (self.verification is not None and self.verification.loses)


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
        _check(job, found, readable, out)
    return job.result(out, found)


def look(root: Path, on_progress: OnProgress | None = None) -> Salvaged:
    """What `salvage` would keep; nothing is written."""
    job = _Salvage(root, None, on_progress)
    job.run()
    return job.result(None, None)


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


def _check(job: _Salvage, found: Verification | None, readable: int, out: Path) -> None:
    """Raise DataError unless all that was written is in the new archive, and all that could be read."""
    events = 0 if found is None else found.events
    damaged = [problem for problem in found.problems if problem.kind is Kind.BYTES] if found else []
    if damaged or events != job.events:
        first = damaged[0] if damaged else None
        what = f"{job.events:,} events were written, {events:,} can be read back"
        raise DataError(
            f"the new archive is not good: {first.what if first else what}; it was removed",
            path=str(first.path) if first else out, offset=first.offset if first else None,
            hint="nothing was changed in the damaged one; is the disk of --out good?",
        )  # fmt: skip
    if events + job.left_out < readable:
        what = f"{readable:,} events can be read of the archive, {events:,} of the new one; it was removed"
        raise DataError(what, path=job.root, hint="please report this: nothing readable may be left out")


@dataclass(slots=True)
class _Salvage:
    """One pass over the archive; without `place` nothing is written."""

    root: Path
    place: Path | None
    on_progress: OnProgress | None
    shards: int = 0
    copied: int = 0
    events: int = 0
    rescued: int = 0
    left_out: int = 0  # events that are there twice, or have no place
    problems: Problems = field(default_factory=Problems)
    _ordinals: dict[tuple[str, str], int] = field(default_factory=dict)
    _rejects: RejectsFile | None = None
    _done: int = 0
    _total: int = 0

    def run(self) -> None:
        listing = list_archive(self.root)
        self._total = listing.bytes
        for problem in listing.problems:
            self.problems.add(problem)
        infos = [ShardInfo(self.root, name) for name in listing.shards]
        unclean = set(unclean_writers(Archive(self.root), infos, Explain())) if infos else set()
        for writer in sorted({name.writer for name in listing.shards} | set(listing.manifests)):
            self._manifest(writer, is_clean=writer not in unclean)
        for name in sorted(listing.shards):
            self._shard(name)
        if self.place is not None:
            for problem in copy_folders(self.root, self.place):
                self.problems.add(problem)
        if self._rejects is not None:
            self._rejects.close()

    def result(self, out: Path | None, found: Verification | None) -> Salvaged:
        """What came of it."""
        kept = tuple(sorted(self.problems.kept, key=lambda one: not one.loses))
        return Salvaged(
            self.root, out, self.shards, self.copied, self.events, self.rescued, self.problems.count,
            self.problems.losing, self.problems.lost_events, kept, found,
        )  # fmt: skip

    def _manifest(self, writer: str, *, is_clean: bool) -> None:
        try:
            manifest = read_manifest(self.root, writer)
        except UsageError:
            return
        if manifest is None:
            self.problems.add(
                Problem(PurePosixPath("logs/_writers", f"{writer}.json"), "manifest cannot be read")
            )
            return
        about: dict[str, Any] = {
            "at": format_ts(time.time_ns()),
            "polyrecord": __version__,
            "name": self.root.resolve().name,
            "clean": is_clean,
        }
        ended = manifest.get("ended") if is_clean else None
        if self.place is not None:
            write_manifest(self.place, writer, {**manifest, "ended": ended, "salvaged": about})

    # -- shards ----------------------------------------------------------------------------------------------

    def _shard(self, name: ShardName) -> None:
        opened = self._open(name)
        if opened is None:
            return
        name, descriptor = opened
        try:
            facts = check_shard(self.root, name, descriptor, self._advance)
            if name.sealed and not facts.problems:
                self._copy(facts, descriptor)
            else:
                self._mend(facts, descriptor)
        except OSError as error:
            if self.place is not None and (error.filename or "").startswith(str(self.place)):
                raise
            self._unreadable(name, error)
        finally:
            os.close(descriptor)

    def _open(self, name: ShardName) -> tuple[ShardName, int] | None:
        for place in (name, name.as_sealed()):
            try:
                return place, open_regular(self.root / place.path)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._unreadable(place, error)
                return None
        return None

    def _unreadable(self, name: ShardName, error: OSError) -> None:
        what = f"shard cannot be read: {error.strerror}"
        self.problems.add(Problem(name.path, what, events=None, loses=True), name.writer)

    def _copy(self, facts: ShardFacts, descriptor: int) -> None:
        self.shards += 1
        self.copied += 1
        self.events += facts.events + facts.plain
        self._note_ordinals(facts.name, [span.last for span in facts.spans])
        if self.place is not None:
            to = self.place / facts.name.path
            make_directory(to.parent)
            copy_bytes(descriptor, to)
            sync_directory(to.parent)

    def _mend(self, facts: ShardFacts, descriptor: int) -> None:
        """Keep the good parts of a shard that is damaged, or being written."""
        name, reading = facts.name, partial(read_at, descriptor)
        parts = parts_of(reading, facts.size, self._ordinals.get((name.writer, name.stream), _first(name)))
        self._tell(facts, parts)
        self._note_ordinals(name, [part.last_ordinal for part in parts.kept])
        if parts.kept:
            self.shards += 1
            self.events += sum(part.events for part in parts.kept)
            clean = facts.clean and not any(problem.loses for problem in facts.problems)
            self._write(name, list(self._members(facts, parts, reading)) if self.place is None else
                        self._members(facts, parts, reading), clean=clean)  # fmt: skip
        elif self.place is not None:
            about = {
                "path": str(name.as_sealed().path),
                "removed": True,
                "reason": "nothing of it could be read",
            }
            to = self.place / QUARANTINE / name.writer / f"{stem(name)}0.json"
            write_atomically(
                to, orjson.dumps({**about, "at": format_ts(time.time_ns()), "bytes": facts.size})
            )

    def _members(
        self, facts: ShardFacts, parts: Parts, reading: Callable[[int, int], bytes]
    ) -> Iterator[bytes]:
        declares = never_goes_back(facts.name.writer)
        highest = max((span.last for span in facts.gone), default=0)
        for number, part in enumerate(parts.kept, 1):
            members = (
                blocks_of(part, declares=declares)
                if part.lines
                else iter([reading(part.offset, part.length)])
            )
            if number < len(parts.kept) or highest <= part.last_ordinal:
                yield from members
                continue
            *some, last = members
            yield from some
            first = parse_header(last[: header_length(last)]).first_ordinal
            yield renumbered(last, first, highest)  # so that what is lost behind it stays known

    def _write(self, name: ShardName, members: Iterator[bytes] | list[bytes], *, clean: bool) -> None:
        if self.place is None:
            return
        shard = ShardFile(self.place, replace(name, sealed=False), 0)
        for member in members:
            shard.append(member, _unlisted(member))
        sync_directory(shard.seal(clean=clean).parent)

    def _tell(self, facts: ShardFacts, parts: Parts) -> None:
        """The problems of a shard; what could be kept nevertheless is no loss."""
        saved = {part.offset: part for part in parts.kept if part.lines}
        for problem in facts.problems:
            part = saved.pop(problem.offset, None) if problem.offset is not None else None
            if part is None:
                self.problems.add(problem, facts.name.writer)
                continue
            self.rescued += part.events
            left = max((problem.events or 0) - part.events, 0) if problem.events is not None else 0
            what = f"{problem.what}; {part.events:,} events of it were saved"
            self.problems.add(replace(problem, what=what, events=left, loses=left > 0), facts.name.writer)
        self.rescued += sum(part.events for part in saved.values())
        path = facts.name.path
        for part in parts.dropped:
            is_twice = any(
                (one.first_seq, one.last_seq) == (part.first_seq, part.last_seq) for one in parts.kept
            )
            what = "a block that is there twice" if is_twice else "a block whose numbers others have too"
            self.left_out += part.events
            events = 0 if is_twice else part.events
            self.problems.add(Problem(path, what, part.offset, part.length, events, loses=not is_twice))
        for part in parts.unplaced:
            self._reject(path, part)

    def _reject(self, path: PurePosixPath, part: Part) -> None:
        self.left_out += part.events
        why = "without a place" if part.proven else "of a gzip member that is not whole"
        what = f"{part.events:,} lines {why}; they are in {REJECTS}/{UNPLACED}.jsonl"
        self.problems.add(Problem(path, what, part.offset, part.length))
        if self.place is None:
            return
        self._rejects = self._rejects or RejectsFile(self.place, UNPLACED)
        for number, line in enumerate(part.lines, 1):
            self._rejects.add(
                number, "unplaced" if part.proven else "unproven", f"{path} at byte {part.offset}", line
            )
        self._rejects.flush()

    def _note_ordinals(self, name: ShardName, ordinals: list[int]) -> None:
        key = name.writer, name.stream
        if never_goes_back(name.writer) and ordinals:
            self._ordinals[key] = max(self._ordinals.get(key, 0), *ordinals)

    def _advance(self, more: int) -> None:
        self._done += more
        if self.on_progress is not None:
            self.on_progress(self._done, self._total)


def _unlisted(member: bytes) -> BlockKeys | None:
    """The keys of a block whose header lists none."""
    header = parse_header(member)
    return keys_of(inflate(member, header), header) if header.flags & UNINDEXED else None


def _first(name: ShardName) -> int | None:
    return 0 if name.number == 1 else None
