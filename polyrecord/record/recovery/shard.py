"""One open shard of a dead writer: looked at, cut, ended, moved. Every step may be the last; a rerun goes on.

1. what stands behind the last good block is copied to the quarantine, with a report;
2. it is cut off;
3. directory and footer are written, all of it forced to the disk;
4. (the writer's manifest says what was recovered: recover.py)
5. the shard is moved to its place, or removed if no block is left.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from polyrecord.format.block import BadHeader
from polyrecord.format.constants import CLEAN, FOOTER_SIZE
from polyrecord.format.directory import parse_footer
from polyrecord.format.layout import ShardName
from polyrecord.record.files import remove_if_empty, sync_directory, write_all
from polyrecord.record.recovery.quarantine import measure, quarantine, reports
from polyrecord.record.recovery.survey import Survey, survey
from polyrecord.record.regular import read_at

_TELLING = 20  # bytes: fewer may begin a block as well


@dataclass(frozen=True, slots=True)
class Mended:
    """A shard that is whole and waits to be moved, or, with no events, removed."""

    name: ShardName
    descriptor: int
    events: int
    last_seq: int | None
    torn_bytes: int
    damaged_bytes: int
    clean: bool
    reports: tuple[Path, ...]

    def entry(self) -> dict[str, Any]:
        """What the manifest says of it."""
        return {
            "path": str(self.name.as_sealed().path),
            "events": self.events,
            "torn_bytes": self.torn_bytes,
            "damaged_bytes": self.damaged_bytes,
            "last_seq": self.last_seq,
            "clean": self.clean,
            "removed": not self.events,
            "reports": [path.name for path in self.reports],
        }


def mend(root: Path, name: ShardName, descriptor: int, about: dict[str, Any]) -> Mended:
    """Make the shard whole where it lies; raises OSError, after which it is as it was or may be mended again.

    `about` is what reports say of this run. The descriptor's lock is the caller's.
    """
    reading = partial(read_at, descriptor)
    found = survey(reading, os.fstat(descriptor).st_size)
    if found.foreign is not None:
        raise OSError(errno.EMEDIUMTYPE, f"lines at byte {found.foreign:,} are not in blocks of ours")
    if not _is_ended(reading, found):
        _report(root, name, descriptor, found, about)
        _end(descriptor, found)
    os.fsync(descriptor)
    known = reports(root, name)
    return Mended(
        name, descriptor, found.events, found.last_seq,
        torn_bytes=sum(_number(report.get("bytes")) for _, report in known),
        damaged_bytes=sum(kept.length for kept in found.damage),
        clean=bool(found.blocks) and _is_clean(reading, os.fstat(descriptor).st_size) and not known,
        reports=tuple(path for path, _ in known),
    )  # fmt: skip


def _is_ended(reading: Any, found: Survey) -> bool:
    """Whether directory and footer are there, whole: only the move is missing."""
    tail = reading(found.end, min(found.size - found.end, _longest(found)))
    return bool(found.blocks) and tail in _endings(found)


def _endings(found: Survey) -> tuple[bytes, ...]:
    return tuple(found.directory.ending(clean=clean) for clean in (False, True)) if found.blocks else ()


def _longest(found: Survey) -> int:
    return max((len(ending) for ending in _endings(found)), default=0) + 1


def _report(root: Path, name: ShardName, descriptor: int, found: Survey, about: dict[str, Any]) -> None:
    """Keep what is to be cut off, unless it is the beginning of an end that can be written again."""
    reading = partial(read_at, descriptor)
    tail = reading(found.end, min(found.size - found.end, _longest(found)))
    is_ours = not tail or (
        len(tail) >= _TELLING and any(ending.startswith(tail) for ending in _endings(found))
    )
    if is_ours and ((found.blocks and not found.damage) or reports(root, name)):
        return
    cut = measure(reading, found.end, found.end if is_ours else found.size)
    quarantine(root, name, cut, reading, {
        **about, "writer": name.writer, "path": str(name.as_sealed().path),
        "reason": found.tail_reason if cut.length else None,
        "events": found.tail_events if cut.length else 0,
        "removed": not found.blocks,
        "damage": [{"offset": at.offset, "bytes": at.length, "reason": at.reason} for at in found.damage],
    })  # fmt: skip


def _end(descriptor: int, found: Survey) -> None:
    os.ftruncate(descriptor, found.end)
    if found.blocks:
        os.lseek(descriptor, found.end, os.SEEK_SET)
        write_all(descriptor, found.directory.ending(clean=False))


def _is_clean(reading: Any, size: int) -> bool:
    try:
        return bool(parse_footer(reading(size - FOOTER_SIZE, FOOTER_SIZE)).flags & CLEAN)
    except BadHeader:
        return False


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def place(root: Path, mended: Mended) -> None:
    """Move a whole shard to where sealed shards lie, or remove one that holds nothing; raises OSError."""
    lay = root / mended.name.path
    final = root / mended.name.as_sealed().path
    if not mended.events:
        lay.unlink()
        sync_directory(lay.parent)
    elif os.path.lexists(final):
        raise OSError(errno.EEXIST, "a sealed shard of that number is there already")
    else:
        lay.rename(final)
        sync_directory(final.parent)
    remove_if_empty(lay.parent)
    remove_if_empty(final.parent)
