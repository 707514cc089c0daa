"""A block's header: what it says of the lines in its gzip member, written and read (docs/format.md, 4)."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from zlib import crc32 as zlib_crc32

from polyrecord.format import constants as c
from polyrecord.format.compress import crc32, deflate

FIXED = struct.Struct("<BBHIIIQQQQqqIHHII")
"""The 80 bytes that every block's payload begins with: version … number of value keys."""

_HEAD = struct.Struct("<10sH2sH")  # magic, XLEN, SI1 SI2, LEN
_U32 = struct.Struct("<I")
_SUBFIELD = struct.Struct("<H2sH")  # XLEN, SI1 SI2, LEN
_LEAST = 12  # bytes of a payload
_NUMBERS = (
    "flags", "member_length", "content_length", "events", "first_seq", "last_seq",
    "first_ordinal", "last_ordinal", "min_ts", "max_ts", "lost",
)  # fmt: skip
_TRAILER = struct.Struct("<II")  # CRC32, ISIZE
_LONG = 1024  # bytes: from here on isal's CRC is worth loading isal for
_EXTRA_START = 12
_PAYLOAD_START = 16


class BadHeader(ValueError):
    """The bytes are not a member of ours, or its header is damaged."""


@dataclass(frozen=True, slots=True)
class BlockIndex:
    """What a writer knows of a block's lines before it packs them."""

    events: int
    first_seq: int
    last_seq: int
    first_ordinal: int
    last_ordinal: int
    min_ts: int
    max_ts: int
    types: dict[str, int]
    lost: int = 0
    flags: int = 0
    paths: tuple[str, ...] = ()
    trace_keys: Sequence[int] = ()
    value_keys: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """A block's header as read: times in ns, keys ascending. Field meanings: docs/format.md."""

    flags: int
    member_length: int
    content_length: int
    events: int
    first_seq: int
    last_seq: int
    first_ordinal: int
    last_ordinal: int
    min_ts: int
    max_ts: int
    lost: int
    types: dict[str, int] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    trace_keys: array[int] = field(default_factory=lambda: array("I"))
    value_keys: array[int] = field(default_factory=lambda: array("I"))


def cut_name(name: str) -> bytes:
    """A type or path as an index holds it: UTF-8, cut at a character edge to 255 bytes."""
    raw = name.encode("utf-8", "backslashreplace")  # a lone surrogate as the line has it
    if len(raw) <= c.MAX_NAME:
        return raw
    return raw[: c.MAX_NAME].decode("utf-8", "ignore").encode()


def pack_names(names: Sequence[str]) -> bytes:
    """Each name as a length byte and its UTF-8."""
    return b"".join(bytes((len(raw),)) + raw for raw in map(cut_name, names))


def index_size(types: Sequence[str], paths: Sequence[str], keys: int) -> int:
    """Bytes of FEXTRA that a block with these types, paths and number of keys needs."""
    named = sum(len(cut_name(name)) + 5 for name in types) + sum(len(cut_name(path)) + 1 for path in paths)
    return 4 + FIXED.size + named + 4 * keys + 4


def pack_member(payload: bytes, deflated: bytes, content_crc: int, content_length: int) -> bytes:
    """A whole gzip member around a payload (without its CRC) and a deflate stream."""
    size = len(payload) + 4
    head = _HEAD.pack(c.MAGIC, size + 4, c.SUBFIELD_ID, size) + payload
    return b"".join(
        (head, _U32.pack(zlib_crc32(head)), deflated, _TRAILER.pack(content_crc, content_length & 0xFFFFFFFF))
    )


def pack_block(content: bytes, index: BlockIndex, level: int = 1) -> bytes:
    """The whole gzip member that holds `content`; raises ValueError if the index is too large for it."""
    deflated = deflate(content, level)
    payload = _pack_index(index, len(content), len(deflated))
    if len(payload) + 8 > c.MAX_EXTRA:
        message = f"block index of {len(payload):,} bytes does not fit a gzip header"
        raise ValueError(message)
    return pack_member(payload, deflated, crc32(content), len(content))


def with_index(member: bytes, index: BlockIndex) -> bytes:
    """The same lines, not compressed anew, under another header."""
    deflated = member[header_length(member) : -_TRAILER.size]
    content_crc, size = _TRAILER.unpack(member[-_TRAILER.size :])
    return pack_member(_pack_index(index, size, len(deflated)), deflated, content_crc, size)


def _pack_index(index: BlockIndex, content_length: int, deflated_length: int) -> bytes:
    types = b"".join(pack_names([name]) + _U32.pack(count) for name, count in index.types.items())
    tail = types + pack_names(index.paths) + pack_words(index.trace_keys) + pack_words(index.value_keys)
    member_length = _PAYLOAD_START + FIXED.size + len(tail) + 4 + deflated_length + _TRAILER.size
    fixed = FIXED.pack(
        c.VERSION, c.KIND_BLOCK, index.flags, member_length, content_length, index.events,
        index.first_seq, index.last_seq, index.first_ordinal, index.last_ordinal,
        index.min_ts, index.max_ts, min(index.lost, 0xFFFFFFFF), len(index.types), len(index.paths),
        len(index.trace_keys), len(index.value_keys),
    )  # fmt: skip
    return fixed + tail


