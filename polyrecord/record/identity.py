"""Who writes: the writer id, and the manifest that is on disk before the first event."""

from __future__ import annotations

import itertools
import os
import platform
import re
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from polyrecord.errors import ConfigError
from polyrecord.format.constants import VERSION
from polyrecord.format.layout import manifest_path
from polyrecord.record.encode import rescue
from polyrecord.record.files import write_atomically
from polyrecord.record.revision import git_revision
from polyrecord.times import format_ts

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_sessions = itertools.count(int.from_bytes(os.urandom(2)))  # of one process no two may be the same
_UNSAFE = re.compile(r"[^a-z0-9_]+")


def new_writer_id(wall_ns: int) -> str:
    """`20261120t123456.host.4711.9f3c`: sorts by start, tells host and process, and never repeats."""
    start = re.sub(r"[-:]", "", format_ts(wall_ns)[:19]).lower()
    return f"{start}.{host_name()}.{os.getpid()}.{next(_sessions) & 0xFFFF:04x}"


def host_name() -> str:
    """The host's short name as a writer id can hold it."""
    name = _UNSAFE.sub("_", os.uname().nodename.split(".")[0].lower()).strip("_")
    return name[:32] or "host"


def boot_id() -> str | None:
    """The kernel's id of this boot, where it has one: tells a dead writer from one before a restart."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return None


def write_manifest(root: Path, writer: str, content: Mapping[str, Any]) -> None:
    """Put a writer's manifest on disk; raises OSError."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    try:
        data = orjson.dumps(dict(content), default=str, option=options)
    except TypeError:  # what a bot says of itself must not keep it from recording
        data = rescue(dict(content)) + b"\n"
    write_atomically(root / manifest_path(writer), data)


class Manifest:
    """A writer's manifest: on disk before its first shard, and again should it be removed."""

    def __init__(self, root: Path, writer: str, content: Mapping[str, Any]) -> None:
        self.content = dict(content)
        self._root = root
        self._writer = writer
        self._written = False

    def ensure(self) -> None:
        """Write it if this was not done yet, or it has gone; raises OSError."""
        if not self._written or not (self._root / manifest_path(self._writer)).exists():
            self.write()

    def write(self, **more: Any) -> None:
        """Write it with what became known; raises OSError."""
        self.content.update(more)
        write_manifest(self._root, self._writer, self.content)
        self._written = True


def read_manifest(root: Path, writer: str) -> dict[str, Any] | None:
    """A writer's manifest, or None where there is none that can be read."""
    try:
        content = orjson.loads((root / manifest_path(writer)).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return content if isinstance(content, dict) else None


def session_manifest(writer: str, wall_ns: int, options: Mapping[str, Any]) -> dict[str, Any]:
    """What a recorder session says of itself."""
    from polyrecord.version import __version__

    return {
        "writer": writer,
        "kind": "recorder",
        "format": VERSION,
        "started": format_ts(wall_ns),
        "host": os.uname().nodename,
        "pid": os.getpid(),
        "boot_id": boot_id(),
        "polyrecord": __version__,
        "python": platform.python_version(),
        "git": git_revision(),
        "ended": None,
        "program": Path(sys.argv[0]).name if sys.argv and sys.argv[0] else None,
        **options,
    }


def config_hash(config: Mapping[str, Any] | Path | str | None) -> str | None:
    """SHA-256 of a bot's configuration: of a file's bytes, or of a mapping's JSON with its keys sorted.

    Only the hash is kept, never the configuration. Raises ConfigError when it cannot be had.
    """
    if config is None:
        return None
    try:
        if isinstance(config, Mapping):
            options = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
            content = orjson.dumps(dict(config), default=str, option=options)
        else:
            content = Path(config).read_bytes()
    except (OSError, TypeError) as error:
        raise ConfigError(
            f"config cannot be read: {error}", hint="a mapping, or the path of a file"
        ) from error
    return sha256(content).hexdigest()
