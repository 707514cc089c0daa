"""What is demanded of everything that reads bytes, whatever the bytes are.

Every byte of a file is accounted for once, nothing but the errors that the functions name is raised, and what
is inflated is what its CRC says.
"""

from __future__ import annotations

from zlib import crc32

from polyrecord.format.block import BadHeader, header_length, parse_header
from polyrecord.format.constants import FOOTER_SIZE
from polyrecord.format.content import BadBlock, inflate
from polyrecord.format.directory import Directory, join_pieces, parse_footer
from polyrecord.format.scan import Block, scan
from polyrecord.read.event import Event, NotAnEvent
from polyrecord.read.lines import decode_head, is_regular, read_head

_MOST_INFLATED = 1 << 22


def with_right_crc(data: bytes) -> bytes:
    """The same bytes, with the CRC of the header they begin with put right."""
    if len(data) < 16:
        return data
    end = 12 + int.from_bytes(data[10:12], "little")
    if end > len(data):
        return data
    return data[: end - 4] + crc32(data[: end - 4]).to_bytes(4, "little") + data[end:]


def look_at_file(data: bytes) -> None:
    """Scan the bytes as a shard: the parts follow each other without gap or overlap, to the end."""
    at = 0
    for found in scan(lambda offset, length: data[offset : offset + length], len(data)):
        length = found.header.member_length if isinstance(found, Block) else found.length
        if found.offset != at or length <= 0:
            raise AssertionError(f"{found} does not begin at {at}")
        at += length
        if isinstance(found, Block) and found.header.content_length <= _MOST_INFLATED:
            look_at_block(data[found.offset : found.offset + length])
    if at != len(data):
        raise AssertionError(f"{len(data) - at} bytes at the end are not accounted for")


def look_at_block(member: bytes) -> None:
    """Parse and inflate one member."""
    try:
        header = parse_header(member)
        content = inflate(member, header)
    except (BadHeader, BadBlock):
        return
    if crc32(content) != int.from_bytes(member[-8:-4], "little"):
        raise AssertionError("content differs from its CRC")
    if content.count(b"\n") != header.events or header_length(member) > len(member):
        raise AssertionError("content differs from its header")
    for line in content.splitlines(keepends=True):
        look_at_line(line)


def look_at_ending(data: bytes) -> None:
    """Parse a footer and the directory before it."""
    try:
        footer = parse_footer(data[-FOOTER_SIZE:])
        directory = Directory(join_pieces(data[:-FOOTER_SIZE], footer))
    except BadHeader:
        return
    for record in directory.records():
        directory.type_mask(directory.types)
        if record.events < 0:
            raise AssertionError("a negative count")


def look_at_line(line: bytes) -> None:
    """Decode a line: by position where it is regular, and as JSON; both say the same."""
    try:
        slow = decode_head(line)
    except NotAnEvent:
        return
    if is_regular(line) and read_head(line) != slow:
        raise AssertionError(f"{read_head(line)} is not {slow}")
    try:
        _ = Event(line, "w").data
    except NotAnEvent:
        return


TARGETS = (look_at_file, look_at_block, look_at_ending, look_at_line)


def look(data: bytes) -> None:
    """The first byte says which function, and whether the CRC is put right."""
    if len(data) < 2:
        return
    chosen, body = data[0], data[1:]
    chosen_look = TARGETS[chosen % len(TARGETS)]
    chosen_look(with_right_crc(body) if chosen & 64 else body)
