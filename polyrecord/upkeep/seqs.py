"""Which seqs of one writer are there, in little memory: they come nearly in order, and nearly all of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_PAGE: Final = 1 << 16
_MOST_PAGES: Final = 1024  # 64 MiB


class SeqSet:
    """A set of seqs that counts those that come twice.

    Full stretches take no memory. With too many that are not full it gives up: `exact` is then false.
    """

    def __init__(self) -> None:
        self.count = 0  # different ones
        self.highest = 0
        self.exact = True
        self._pages: dict[int, bytearray] = {}
        self._missing: dict[int, int] = {}  # of each page that has some
        self._full: set[int] = set()

    def add(self, seqs: Iterable[int]) -> int:
        """Take seqs in; how many of them were there already."""
        twice = 0
        for seq in seqs:
            self.highest = max(self.highest, seq)
            number, at = divmod(seq, _PAGE)
            page = self._page(number)
            if page is None:
                twice += number in self._full
            elif page[at]:
                twice += 1
            else:
                page[at] = 1
                self.count += 1
                self._fill(number)
        return twice

    def up_to(self, seq: int) -> int:
        """How many different ones up to a seq."""
        last, rest = divmod(seq + 1, _PAGE)
        full = sum(_PAGE for number in self._full if number < last)
        full += rest if last in self._full else 0
        partly = sum(page.count(1) for number, page in self._pages.items() if number < last)
        return full + partly + (self._pages[last].count(1, 0, rest) if last in self._pages else 0)

    def _page(self, number: int) -> bytearray | None:
        page = self._pages.get(number)
        if page is None and number not in self._full and self.exact:
            if len(self._pages) >= _MOST_PAGES:
                self.exact = False
                return None
            page = self._pages[number] = bytearray(_PAGE)
            self._missing[number] = _PAGE
        return page

    def _fill(self, number: int) -> None:
        self._missing[number] -= 1
        if not self._missing[number]:
            del self._pages[number], self._missing[number]
            self._full.add(number)
