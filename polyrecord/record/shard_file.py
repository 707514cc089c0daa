"""One shard file: whole members or nothing, sealed by rename (docs/format.md, sections 1 and 5)."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from polyrecord.format.block import BadHeader, parse_header
from polyrecord.format.block_keys import BlockKeys, parse_keys
from polyrecord.format.constants import MAX_EXTRA
from polyrecord.format.directory_builder import DirectoryBuilder
from polyrecord.format.layout import QUARANTINE, ShardName
from polyrecord.record.files import create, make_directory, remove_if_empty, sync_directory, write_all
from polyrecord.record.joining import JoinedFile

_COPY = 1 << 20
_MOST_HEADER = 12 + MAX_EXTRA
_SMALL_BLOCK = 64 << 10  # bytes of lines: smaller blocks compress badly
_FEW_BLOCKS = 16
_PAUSE_SECONDS = 0.00005


class ShardFile:
    """A shard being written. It holds an exclusive flock, so others can tell that its writer lives."""

    def __init__(self, root: Path, name: ShardName, opened_ns: int, *, retain: bool = False) -> None:
        """Create the file in its `_open` folder; raises OSError.

        `retain` keeps what is not yet on the disk in memory too: after a failed sync the kernel may take
        pages for clean that the disk never got, and only writing them again makes the next sync mean it.
        """
        self.name = name
        self.path = root / name.path
        self.opened_ns = opened_ns
        self.size = 0
        self.blocks = 0
        self.events = 0
        self.unsynced = 0
        self._root = root
        self._directory = DirectoryBuilder(self._keys_at)
        self._retain = retain
        self._retained: list[tuple[int, bytes]] = []
        self._suspect = False
        self._content = 0  # bytes of lines
        self._descriptor = self._create()

    def _create(self) -> int:
        while True:
            make_directory(self.path.parent)
            try:
                descriptor = create(self.path)  # to be read too: a file that was removed is restored
            except FileNotFoundError:
                if self.path.parent.is_dir():
                    raise
                # Another writer has just sealed its shard here and removed the empty folder: once more.
            else:
                return self._locked(descriptor)

    def _locked(self, descriptor: int) -> int:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # waits: a reader may be probing at this moment
        except OSError:
            os.close(descriptor)
            self.path.unlink()
            raise
        return descriptor

    def append(self, member: bytes, keys: BlockKeys | None = None) -> None:
        """Write one block whole; on OSError the file ends at the last whole member again.

        `keys` are those of a block whose header lists none.
        """
        header = parse_header(member)
        self._write(member)
        self._directory.add(self.size, header, int.from_bytes(member[-8:-4], "little"), keys)
        if self._retain:
            self._retained.append((self.size, member))
        self.size += len(member)
        self.blocks += 1
        self.events += header.events
        self._content += header.content_length
        self.unsynced += len(member)

    def _write(self, data: bytes) -> None:
        os.lseek(self._descriptor, self.size, os.SEEK_SET)  # wherever an earlier try has left it
        try:
            write_all(self._descriptor, data)
        except OSError:
            self._cut_back()
            raise

    def _cut_back(self) -> None:
        """Back to the end of the last whole block; if the cut fails too, the next write goes over it."""
        os.lseek(self._descriptor, self.size, os.SEEK_SET)
        os.ftruncate(self._descriptor, self.size)

    @property
    def removed(self) -> bool:
        """Whether the file has no name any more: what is written to it is lost with the descriptor."""
        return os.fstat(self._descriptor).st_nlink == 0

    @property
    def in_place(self) -> bool:
        """Whether the file is still where it was made, and not removed, moved or replaced."""
        try:
            there = self.path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptor))

    def restore(self) -> None:
        """Make the file anew where it was: what was written to it is still behind the descriptor.

        What stands in its place now is moved to the quarantine. Raises OSError; the file is then as before.
        """
        if os.path.lexists(self.path):
            aside = self._root / QUARANTINE / self.name.writer / f"{self.path.name}.{os.urandom(4).hex()}"
            make_directory(aside.parent)
            self.path.rename(aside)
        descriptor = self._create()
        try:
            _copy(self._descriptor, descriptor, self.size)
            os.fdatasync(descriptor)
        except OSError:
            os.close(descriptor)
            self.path.unlink()
            raise
        old, self._descriptor = self._descriptor, descriptor
        _close(old)
        self._is_synced()

    def sync(self) -> None:
        """Force what was appended to the disk; raises OSError."""
        if not self.unsynced:
            return
        self._write_again()
        try:
            os.fdatasync(self._descriptor)
        except OSError:
            self._suspect = True
            raise
        self._is_synced()

    def _is_synced(self) -> None:
        self.unsynced = 0
        self._suspect = False
        self._retained.clear()

    def _write_again(self) -> None:
        """Write what a failed sync may have lost."""
        if self._suspect:
            for offset, member in self._retained:
                while member:
                    written = os.pwrite(self._descriptor, member, offset)
                    offset, member = offset + written, member[written:]  # noqa: PLW2901 - may be short

    @property
    def has_small_blocks(self) -> bool:
        """Whether joining blocks would save much."""
        return self.blocks >= _FEW_BLOCKS and self._content < self.blocks * _SMALL_BLOCK

    def join_blocks(self) -> None:
        """Put a file with the same lines in larger blocks in this one's place; raises OSError, BadBlock.

        Whoever reads the old file goes on reading that: it has the same lines.
        """
        temporary = self.path.with_name(f".{self.path.name}.joined")
        joined = JoinedFile(temporary, DirectoryBuilder(self._keys_at))
        try:
            joined.fill(self._members(), self.events)
            temporary.rename(self.path)
        except BaseException:
            joined.discard()
            raise
        old, self._descriptor, self._directory = self._descriptor, joined.descriptor, joined.directory
        _close(old)
        self.size, self.blocks = joined.size, joined.blocks
        self._is_synced()
        sync_directory(self.path.parent)

    def _keys_at(self, offset: int, length: int) -> BlockKeys | None:
        """The keys that a block's header lists; raises OSError."""
        try:
            return parse_keys(os.pread(self._descriptor, min(length, _MOST_HEADER), offset))
        except BadHeader:
            return None  # verify tells of it

    def _members(self) -> Iterator[bytes]:
        at = 0
        while at < self.size:
            start = os.pread(self._descriptor, _MOST_HEADER, at)
            length = parse_header(start).member_length
            yield os.pread(self._descriptor, length, at)
            at += length

    def seal(self, *, clean: bool) -> Path:
        """Write directory and footer, force all to the disk, move the shard to its final place.

        On OSError the shard is open as before, and sealing may be tried again. The caller syncs the folder.
        """
        if not self.in_place:
            self.restore()
        final = self._root / self.name.as_sealed().path
        self._cut_back()
        self._write_again()
        self._write(self._directory.ending(clean=clean, breathe=_let_others_run))
        try:
            os.fsync(self._descriptor)
            self.path.rename(final)
        except OSError:
            self._suspect = True
            self._cut_back()
            raise
        self.abandon()
        remove_if_empty(self.path.parent)
        return final

    def abandon(self) -> None:
        """Close this copy of the descriptor; a flock ends with the last copy only."""
        # Not known any more before it is closed: a child forked meanwhile must not close another's number.
        old, self._descriptor = self._descriptor, -1
        if old >= 0:
            _close(old)

    def discard(self) -> None:
        """Remove the file."""
        self.abandon()
        self.path.unlink(missing_ok=True)
        remove_if_empty(self.path.parent)
        remove_if_empty(self.path.parent.parent)


def _let_others_run() -> None:
    """Let go of the interpreter: sleep(0) has it back before another thread wakes."""
    time.sleep(_PAUSE_SECONDS)


def _close(descriptor: int) -> None:
    """Close what is synced already, or not wanted: an error says nothing, and the number is free after it."""
    with contextlib.suppress(OSError):
        os.close(descriptor)


def _copy(source: int, target: int, size: int) -> None:
    at = 0
    while at < size:
        data = os.pread(source, min(_COPY, size - at), at)
        if not data:
            raise OSError(errno.EIO, "a removed file has lost its end")
        write_all(target, data)
        at += len(data)
