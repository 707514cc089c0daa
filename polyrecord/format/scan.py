"""Walk over a shard from header to header, and find the way again after damage (docs/format.md, section 6).

Pure: bytes come through `ReadAt`, so the same walk serves files, mappings and tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from polyrecord.format import constants as c
from polyrecord.format.block import BadHeader, BlockHeader, parse_index, parse_payload

ReadAt: TypeAlias = Callable[[int, int], bytes]
"""`read_at(offset, length)` gives that many bytes, fewer at the end of the file."""

_GZIP = b"\x1f\x8b\x08"
_WINDOW = 1 << 20
_HEADER = 12 + c.MAX_EXTRA + 256
_SMALL = 512  # most headers fit; a longer one costs a second read


@dataclass(frozen=True, slots=True)
class Block:
    """A block with a valid header; its contents have not been looked at."""

    offset: int
    header: BlockHeader


@dataclass(frozen=True, slots=True)
class Ending:
    """A directory or footer member."""

    offset: int
    length: int
    kind: int


@dataclass(frozen=True, slots=True)
class Plain:
    """Gzip without our header, or text: read it as such, up to the next member of ours or the file's end."""

    offset: int
    length: int
    gzip: bool


@dataclass(frozen=True, slots=True)
class Torn:
    """The file ends inside a member, as after a crash."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are no member of ours."""

    offset: int
    length: int
    reason: str


@dataclass(frozen=True, slots=True)
class Padding:
    """Zero bytes up to the end of the file."""

    offset: int
    length: int


Found: TypeAlias = Block | Ending | Plain | Torn | Damage | Padding


def scan(read_at: ReadAt, size: int, start: int = 0) -> Iterator[Found]:
    """Everything a file of `size` bytes holds from `start`, in order, without inflating anything."""
    at = start
    while at < size:
        ours = _member(read_at, at, size)
        found = _other(read_at, at, size) if ours is None else _cut_short(read_at, ours, size) or ours
        yield found
        at += _length(found)


def _length(found: Found) -> int:
    return found.header.member_length if isinstance(found, Block) else found.length


def _cut_short(read_at: ReadAt, found: Block | Ending | Torn, size: int) -> Damage | None:
    """Damage if bytes are missing inside a member: then the next one starts before this one should end."""
    end = found.offset + _length(found)
    if not isinstance(found, Torn) and (end == size or read_at(end, len(c.MAGIC)) == c.MAGIC):
        return None
    following = find_member(read_at, found.offset + 1, end)
    if following is None:
        return None
    return Damage(found.offset, following - found.offset, "member is cut short")


def _member(read_at: ReadAt, at: int, size: int) -> Block | Ending | Torn | None:
    """The member of ours at `at`, or None when there is none."""
    try:
        kind, payload = parse_payload(_header(read_at, at))
        header = parse_index(payload) if kind == c.KIND_BLOCK else None
    except BadHeader:
        return None
    length = int.from_bytes(payload[4:8], "little")
    if length < 16 + len(payload) + 4 + 8:
        return None
    if at + length > size:
        return Torn(at, size - at)
    return Block(at, header) if header is not None else Ending(at, length, kind)


def _header(read_at: ReadAt, at: int) -> bytes:
    start = read_at(at, _SMALL)
    needed = 12 + int.from_bytes(start[10:12], "little") if start.startswith(c.MAGIC) else 0
    return start if needed <= len(start) else read_at(at, needed)


def _other(read_at: ReadAt, at: int, size: int) -> Plain | Torn | Damage | Padding:
    """What stands where no member of ours does."""
    start = read_at(at, _HEADER)
    if not start.strip(b"\0") and _only_zeros(read_at, at, size):
        return Padding(at, size - at)
    if start.startswith(c.MAGIC) or (len(start) < 10 and c.MAGIC.startswith(start)):
        return _bad_member(read_at, at, size, start)
    if start.startswith(_GZIP) and not _is_ours_damaged(start):
        return _plain(read_at, at, size)
    if at == 0 and not start.startswith(_GZIP[:1]) and find_member(read_at, 0, size) is None:
        return Plain(0, size, gzip=False)
    return _damage(read_at, at, size, "no member starts here")


def _bad_member(read_at: ReadAt, at: int, size: int, start: bytes) -> Torn | Damage | Plain:
    needed = 12 + int.from_bytes(start[10:12], "little")
    if at + max(needed, 16) > size and find_member(read_at, at + 1, size) is None:
        return Torn(at, size - at)
    try:
        parse_payload(start)
    except BadHeader as error:
        if "newer" in str(error) or "no PR" in str(error):
            return _plain(read_at, at, size)
        return _damage(read_at, at, size, str(error))
    return _damage(read_at, at, size, "header does not fit its member")


def _is_ours_damaged(start: bytes) -> bool:
    """Whether this is a member of ours with a damaged start, not foreign gzip: our subfield is there."""
    extra, subfield = int.from_bytes(start[10:12], "little"), int.from_bytes(start[14:16], "little")
    return start[12:14] == c.SUBFIELD_ID and extra == subfield + 4


def _plain(read_at: ReadAt, at: int, size: int) -> Plain:
    return Plain(at, _up_to_next(read_at, at, size), gzip=True)


def _damage(read_at: ReadAt, at: int, size: int, reason: str) -> Damage:
    return Damage(at, _up_to_next(read_at, at, size), reason)


def _up_to_next(read_at: ReadAt, at: int, size: int) -> int:
    following = find_member(read_at, at + 1, size)
    return (size if following is None else following) - at


def _only_zeros(read_at: ReadAt, at: int, size: int) -> bool:
    return all(not read_at(start, _WINDOW).strip(b"\0") for start in range(at, size, _WINDOW))


def find_member(read_at: ReadAt, at: int, size: int) -> int | None:
    """Offset of the first member of ours with a valid header from `at` up to `size`, or None."""
    while at < size:
        window = read_at(at, _WINDOW)
        hit = window.find(c.MAGIC)
        while 0 <= hit < size - at:
            if _is_member(read_at, at + hit):
                return at + hit
            hit = window.find(c.MAGIC, hit + 1)
        if len(window) < _WINDOW:
            return None
        at += len(window) - len(c.MAGIC) + 1
    return None


def _is_member(read_at: ReadAt, at: int) -> bool:
    try:
        parse_payload(_header(read_at, at))
    except BadHeader:
        return False
    return True
