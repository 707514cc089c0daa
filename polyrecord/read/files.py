"""Bytes of shard files by offset. A shard that is sealed while it is read is found at its new place."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Self

from polyrecord.read.archive import ShardInfo

_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_MOST_OPEN = 64


def open_shard_file(info: ShardInfo) -> int:
    """A descriptor of the shard where it lay when listed, or where sealing moved it; raises OSError."""
    try:
        return os.open(info.path, _FLAGS)
    except FileNotFoundError:
        return os.open(info.sealed_path, _FLAGS)


class ShardFile:
    """One shard file, open for reading; its size is that of the moment it was opened."""

    __slots__ = ("_descriptor", "size")

    def __init__(self, info: ShardInfo) -> None:
        """Open the shard; raises OSError."""
        self._descriptor = open_shard_file(info)
        self.size = os.fstat(self._descriptor).st_size

    def read_at(self, offset: int, length: int) -> bytes:
        """That many bytes, fewer at the end of the file."""
        data = os.pread(self._descriptor, length, offset)
        while len(data) < length:
            more = os.pread(self._descriptor, length - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

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
