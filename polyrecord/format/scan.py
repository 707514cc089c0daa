"""Walk over a shard from header to header: what stands where, also after damage (docs/format.md, section 6).

Pure: bytes come through `ReadAt`, so the same walk serves files, mappings and tests. Nothing is inflated but
what damage leaves in doubt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import ne
from typing import Final, TypeAlias

from polyrecord.format import constants as c
from polyrecord.format.block import BadHeader, BlockHeader, parse_index, parse_payload
from polyrecord.format.mend import LARGEST, with_frame, without_header
from polyrecord.format.resync import (
    ReadAt,
    find_bytes,
    find_member,
    header_at,
    is_gzip,
    only_zeros,
    up_to_next,
)

HEADER_DAMAGED: Final = "block header is damaged"

_CUT_SHORT = "member is cut short"
_GZIP = b"\x1f\x8b\x08"
_TEXT = b'{"'
_MOST_WORK = 1 << 26  # bytes to inflate in search of gzip behind one damage
_HEADER = 12 + c.MAX_EXTRA + 256


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
    """Bytes that are no member of ours.

    `block` is what they are all the same, where only a header is damaged: its lines can be had, and its
    header is proven by its own CRC, or told by lines that are proven by theirs (its ordinals are then 0).
    """

    offset: int
    length: int
    reason: str
    block: Block | None = None


@dataclass(frozen=True, slots=True)
class Padding:
    """Zero bytes up to the end of the file."""

    offset: int
    length: int


Found: TypeAlias = Block | Ending | Plain | Torn | Damage | Padding


def scan(read_at: ReadAt, size: int, start: int = 0) -> Iterator[Found]:
    """Everything a file of `size` bytes holds from `start`, in order."""
    at = start
    held: Found | None = None
    while at < size:
        ours = _member(read_at, at, size)
        found = _other(read_at, at, size) if ours is None else _cut_short(read_at, ours, size) or ours
        swallowed = _swallowed(read_at, held, found) if held is not None else None
        if swallowed is not None:
            held, at = swallowed, swallowed.offset
        else:
            if held is not None:
                yield held
            held = found
        at += _length(held)
    swallowed = _swallowed(read_at, held, None) if held is not None else None
    if swallowed is not None:
        yield swallowed
        yield from scan(read_at, size, swallowed.offset + swallowed.length)
    elif held is not None:
        yield held


def _swallowed(read_at: ReadAt, found: Found, following: Found | None) -> Damage | None:
    """Damage if a block is cut short by just as much as the members that it then reaches over are long.

    Only ordinals tell: they jump behind it. Of the last block nothing tells, so it is always looked into.
    """
    if not isinstance(found, Block):
        return None
    if isinstance(following, Block) and following.header.first_ordinal == found.header.last_ordinal + 1:
        return None
    inside = find_member(read_at, found.offset + 1, found.offset + _length(found))
    return None if inside is None else Damage(found.offset, inside - found.offset, _CUT_SHORT)


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
    return Damage(found.offset, following - found.offset, _CUT_SHORT)


def _member(read_at: ReadAt, at: int, size: int) -> Block | Ending | Torn | None:
    """The member of ours at `at`, or None when there is none."""
    try:
        kind, payload = parse_payload(header_at(read_at, at))
        header = parse_index(payload) if kind == c.KIND_BLOCK else None
    except BadHeader:
        return None
    length = int.from_bytes(payload[4:8], "little")
    if length < 16 + len(payload) + 4 + 8:
        return None
    if at + length > size:
        return Torn(at, size - at)
    return Block(at, header) if header is not None else Ending(at, length, kind)


def _other(read_at: ReadAt, at: int, size: int) -> Plain | Torn | Damage | Padding:
    """What stands where no member of ours does."""
    start = read_at(at, _HEADER)
    if not start.strip(b"\0") and only_zeros(read_at, at, size):
        return Padding(at, size - at)
    mended = _mended(read_at, at, size, start)
    if mended is not None:
        return mended
    if start.startswith(c.MAGIC) or (len(start) < 10 and c.MAGIC.startswith(start)):
        return _bad_member(read_at, at, size, start)
    if _is_nearly_ours(start) and not is_gzip(read_at, at, size, _MOST_WORK)[0]:
        return _damage(read_at, at, size, "no member starts here")
    if start.startswith(_GZIP) and not _is_ours_damaged(start):
        return _plain(read_at, at, size, gzip=True)
    if _is_text(start, at) and not (at == 0 and find_member(read_at, 0, size) is not None):
        return _plain(read_at, at, size, gzip=False)
    return _damage(read_at, at, size, "no member starts here")


def _is_text(start: bytes, at: int) -> bool:
    """Whether lines stand here: at the file's start any text, behind a member what begins as an event."""
    return not start.startswith(_GZIP[:1]) if at == 0 else start.startswith(_TEXT)


