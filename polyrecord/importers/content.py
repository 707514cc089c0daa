"""The content of a foreign file, plain or gzip, in bounded memory: chunks, lines and fingerprints."""

from __future__ import annotations

import stat
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO, Protocol, Self, cast

from polyrecord.errors import DataError

CHUNK = 1 << 18
LONGEST_LINE = 1 << 26  # bytes; what is longer is rejected instead of held in memory
_GZIP = b"\x1f\x8b"
_FRAMING = 31  # window bits that ask zlib for gzip framing


class Content:
    """A file's content, as often as needed. `damage` says why it ended early, once it has been read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.damage: str | None = None
        try:
            self._file = _open(name)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}", path=name) from error
        self.stored_size = self._file.seek(0, 2)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def chunks(self, on_progress: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
        """The decompressed content from its start; ends where the file is damaged.

        `on_progress` is told the bytes of the stored file read so far, of `stored_size`.
        """
        self._file.seek(0)
        is_gzip = self._file.read(2) == _GZIP
        self._file.seek(0)
        pieces = iter(lambda: self._file.read(CHUNK), b"")
        try:
            for chunk in _inflated(pieces) if is_gzip else pieces:
                yield chunk
                on_progress(self._file.tell())
        except (OSError, EOFError, zlib.error) as error:
            self.damage = f"damaged: {error}"


def _inflated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The content of gzip members, zeros between them passed over; all of it that stands before damage.

    Raises zlib.error where it is damaged, and EOFError where it ends inside a member.
    """
    unpacker, is_between = zlib.decompressobj(_FRAMING), True
    for piece in pieces:
        packed = piece
        while packed := packed.lstrip(b"\0") if is_between else packed:
            before = unpacker.copy()
            try:
                content = unpacker.decompress(packed, CHUNK)
            except zlib.error:
                yield _until_damage(before, packed)
                raise
            is_between = unpacker.eof
            packed = unpacker.unused_data if is_between else unpacker.unconsumed_tail
            unpacker = zlib.decompressobj(_FRAMING) if is_between else unpacker
            if content:
                yield content
    if not is_between:
        yield unpacker.flush()
        raise EOFError("gzip ends inside a member")


class _Unpacker(Protocol):
    def decompress(self, data: bytes, /) -> bytes: ...


def _until_damage(unpacker: _Unpacker, packed: bytes) -> bytes:
    """What there is before the damage: zlib gives nothing of the call that meets it."""
    content: list[bytes] = []
    with suppress(zlib.error):
        content.extend(unpacker.decompress(packed[at : at + 1]) for at in range(len(packed)))
    return b"".join(content)


def _open(name: str) -> BinaryIO:
    if name == "-":
        return _spool(sys.stdin.buffer)
    file = Path(name).open("rb")  # noqa: SIM115 - Content closes it
    if stat.S_ISREG(Path(name).stat().st_mode):
        return file
    with file:
        return _spool(file)


def _spool(stream: BinaryIO) -> BinaryIO:
    """A pipe's bytes as a file: the content is read twice."""
    file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - Content closes it
    copyfileobj(stream, file, CHUNK)
    return file


@dataclass(frozen=True, slots=True)
class Line:
    """One line without its line feed (`has_end` tells whether there was one).

    `number` from 1; `begin` is its offset in the content. `text` is None when it was too long to be held.
    """

    number: int
    begin: int
    text: bytes | None
    has_end: bool


def split_lines(chunks: Iterable[bytes], longest: int = LONGEST_LINE) -> Iterator[Line]:
    """Lines of a content that comes in chunks; a line feed alone ends a line."""
    number, begin, held = 1, 0, 0
    parts: list[bytes] = []
    for chunk in chunks:
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            held += len(piece)
            parts.append(piece)
            yield Line(number, begin, b"".join(parts) if held <= longest else None, has_end=True)
            number, begin, held, parts = number + 1, begin + held + 1, 0, []
        held += len(rest)
        if held > longest:
            parts = []
        elif rest:
            parts.append(rest)
    if held:
        yield Line(number, begin, b"".join(parts) if held <= longest else None, has_end=False)


@dataclass(frozen=True, slots=True)
class Extent:
    """The first `size` bytes of a content and their SHA-256 in hex."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A content in short: all of it, its whole lines (up to the last line feed), and asked-for beginnings."""

    whole: Extent
    lines: Extent
    beginnings: frozenset[Extent]


def fingerprint(chunks: Iterable[bytes], sizes: Iterable[int] = ()) -> Fingerprint:
    """Reads a content once; `sizes` (from 1) ask for beginnings, those beyond its end are left out."""
    marks = sorted(set(sizes), reverse=True)
    digest, size = sha256(), 0
    lines = Extent(0, digest.hexdigest())
    beginnings = set()
    for chunk in chunks:
        while marks and marks[-1] <= size + len(chunk):
            cut = digest.copy()
            cut.update(chunk[: marks[-1] - size])
            beginnings.add(Extent(marks.pop(), cut.hexdigest()))
        feed = chunk.rfind(b"\n") + 1
        digest.update(chunk[:feed])
        if feed:
            lines = Extent(size + feed, digest.hexdigest())
        digest.update(chunk[feed:])
        size += len(chunk)
    return Fingerprint(Extent(size, digest.hexdigest()), lines, frozenset(beginnings))
