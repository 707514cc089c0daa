"""Bytes of shard files by offset. A shard that is sealed while it is read is found at its new place."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from polyrecord.read.archive import ShardInfo

# Whoever can write to the archive may have put anything there: a link is not followed, a pipe not waited for.
_FLAGS = os.O_RDONLY
for _name in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
    _FLAGS |= getattr(os, _name, 0)
_MOST_OPEN = 64
_LARGE = 1 << 24  # bytes: from here on it is worth asking how long the file is


def open_shard_file(info: ShardInfo) -> int:
    """A descriptor of the shard where it lay when listed, or where sealing moved it.

    Raises OSError, also where something lies there that is no regular file.
    """
    try:
        return _open_regular(info.path)
    except FileNotFoundError:
        return _open_regular(info.sealed_path)


def _open_regular(path: Path) -> int:
    descriptor = os.open(path, _FLAGS)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(errno.EINVAL, "not a regular file", str(path))


class ShardFile:
    """One shard file, open for reading; its size is that of the moment it was opened."""

    __slots__ = ("_descriptor", "size")

    def __init__(self, info: ShardInfo) -> None:
        """Open the shard; raises OSError."""
        self._descriptor = open_shard_file(info)
        self.size = os.fstat(self._descriptor).st_size

    def read_at(self, offset: int, length: int) -> bytes:
        """That many bytes, fewer at the end of the file; a length is not believed, nor an offset."""
        if length > _LARGE or offset > _LARGE:
            length = min(length, max(os.fstat(self._descriptor).st_size - offset, 0))
        data = os.pread(self._descriptor, length, offset) if length else b""
        while len(data) < length:
            more = os.pread(self._descriptor, length - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def announce(self, offset: int, length: int) -> None:
        """Say that these bytes will be read: what is not in memory comes while others are looked at."""
        if hasattr(os, "posix_fadvise") and 0 <= offset <= self.size:
            os.posix_fadvise(self._descriptor, offset, length, os.POSIX_FADV_WILLNEED)

    @property
    def descriptor(self) -> int:
        """The file descriptor, for asking the system about the file."""
        return self._descriptor

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class OpenFiles:
    """The shard files a merge reads from by turns; those not used for longest are closed."""

    def __init__(self) -> None:
        self._files: dict[ShardInfo, ShardFile] = {}

    def read_at(self, info: ShardInfo, offset: int, length: int) -> bytes:
        """Bytes of a shard; raises OSError."""
        file = self._files.pop(info, None) or ShardFile(info)
        self._files[info] = file  # moved to the end: used last
        if len(self._files) > _MOST_OPEN:
            self._files.pop(next(iter(self._files))).close()
        return file.read_at(offset, length)

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()
        self._files.clear()
