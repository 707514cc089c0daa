"""Retention applied to an archive. Every step may be the last: a rerun goes on, and nothing is untold.

1. the ledger (logs/_pruned) says what goes, on the disk; a line whose shard is still there says nothing yet;
2. where shards move, each is copied to the other archive, read back, and proven the same, before 1;
3. the shards are removed, then folders of days that are empty.

Two of these at once do the same twice: a shard that is gone already is no error. Open shards, and those of
runs that are kept, are never touched.
"""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from polyrecord.errors import ArchiveMissing, PolyrecordError
from polyrecord.format.layout import PRUNED, manifest_path
from polyrecord.read.archive import Archive, ShardInfo
from polyrecord.read.manifests import manifest_writers
from polyrecord.read.pieces import whole_of
from polyrecord.read.pruned import read_ledger
from polyrecord.upkeep.deletion import delete_shard, entry_of, file_entry, write_ledger
from polyrecord.upkeep.facts import read_facts
from polyrecord.upkeep.labels import labels_of
from polyrecord.upkeep.moving import Mover, check_target
from polyrecord.upkeep.retention import FOLDERS, Decision, Facts, Leaving, Retention, decide

OnProgress: TypeAlias = Callable[[int, int], None]
"""Told how many shards were looked at or removed, and of how many."""

MOVED: Final = "archived"


