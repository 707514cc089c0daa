"""Who writes: the writer id, and the manifest that is on disk before the first event."""

from __future__ import annotations

import os
import platform
import re
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from polyrecord.format.constants import VERSION
from polyrecord.format.layout import manifest_path
from polyrecord.record.files import write_atomically
from polyrecord.times import format_ts

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_UNSAFE = re.compile(r"[^a-z0-9_]+")


def new_writer_id(wall_ns: int) -> str:
    """`20261120t123456.host.4711.9f3c`: sorts by start, tells host and process, and never repeats."""
    start = re.sub(r"[-:]", "", format_ts(wall_ns)[:19]).lower()
    return f"{start}.{host_name()}.{os.getpid()}.{os.urandom(2).hex()}"


def host_name() -> str:
    """The host's short name as a writer id can hold it."""
    name = _UNSAFE.sub("_", socket.gethostname().split(".")[0].lower()).strip("_")
    return name[:32] or "host"


def boot_id() -> str | None:
    """The kernel's id of this boot, where it has one: tells a dead writer from one before a restart."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return None


def write_manifest(root: Path, writer: str, content: Mapping[str, Any]) -> None:
    """Put a writer's manifest on disk; raises OSError."""
    data = orjson.dumps(dict(content), default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    write_atomically(root / manifest_path(writer), data)


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
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "boot_id": boot_id(),
        "polyrecord": __version__,
        "python": platform.python_version(),
        "ended": None,
        "program": Path(sys.argv[0]).name if sys.argv and sys.argv[0] else None,
        **options,
    }
