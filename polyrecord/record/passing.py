"""Passes bytes on to a descriptor without ever waiting for whoever reads it."""

from __future__ import annotations

import os
import select

_LARGEST_WRITE = select.PIPE_BUF  # a pipe that select calls writable takes so much at once


class PassOn:
    """What `--tee` writes to: bytes wait here until the reader takes them.

    A reader that has gone ends the passing on quietly; any other failure ends it too, and is in `error`.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.error: str | None = None
        self.closed = False
        self._waiting = memoryview(b"")

    @property
    def waiting(self) -> bool:
        """Whether bytes wait to be taken; more must not be put then."""
        return len(self._waiting) > 0

    def put(self, data: bytes) -> None:
        """Take the next bytes; call only when none wait."""
        if not self.closed:
            self._waiting = memoryview(data)

    def send(self) -> None:
        """Write one piece; the descriptor must be ready for it."""
        try:
            written = os.write(self.descriptor, self._waiting[:_LARGEST_WRITE])
        except BlockingIOError:  # whoever shares the descriptor has made it non-blocking
            return
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.error = error.strerror or str(error)
            self.closed = True
            self._waiting = memoryview(b"")
            return
        self._waiting = self._waiting[written:]