@dataclass(frozen=True, slots=True)
class OtherFile:
    """A file that is no shard and has to go: its place in the archive, its bytes, why."""

    place: str
    bytes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be moved or removed, and why; it is where it was."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, or with `dry_run` would be; `freed` are its bytes.

    `withheld` are the streams whose age was not applied: the clock says that even the newest event of the
    archive is too old. `held` are shards of runs that are kept, `unknown` names to be kept that fit no run.
    """

    root: Path
    dry_run: bool
    shards: tuple[Leaving, ...]
    files: tuple[OtherFile, ...]
    held: tuple[Facts, ...]
    withheld: tuple[str, ...]
    unknown: tuple[str, ...]
    failed: tuple[Failure, ...]

    @property
    def freed(self) -> int:
        """Bytes."""
        return sum(one.shard.bytes for one in self.shards) + sum(file.bytes for file in self.files)


def prune(
    root: Path,
    retention: Retention,
    now_ns: int,
    *,
    dry_run: bool = False,
    force: bool = False,
    on_progress: OnProgress | None = None,
) -> Pruned:
    """Remove what a retention does not keep; `now_ns` is the time by which ages are judged.

    With `force` ages are applied although the newest event is too old by this clock. Raises ArchiveMissing,
    UsageError where shards would move to where they are, DataError and OSError where the archive cannot be
    listed or the ledger cannot be written.
    """
    for policy in retention.policies.values():
        check_target(root, policy.archive_to)
    return _Prune(root, retention, now_ns, dry_run, force, on_progress or _silent).run()


@dataclass(slots=True)
class _Prune:
    root: Path
    retention: Retention
    now_ns: int
    dry_run: bool
    force: bool
    progress: OnProgress
    failed: list[Failure] = field(default_factory=list)

    def run(self) -> Pruned:
        shards = self._shards()
        labels = self._labels({info.name.writer for info in shards} | set(manifest_writers(self.root)))
        held = frozenset(writer for writer, told in labels.items() if self.retention.holds(writer, told))
        sealed = list(self._facts(shards))
        newest = self._newest(shards, sealed)
        decision = decide(sealed, self.retention, self.now_ns, newest_ns=newest, held=held, force=self.force)
        believed = self.force or not decision.withheld
        files = list(self._files(newest, held, decision, shards)) if believed else []
        gone = decision.leaving if self.dry_run else tuple(self._remove(decision.leaving))
        files = files if self.dry_run else list(self._remove_files(files))
        return Pruned(
            self.root, self.dry_run, gone, tuple(files), decision.held, decision.withheld,
            self._unknown(labels), tuple(self.failed),
        )  # fmt: skip

    def _shards(self) -> list[ShardInfo]:
        """All shards; none where all were deleted."""
        try:
            return Archive(self.root).shards()
        except ArchiveMissing:
            if (self.root / PRUNED).is_dir():
                return []
            raise

    def _labels(self, writers: set[str]) -> dict[str, list[str]]:
        return {writer: labels_of(self.root, writer) for writer in sorted(writers)}

    def _unknown(self, labels: dict[str, list[str]]) -> tuple[str, ...]:
        known = {label for told in labels.values() for label in told}
        return tuple(
            item
            for item in self.retention.keep
            if item not in known and not any(writer.startswith(item) for writer in labels)
        )

    def _facts(self, shards: list[ShardInfo]) -> Iterator[Facts]:
        """The sealed shards that a policy may be about."""
        for at, info in enumerate(shards):
            self.progress(at, len(shards))
            if not info.name.sealed or self.retention.policy(info.name.stream) is None:
                continue
            try:
                yield read_facts(info)
            except FileNotFoundError:
                continue  # another prune was faster
            except OSError as error:
                self._fail(info.path, error)

    def _newest(self, shards: list[ShardInfo], sealed: list[Facts]) -> int | None:
        """When the newest event of the archive was, by the newest day's shards."""
        day = max((info.name.date for info in shards), default="")
        known = {facts.name: facts.max_ts for facts in sealed}
        times = []
        for info in shards:
            if info.name.date != day:
                continue
            piece = None if info.name in known else whole_of(info)
            times += [known[info.name]] if info.name in known else [piece.max_ts] if piece else []
        return max(times, default=None)

    def _remove(self, leaving: tuple[Leaving, ...]) -> Iterator[Leaving]:
        """Move or delete, after the ledger has it; what was gone already is not told again."""
        ready = list(self._moved(leaving))
        write_ledger(
            self.root, (entry_of(one.shard, MOVED if one.to else one.reason, one.to) for one in ready)
        )
        for at, one in enumerate(ready):
            self.progress(at, len(ready))
            try:
                if delete_shard(self.root, one.shard):
                    yield one
            except OSError as error:
                self._fail(self.root / one.shard.name.path, error)

    def _moved(self, leaving: tuple[Leaving, ...]) -> Iterator[Leaving]:
        """Those that may be removed: they are deleted, or safe in the other archive."""
        movers: dict[Path, Mover] = {}
        try:
            for one in leaving:
                try:
                    if one.to is not None:
                        movers.setdefault(one.to, Mover(self.root, one.to)).copy(one.shard)
                except (OSError, PolyrecordError) as error:
                    if os.path.lexists(self.root / one.shard.name.path):  # else another prune was faster
                        self._fail(self.root / one.shard.name.path, error)
                    continue
                yield one
        finally:
            for mover in movers.values():
                mover.close()

    def _fail(self, path: Path, error: OSError | PolyrecordError) -> None:
        what = str(error.strerror or error) if isinstance(error, OSError) else error.what
        if isinstance(error, OSError) and error.filename not in (None, str(path)):
            what = f"{what}: {error.filename}"  # of the other archive
        self.failed.append(Failure(path, what))

    def _files(
        self, newest: int | None, held: frozenset[str], decision: Decision, shards: list[ShardInfo]
    ) -> Iterator[OtherFile]:
        """What is no shard and has to go: old files of the folders that have an age, manifests of nothing."""
        for folder in FOLDERS:
            policy = self.retention.policies.get(folder)
            if policy is not None and policy.max_age_ns is not None:
                cut = self.now_ns - policy.max_age_ns
                if self.force or newest is None or newest >= cut:
                    yield from _old_files(self.root, folder, cut, f"older than {policy.told_age}")
        yield from self._manifests(held, decision, shards)

    def _manifests(
        self, held: frozenset[str], decision: Decision, shards: list[ShardInfo]
    ) -> Iterator[OtherFile]:
        """Manifests of writers all of whose shards are gone, and were too old for every policy."""
        longest = self.retention.longest_ns
        if longest is None:
            return
        going = {one.shard.name for one in decision.leaving}
        stay = {info.name.writer for info in shards if info.name not in going}
        newest: dict[str, int] = defaultdict(int)
        times = [(gone.name.writer, gone.max_ts) for gone in read_ledger(self.root).shards]
        times += [(one.shard.name.writer, one.shard.max_ts) for one in decision.leaving]
        for writer, max_ts in times:
            newest[writer] = max(newest[writer], max_ts)
        for writer in manifest_writers(self.root):
            is_empty = writer in newest and writer not in stay and writer not in held
            if is_empty and newest[writer] < self.now_ns - longest:
                place = manifest_path(writer)
                size = (self.root / place).stat(follow_symlinks=False).st_size
                yield OtherFile(str(place), size, "all its shards are gone")

    def _remove_files(self, files: list[OtherFile]) -> Iterator[OtherFile]:
        write_ledger(self.root, (file_entry(file.place, file.bytes, file.reason) for file in files))
        for file in files:
            try:
                (self.root / file.place).unlink()
            except FileNotFoundError:
                continue
            except OSError as error:
                self._fail(self.root / file.place, error)
            else:
                yield file


def _old_files(root: Path, folder: str, cut_ns: int, reason: str) -> Iterator[OtherFile]:
    """Regular files that were last written before a time. No symbolic link is followed."""
    top = root / folder
    if top.is_symlink() or top.parent.is_symlink():
        return
    for directory, _, names in os.walk(top, followlinks=False):
        for name in sorted(names):
            path = Path(directory, name)
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue
            if stat.S_ISREG(found.st_mode) and found.st_mtime_ns < cut_ns:
                yield OtherFile(path.relative_to(root).as_posix(), found.st_size, reason)


def _silent(_done: int, _total: int) -> None:
    pass
