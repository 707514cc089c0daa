"""Lines that could not become events, kept beside the archive: one JSON object for each."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from polyrecord.format.layout import REJECTS
from polyrecord.record.files import make_directory, write_all

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class RejectsFile:
    """`logs/_rejects/<writer>.jsonl`, made at the first reject. Nothing is dropped when it cannot be written.

    Each line is `{"line":17,"reason":"not JSON","detail":"...","text":"..."}`; a text that is not UTF-8 is
    shown with escapes, and its bytes are in `base64` besides.
    """

    def __init__(self, root: Path, writer: str, redact: Callable[[str], str] = str) -> None:
        """`redact` takes secrets out of the lines that are kept."""
        self.path = root / REJECTS / f"{writer}.jsonl"
        self._redact = redact
        self.waiting = 0  # bytes not yet written
        self.waiting_lines = 0
        self._lines: list[bytes] = []
        self._size = 0
        self._descriptor = -1

    def add(self, line: int, reason: str, detail: str, text: bytes) -> None:
        """Take one rejected line, number `line` from 1; `flush` writes it."""
        told = {"line": line, "reason": reason, "detail": self._redact(detail), **self._as_text(text)}
        entry = orjson.dumps(told) + b"\n"
        self._lines.append(entry)
        self.waiting += len(entry)
        self.waiting_lines += 1

    def flush(self) -> None:
        """Hand all that waits to the operating system; on OSError all of it still waits."""
        if not self._lines:
            return
        if self._descriptor < 0:
            make_directory(self.path.parent)
            self._descriptor = os.open(self.path, _FLAGS, 0o640)
        data = b"".join(self._lines)
        try:
            write_all(self._descriptor, data)
        except OSError:
            os.lseek(self._descriptor, self._size, os.SEEK_SET)
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(data)
        self.waiting = self.waiting_lines = 0
        self._lines.clear()

    def close(self) -> None:
        """Write what waits, force the file to the disk and close it; on OSError it is closed nonetheless."""
        try:
            self.flush()
            if self._descriptor >= 0:
                os.fsync(self._descriptor)
        finally:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _as_text(self, text: bytes) -> dict[str, Any]:
        try:
            return {"text": self._redact(text.decode())}
        except UnicodeDecodeError:
            shown = text.decode("utf-8", "backslashreplace")
            clean = self._redact(shown)
            return {"text": clean, **({"base64": base64.b64encode(text).decode()} if clean == shown else {})}
