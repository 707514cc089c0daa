"""Blocks as they are asked for."""

from __future__ import annotations

from functools import cache
from typing import Final

from polyrecord.read.files import OpenFiles
from polyrecord.read.plan import PlannedBlock

_LARGE: Final = 1 << 24  # bytes


class Fetcher:
    """Reads blocks; the files are those of one iteration."""

    def __init__(self) -> None:
        self._files = OpenFiles()
        _keep_pages()

    def fetch(self, block: PlannedBlock) -> bytes:
        """The bytes of a block; raises OSError."""
        return self._files.read_at(block.info, block.offset, block.length)

    def close(self) -> None:
        """Close the files."""
        self._files.close()


@cache
def _keep_pages() -> None:
    """Have malloc keep what one block leaves for the next, in place of giving it back to the system.

    glibc learns from the largest piece that was given back how much to keep: without this, a fifth of the
    time goes into page faults. No page of the piece is touched.
    """
    bytes(_LARGE)
