"""Whether the process that a manifest names runs, on this boot of this host."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Final

from polyrecord.read.manifests import Manifest
from polyrecord.times import SECOND

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_SLACK_NS: Final = 5 * SECOND  # between the start of a process by the kernel and by the manifest


def lives(manifest: Manifest) -> bool:
    """Whether a session goes on: its process runs, and started before it, so its pid is no other's.

    False where that cannot be told: of another host or boot, or where what lies here is a copy.
    """
    if manifest.has_ended or manifest.is_copy or manifest.was_salvaged or not _is_of_this_boot(manifest):
        return False
    pid = manifest.content.get("pid")
    if not isinstance(pid, int) or isinstance(pid, bool) or not 0 < pid < 1 << 31:
        return False
    started = manifest.started_ns
    try:
        return started is None or _started_ns(pid) <= started + _SLACK_NS
    except (OSError, ValueError, IndexError):
        return False


def is_of_this_host(manifest: Manifest) -> bool:
    """Whether the session recorded on this host."""
    import socket  # 3 ms, and most sessions are not asked about

    return manifest.content.get("host") == socket.gethostname()


def _is_of_this_boot(manifest: Manifest) -> bool:
    boot = _boot_id()
    return boot is not None and is_of_this_host(manifest) and manifest.content.get("boot_id") == boot


def _boot_id() -> str | None:
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return None


def _started_ns(pid: int) -> int:
    """When a process started, by the wall clock of now; raises OSError where there is none."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    age_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - ticks * SECOND // os.sysconf("SC_CLK_TCK")
    return time.time_ns() - age_ns
