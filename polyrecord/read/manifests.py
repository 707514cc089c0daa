"""What writers say of themselves: logs/_writers/<writer>.json. Anybody may have put a file there."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import orjson

from polyrecord.errors import UsageError
from polyrecord.format.layout import MANIFESTS, check_writer, is_stream, manifest_path
from polyrecord.times import parse_ts

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MOST: Final = 1 << 22  # bytes
_LONGEST_FLUSH: Final = 1e6  # seconds
_SUFFIX: Final = ".json"
_RENUMBERED: Final = frozenset({"cut", "merged"})
_COPIED: Final = _RENUMBERED | {"archived"}


@dataclass(frozen=True, slots=True)
class StreamTotals:
    """What a writer that ended in order says it wrote of one stream."""

    shards: int
    events: int
    last_ordinal: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """A writer's manifest; what it does not say, or says wrongly, is None or empty. Times are ns."""

    writer: str
    content: dict[str, Any]

    @property
    def started_ns(self) -> int | None:
        """When the session began."""
        return _moment(self.content.get("started"))

    @property
    def ended_ns(self) -> int | None:
        """When it came to an orderly end."""
        return _moment(self.content.get("ended"))

    @property
    def has_ended(self) -> bool:
        """Whether it says that it came to an orderly end."""
        return self.content.get("ended") is not None

    @property
    def is_copy(self) -> bool:
        """Whether its shards were taken from another archive, perhaps not all: its totals are of that one."""
        return not _COPIED.isdisjoint(self.content)

    @property
    def is_renumbered(self) -> bool:
        """Whether ordinals here are not those that its `loss` events name."""
        return not _RENUMBERED.isdisjoint(self.content)

    @property
    def was_moved(self) -> bool:
        """Whether what lies here was moved by retention: how the writer ended is told where it wrote."""
        return "archived" in self.content

    @property
    def was_recovered(self) -> bool:
        """Whether its shards were sealed by somebody else."""
        return isinstance(self.content.get("recovered"), dict)

    @property
    def was_salvaged(self) -> bool:
        """Whether what lies here was saved from a damaged archive."""
        return "salvaged" in self.content

    @property
    def was_mended(self) -> bool:
        """Whether somebody else sealed or salvaged its shards, and found that it had not ended in order."""
        told = [self.content.get(key) for key in ("recovered", "salvaged")]
        return any(isinstance(one, dict) and one.get("clean") is not True for one in told)

    @property
    def flush_seconds(self) -> float | None:
        """How long events may have waited in its memory."""
        flush = self.content.get("flush")
        seconds = flush.get("seconds") if isinstance(flush, dict) else None
        if not isinstance(seconds, int | float) or isinstance(seconds, bool):
            return None
        return float(seconds) if 0 <= seconds <= _LONGEST_FLUSH else None

    @property
    def sampling(self) -> dict[str, float]:
        """The share of traces that was recorded, over 0 and under 1, by event type."""
        told = self.content.get("sampling")
        rates = told.items() if isinstance(told, dict) else ()
        return {name: float(r) for name, r in rates if isinstance(r, int | float) and 0 <= r < 1}

    @property
    def totals(self) -> dict[str, StreamTotals]:
        """What it wrote, by stream; nothing where it did not end, or lies here in part."""
        told = self.content.get("streams")
        if self.is_copy or not isinstance(told, dict):
            return {}
        entries = {stream: _totals(entry) for stream, entry in told.items() if is_stream(stream)}
        return {stream: entry for stream, entry in entries.items() if entry is not None}


def read_manifest(root: Path, writer: str) -> Manifest | None:
    """A writer's manifest, None where there is none that can be read."""
    try:
        content = orjson.loads(read_small(root, manifest_path(writer), _MOST))
    except (OSError, UsageError, orjson.JSONDecodeError):
        return None
    return Manifest(writer, content) if isinstance(content, dict) else None


def manifest_writers(root: Path) -> list[str]:
    """The writers that left a manifest, by name."""
    folder = root / MANIFESTS
    try:
        names = (
            [] if _is_by_link(root, PurePosixPath(MANIFESTS)) else [path.name for path in folder.iterdir()]
        )
    except OSError:
        return []
    return sorted(name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX) and _is_writer(name))


def read_small(root: Path, place: PurePosixPath, most: int) -> bytes:
    """All of a regular file of an archive, of at most so many bytes; raises OSError. Follows no link."""
    if _is_by_link(root, place.parent):
        raise OSError("a directory is a symbolic link")
    descriptor = os.open(root / place, _FLAGS)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, opened without following links
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a regular file")
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(f"more than {most:,} bytes")
    return data


def _is_by_link(root: Path, folder: PurePosixPath) -> bool:
    """Whether the way to a folder of an archive leads over a symbolic link."""
    return any((root / part).is_symlink() for part in (folder, *folder.parents[:-1]))


def _is_writer(name: str) -> bool:
    try:
        return bool(check_writer(name.removesuffix(_SUFFIX)))
    except UsageError:
        return False


def _moment(value: Any) -> int | None:
    try:
        return parse_ts(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _totals(entry: Any) -> StreamTotals | None:
    told = entry if isinstance(entry, dict) else {}
    numbers = [told.get(name) for name in ("shards", "events", "last_ordinal")]
    if not all(isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 1 << 63 for n in numbers):
        return None
    return StreamTotals(*(int(n) for n in numbers if n is not None))
