"""Labels and notes on runs: lines in logs/_runs/<writer>.jsonl, only ever appended."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

import orjson

from polyrecord.errors import DataError, UsageError
from polyrecord.format.layout import RUNS, check_writer
from polyrecord.read.manifests import read_small
from polyrecord.record.files import make_directory, sync_directory, write_all
from polyrecord.times import format_ts

_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/+-]{0,63}\Z")
_LONGEST_NOTE: Final = 2000
_MOST: Final = 1 << 24  # bytes
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class Remark:
    """A label or a note somebody left on a run; the other is None."""

    at: str
    label: str | None
    note: str | None


def check_label(label: str) -> str:
    """The label itself; raises UsageError where it is none."""
    if _LABEL.match(label) is None:
        hint = "letters, digits and _ . : / + - only, at most 64, the first a letter or digit"
        raise UsageError(f"not a label: {label[:80]!r}", hint=hint)
    return label


def check_note(note: str) -> str:
    """The note itself, without white space around it; raises UsageError where it is none."""
    note = note.strip()
    if not 0 < len(note) <= _LONGEST_NOTE or not note.isprintable():
        hint = f"one line of text, at most {_LONGEST_NOTE:,} characters, no control characters"
        raise UsageError(f"not a note: {note[:80]!r}", hint=hint)
    return note


def remark(root: Path, writer: str, *, label: str | None = None, note: str | None = None) -> None:
    """Leave a label, a note or both on a run; on the disk when this returns.

    Raises UsageError, DataError, OSError.
    """
    told = {
        "at": format_ts(time.time_ns()),
        **({} if label is None else {"label": check_label(label)}),
        **({} if note is None else {"note": check_note(note)}),
    }
    path = root / _place(writer)
    make_directory(path.parent)
    if path.parent.is_symlink():
        raise UsageError("a directory of the archive is a symbolic link", path=path.parent)
    is_new = not os.path.lexists(path)
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        write_all(descriptor, b"\n" * _is_torn(path) + orjson.dumps(told) + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        sync_directory(path.parent)


def _open(path: Path) -> int:
    """A descriptor to append with; raises DataError where something else than a file has the place."""
    try:
        descriptor = os.open(path, _FLAGS, 0o640)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise
    else:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor
        os.close(descriptor)
    raise DataError("not a regular file; nothing was noted", path=path, hint="remove it, then note again")


def read_remarks(root: Path, writer: str) -> list[Remark]:
    """What was left on a run, oldest first; what cannot be read is left out."""
    try:
        lines = read_small(root, _place(writer), _MOST).splitlines()
    except OSError:
        return []
    return [remark for remark in map(_parsed, lines) if remark is not None]


def labels_of(root: Path, writer: str) -> list[str]:
    """The labels of a run, each once."""
    return list(dict.fromkeys(each.label for each in read_remarks(root, writer) if each.label))


def _place(writer: str) -> PurePosixPath:
    return PurePosixPath(RUNS, f"{check_writer(writer)}.jsonl")


def _is_torn(path: Path) -> bool:
    """Whether the last line was not written whole: the next must not go on with it."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        return bool(size) and file.read(1) != b"\n"


def _parsed(line: bytes) -> Remark | None:
    try:
        told = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(told, dict) or not isinstance(told.get("at"), str):
        return None
    label, note = told.get("label"), told.get("note")
    is_label = isinstance(label, str) and _LABEL.match(label) is not None
    return Remark(told["at"], label if is_label else None, note if isinstance(note, str) else None)
