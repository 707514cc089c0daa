"""Lines for the engine in pieces: while it reads one, the next one is inflated into another file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from typing import Any, Final

from polyrecord.report.feed import LineFile

PIECE: Final = 16 << 20  # bytes of lines in memory before the engine takes them over
_END: Final = b'_ms"'  # of a name in the text of a line
# A name with a value behind it that may be no number, no null and no NaN.
_ODD: Final = rb'_ms"(?:[^:]|: *[^ 0-9nNI-])'


@dataclass(slots=True)
class Piece:
    """Whole lines in a file, the `beginning` of the first of them, and what was seen in their text.

    `ends` are as many as there may be names of stages; none is spelled with escapes unless `escaped`, and
    each stands before a number or a null unless `odd`.
    """

    lines: LineFile
    beginning: bytes
    ends: int = 0
    escaped: bool = False
    odd: bool = False

    def add(self, chunk: bytes) -> None:
        """Append whole lines."""
        self.lines.add(chunk)
        self.ends += chunk.count(_END)
        self.escaped = self.escaped or (b"\\" in chunk and b"\\u" in chunk)
        self.odd = self.odd or _odd().search(chunk) is not None


@cache
def _odd() -> Any:
    """RE2 is as fast as memory here, and lets other threads run."""
    import re2

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1  # bytes
    return re2.compile(_ODD, options)


def pieces(chunks: Iterable[bytes], files: Sequence[LineFile]) -> Iterator[Piece]:
    """Chunks of whole lines, many of them a piece, in the files by turns: what was in one is lost then."""
    free, piece = cycle(files), None
    for chunk in filter(None, chunks):
        if piece is not None and piece.lines.size + len(chunk) > PIECE:
            piece.lines.end()
            yield piece
            piece = None
        if piece is None:
            piece = Piece(next(free), chunk)
            piece.lines.begin()
        piece.add(chunk)
    if piece is not None:
        piece.lines.end()
        yield piece
