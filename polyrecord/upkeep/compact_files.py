"""The files in the folders of what is derived: which belong to no shard any more, and removing them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from polyrecord.derived.place import derivable
from polyrecord.format.layout import DERIVED_DIR, SUFFIX, TREES
from polyrecord.read.archive import Archive

_MINE: Final = re.compile(r"(?P<stem>[a-z][a-z0-9_]*-[a-z0-9_.]+-\d{4,9})\.(?P<print>[0-9a-f]{32})\.")
_HIDDEN: Final = re.compile(r"\..+\.(?P<pid>\d{1,9})\Z")


def remove_stale(root: Path, *, dry_run: bool = False) -> list[Path]:
    """Remove what was made of shards that are gone or hold something else now, and what killed runs left.

    What was removed, or would be. Raises ArchiveMissing.
    """
    prints = _fingerprints(root)
    stale = [path for path in derived_files(root) if _is_stale(path, prints)]
    if not dry_run:
        for path in stale:
            with suppress(OSError):
                path.unlink()
        for folder in {path.parent for path in stale}:
            with suppress(OSError):
                folder.rmdir()
                folder.parent.rmdir()  # of a date that has no shard any more
    return stale


def remove_derived(shard: Path) -> list[Path]:
    """Remove all that was made of a shard, and its folder with the last of it; what was removed."""
    folder, stem = shard.parent / DERIVED_DIR, shard.name.removesuffix(SUFFIX)
    removed = []
    for path in _files(folder):
        mine = _MINE.match(path.name.removeprefix("."))
        if mine is not None and mine["stem"] == stem:
            with suppress(OSError):
                path.unlink()
                removed.append(path)
    with suppress(OSError):
        folder.rmdir()
    return removed


def derived_files(root: Path) -> Iterator[Path]:
    """All files in the folders of what is derived."""
    for tree in TREES:
        for folder in sorted((root / tree).glob(f"*/date=*/{DERIVED_DIR}")):
            if not any(each.is_symlink() for each in (folder, *folder.parents[:3])):
                yield from _files(folder)


def _files(folder: Path) -> list[Path]:
    """The files of a folder, by name; no symbolic link is followed."""
    if folder.is_symlink():
        return []
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry) for entry in entries if entry.is_file(follow_symlinks=False))
    except OSError:
        return []


def _fingerprints(root: Path) -> dict[tuple[Path, str], str]:
    """The fingerprint of every sealed shard, by its folder and the stem of its name."""
    shards = [derivable(info) for info in Archive(root).shards()]
    return {(shard.folder, shard.stem): shard.fingerprint for shard in shards if shard is not None}


def _is_stale(path: Path, prints: Mapping[tuple[Path, str], str]) -> bool:
    """Whether a derived file is of no shard as it is now, or half made by a process that is gone."""
    hidden = _HIDDEN.match(path.name)
    if hidden is not None:
        return not _is_alive(int(hidden["pid"]))
    mine = _MINE.match(path.name)
    return mine is not None and prints.get((path.parent, mine["stem"])) != mine["print"]


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's, or there can be none of that number
        return True
    return True
