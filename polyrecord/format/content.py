"""The lines of a block, inflated and held against its header (docs/format.md, section 4)."""

from __future__ import annotations

import struct

from polyrecord.format import constants as c
from polyrecord.format.block import BlockHeader, header_length
from polyrecord.format.compress import crc32, inflate_raw

_TRAILER = struct.Struct("<II")  # CRC32, ISIZE


class BadBlock(ValueError):
    """A block's contents are not what its header says."""


def inflate(member: bytes | memoryview, header: BlockHeader) -> bytes:
    """The lines of a whole block; raises BadBlock when they are not exactly what the header says."""
    content = inflate_content(member, header)
    check_lines(content, content.count(b"\n"), header)
    return content


def inflate_content(member: bytes | memoryview, header: BlockHeader) -> bytes:
    """What a block holds, its lines not counted; raises BadBlock."""
    view = memoryview(member)
    if len(view) != header.member_length:
        raise BadBlock(f"{len(view):,} bytes of a member of {header.member_length:,}")
    if header.content_length > c.MAX_CONTENT:
        raise BadBlock(f"claims to hold {header.content_length:,} bytes")
    return _inflate_surely(view, header)


def check_lines(content: bytes, lines: int, header: BlockHeader) -> None:
    """Raise BadBlock unless a content of so many lines is as its header says."""
    if lines != header.events or (content and not content.endswith(b"\n")):
        raise BadBlock("number of lines differs from the header")


def _inflate_surely(view: memoryview, header: BlockHeader) -> bytes:
    content = _inflate_exactly(view[header_length(view) : -_TRAILER.size], header.content_length)
    content_crc, size = _TRAILER.unpack(view[-_TRAILER.size :])
    if size != header.content_length or crc32(content) != content_crc:
        raise BadBlock("content CRC or size differs")
    return content


def _inflate_exactly(deflated: memoryview, length: int) -> bytes:
    try:
        content = inflate_raw(deflated, length)
    except Exception as error:  # isal and zlib raise errors of their own types
        raise BadBlock(f"does not inflate: {error}") from error
    if len(content) != length:
        raise BadBlock(f"inflates to {len(content):,} bytes, not {length:,}")
    return content
