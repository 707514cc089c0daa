"""What was deleted from an archive on purpose: the ledger in logs/_pruned (docs/format.md, section 1).

One JSON object a line for each shard, on the disk before the shard is removed. So a line tells of a deletion
only while its shard is absent: a deletion may have been interrupted, or the shard may have been put back.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Final

import orjson

from polyrecord.format.layout import OPEN_DIR, PRUNED, ShardName, parse_shard_path

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_LONGEST: Final = 1 << 16  # bytes of a line; longer ones are not ours
_U64: Final = (0, (1 << 64) - 1)
_I64: Final = (-(1 << 63), (1 << 63) - 1)
_NUMBERS: Final = {
    "bytes": _U64, "events": _U64, "first_seq": _U64, "last_seq": _U64, "first_ordinal": _U64,
    "last_ordinal": _U64, "min_ts": _I64, "max_ts": _I64, "lost": _U64,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class PrunedShard:
    """A sealed shard that is no longer here: what its footer said, when and why it went.

    Times are ns, `bytes` those of the file. `to` is the directory it was moved to, None where it was deleted.
    A shard without a directory of its own is counted from header to header; its `fingerprint` is empty.
    """

    name: ShardName
    at: str
    reason: str
    bytes: int
    events: int
    first_seq: int
    last_seq: int
    first_ordinal: int
    last_ordinal: int
    min_ts: int
    max_ts: int
    lost: int
    fingerprint: str
    clean: bool
    to: str | None = None

    def entry(self) -> dict[str, Any]:
        """The line of the ledger."""
        name, told = self.name, {part: getattr(self, part) for part in _NUMBERS}
        place = {"stream": name.stream, "writer": name.writer, "number": name.number, "date": name.date}
        moved = {} if self.to is None else {"to": self.to}
        ending = {"fingerprint": self.fingerprint, "clean": self.clean}
        return {"at": self.at, "reason": self.reason, **moved, **place, **told, **ending}


@dataclass(frozen=True, slots=True)
class PrunedLedger:
    """All shards that were deleted; `damaged` lines, files too, could not be read and were left out."""

    shards: tuple[PrunedShard, ...]
    damaged: int


def pruned_shards(root: Path) -> list[PrunedShard]:
    """The shards that were deleted and are absent, each once, by writer, stream and number."""
    return list(read_ledger(root).shards)


def read_ledger(root: Path) -> PrunedLedger:
    """The deletion ledger of an archive; one that has none has deleted nothing."""
    found: dict[tuple[str, str, int], PrunedShard] = {}
    damaged = 0
    here = _Present(root)
    for entry in _entries(root):
        if entry is None:
            damaged += 1
        elif entry.name not in here:
            found.setdefault(_key(entry.name), entry)
    return PrunedLedger(tuple(found[key] for key in sorted(found)), damaged)


def was_pruned(root: Path, name: ShardName) -> bool:
    """Whether a shard that cannot be found was deleted on purpose."""
    return _key(name) in _told(root, _stamps(root)) and name not in _Present(root)


def _key(name: ShardName) -> tuple[str, str, int]:
    return name.writer, name.stream, name.number


@lru_cache(maxsize=2)
def _told(root: Path, _stamps: tuple[tuple[int, ...], ...]) -> frozenset[tuple[str, str, int]]:
    """Every shard that the ledger names, as long as its files stay what they were: asked once per shard."""
    return frozenset(_key(entry.name) for entry in _entries(root) if entry is not None)


def _stamps(root: Path) -> tuple[tuple[int, ...], ...]:
    found = []
    for path in _files(root):
        with suppress(OSError):
            told = path.stat(follow_symlinks=False)
            found.append((told.st_ino, told.st_size, told.st_mtime_ns))
    return tuple(found)


class _Present:
    """Which shards are in an archive; each folder is listed once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[PurePosixPath, frozenset[str]] = {}

    def __contains__(self, name: ShardName) -> bool:
        return any(
            name.filename in self._listed(folder) for folder in (name.directory, name.directory / OPEN_DIR)
        )

    def _listed(self, folder: PurePosixPath) -> frozenset[str]:
        if folder not in self._folders:
            try:
                self._folders[folder] = frozenset(path.name for path in (self._root / folder).iterdir())
            except OSError:
                self._folders[folder] = frozenset()
        return self._folders[folder]


def _entries(root: Path) -> Iterator[PrunedShard | None]:
    """Every line of the ledger; None for one, or a whole file, that cannot be read."""
    for path in _files(root):
        yield from _file(path)


def _files(root: Path) -> list[Path]:
    folder = root / PRUNED
    try:
        is_link = folder.is_symlink() or folder.parent.is_symlink()
        return [] if is_link else sorted(folder.glob("[!.]*.jsonl"))
    except OSError:
        return []


def _file(path: Path) -> Iterator[PrunedShard | None]:
    try:
        descriptor = os.open(path, _FLAGS)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, opened without following links
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                yield None
                return
            while line := file.readline(_LONGEST):
                if line.strip():
                    yield from _entry(line)
    except OSError:
        yield None


def _entry(line: bytes) -> Iterator[PrunedShard | None]:
    """The shard of a line; nothing for a line that tells of another file."""
    try:
        told = orjson.loads(line)
    except orjson.JSONDecodeError:
        told = None
    if not isinstance(told, dict):
        yield None
    elif not isinstance(told.get("file"), str):
        yield parse_entry(told)


def parse_entry(told: dict[str, Any]) -> PrunedShard | None:
    """A line of the ledger that was decoded, None where it is not one."""
    name, numbers = _name(told), _numbers(told)
    texts = [told.get("at"), told.get("reason"), told.get("fingerprint", "")]
    to = told.get("to")
    if name is None or numbers is None or not all(isinstance(text, str) for text in texts):
        return None
    at, reason, fingerprint = map(str, texts)
    return PrunedShard(
        name, at, reason, **numbers, fingerprint=fingerprint, clean=told.get("clean") is True,
        to=to if isinstance(to, str) else None,
    )  # fmt: skip


def _name(told: dict[str, Any]) -> ShardName | None:
    """The shard a line names, checked as the name of a file is."""
    stream, writer, number, date = (told.get(part) for part in ("stream", "writer", "number", "date"))
    if not (isinstance(stream, str) and isinstance(writer, str) and isinstance(date, str)):
        return None
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    name = ShardName(stream, writer, number, date, sealed=True)
    return name if parse_shard_path(name.path) == name else None


def _numbers(told: dict[str, Any]) -> dict[str, int] | None:
    numbers = {}
    for key, (low, high) in _NUMBERS.items():
        value = told.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            return None
        numbers[key] = value
    return numbers
