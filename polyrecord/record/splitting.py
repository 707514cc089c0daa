"""Lines out of chunks, in bounded memory. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

LONGEST_LINE = 16 << 20
_SHOWN = 1_000


@dataclass(frozen=True, slots=True)
class TooLong:
    """A line that was not held: how many bytes it had, and how it began."""

    size: int
    start: bytes


RawLine: TypeAlias = bytes | TooLong


class LineSplitter:
    """Cuts chunks into lines without their line feeds; of one over `longest` bytes only the start is kept."""

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        self._longest = longest
        self._shown = min(longest, _SHOWN)
        self._held = bytearray()
        self._skipped = 0

    def feed(self, chunk: bytes) -> list[RawLine]:
        """The lines that end in this chunk."""
        if b"\n" not in chunk:
            self._hold(chunk)
            return []
        first, *lines = chunk.split(b"\n")
        rest = lines.pop()
        self._hold(first)
        ended: list[RawLine] = [self._take(), *lines]
        if len(chunk) > self._longest:
            ended[1:] = [self._bounded(line) for line in lines]
        self._hold(rest)
        return ended

    def rest(self) -> RawLine | None:
        """What came after the last line feed."""
        return self._take() if self._held else None

    def _hold(self, part: bytes) -> None:
        self._held += part
        if len(self._held) > self._longest:
            self._skipped += len(self._held) - self._shown
            del self._held[self._shown :]

    def _take(self) -> RawLine:
        line: RawLine
        if not self._skipped:
            line = bytes(self._held)
        else:
            line = TooLong(self._skipped + len(self._held), bytes(self._held[: self._shown]))
        self._held.clear()
        self._skipped = 0
        return line

    def _bounded(self, line: bytes) -> RawLine:
        return line if len(line) <= self._longest else TooLong(len(line), line[: self._shown])