def pack_words(keys: Sequence[int]) -> bytes:
    """Keys as little-endian u32s."""
    words = array("I", keys)
    if sys.byteorder == "big":  # pragma: no cover
        words.byteswap()
    return words.tobytes()


def words(raw: bytes | memoryview) -> array[int]:
    """Little-endian u32s as an array."""
    result = array("I")
    result.frombytes(raw)
    if sys.byteorder == "big":  # pragma: no cover
        result.byteswap()
    return result


def parse_payload(buffer: bytes | memoryview) -> tuple[int, memoryview]:
    """Kind and payload (without CRC) of our subfield in a member's header at the start of `buffer`.

    Raises BadHeader if it is no member of ours, is of another version, is cut short, or its CRC is wrong.
    """
    view = memoryview(buffer)
    if len(view) < _PAYLOAD_START or bytes(view[:10]) != c.MAGIC:
        raise BadHeader("no member starts here")
    size, name, length = _SUBFIELD.unpack_from(view, 10)
    end = _EXTRA_START + size
    if len(view) < end:
        raise BadHeader("header is cut short")
    # Nearly always ours is the only subfield.
    alone = name == c.SUBFIELD_ID and length == size - 4 and length >= _LEAST
    start = _PAYLOAD_START if alone else _find_subfield(view, end)
    checksum = zlib_crc32 if end < _LONG else crc32
    if _U32.unpack_from(view, end - 4)[0] != checksum(view[: end - 4]):
        raise BadHeader("header CRC differs")
    payload = view[start : end - 4]
    if payload[0] != c.VERSION:
        raise BadHeader(f"version {payload[0]} is newer than this reader")
    return payload[1], payload


def _find_subfield(view: memoryview, end: int) -> int:
    """Start of the PR payload; it must be the last subfield and long enough to have a kind and a CRC."""
    at = _EXTRA_START
    while at + 4 <= end:
        length = int.from_bytes(view[at + 2 : at + 4], "little")
        if at + 4 + length == end and bytes(view[at : at + 2]) == c.SUBFIELD_ID and length >= _LEAST:
            return at + 4
        at += 4 + length
    raise BadHeader("no PR subfield")


def header_length(start: bytes | memoryview) -> int:
    """Bytes from the member's start to its deflate stream, from its first 12 bytes."""
    return _EXTRA_START + int.from_bytes(start[10:12], "little")


def parse_header(buffer: bytes | memoryview, offset: int = 0) -> BlockHeader:
    """The header of the block at `offset`; raises BadHeader, also when the member is not a block."""
    kind, payload = parse_payload(memoryview(buffer)[offset:])
    if kind != c.KIND_BLOCK:
        raise BadHeader("member is not a block")
    return parse_index(payload)


def parse_index(payload: memoryview) -> BlockHeader:
    """A block's header from its payload; raises BadHeader when its tables do not fit it."""
    try:
        fixed = FIXED.unpack_from(payload)
        types, at = _parse_types(payload, FIXED.size, fixed[13])
        paths, at = parse_names(payload, at, fixed[14])
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise BadHeader("header tables do not fit") from error
    trace_keys, value_keys = key_tables(payload, at, fixed[15], fixed[16])
    numbers = dict(zip(_NUMBERS, fixed[2:13], strict=True))
    return BlockHeader(**numbers, types=types, paths=paths, trace_keys=trace_keys, value_keys=value_keys)


def key_tables(payload: memoryview, at: int, traces: int, values: int) -> tuple[array[int], array[int]]:
    """So many trace keys and value keys from `at`; raises BadHeader."""
    values_at, end = at + 4 * traces, at + 4 * (traces + values)
    if end > len(payload):
        raise BadHeader("key tables are cut short")
    return words(payload[at:values_at]), words(payload[values_at:end])


def _parse_types(payload: memoryview, at: int, count: int) -> tuple[dict[str, int], int]:
    types: dict[str, int] = {}
    for _ in range(count):
        (name,), at = parse_names(payload, at, 1)
        types[name] = types.get(name, 0) + _U32.unpack_from(payload, at)[0]
        at += 4
    return types, at


def parse_names(payload: memoryview, at: int, count: int) -> tuple[tuple[str, ...], int]:
    """`count` names from `at`, and where they end; raises IndexError or UnicodeDecodeError."""
    names = []
    for _ in range(count):
        end = at + 1 + payload[at]
        if end > len(payload):
            raise IndexError("name is cut short")
        names.append(str(payload[at + 1 : end], "utf-8"))
        at = end
    return tuple(names), at
