"""Recorded lines as a file that DuckDB can read: in memory where the system can, else in a temporary file."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LEAST_OBJECT = 1 << 20  # the engine gives each of its threads twice this at a time


class LineFile:
    """A file to be filled with chunks of whole lines, ended, read, and begun again.

    What is begun again keeps its memory: to get it back from the system would cost more than to fill it.
    """

    __slots__ = ("_descriptor", "longest", "path", "size")

    def __init__(self, descriptor: int, path: str) -> None:
        """`longest` is how many bytes the longest line has at most, `size` how many are in the file."""
        self._descriptor, self.path = descriptor, path
        self.size = 0
        self.longest = _LEAST_OBJECT

    def add(self, chunk: bytes) -> None:
        """Append whole lines."""
        view = memoryview(mended(chunk))
        while view:
            written = os.pwrite(self._descriptor, view, self.size)
            self.size += written
            view = view[written:]
        if len(chunk) > self.longest:
            self.longest = max(self.longest, *map(len, chunk.split(b"\n")))

    def text(self) -> bytes:
        """All that was added since it was begun."""
        return os.pread(self._descriptor, self.size, 0)

    def end(self) -> None:
        """No more lines follow: whoever reads it now finds those that were added since it was begun."""
        os.ftruncate(self._descriptor, self.size)

    def begin(self) -> None:
        """Begin again with the next line."""
        self.size = 0

    def clear(self) -> None:
        """Empty it: whoever reads it now finds nothing."""
        os.ftruncate(self._descriptor, 0)
        self.size = 0


@contextmanager
def line_file(chunks: Iterable[bytes] = ()) -> Iterator[LineFile]:
    """A file of these chunks of whole lines; it is gone when the context ends."""
    descriptor, path = _create()
    try:
        file = LineFile(descriptor, path)
        for chunk in chunks:
            file.add(chunk)
        yield file
    finally:
        os.close(descriptor)
        if not path.startswith("/proc/"):
            os.unlink(path)  # noqa: PTH108  # made by mkstemp, which speaks text


def _create() -> tuple[int, str]:
    """A descriptor and the path of a new file: of one in memory where it has a path."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("polyrecord-lines")
        path = f"/proc/self/fd/{descriptor}"
        if os.path.exists(path):  # noqa: PTH110  # a link to what has no name: only its presence counts
            return descriptor, path
        os.close(descriptor)
    return tempfile.mkstemp(prefix="polyrecord-", suffix=".jsonl")


def mended(chunk: bytes) -> bytes:
    """The chunk with half surrogate pairs as `?`: JSON allows them, DuckDB would refuse the whole line."""
    if b"\\" not in chunk or b"\\u" not in chunk or _SURROGATE.search(chunk) is None:
        return chunk
    return b"".join(_mended_line(line) for line in chunk.splitlines(keepends=True))


def _mended_line(line: bytes) -> bytes:
    if _SURROGATE.search(line) is None:
        return line
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return line
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
