"""Room on the disk: recording stops before the last of it is taken."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from polyrecord.record.policy import DiskPolicy


class DiskFloor(OSError):
    """So little is free that nothing may be written."""


class FreeSpace:
    """Looks at what is free before each block; a call of about two microseconds."""

    def __init__(self, root: Path, policy: DiskPolicy) -> None:
        self.stopped = False
        self._root = root
        self._policy = policy

    def check(self) -> None:
        """Raise DiskFloor while less is free than has to be."""
        free = self._free()
        self.stopped = free is not None and self._policy.refuses(free, stopped=self.stopped)
        if self.stopped:
            what = f"{free:,} bytes are free, {self._policy.min_free:,} are to stay so"
            raise DiskFloor(errno.ENOSPC, what, str(self._root))

    def _free(self) -> int | None:
        """Bytes that this user may still write; None where nobody can tell."""
        if not self._policy.min_free:
            return None
        for folder in (self._root, *self._root.parents):
            try:
                found = os.statvfs(folder)
            except FileNotFoundError:
                continue
            except OSError:
                return None
            return found.f_bavail * found.f_frsize
        return None
