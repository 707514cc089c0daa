"""Typed tables and histograms beside sealed shards: made where they are missing, removed where stale."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from polyrecord.derived.place import Derivable, derivable
from polyrecord.derived.rollup import EVENT_TYPE, KIND, MOST_STAGES, derive_histograms, rolled_up
from polyrecord.derived.tables import Made, Table, can_be_told, is_as_made, read_made
from polyrecord.errors import DataError, UsageError
from polyrecord.format.layout import ShardName
from polyrecord.read.archive import Archive, ShardInfo
from polyrecord.read.selection import Selection
from polyrecord.upkeep.compact_files import remove_stale
from polyrecord.upkeep.compact_tables import make_tables

_NO_SPACE: Final = ("No space left", "Disk quota exceeded", "enough disk space")

OnProgress: TypeAlias = Callable[[int, int], None]
"""Told how many bytes of shards have been dealt with, and of how many."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """A shard of which tables were made, or would be: bytes of its file, and of what was made by kind."""

    name: ShardName
    before: int
    made: dict[str, int]


@dataclass(frozen=True, slots=True)
class NotCompacted:
    """A shard of which there are no tables, and why."""

    name: ShardName
    reason: str


@dataclass(slots=True)
class Compact:
    """What was done to an archive: `looked` sealed shards were looked at, `removed` files were stale."""

    root: Path
    dry_run: bool
    looked: int = 0
    shards: list[Compacted] = field(default_factory=list)
    left: list[NotCompacted] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def before(self) -> int:
        """Bytes of the shards of which tables were made."""
        return sum(shard.before for shard in self.shards)

    @property
    def after(self) -> int:
        """Bytes of what was made."""
        return sum(sum(shard.made.values()) for shard in self.shards)


def compact(
    root: Path,
    selection: Selection | None = None,
    *,
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
    on_shard: Callable[[], None] = lambda: None,
    known: set[str] | None = None,
) -> Compact:
    """Make what is missing beside the sealed shards of a selection; remove what belongs to no shard any more.

    A second run finds nothing to do, two at once do no harm. Shards that are damaged or not written as ours
    are left alone, and said. Fingerprints that are `known` are not looked at; those dealt with are added.
    `on_shard` is called before each shard. Raises ArchiveMissing, UsageError, and DataError where the disk is
    full.
    """
    began = time.monotonic()
    if not can_be_told(root):
        what = "the archive's path has *, ?, [ or ] in it, or is no text"
        raise UsageError(what, path=root, hint="statistics read the lines of such an archive")
    sealed = [info for info in Archive(root).shards(selection) if info.name.sealed]
    answer = Compact(root, dry_run, len(sealed))
    answer.removed += remove_stale(root, dry_run=dry_run)
    sizes = [_size(info.path) for info in sealed]
    for number, info in enumerate(sealed):
        on_shard()
        _one(info, answer, set() if known is None else known)
        if on_progress is not None:
            on_progress(sum(sizes[: number + 1]), sum(sizes))
    answer.seconds = time.monotonic() - began
    return answer


def _one(info: ShardInfo, answer: Compact, known: set[str]) -> None:
    """Make what is missing beside one shard."""
    shard = derivable(info)
    if shard is not None:
        if shard.fingerprint in known:
            return
        known.add(shard.fingerprint)
    if shard is None:
        if info.path.exists():
            answer.left.append(NotCompacted(info.name, "it has no whole directory"))
        return
    made = read_made(shard)
    if made is not None and made.reason is not None:
        answer.left.append(NotCompacted(info.name, made.reason))
        return
    if made is not None and _is_there(shard, made):
        return
    if answer.dry_run:
        answer.shards.append(Compacted(info.name, _size(info.path), {}))
        return
    _make(shard, answer)


def _make(shard: Derivable, answer: Compact) -> None:
    import duckdb

    name = shard.info.name
    try:
        with _alone(shard.folder):
            made = read_made(shard)
            if made is not None and _is_there(shard, made):
                return  # another process has just made it
            made = make_tables(shard)
            derive_histograms(shard)
    except (OSError, duckdb.Error, DataError) as error:
        _raise_if_full(error, shard)
        if shard.info.path.exists():
            answer.left.append(NotCompacted(name, str(error).partition("\n")[0]))
        return
    if made.reason is not None:
        answer.left.append(NotCompacted(name, made.reason))
    else:
        answer.shards.append(Compacted(name, _size(shard.info.path), _sizes(shard, made)))


def _raise_if_full(error: Exception, shard: Derivable) -> None:
    """Raises DataError where there is no room for any further shard either."""
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOSPC, errno.EDQUOT) or any(words in str(error) for words in _NO_SPACE):
        raise DataError(
            "no space left: tables that are there already are used, lines are read for the rest",
            path=shard.folder,
            hint="make room, or `polyrecord prune`",
        ) from error


def _sizes(shard: Derivable, made: Made) -> dict[str, int]:
    sizes = {name: table.bytes for name, table in made.tables.items() if table is not None}
    histograms = rolled_up(shard)
    return sizes if histograms is None else {**sizes, KIND: _size(histograms)}


def _is_there(shard: Derivable, made: Made) -> bool:
    """Whether all that was made is as it was made."""
    tables = {name: table for name, table in made.tables.items() if table is not None}
    if EVENT_TYPE in tables and _can_be_rolled_up(tables[EVENT_TYPE]) and rolled_up(shard) is None:
        return False
    return all(is_as_made(shard.path(name), table) for name, table in tables.items())


def _can_be_rolled_up(table: Table) -> bool:
    """Whether there are histograms of this table."""
    return len(table.stages) <= MOST_STAGES and not any("\0" in name for name in table.stages)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process makes something in this folder; none will until the context ends."""
    folder.mkdir(mode=0o750, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
