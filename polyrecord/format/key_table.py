"""Which blocks hold a key: the tables of a sealed shard's directory (docs/format.md, section 5).

About two bytes a key. A key is kept as the number of its cell, of some thirty cells for each key, and a block
as the number of its group, of at most 256: enough to say where a key is not.
"""

from __future__ import annotations

import struct
import sys
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate
from operator import sub
from typing import Final

from polyrecord.format.block import BadHeader, words

_HEAD: Final = struct.Struct("<IIII")  # keys a cell, entries, blocks a group, bytes of pages
_FENCE: Final = struct.Struct("<II")  # first cell of a page, where the page begins
_PAGE: Final = 128  # entries
_GROUPS: Final = 256
_CELLS: Final = 32  # for each key: steps between neighbours then mostly fit a byte
_WIDEST: Final = 1 << 16  # keys a cell, however few there are
_CODES: Final = {1: "B", 2: "H", 4: "I"}
AT_ONCE: Final = 4096  # keys, in about a millisecond


class KeyTableBuilder:
    """Makes a table of the keys of blocks; it holds some eight bytes a key."""

    def __init__(self, keys: int, blocks: int) -> None:
        """Of so many keys, in so many blocks."""
        self._per_cell = max(min(_WIDEST, (1 << 32) // (_CELLS * max(keys, 1))), 1)
        self._per_group = -(-blocks // _GROUPS) or 1
        self._blocks = 0
        # Cells and groups as one number, by the first byte of the key: one sort of all takes too long.
        self._buckets = [array("Q") for _ in range(256)]

    def add(self, keys: Iterable[int]) -> None:
        """Take the keys of the next block."""
        buckets, per_cell, group = self._buckets, self._per_cell, self._blocks // self._per_group
        for key in keys:
            buckets[key >> 24].append(key // per_cell << 8 | group)
        self._blocks += 1

    def pack(self, breathe: Callable[[], object]) -> bytes:
        """The table; `breathe` is called every few milliseconds."""
        pages = _Pages()
        since = 0
        for bucket in self._buckets:
            pages.add(sorted(set(bucket)))
            since += len(bucket)
            if since >= AT_ONCE:
                since = 0
                breathe()
        fences, packed = pages.end()
        head = _HEAD.pack(self._per_cell, pages.entries, self._per_group, len(packed))
        return b"".join((head, fences, packed))


class _Pages:
    """Entries cut into pages, each with its first cell and place."""

    def __init__(self) -> None:
        self.entries = 0
        self._rest: list[int] = []
        self._fences: list[bytes] = []
        self._pages: list[bytes] = []
        self._size = 0

    def add(self, entries: list[int]) -> None:
        entries = self._rest + entries
        whole = len(entries) - len(entries) % _PAGE
        for at in range(0, whole, _PAGE):
            self._add_page(entries[at : at + _PAGE])
        self._rest = entries[whole:]

    def _add_page(self, entries: list[int]) -> None:
        cells = [entry >> 8 for entry in entries]
        steps = list(map(sub, cells[1:], cells))
        largest = max(steps, default=0)
        width = 1 if largest < 1 << 8 else 2 if largest < 1 << 16 else 4
        page = b"".join((bytes((width,)), _packed(steps, width), bytes([entry & 0xFF for entry in entries])))
        self._fences.append(_FENCE.pack(cells[0], self._size))
        self._pages.append(page)
        self._size += len(page)
        self.entries += len(entries)

    def end(self) -> tuple[bytes, bytes]:
        """Fences and pages."""
        if self._rest:
            self._add_page(self._rest)
        return b"".join(self._fences), b"".join(self._pages)


def _packed(steps: list[int], width: int) -> bytes:
    numbers = array(_CODES[width], steps)
    if sys.byteorder == "big":  # pragma: no cover
        numbers.byteswap()
    return numbers.tobytes()


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
