"""Files and folders of an archive as every writer makes them: modes, whole writes, renames that last."""

from __future__ import annotations

import os
from pathlib import Path

_FILE_MODE = 0o640
_DIR_MODE = 0o750
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def make_directory(path: Path) -> None:
    """Make a directory and what is missing above it, 0750."""
    for folder in [folder for folder in (*reversed(path.parents), path) if not folder.is_dir()]:
        folder.mkdir(mode=_DIR_MODE, exist_ok=True)  # parents=True would make the parents 0777


def sync_directory(path: Path) -> None:
    """Force a directory's entries to the disk: a rename is durable only then."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def create(path: Path) -> int:
    """Make a new file, 0640, to write and to read; raises FileExistsError, OSError."""
    return os.open(path, _NEW, _FILE_MODE)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`; a write may be short."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a small file so that a reader sees the old one or the new one, also after a power cut."""
    make_directory(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _FILE_MODE)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(path)
    sync_directory(path.parent)


def remove_if_empty(folder: Path) -> None:
    """Remove an empty folder; one that another writer uses, or makes a file in at this moment, stays."""
    try:
        folder.rmdir()
    except OSError:
        return
