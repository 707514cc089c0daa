"""Every error polyrecord raises, and the exit code a command gives for it.

PolyrecordError                     one base; carries what, where and a hint
|- UsageError            exit 2     the call is wrong: a window of 0, an unreadable time
|  |- ConfigError                   an option or setting is wrong
|  |- AmbiguousId                   a prefix fits several traces; carries them
|  `- ArchiveMissing                there is no archive where one was named
|- NotFound              exit 1     nothing matches
|- InvalidEvent          exit 1     an event breaks its type's schema (only with validate=True)
|- DataError             exit 3     bytes are damaged or cannot be read
|- RecorderError         exit 3     the recorder is closed or could not write
`- ServiceDown           exit 4     a service that is needed does not answer
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from pathlib import Path
from typing import ClassVar


class ExitCode(IntEnum):
    """What a command's exit status means."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    DATA = 3
    SERVICE = 4


class PolyrecordError(Exception):
    """Base of all errors: `what` went wrong, where, and what to do about it.

    `path`, `offset` (bytes) and `line` (from 1) are given where they are known.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.DATA

    def __init__(
        self,
        what: str,
        *,
        path: Path | str | None = None,
        offset: int | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.path = path
        self.offset = offset
        self.line = line
        self.hint = hint

    @property
    def where(self) -> str | None:
        """`path:line`, `path at byte offset` or None."""
        if self.path is None:
            return None
        if self.line is not None:
            return f"{self.path}:{self.line}"
        if self.offset is not None:
            return f"{self.path} at byte {self.offset:,}"
        return str(self.path)

    def __str__(self) -> str:
        parts = [self.what]
        if self.where is not None:
            parts.append(f"where: {self.where}")
        if self.hint is not None:
            parts.append(f"hint: {self.hint}")
        return "\n  ".join(parts)


class UsageError(PolyrecordError):
    """The call is wrong; nothing was done."""

    exit_code = ExitCode.USAGE


class ConfigError(UsageError):
    """An option or setting is wrong or comes too late."""


class AmbiguousId(UsageError):
    """A prefix fits several traces; `candidates` holds their ids."""

    def __init__(self, what: str, candidates: Sequence[str], *, hint: str | None = None) -> None:
        super().__init__(what, hint=hint)
        self.candidates = tuple(candidates)


class ArchiveMissing(UsageError):
    """There is no archive at the place named."""


class NotFound(PolyrecordError):
    """Nothing matches what was asked for."""

    exit_code = ExitCode.FINDINGS


class InvalidEvent(PolyrecordError):
    """An event breaks the schema of its type."""

    exit_code = ExitCode.FINDINGS


class DataError(PolyrecordError):
    """Bytes are damaged, lost or cannot be read."""


class RecorderError(PolyrecordError):
    """The recorder is closed, or could not write what it was given."""


class ServiceDown(PolyrecordError):
    """A service that is needed does not answer."""

    exit_code = ExitCode.SERVICE
