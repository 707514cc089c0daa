"""Blocks as they are asked for."""

from __future__ import annotations

from typing import Final

from polyrecord import heap
from polyrecord.read.files import OpenFiles
from polyrecord.read.plan import PlannedBlock

_KEPT: Final = (
    32 << 20
)  # bytes that a block leaves for the next; without it a fifth of the time is page faults


class Fetcher:
    """Reads blocks; the files are those of one iteration."""

    def __init__(self) -> None:
        self._files = OpenFiles()
        heap.keep(_KEPT)

    def fetch(self, block: PlannedBlock) -> bytes:
        """The bytes of a block; raises OSError."""
        return self._files.read_at(block.info, block.offset, block.length)

    def close(self) -> None:
        """Close the files."""
        self._files.close()
