"""Files that others may have put there: no symbolic link is followed, and no pipe is waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_SAFE = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # non-blocking: a FIFO would wait for its other end

_HIGHEST = (1 << 63) - 1  # an offset that the system can be asked for


def open_regular(path: Path, access: int = os.O_RDONLY) -> int:
    """A descriptor of a regular file; raises OSError where there is none or something else."""
    descriptor = os.open(path, access | _SAFE)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "not a regular file", str(path))


def read_regular(path: Path, most: int) -> bytes:
    """All of a regular file of at most so many bytes; raises OSError."""
    descriptor = open_regular(path)
    try:
        with open(descriptor, "rb", closefd=False) as file:
            data = file.read(most + 1)
    finally:
        os.close(descriptor)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"more than {most:,} bytes", str(path))
    return data


def read_at(descriptor: int, offset: int, length: int) -> bytes:
    """That many bytes, fewer at the end of the file, whatever a file claims its parts to be at."""
    if offset > _HIGHEST:
        return b""
    data = os.pread(descriptor, length, offset)
    while 0 < len(data) < length:
        more = os.pread(descriptor, length - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data


def subfolders(folder: Path) -> list[str]:
    """Names of the directories in a directory that is none by a symbolic link, in order."""
    return _names(folder, directories=True)


def files(folder: Path) -> list[str]:
    """Names of the regular files in a directory that is none by a symbolic link, in order."""
    return _names(folder, directories=False)


def _names(folder: Path, *, directories: bool) -> list[str]:
    if folder.is_symlink():
        return []
    try:
        with os.scandir(folder) as entries:
            of_kind = os.DirEntry.is_dir if directories else os.DirEntry.is_file
            return sorted(entry.name for entry in entries if of_kind(entry, follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return []
