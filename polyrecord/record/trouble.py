"""What a recorder could not do: its error file, and the standard library's logging."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson

from polyrecord.format.layout import ERRORS
from polyrecord.record.encode import rescue
from polyrecord.record.files import make_directory, write_all
from polyrecord.times import format_ts

LOG: Final = logging.getLogger("polyrecord")
LOG.addHandler(logging.NullHandler())  # where a bot has set up no logging, its stderr stays its own
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_MOST_WAITING = 200  # entries, while the disk that holds the file fails
_MOST_BYTES = 4 << 20


class TroubleFile:
    """`logs/_errors/<writer>.jsonl`: a line for each change for the worse or the better.

    The file may lie on the very disk that fails: entries wait in memory, the newest of them, and are written
    when they can be. Nothing here raises. `redact` cleans texts before they are kept.
    """

    def __init__(self, root: Path, writer: str, wall_ns: Callable[[], int],
                 redact: Callable[[str], str] = str) -> None:  # fmt: skip
        self.path = root / ERRORS / f"{writer}.jsonl"
        self._wall_ns = wall_ns
        self._redact = redact
        self._waiting: deque[bytes] = deque(maxlen=_MOST_WAITING)
        self._written = 0
        self._lock = threading.Lock()  # the writer tells, and the recovery of other writers' shards

    def tell(self, what: str, *, error: str | None = None, good: bool = False, **more: Any) -> None:
        """Log a change and keep it for the file."""
        error = None if error is None else self._redact(error)
        with contextlib.suppress(Exception):  # a filter or a handler of the bot's may raise anything
            LOG.log(logging.INFO if good else logging.WARNING, "%s%s", what, f": {error}" if error else "")
        entry = {"ts": format_ts(self._wall_ns()), "what": what, "error": error, **more}
        with self._lock:
            self._waiting.append(_line(entry))
        self.write()

    def write(self) -> None:
        """Append what waits, if that works and the file has not grown too large."""
        with self._lock:
            if not self._waiting or self._written > _MOST_BYTES:
                return
            try:
                self._append(b"".join(self._waiting))
            except (OSError, ValueError):  # ValueError: a root that is no path at all
                return
            self._waiting.clear()

    def _append(self, data: bytes) -> None:
        make_directory(self.path.parent)
        descriptor = os.open(self.path, _FLAGS, 0o640)
        try:
            size = os.fstat(descriptor).st_size
            try:
                write_all(descriptor, data)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)
        self._written += len(data)


def _line(entry: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(entry, default=str, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # the name of a file that is not UTF-8
        return rescue(entry) + b"\n"
