"""Opening whatever is to be read: an archive, single files, or the logs of another system."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from polyrecord.read.archive import Archive
from polyrecord.read.single import SingleFile
from polyrecord.read.source import Source


def open_source(
    root: Path | str | None = None,
    files: Sequence[Path] = (),
    format_name: str | None = None,
    *,
    ts: str | None = None,
    type_field: str | None = None,
    trace_field: str | None = None,
) -> Source:
    """The source that a directory or files are; touches no file yet where it is an archive of ours."""
    return SingleFile(files[0]) if files else Archive(root)
