"""Compacting in the background: after a seal one process of low priority makes tables of what was sealed.

The bot loads nothing for it and waits for nothing: starting the process takes a millisecond or two of the
thread that sealed. The process goes on when the bot ends.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

_NULL: Final = (
    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
    (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
)
_BY_DEFAULT: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE)


class Compacting:
    """One background process at a time for an archive; not for several threads at once."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._pid: int | None = None
        self._again = False

    def after_seal(self) -> None:
        """A shard was sealed: start a process, unless one runs; raises OSError where none can be started."""
        if self.is_running:
            self._again = True
        else:
            self._start()

    def close(self) -> None:
        """No further shard will be sealed: what the running process may have missed, one more looks for.

        Raises OSError.
        """
        if self._again:
            self._start()

    @property
    def is_running(self) -> bool:
        """Whether the process that was started last has not ended."""
        if self._pid is None:
            return False
        with suppress(ChildProcessError):  # the bot, or its fork, has waited for all of its children
            if os.waitpid(self._pid, os.WNOHANG) == (0, 0):
                return True
        self._pid = None
        return False

    def _start(self) -> None:
        self._again = False
        if not sys.executable:  # Python is part of another program
            return
        words = [sys.executable, "-m", "polyrecord", "compact", "--nice", "--root", str(self._root)]
        self._pid = os.posix_spawn(
            sys.executable, words, os.environ, file_actions=_NULL, setsid=True, setsigdef=_BY_DEFAULT
        )
