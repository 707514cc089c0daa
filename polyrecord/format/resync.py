"""Finding the way again behind damage: the next member, of ours or of gzip (docs/format.md, section 6).

Pure: bytes come through `ReadAt`, so the same search serves files, mappings and tests.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import TypeAlias

from polyrecord.format import constants as c
from polyrecord.format.block import BadHeader, parse_payload

ReadAt: TypeAlias = Callable[[int, int], bytes]
"""`read_at(offset, length)` gives that many bytes, fewer at the end of the file."""

_WINDOW = 1 << 20
_SMALL = 512  # most headers fit; a longer one costs a second read


def find_member(read_at: ReadAt, at: int, size: int) -> int | None:
    """Offset of the first member of ours with a valid header from `at` up to `size`, or None."""
    hits = find_bytes(read_at, c.MAGIC, at, size)
    return next((hit for hit in hits if _is_member(read_at, hit)), None)


def find_bytes(read_at: ReadAt, what: bytes, at: int, size: int) -> Iterator[int]:
    """The offsets from `at` up to `size` where some bytes stand."""
    while at < size:
        window = read_at(at, _WINDOW)
        hit = window.find(what)
        while 0 <= hit < size - at:
            yield at + hit
            hit = window.find(what, hit + 1)
        if len(window) < _WINDOW:
            return
        at += len(window) - len(what) + 1


def _is_member(read_at: ReadAt, at: int) -> bool:
    try:
        parse_payload(header_at(read_at, at))
    except BadHeader:
        return False
    return True


def header_at(read_at: ReadAt, at: int) -> bytes:
    """The bytes from `at`, at least a whole header if one of ours stands there."""
    start = read_at(at, _SMALL)
    needed = 12 + int.from_bytes(start[10:12], "little") if start.startswith(c.MAGIC) else 0
    return start if needed <= len(start) else read_at(at, needed)


def up_to_next(read_at: ReadAt, at: int, size: int) -> int:
    """Bytes from `at` to the next member of ours, or to the file's end."""
    following = find_member(read_at, at + 1, size)
    return (size if following is None else following) - at


def is_gzip(read_at: ReadAt, at: int, end: int, most: int) -> tuple[bool, int]:
    """Whether a gzip member is whole and its CRC holds, and how many bytes it took to find out."""
    work = 0
    try:
        for size in inflate_gzip(read_at, at, end):
            work += size
            if work > most:
                return False, work
    except (zlib.error, EOFError):
        return False, work
    return True, work


def inflate_gzip(read_at: ReadAt, at: int, end: int) -> Iterator[int]:
    """Inflate a gzip member to see whether its CRC holds; the bytes of lines piece by piece.

    Raises zlib.error where it does not, EOFError where the member reaches beyond `end`.
    """
    unpacker = zlib.decompressobj(wbits=31)
    while not unpacker.eof:
        packed = read_at(at, min(_WINDOW, end - at)) if at < end else b""
        if not packed:
            raise EOFError
        at += len(packed)
        while packed and not unpacker.eof:
            yield len(unpacker.decompress(packed, _WINDOW)) + 1
            packed = unpacker.unconsumed_tail


def only_zeros(read_at: ReadAt, at: int, size: int) -> bool:
    """Whether nothing but zeros stands from `at` to the file's end."""
    return all(not read_at(start, _WINDOW).strip(b"\0") for start in range(at, size, _WINDOW))
