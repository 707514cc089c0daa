"""A second reader: docs/format.md, section 6, in sixty lines, with nothing but the standard library.

It hops from header to header, uses no directory, and gives a block whose header is damaged up.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator

MAGIC = bytes.fromhex("1f8b08040000000000ff")


def payload_of(data: bytes, at: int) -> tuple[int, bytes] | None:
    """Version and payload of our subfield; None where there is none, or the CRC is wrong."""
    if data[at : at + 10] != MAGIC or len(data) < at + 12:
        return None
    place, end = at + 12, at + 12 + struct.unpack_from("<H", data, at + 10)[0]
    while place + 4 <= end <= len(data):
        name, length = struct.unpack_from("<2sH", data, place)
        if name == b"PR" and place + 4 + length == end:
            good = struct.unpack_from("<I", data, end - 4)[0] == zlib.crc32(data[at : end - 4])
            return (data[place + 4], data[place + 4 : end - 4]) if good else None
        place += 4 + length
    return None


def next_member(data: bytes, at: int) -> int:
    """Where the next member of ours begins, or the end."""
    at = data.find(MAGIC, at)
    while at >= 0 and payload_of(data, at) is None:
        at = data.find(MAGIC, at + 1)
    return at if at >= 0 else len(data)


def block(data: bytes, at: int, payload: bytes) -> tuple[int, bytes]:
    """First seq and lines of a block; no lines where they are not what the header says."""
    length, size, events, first = struct.unpack_from("<IIIQ", payload, 4)
    start = at + 12 + struct.unpack_from("<H", data, at + 10)[0]
    try:
        content = zlib.decompressobj(-15).decompress(data[start : at + length - 8], min(size, 1 << 30) + 1)
    except zlib.error:
        return first, b""
    crc = struct.unpack_from("<I", data, at + length - 8)[0]
    good = len(content) == size and zlib.crc32(content) == crc and content.count(b"\n") == events
    return first, content if good else b""


def plain(data: bytes) -> bytes:
    """The lines of gzip members one after the other, or of text; of what is damaged none."""
    found = b""
    while data.startswith(b"\x1f\x8b"):
        unpacker = zlib.decompressobj(31)
        try:
            found += unpacker.decompress(data)
        except zlib.error:
            return found
        data = unpacker.unused_data.lstrip(b"\0")
    return found + data if data.startswith(b"{") else found


def contents(data: bytes) -> Iterator[tuple[int, bytes]]:
    """First seq and lines of everything that can be read; of plain lines the seq of the block before."""
    at = seq = 0
    while at < len(data):
        ours = payload_of(data, at)
        end = next_member(data, at + 1)
        if ours is None or ours[0] != 1:
            yield seq, plain(data[at:end]) if ours or data[at : at + 10] != MAGIC else b""
            at = end
            continue
        length = struct.unpack_from("<I", ours[1], 4)[0]
        whole = at + length == len(data) or end >= at + length
        if ours[1][1] == 0 and whole and at + length <= len(data):
            seq, content = block(data, at, ours[1])
            yield seq, content
        at = at + length if whole else end


def lines(files: dict[str, bytes]) -> list[str]:
    """The lines of all files by time, each (writer, seq) once."""
    found: dict[tuple[str, str, int], str] = {}
    for name, data in files.items():
        writer = name.rpartition("/")[2].split("-")[1]
        for _, content in sorted(contents(data), key=lambda part: part[0]):
            for line in content.decode().split("\n")[:-1]:
                event = json.loads(line)
                found.setdefault((event["ts"], writer, event["seq"]), line)
    return [line for _, line in sorted(found.items())]
