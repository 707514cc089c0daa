"""Which writers may be writing, as far as another process can tell."""

from __future__ import annotations

import socket
import time
from pathlib import Path, PurePosixPath
from typing import Any, Final

from polyrecord.errors import UsageError
from polyrecord.format.layout import MANIFESTS, check_writer
from polyrecord.record.identity import boot_id
from polyrecord.record.recovery.find import OpenWriter, State, find_open, process_lives, read_manifest
from polyrecord.record.regular import files

_RECENT_SECONDS: Final = 300.0  # a writer on another host that wrote so lately may be alive


class Ended:
    """Which writers wrote nothing any more when this was made."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._alive = {one.writer for one in find_open(root) if self._writes(one)}
        self._alive |= {writer for writer in self._manifests() if self._runs(writer)}

    def _manifests(self) -> list[str]:
        return [
            name.removesuffix(".json") for name in files(self._root / MANIFESTS) if name.endswith(".json")
        ]

    def _writes(self, writer: OpenWriter) -> bool:
        if writer.state is not State.OTHER_HOST:
            return writer.state is State.ALIVE
        newest = max((_changed(self._root / name.path) for name in writer.shards), default=0.0)
        return time.time() - newest < _RECENT_SECONDS

    def _runs(self, writer: str) -> bool:
        """Whether the process of a writer without open shards runs: between two of them there are none."""
        manifest = manifest_of(self._root, writer)
        if manifest is None or manifest.get("ended"):
            return False
        is_here = (manifest.get("host"), manifest.get("boot_id")) == (socket.gethostname(), boot_id())
        return is_here and process_lives(manifest)

    def knows(self, writer: str) -> bool:
        """Whether the writer had ended."""
        return writer not in self._alive


def _changed(path: Path) -> float:
    try:
        return path.stat(follow_symlinks=False).st_mtime
    except OSError:
        return 0.0


def manifest_of(root: Path, writer: str) -> dict[str, Any] | None:
    """A writer's manifest, None where there is none that can be read, or no writer is called so."""
    try:
        return read_manifest(root, check_writer(writer))
    except UsageError:
        return None


def manifest_place(writer: str) -> PurePosixPath:
    """Where a manifest lies, also one with a name that no writer has."""
    return PurePosixPath("logs/_writers", f"{writer}.json")
