"""What can be proven of a block whose header is damaged: by the header's CRC, or by gzip's over the lines.

The frame of a header, its first sixteen bytes, can be put back: all of it is fixed or follows from the rest,
and the header's CRC tells whether it was only that. Its fields are told by the lines, which gzip's own CRC32
and length prove.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Final

from polyrecord.format import constants as c
from polyrecord.format.block import BadHeader, BlockHeader, cut_name, parse_header
from polyrecord.format.compress import crc32, inflate_raw
from polyrecord.format.content import BadBlock
from polyrecord.times import parse_ts

_FRAME: Final = struct.Struct("<10sH2sH")
_TRAILER: Final = struct.Struct("<II")
_LEAST_EXTRA: Final = 4 + 80 + 4
_HEAD: Final = re.compile(rb'\{"ts":"([^"\\]{30})","seq":(\d{1,19}),"event_type":"([^"\\]+)"')
LARGEST: Final = (
    1 << 24
)  # bytes of a member, and of its lines, that are looked into without a header to trust


def with_frame(start: bytes) -> BlockHeader | None:
    """The header of a block whose first sixteen bytes are damaged, from the start of it; None if more is."""
    for extra in _extra_lengths(start):
        frame = _FRAME.pack(c.MAGIC, extra, c.SUBFIELD_ID, extra - 4)
        try:
            return parse_header(frame + start[_FRAME.size : 12 + extra])
        except BadHeader:
            continue
    return None


def _extra_lengths(start: bytes | memoryview) -> Iterator[int]:
    """What XLEN may have been: as it stands, and as the length of our subfield has it."""
    if len(start) < _FRAME.size:
        return
    _, extra, _, length = _FRAME.unpack_from(start)
    for candidate in dict.fromkeys((extra, length + 4)):
        if _LEAST_EXTRA <= candidate <= c.MAX_EXTRA:
            yield candidate


def lines_of(member: bytes | memoryview, content_length: int, content_crc: int) -> bytes:
    """The lines of a block whose length and CRC are known from elsewhere; raises BadBlock.

    With a CRC of 0 that of the member itself counts, and its length has to hold too.
    """
    view = memoryview(member)
    if content_length > c.MAX_CONTENT or len(view) < _TRAILER.size:
        raise BadBlock("cannot be told")
    crc, size = _TRAILER.unpack(view[-8:])
    if not content_crc and size != content_length:
        raise BadBlock("content size differs")
    for extra in _extra_lengths(view):
        try:
            content = inflate_raw(view[12 + extra : -8], content_length)
        except Exception:  # noqa: BLE001, S112  # isal and zlib raise errors of their own types
            continue
        if len(content) == content_length and crc32(content) == (content_crc or crc):
            return content
    raise BadBlock("no lines of that CRC are in it")


def without_header(data: bytes) -> BlockHeader | None:
    """The header that a block at the start of `data` should have, told by its lines; no ordinals, no keys.

    None unless gzip's CRC and length hold and every line begins as ours do.
    """
    for extra in _extra_lengths(data):
        member = _whole(memoryview(data), 12 + extra)
        if member is not None:
            content, length = member
            return described(content, length)
    return None


def _whole(data: memoryview, start: int) -> tuple[bytes, int] | None:
    """The lines of the deflate stream at `start` and the length of its member, where CRC and size hold."""
    unpacker = zlib.decompressobj(wbits=-15)
    try:
        content = unpacker.decompress(data[start:], LARGEST)
    except zlib.error:
        return None
    end = len(data) - len(unpacker.unused_data)
    if not unpacker.eof or end + _TRAILER.size > len(data):
        return None
    crc, size = _TRAILER.unpack_from(data, end)
    return (content, end + _TRAILER.size) if size == len(content) and crc == crc32(content) else None


def described(content: bytes, member_length: int) -> BlockHeader | None:
    """A header from lines alone; None where one of them does not begin as ours do."""
    if not content.endswith(b"\n"):
        return None
    seqs: list[int] = []
    times: list[bytes] = []
    types: dict[str, int] = {}
    for line in content[:-1].split(b"\n"):
        match = _HEAD.match(line)
        if match is None:
            return None
        times.append(match[1])
        seqs.append(int(match[2]))
        name = cut_name(match[3].decode("utf-8", "replace")).decode()
        types[name] = types.get(name, 0) + 1
    try:
        low, high = parse_ts(min(times).decode()), parse_ts(max(times).decode())
    except (ValueError, OverflowError):
        return None
    return BlockHeader(
        c.UNINDEXED, member_length, len(content), len(seqs), seqs[0], seqs[-1], 0, 0, low, high, 0, types
    )
