"""Small blocks of a shard being written, put into larger ones in a file that takes the shard's place."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from polyrecord.format.block import parse_header
from polyrecord.format.block_keys import BlockKeys
from polyrecord.format.constants import UNINDEXED
from polyrecord.format.directory_builder import DirectoryBuilder
from polyrecord.format.join import join_blocks
from polyrecord.record.files import create, write_all
from polyrecord.record.line_keys import keys_of


class JoinedFile:
    """The same lines in larger blocks. Whoever gives it the shard's name takes over its descriptor."""

    def __init__(self, path: Path, directory: DirectoryBuilder) -> None:
        """Make the file, in the place of what an earlier try has left; raises OSError."""
        path.unlink(missing_ok=True)
        self.descriptor, self.directory = create(path), directory
        self.size = self.blocks = 0
        self._path = path
        self._events = 0

    def fill(self, members: Iterable[bytes], events: int) -> None:
        """Write the blocks of a shard with so many events, to the disk; raises OSError, BadBlock."""
        fcntl.flock(self.descriptor, fcntl.LOCK_EX)  # before it is there for others to see
        for block in join_blocks(members, keys_of, listed=True):
            self._append(*block)
        if self._events != events:
            raise OSError(errno.EIO, f"{self._events} events were read again, not {events}")
        os.fdatasync(self.descriptor)

    def _append(self, member: bytes, keys: BlockKeys) -> None:
        write_all(self.descriptor, member)
        header = parse_header(member)
        unlisted = keys if header.flags & UNINDEXED else None
        self.directory.add(self.size, header, int.from_bytes(member[-8:-4], "little"), unlisted)
        self.size += len(member)
        self.blocks += 1
        self._events += header.events

    def discard(self) -> None:
        """Remove the file."""
        os.close(self.descriptor)
        self._path.unlink(missing_ok=True)
