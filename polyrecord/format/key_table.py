"""Which blocks hold a key: the tables of a sealed shard's directory (docs/format.md, section 5).

About two bytes a key. A key is kept as the number of its cell, of twenty to forty cells for each key, and a
block as the number of its group, of at most 256: enough to say where a key is not.

A table is made beside a program that waits for the interpreter. So nothing but the sort looks at keys one by
one: bytes of many u32s side by side are taken as one large int, and that is shifted, masked and subtracted.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, compress, repeat
from typing import Final

from polyrecord.format.block import BadHeader, pack_words, words

_HEAD: Final = struct.Struct("<IIII")  # keys a cell, entries, blocks a group, bytes of pages
_FENCE: Final = struct.Struct("<II")  # first cell of a page, where the page begins
_PAGE: Final = 128  # entries
_GROUPS: Final = 256
_CELLS: Final = 20  # for each key, or up to twice as many: steps between neighbours then mostly fit a byte
_WIDEST: Final = 16  # bits of a key that its cell leaves out, however few keys there are
_BUCKET: Final = 19  # bits of a cell's number in its bucket: some 20,000 keys, three milliseconds
_BUCKETS: Final = 8  # bits: of more buckets, a block would have no key in most
AT_ONCE: Final = 4096  # keys
_RUN: Final = 2 * AT_ONCE  # keys that one sort takes up
_PART: Final = 512  # entries, of which mostly none is there twice
_CODES: Final = {1: "B", 2: "H", 4: "I"}


class KeyTableBuilder:
    """Makes a table of the keys of blocks; it holds some four bytes a key."""

    def __init__(self, keys: int, blocks: int) -> None:
        """Of so many keys, in so many blocks."""
        per_cell = max((1 << 32) // (_CELLS * max(keys, 1)), 1)
        self._shift = min(per_cell.bit_length() - 1, _WIDEST)
        bits = 32 - self._shift
        self._bucket_bits = max(min(bits, _BUCKET), bits - _BUCKETS)
        self._buckets = [bytearray() for _ in range(1 << bits - self._bucket_bits)]
        width = 256 // len(self._buckets)
        self._edges = range(width, 256, width)  # first bytes of keys, where the next bucket begins
        self._per_group = -(-blocks // _GROUPS) or 1
        self._blocks = self._widest = self._mask = 0

    def add(self, keys: Sequence[int]) -> None:
        """Take the keys of the next block: ascending, as a header should have them, or not."""
        packed = pack_words(keys)
        firsts = packed[3::4]
        if bytes(sorted(firsts)) != firsts:
            packed = pack_words(sorted(keys))
            firsts = packed[3::4]
        entries = self._entries(packed, self._blocks // self._per_group)
        self._blocks += 1
        cuts = map(bisect_left, repeat(firsts), self._edges)
        at = 0
        for bucket, cut in zip(self._buckets, (*cuts, len(keys)), strict=True):
            bucket.extend(entries[4 * at : 4 * cut])
            at = cut

    def _entries(self, packed: bytes, group: int) -> bytearray:
        """Of each key a u32: its cell's number in the bucket, and in the lowest byte the group."""
        count = len(packed) // 4
        if count > self._widest:
            mask = ((1 << self._bucket_bits) - 1 << 8).to_bytes(4, "little")
            self._widest, self._mask = count, int.from_bytes(mask * count, "little")
        cells = int.from_bytes(packed, "little") << 8 >> self._shift & self._mask
        entries = bytearray(cells.to_bytes(len(packed), "little"))
        entries[::4] = bytes((group,)) * count
        return entries

    def pack(self, breathe: Callable[[], object]) -> bytes:
        """The table; `breathe` is called about every millisecond."""
        pages = _Pages()
        for number, bucket in enumerate(self._buckets):
            pause = breathe if len(bucket) > AT_ONCE else _go_on  # bytes: of a thousand keys
            entries = _sorted(words(memoryview(bucket)), pause)
            pause()
            distinct = _distinct(entries)
            pause()
            pages.add(number << self._bucket_bits, distinct)
            pause()
        fences, packed = pages.end()
        head = _HEAD.pack(1 << self._shift, pages.entries, self._per_group, len(packed))
        return b"".join((head, fences, packed))


def _go_on() -> None:
    """A few keys are no reason for a pause."""


def _sorted(numbers: array[int], pause: Callable[[], object]) -> list[int]:
    """Sorted run by run: the last sort finds them, and only merges them."""
    entries: list[int] = []
    for at in range(0, len(numbers), _RUN):
        run = numbers[at : at + _RUN].tolist()
        run.sort()
        entries += run
        pause()
    entries.sort()
    return entries


def _distinct(entries: list[int]) -> bytes:
    """Ascending u32s, each once, as bytes."""
    packed = pack_words(entries)
    number = int.from_bytes(packed, "little")
    differs = number ^ number << 32  # every entry with the one before
    differs |= differs >> 16
    differs |= differs >> 8  # now the lowest byte of each is 0 only where all four were
    marks = b"\1" + differs.to_bytes(len(packed) + 4, "little")[4:-4:4]
    if 0 not in marks:
        return packed
    parts: list[bytes] = []
    for at in range(0, len(marks), _PART):
        own = slice(at, at + _PART)
        is_whole = 0 not in marks[own]
        parts.append(packed[4 * at : 4 * (at + _PART)] if is_whole else _kept(entries[own], marks[own]))
    return b"".join(parts)


