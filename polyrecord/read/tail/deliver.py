"""Delivering batches exactly once where that can be done: to a regular file, also over `kill -9`.

The order of things: note the batch and where it goes, write it, force it to the disk, note that it is
written. Whoever comes after a crash looks into the file: what is there of the batch stays, what is missing is
added. After a power cut the note may be older than the file, never newer.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from polyrecord.errors import UsageError
from polyrecord.read.tail.cursor import Cursor, Pending, Place
from polyrecord.read.tail.feed import FeedBatch, Positions

Render: TypeAlias = Callable[[bytes], bytes]
"""Makes of a recorded line what is written in its place."""

_APPEND: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class Sink(Protocol):
    """Where lines go."""

    is_file: bool
    is_busy: bool  # with a batch that had better be finished
    is_writing: bool  # that is when a reader of a pipe can make it wait for ever

    @property
    def place(self) -> Place | None:
        """Where in a regular file the next byte goes; None elsewhere, and in the middle of a file."""
        ...

    def read_at(self, offset: int, length: int) -> bytes | None:
        """What a regular file holds; None where that cannot be looked at."""
        ...

    def write(self, data: bytes) -> None:
        """All of the data; raises BrokenPipeError and other OSErrors."""
        ...

    def sync(self) -> None:
        """Force what was written to the disk, where there is one."""
        ...


class Output:
    """A descriptor that lines are written to, past Python's own buffers."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self.is_busy = self.is_writing = False

    @property
    def place(self) -> Place | None:
        """Where in a regular file the next byte goes; None elsewhere, and in the middle of a file."""
        status = os.fstat(self._descriptor)
        if not self.is_file:
            return None
        appends = fcntl.fcntl(self._descriptor, fcntl.F_GETFL) & os.O_APPEND
        if not appends and os.lseek(self._descriptor, 0, os.SEEK_CUR) != status.st_size:
            return None
        return Place(status.st_dev, status.st_ino, status.st_size)

    def read_at(self, offset: int, length: int) -> bytes | None:
        """What a regular file holds; None where the system does not let us look."""
        try:
            return os.pread(self._descriptor, length, offset)
        except OSError:
            pass  # opened for writing only, as by a shell
        try:
            again = os.open(f"/proc/self/fd/{self._descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            return os.pread(again, length, offset)
        finally:
            os.close(again)

    def write(self, data: bytes) -> None:
        """All of the data; raises BrokenPipeError and other OSErrors."""
        self.is_writing = True
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
        finally:
            self.is_writing = False

    def sync(self) -> None:
        """Force what was written to a regular file to the disk."""
        if self.is_file:
            os.fdatasync(self._descriptor)


def open_output(path: Path) -> Output:
    """A regular file that lines are added to, made where it is missing; raises UsageError."""
    try:
        descriptor = os.open(path, _APPEND, 0o640)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", path=path) from error
    output = Output(descriptor)
    if not output.is_file:
        os.close(descriptor)
        raise UsageError("not a regular file", path=path, hint="leave --output out to write to a pipe")
    return output


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of a batch that an earlier process left: `repeated` of its lines may be there twice."""

    lines: int = 0
    repeated: int = 0


class Delivery:
    """Writes batches to an output; with a cursor each is noted before and after."""

    def __init__(self, output: Sink, cursor: Cursor | None, render: Render | None = None) -> None:
        self._output, self._cursor, self._render = output, cursor, render

    def deliver(self, batch: FeedBatch) -> None:
        """Write the lines of a batch and note its positions."""
        self.write(batch.lines, batch.moved)

    def write(self, lines: list[bytes], moved: Positions) -> None:
        """Write lines, after which everything up to `moved` was delivered."""
        shown = lines if self._render is None else [self._render(line) for line in lines]
        data = b"\n".join([*shown, b""]) if shown else b""
        self._output.is_busy = True
        try:
            self._put(data, len(lines), moved)
        finally:
            self._output.is_busy = False

    def _put(self, data: bytes, lines: int, moved: Positions) -> None:
        if self._cursor is None:
            self._output.write(data)
        elif not data:
            self._cursor.move(moved)
        else:
            self._cursor.begin(data, lines, moved, self._output.place)
            self._output.write(data)
            self._output.sync()
            self._cursor.end()

    def recover(self) -> Recovered:
        """Bring to its end what an earlier process was delivering when it ended."""
        if self._cursor is None or self._cursor.pending is None:
            return Recovered()
        pending, data = self._cursor.pending, self._cursor.pending_bytes()
        there = self._is_there(pending, data)
        if there is None and data is None:
            self._cursor.note(None)  # its events are read from the archive once more
            return Recovered(pending.lines, repeated=pending.lines)
        if there is None:
            there = 0
            self._cursor.note(replace(pending, place=self._output.place))
            repeated = pending.lines
        else:
            repeated = 0
        if data is not None:
            self._output.write(data[there:])
            self._output.sync()
        self._cursor.end()
        return Recovered(pending.lines, repeated)

    def _is_there(self, pending: Pending, data: bytes | None) -> int | None:
        """How many bytes of the batch the output holds; None where that cannot be told."""
        noted, place = pending.place, self._output.place
        if noted is None or place is None or (noted.device, noted.inode) != (place.device, place.inode):
            return None
        if place.offset < noted.offset:
            return None
        written = self._output.read_at(noted.offset, min(pending.length, place.offset - noted.offset))
        if written is None:
            return None
        if sha256(written).hexdigest() == pending.sha256:
            return pending.length
        if data is None or noted.offset + len(written) != place.offset:
            return None  # others write to the file too
        return len(written) if data.startswith(written) else None
