"""Files of an archive that are no shards, and shards that are whole: copied byte for byte."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from polyrecord.format.layout import ERRORS, PRUNED, QUARANTINE, REJECTS, RUNS
from polyrecord.record.files import make_directory, write_all
from polyrecord.record.regular import files, open_regular, read_at, subfolders
from polyrecord.upkeep.problems import Kind, Problem

_CHUNK: Final = 1 << 20
_FOLDERS: Final = (PRUNED, RUNS, REJECTS, ERRORS, QUARANTINE)
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def copy_folders(root: Path, place: Path) -> Iterator[Problem]:
    """Copy what goes with shards, but what is there already; a problem for each file that cannot be read.

    Regular files of these folders and of those in them; no symbolic link is followed. Raises OSError.
    """
    for folder in map(PurePosixPath, _FOLDERS):
        for inner in (folder, *(folder / name for name in subfolders(root / folder))):
            for name in files(root / inner):
                if not name.startswith("."):
                    yield from _copy(root, place, inner / name)


def _copy(root: Path, place: Path, path: PurePosixPath) -> Iterator[Problem]:
    if os.path.lexists(place / path):
        return
    try:
        descriptor = open_regular(root / path)
    except OSError as error:
        yield Problem(path, f"cannot be read: {error.strerror}", kind=Kind.NAMES)
        return
    try:
        make_directory((place / path).parent)
        copy_bytes(descriptor, place / path)
    finally:
        os.close(descriptor)


def copy_bytes(descriptor: int, to: Path) -> None:
    """All of an open file to a new one, on the disk when this returns; raises OSError."""
    target = os.open(to, _FLAGS, 0o640)
    try:
        at = 0
        while chunk := read_at(descriptor, at, _CHUNK):
            write_all(target, chunk)
            at += len(chunk)
        os.fsync(target)
    finally:
        os.close(target)
