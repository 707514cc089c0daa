"""Shards that lie open, by writer, and whether that writer lives."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

from polyrecord.format.layout import OPEN_DIR, TREES, ShardName, manifest_path, parse_shard_path
from polyrecord.record.identity import boot_id
from polyrecord.record.regular import files, open_regular, read_regular, subfolders
from polyrecord.times import SECOND, parse_ts

_TRIES, _PAUSE = 3, 0.01  # a reader that looks whether a shard is held holds it for a moment itself
_MOST_MANIFEST = 1 << 22  # bytes
_SLACK_NS = 5 * SECOND  # between the start of a process as the kernel has it and as the manifest has it
_IMPORT = re.compile(r"import\.")


class State(StrEnum):
    """What is known of the writer of open shards."""

    ALIVE = "alive"
    DEAD = "dead"  # of this boot of this host, and nobody holds its shards
    OTHER_BOOT = "other_boot"
    OTHER_HOST = "other_host"
    NO_MANIFEST = "no_manifest"
    IMPORT = "import"  # interrupted; the next import of the same files removes what it left


ELSEWHERE = frozenset({State.OTHER_BOOT, State.OTHER_HOST, State.NO_MANIFEST})


@dataclass(frozen=True, slots=True)
class OpenWriter:
    """A writer with open shards, in order."""

    writer: str
    state: State
    shards: tuple[ShardName, ...]


def find_open(root: Path, *, skip: str | None = None) -> list[OpenWriter]:
    """All writers with open shards but `skip`, by writer id; raises OSError where a folder cannot be read."""
    by_writer: dict[str, list[ShardName]] = {}
    for name in _open_shards(root):
        by_writer.setdefault(name.writer, []).append(name)
    by_writer.pop(skip or "", None)
    return [
        OpenWriter(writer, _state(root, writer, names), tuple(sorted(names)))
        for writer, names in sorted(by_writer.items())
    ]


def find_dead(root: Path, *, everywhere: bool = False, skip: str | None = None) -> list[OpenWriter]:
    """Those of dead writers: of this boot of this host, or `everywhere` all that nobody here holds."""
    wanted = ELSEWHERE | {State.DEAD} if everywhere else {State.DEAD}
    return [writer for writer in find_open(root, skip=skip) if writer.state in wanted]


def _open_shards(root: Path) -> Iterator[ShardName]:
    for tree in TREES:
        for stream in subfolders(root / tree):
            if stream.startswith("_"):
                continue
            for date in subfolders(root / tree / stream):
                folder = PurePosixPath(tree, stream, date, OPEN_DIR)
                names = (parse_shard_path(folder / file) for file in files(root / folder))
                yield from (name for name in names if name is not None)


def _state(root: Path, writer: str, names: list[ShardName]) -> State:
    manifest = read_manifest(root, writer)
    if any(is_held(root / name.path) for name in names):
        return State.ALIVE
    if _IMPORT.match(writer) is not None:
        return State.IMPORT
    if manifest is None:
        return State.NO_MANIFEST
    if manifest.get("host") != os.uname().nodename:
        return State.OTHER_HOST
    if manifest.get("boot_id") != boot_id():
        return State.OTHER_BOOT
    # A shard that was made a moment ago is empty, and its writer is about to lock it.
    is_new = any(_is_empty(root / name.path) for name in names)
    return State.ALIVE if is_new and process_lives(manifest) else State.DEAD


def read_manifest(root: Path, writer: str) -> dict[str, Any] | None:
    """A writer's manifest, or None where there is none that can be read."""
    place = root / manifest_path(writer)
    if place.parent.is_symlink():
        return None
    try:
        content = orjson.loads(read_regular(place, _MOST_MANIFEST))
    except (OSError, orjson.JSONDecodeError):
        return None
    return content if isinstance(content, dict) else None


def is_held(path: Path) -> bool:
    """Whether a process has the shard locked; not if there is none any more, or it cannot be opened."""
    try:
        descriptor = open_regular(path)
    except OSError:
        return False
    try:
        return not _lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def take(path: Path) -> int | None:
    """A descriptor of a shard that is locked for this process; None where another holds it or moved it.

    Closing it gives the lock back. Raises OSError where the shard cannot be opened.
    """
    try:
        descriptor = open_regular(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    if _lock(descriptor, fcntl.LOCK_EX) and _is_still(path, descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _lock(descriptor: int, kind: int) -> bool:
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE)
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return True
    return False


def _is_still(path: Path, descriptor: int) -> bool:
    """Whether the path names the file that is open: it may have been sealed before the lock was had."""
    try:
        now, then = path.stat(follow_symlinks=False), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (now.st_dev, now.st_ino) == (then.st_dev, then.st_ino)


def _is_empty(path: Path) -> bool:
    try:
        return path.stat(follow_symlinks=False).st_size == 0
    except OSError:
        return False


def process_lives(manifest: dict[str, Any]) -> bool:
    """Whether the process of a manifest of this boot runs: its pid does, and not since after the manifest."""
    pid, started = manifest.get("pid"), manifest.get("started")
    if not isinstance(pid, int) or not 0 < pid < 1 << 31 or not Path(f"/proc/{pid}").is_dir():
        return False
    try:
        return _started_ns(pid) <= parse_ts(str(started)) + _SLACK_NS
    except (OSError, ValueError, IndexError, OverflowError):
        return True


def _started_ns(pid: int) -> int:
    """When a process started, by the wall clock of now."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    age_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - ticks * SECOND // os.sysconf("SC_CLK_TCK")
    return time.time_ns() - age_ns
