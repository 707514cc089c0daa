"""Shards that are plain gzip or plain text, read as a stream: no index, nothing to skip."""

from __future__ import annotations

import zlib

from polyrecord.format.constants import MAX_CONTENT
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain, Finding
from polyrecord.read.files import ShardFile

_READ = 1 << 18  # bytes of the file at a time
_CONTENT = 1 << 20  # bytes of lines at a time
_GZIP = 31  # window bits that ask zlib for gzip framing


class PlainReader:
    """The lines of a shard from where it stops being blocks; a chunk of about 1 MiB at a time.

    The file is open only while a chunk is read, so a thousand of these cost no descriptors.
    """

    def __init__(self, info: ShardInfo, start: int, *, gzip: bool, explain: Explain) -> None:
        self.info = info
        self.lines_before = 0
        self._explain = explain
        self.start = self._at = start
        self._gzip = gzip
        self._unpacker = zlib.decompressobj(_GZIP)
        self._pending = b""
        self._rest = b""
        self._ended = False
        self._broken = False
        explain.plain_members += 0 if gzip else 1

    def read(self) -> list[bytes]:
        """The next lines without their line feeds; empty at the end."""
        while not self._ended:
            lines = self._chunk()
            if lines:
                return lines
        return []

    def _chunk(self) -> list[bytes]:
        content = self._rest + self._content()
        lines = content.split(b"\n")
        self._rest = lines.pop()
        if self._broken:
            return lines
        if self._ended and self._rest:
            lines += self._last_line()
        elif len(self._rest) > MAX_CONTENT:
            self._stop(f"a line is longer than {MAX_CONTENT:,} bytes")
        return lines

    def _last_line(self) -> list[bytes]:
        """What follows the last line feed: a line in a sealed shard, a torn tail in one being written."""
        if self.info.name.sealed:
            return [self._rest]
        self._explain.torn_bytes += len(self._rest)
        return []

    def _content(self) -> bytes:
        content = self._inflate() if self._gzip else self._read_file()
        self._explain.bytes_inflated += len(content)
        return content

    def _read_file(self) -> bytes:
        try:
            with ShardFile(self.info) as file:
                data = file.read_at(self._at, _READ)
        except OSError as error:
            self._stop(f"shard cannot be read: {error.strerror}")
            return b""
        self._at += len(data)
        self._explain.bytes_read += len(data)
        self._ended = self._ended or not (data or self._gzip)
        return data

    def _inflate(self) -> bytes:
        packed = self._pending or self._read_file()
        if not packed:
            self._end_of_file()
            return b""
        try:
            content = self._unpacker.decompress(packed, _CONTENT)
        except zlib.error as error:
            self._stop(f"plain gzip is damaged: {error}")
            return b""
        self._pending = self._unpacker.unconsumed_tail
        if self._unpacker.eof:
            self._next_member(self._unpacker.unused_data)
        return content

    def _next_member(self, following: bytes) -> None:
        """Go on behind a member that ended; zeros there are padding."""
        self._explain.plain_members += 1
        self._unpacker = zlib.decompressobj(_GZIP)
        self._pending = following
        while not self._pending.strip(b"\0"):
            self._explain.padding_bytes += len(self._pending)
            self._pending = b"" if self._ended else self._read_file()
            if not self._pending:
                self._ended = True
                return

    def _end_of_file(self) -> None:
        self._ended = True
        if self.info.name.sealed:
            self._stop("plain gzip ends inside a member")
        else:
            self._explain.torn_bytes += self._at - self.start

    def _stop(self, reason: str) -> None:
        self._ended = self._broken = True
        self._explain.found(Finding(self.info.path, self.start, self._at - self.start, None, reason))
