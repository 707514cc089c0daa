"""Reads an archive with zlib and json alone: a second opinion that shares nothing with our reader."""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_SHARD: Final = re.compile(
    r"(?P<stream>(?:data|logs)/[a-z]+)/date=(?P<date>\d{4}-\d\d-\d\d)/(?P<open>_open/)?"
    r"[a-z]+-(?P<writer>[^-]+)-(?P<number>\d+)\.jsonl\.gz"
)
_MAGIC: Final = b"\x1f\x8b\x08"


@dataclass(frozen=True, slots=True)
class Shard:
    """One file: its whole members' events in order, and what stands behind the last whole member."""

    path: str
    stream: str
    writer: str
    number: int
    date: str
    sealed: bool
    events: tuple[dict[str, Any], ...]
    lines: tuple[bytes, ...]
    tail: int
    buried: bool  # whole members stand behind bytes that are none


def read(root: Path) -> list[Shard]:
    """All shards by stream, writer and number."""
    shards = [_read(path, match) for path, match in _files(root)]
    return sorted(shards, key=lambda shard: (shard.stream, shard.writer, shard.number))


def _files(root: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    for path in root.rglob("*.jsonl.gz"):
        match = _SHARD.fullmatch(path.relative_to(root).as_posix())
        if match is not None:
            yield path, match


def _read(path: Path, match: re.Match[str]) -> Shard:
    data = path.read_bytes()
    content, end = members(data)
    lines = tuple(content.splitlines())
    rest = data[end:]
    return Shard(
        path=match.string, stream=match["stream"], writer=match["writer"], number=int(match["number"]),
        date=match["date"], sealed=match["open"] is None, events=tuple(map(json.loads, lines)), lines=lines,
        tail=len(rest), buried=_holds_member(rest),
    )  # fmt: skip


def members(data: bytes) -> tuple[bytes, int]:
    """What the whole members at the beginning inflate to, and where they end."""
    inflated, end = [], 0
    while end < len(data):
        content, size = _member(data[end:])
        if not size:
            break
        inflated.append(content)
        end += size
    return b"".join(inflated), end


def _member(data: bytes) -> tuple[bytes, int]:
    inflater = zlib.decompressobj(wbits=31)
    try:
        content = inflater.decompress(data)
    except zlib.error:
        return b"", 0
    return (content, len(data) - len(inflater.unused_data)) if inflater.eof else (b"", 0)


def _holds_member(rest: bytes) -> bool:
    at = rest.find(_MAGIC, 1)
    while at > 0:
        if _member(rest[at:])[1]:
            return True
        at = rest.find(_MAGIC, at + 1)
    return False
