"""Recorded lines as a file that DuckDB can read: in memory where the system can, else in a temporary file."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LEAST_OBJECT = 16 << 20  # DuckDB's own default


@dataclass(frozen=True, slots=True)
class LineFile:
    """Where the lines are, and how many bytes the longest of them has at most."""

    path: str
    longest: int


@contextmanager
def line_file(chunks: Iterable[bytes]) -> Iterator[LineFile]:
    """A file of these chunks of whole lines; it is gone when the context ends."""
    descriptor, path = _create()
    try:
        longest = _LEAST_OBJECT
        for chunk in chunks:
            _write(descriptor, mended(chunk))
            if len(chunk) > longest:
                longest = max(longest, *map(len, chunk.split(b"\n")))
        yield LineFile(path, longest)
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


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def mended(chunk: bytes) -> bytes:
    """The chunk with half surrogate pairs as `?`: JSON allows them, DuckDB would refuse the whole line."""
    if b"\\u" not in chunk or _SURROGATE.search(chunk) is None:
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
