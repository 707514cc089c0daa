"""Bytes that recovery cuts off: kept in logs/_quarantine, each with a report beside them."""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from polyrecord.format.layout import QUARANTINE, ShardName
from polyrecord.format.resync import ReadAt
from polyrecord.record.files import make_directory, sync_directory, write_all, write_atomically
from polyrecord.record.regular import files, read_regular

_CHUNK = 1 << 20
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
_MOST_REPORT = 1 << 20  # bytes
_MOST_COPIES = 1000  # bytes cut at one offset of one shard, again and again


@dataclass(frozen=True, slots=True)
class Cut:
    """The bytes of a shard from `offset` on: `length` of them, the last `zeros` of which are zero."""

    offset: int
    length: int
    zeros: int
    crc: int  # CRC-32 of what is not among those zeros

    @property
    def kept(self) -> int:
        """How many bytes are worth keeping."""
        return self.length - self.zeros


def measure(read_at: ReadAt, offset: int, end: int) -> Cut:
    """The bytes from `offset` to `end`."""
    last = _last_nonzero(read_at, offset, end)
    crc = 0
    for chunk in _chunks(read_at, offset, last):
        crc = zlib.crc32(chunk, crc)
    return Cut(offset, end - offset, end - last, crc)


def _last_nonzero(read_at: ReadAt, offset: int, end: int) -> int:
    while end > offset:
        start = max(offset, end - _CHUNK)
        rest = read_at(start, end - start).rstrip(b"\0")
        if rest:
            return start + len(rest)
        end = start
    return offset


def _chunks(read_at: ReadAt, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        chunk = read_at(start, min(_CHUNK, end - start))
        if not chunk:
            return
        yield chunk
        start += len(chunk)


def quarantine(root: Path, name: ShardName, cut: Cut, read_at: ReadAt, report: dict[str, Any]) -> Path:
    """Keep the bytes and the report, both on the disk when this returns; the report's path.

    The same cut again, after a run that did not come to its end, finds its files and changes nothing.
    """
    folder = _folder(root, name.writer)
    content = {
        **report,
        "offset": cut.offset,
        "bytes": cut.length,
        "zeros": cut.zeros,
        "crc32": f"{cut.crc:08x}",
    }
    place = _place(folder, name, cut)
    if cut.kept:
        _copy(place.with_suffix(".bin"), cut, read_at)
    content["file"] = place.with_suffix(".bin").name if cut.kept else None
    if read_report(place) is None:
        write_atomically(place, orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return place


def _folder(root: Path, writer: str) -> Path:
    folder = root / QUARANTINE / writer
    if any(place.is_symlink() for place in (folder, folder.parent, folder.parent.parent)):
        raise OSError(errno.ELOOP, "quarantine is a symbolic link", str(folder))
    make_directory(folder)
    return folder


def _place(folder: Path, name: ShardName, cut: Cut) -> Path:
    """Where the report of this cut is, or goes: never over that of another cut at the same offset."""
    first = f"{stem(name)}{cut.offset}"
    for copy in range(1, _MOST_COPIES):
        place = folder / (f"{first}.json" if copy == 1 else f"{first}-{copy}.json")
        known = read_report(place)
        if known is None or (known.get("bytes"), known.get("crc32")) == (cut.length, f"{cut.crc:08x}"):
            return place
    raise FileExistsError(f"{_MOST_COPIES} cuts at one place")


def stem(name: ShardName) -> str:
    """`data-events-0001-`: what the files of one shard begin with."""
    return f"{name.stream.replace('/', '-')}-{name.number:04d}-"


def _copy(to: Path, cut: Cut, read_at: ReadAt) -> None:
    """Under another name first. One process at a time does this: it holds the shard's lock."""
    temporary = to.with_name(f".{to.name}")
    descriptor = os.open(temporary, _FLAGS, 0o640)
    try:
        for chunk in _chunks(read_at, cut.offset, cut.offset + cut.kept):
            write_all(descriptor, chunk)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.replace(to)
    sync_directory(to.parent)


def reports(root: Path, name: ShardName) -> list[tuple[Path, dict[str, Any]]]:
    """The reports there are of one shard, of earlier runs too."""
    folder = root / QUARANTINE / name.writer
    places = [
        folder / file for file in files(folder) if file.startswith(stem(name)) and file.endswith(".json")
    ]
    known = ((place, read_report(place)) for place in places)
    return [(place, report) for place, report in known if report is not None]


def read_report(place: Path) -> dict[str, Any] | None:
    """A report, or None where there is none that can be read."""
    try:
        content = orjson.loads(read_regular(place, _MOST_REPORT))
    except (OSError, orjson.JSONDecodeError):
        return None
    return content if isinstance(content, dict) else None