def _kept(entries: list[int], marks: bytes) -> bytes:
    return pack_words(list(compress(entries, marks)))


class _Pages:
    """Entries cut into pages, each with its first cell and place."""

    def __init__(self) -> None:
        self.entries = 0
        self._last = 0  # cell
        self._steps = self._groups = b""  # of entries that do not fill a page yet
        self._cells: list[int] = []  # the first of each page
        self._fences: list[bytes] = []
        self._pages: list[bytes] = []
        self._size = 0

    def add(self, first: int, entries: bytes) -> None:
        """Take the next entries, if any; their cells are counted from the cell `first`."""
        if not entries:
            return
        begins = -len(self._groups) % _PAGE  # the next page
        self._cells += [first + (entry >> 8) for entry in words(entries)[begins::_PAGE]]
        steps, groups = self._steps + self._steps_of(first, entries), self._groups + entries[::4]
        planes = [steps[byte::4] for byte in range(4)]
        at = 0
        for end in range(_PAGE, len(groups) + 1, _PAGE):
            inner = slice(at + 1, end)
            self._add_page([plane[inner] for plane in planes], groups[at:end])
            at = end
        self._steps, self._groups = steps[4 * at :], groups[at:]

    def _steps_of(self, first: int, entries: bytes) -> bytes:
        """Of each entry a u32: its cell less the cell of the one before."""
        size = len(entries)
        rest = bytearray(entries)
        rest[::4] = bytes(size // 4)
        cells = int.from_bytes(rest, "little") >> 8
        last = int.from_bytes(entries[-3:], "little")
        steps = cells - (cells << 32) + ((last << 8 * size) + first - self._last)
        self._last = first + last
        return steps.to_bytes(size, "little")

    def _add_page(self, planes: Sequence[bytes], groups: bytes) -> None:
        """One page; `planes` are the lowest bytes of its steps, the next higher ones, and so on."""
        low, second, third, high = planes
        zeros = bytes(len(low))
        width = 1 if second == third == high == zeros else 2 if third == high == zeros else 4
        steps = low if width == 1 else _interleaved(planes[:width])
        page = b"".join((bytes((width,)), steps, groups))
        self._fences.append(_FENCE.pack(self._cells[len(self._pages)], self._size))
        self._pages.append(page)
        self._size += len(page)
        self.entries += len(groups)

    def end(self) -> tuple[bytes, bytes]:
        """Fences and pages."""
        if self._groups:
            self._add_page([self._steps[4 + byte :: 4] for byte in range(4)], self._groups)
        return b"".join(self._fences), b"".join(self._pages)


def _interleaved(planes: Sequence[bytes]) -> bytearray:
    result = bytearray(len(planes) * len(planes[0]))
    for number, plane in enumerate(planes):
        result[number :: len(planes)] = plane
    return result


class KeyTable:
    """A table as it stands in a directory; a page is only unpacked when it may hold what is asked for."""

    __slots__ = ("_entries", "_fences", "_pages", "_per_cell", "_per_group", "end")

    def __init__(self, raw: memoryview, at: int) -> None:
        """The table at an offset, which ends at `end`; raises BadHeader when it does not fit."""
        try:
            self._per_cell, self._entries, self._per_group, size = _HEAD.unpack_from(raw, at)
        except struct.error as error:
            raise BadHeader("key table is cut short") from error
        start = at + _HEAD.size
        pages = start + _FENCE.size * -(-self._entries // _PAGE)
        self.end = pages + size
        if self.end > len(raw) or not self._per_cell or not self._per_group:
            raise BadHeader("key table does not fit")
        self._fences, self._pages = raw[start:pages], raw[pages : self.end]

    def blocks(self, low: int, high: int, of: int) -> set[int]:
        """Numbers of the blocks, of so many, that may hold a key from `low` to `high`; none is left out."""
        try:
            groups = self._groups(low // self._per_cell, high // self._per_cell)
        except (struct.error, ValueError, IndexError):
            return set(range(of))  # not as it should be: it can rule nothing out
        per = self._per_group
        return {block for group in groups for block in range(group * per, min((group + 1) * per, of))}

    def _groups(self, low: int, high: int) -> set[int]:
        fences = words(self._fences)
        firsts = fences[::2]
        found: set[int] = set()
        # Entries of the cell looked for may begin in the page before the first that begins with it.
        for page in range(max(bisect_left(firsts, low) - 1, 0), bisect_right(firsts, high)):
            cells, groups = self._page(page, firsts[page], fences[2 * page + 1])
            found.update(groups[bisect_left(cells, low) : bisect_right(cells, high)])
        return found

    def _page(self, number: int, first: int, at: int) -> tuple[list[int], memoryview]:
        count = min(_PAGE, self._entries - number * _PAGE)
        width = self._pages[at]
        steps_end = at + 1 + width * (count - 1)
        groups = self._pages[steps_end : steps_end + count]
        if len(groups) != count or width not in _CODES:
            raise ValueError("page is cut short")
        return list(accumulate(_unpacked(self._pages[at + 1 : steps_end], width), initial=first)), groups


def _unpacked(raw: memoryview, width: int) -> Iterable[int]:
    if width == 1:
        return raw
    numbers = array(_CODES[width])
    numbers.frombytes(raw)
    if sys.byteorder == "big":  # pragma: no cover
        numbers.byteswap()
    return numbers
