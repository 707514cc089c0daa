"""For tests: a clock that stands still, and readers that need nothing but zlib and json."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from pathlib import Path
from typing import Any

from polyrecord.format.layout import OPEN_DIR, SUFFIX
from polyrecord.times import SECOND, parse_ts


class FrozenClock:
    """A clock that only moves when it is told to; give it to `EventRecorder(clock=...)`.

    `wall` and `mono` are nanoseconds and may be set to anything.
    """

    def __init__(self, wall: str | int = "2026-11-20T12:00:00Z", mono: int = 1_000 * SECOND) -> None:
        """`wall`: RFC 3339, or nanoseconds since 1970."""
        self.wall = wall if isinstance(wall, int) else parse_ts(wall)
        self.mono = mono

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01T00:00:00Z."""
        return self.wall

    def mono_ns(self) -> int:
        """Nanoseconds since an arbitrary moment."""
        return self.mono

    def advance(self, seconds: float) -> None:
        """Let time pass: both clocks move."""
        self.mono += round(seconds * SECOND)
        self.wall += round(seconds * SECOND)

    def step(self, seconds: float) -> None:
        """Set the wall clock, as an administrator or NTP does: no time passes."""
        self.wall += round(seconds * SECOND)


def tear(path: Path, at: int) -> None:
    """Cut a file to `at` bytes (from its end where negative), as a crash does."""
    os.truncate(path, at if at >= 0 else path.stat().st_size + at)


def shard_files(root: Path) -> list[Path]:
    """Every shard below `root`, sealed or open, by path; a folder that goes away meanwhile is passed over."""
    walked = os.walk(root)
    return sorted(
        Path(folder, name) for folder, _, names in walked for name in names if name.endswith(SUFFIX)
    )


def read_lines(root: Path) -> list[dict[str, Any]]:
    """All events below `root` by writer and sequence number, read with zlib and json alone.

    Of a shard that is being written the whole members are read; a sealed one that is torn raises EOFError.
    """
    found = []
    for path in shard_files(root):
        writer = path.name.split("-")[1]
        is_open = path.parent.name == OPEN_DIR
        data = path.read_bytes()
        for line in (whole_members(data) if is_open else gzip.decompress(data)).splitlines():
            event = json.loads(line)
            found.append((writer, event["seq"], event))
    return [event for _, _, event in sorted(found, key=lambda entry: entry[:2])]


def whole_members(data: bytes) -> bytes:
    """What the gzip members that are there to their ends inflate to; raises zlib.error on damage."""
    inflated = []
    while data:
        member = zlib.decompressobj(wbits=31)
        content = member.decompress(data)
        if not member.eof:
            break
        inflated.append(content)
        data = member.unused_data
    return b"".join(inflated)