def _mended(read_at: ReadAt, at: int, size: int, start: bytes) -> Damage | None:
    """A block that only its header's damage hides."""
    if not (start.startswith(_GZIP[:2]) or start[12:14] == c.SUBFIELD_ID) or _holds(start):
        return None
    header = with_frame(start)
    if header is None and (_is_ours_damaged(start) or start.startswith(c.MAGIC)):
        header = without_header(read_at(at, min(up_to_next(read_at, at, size), LARGEST)))
    if header is None or not 0 < header.member_length <= size - at:
        return None
    block = Block(at, header)
    return None if _cut_short(read_at, block, size) else Damage(at, _length(block), HEADER_DAMAGED, block)


def _holds(start: bytes) -> bool:
    """Whether a header's CRC is right: what is wrong with the member is no damage to its header."""
    try:
        parse_payload(start)
    except BadHeader as error:
        return "newer" in str(error)
    return True


def _bad_member(read_at: ReadAt, at: int, size: int, start: bytes) -> Torn | Damage | Plain:
    needed = 12 + int.from_bytes(start[10:12], "little")
    if at + max(needed, 16) > size and find_member(read_at, at + 1, size) is None:
        return Torn(at, size - at)
    try:
        parse_payload(start)
    except BadHeader as error:
        # What begins as ours do and is not named PR may be ours and damaged: it has to be whole.
        is_foreign = "no PR" in str(error) and is_gzip(read_at, at, size, _MOST_WORK)[0]
        if is_foreign or "newer" in str(error):
            return _plain(read_at, at, size, gzip=True)
        return _damage(read_at, at, size, str(error))
    return _damage(read_at, at, size, "header does not fit its member")


def _is_ours_damaged(start: bytes) -> bool:
    """Whether this is a member of ours with a damaged start, not foreign gzip: our subfield is there."""
    extra, subfield = int.from_bytes(start[10:12], "little"), int.from_bytes(start[14:16], "little")
    return start[12:14] == c.SUBFIELD_ID and extra == subfield + 4


def _is_nearly_ours(start: bytes) -> bool:
    """Whether a member has an extra field as ours have, and a start that differs by a byte or two."""
    return start[3:4] == c.MAGIC[3:4] and sum(map(ne, start, c.MAGIC)) in (1, 2)


def _plain(read_at: ReadAt, at: int, size: int, *, gzip: bool) -> Plain:
    return Plain(at, up_to_next(read_at, at, size), gzip=gzip)


def _damage(read_at: ReadAt, at: int, size: int, reason: str) -> Damage:
    """Damage up to what comes next: a member of ours, one that can be mended, or gzip of another program."""
    end = at + up_to_next(read_at, at, size)
    hidden = find_hidden(read_at, at, end)
    return Damage(at, (end if hidden is None else hidden) - at, reason)


def find_hidden(read_at: ReadAt, at: int, end: int) -> int | None:
    """Where behind damage a member stands that no whole header of ours announces, if there is one."""
    work = _MOST_WORK
    for hit in find_bytes(read_at, _GZIP[:2], at + 1, end):
        start = read_at(hit, _HEADER)
        if _mended(read_at, hit, end, start) is not None:
            return hit
        if start.startswith(_GZIP) and not _is_ours_damaged(start) and not start.startswith(c.MAGIC):
            is_whole, done = is_gzip(read_at, hit, end, work)
            if is_whole:
                return hit
            work -= done + 1
        if work <= 0:
            return None
    return None
