"""Names of files and directories: the only place that knows them (docs/format.md, section 1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from pathlib import PurePosixPath

from polyrecord.errors import UsageError

TREES = ("data", "logs")
OPEN_DIR = "_open"
DERIVED_DIR = "_derived"  # what is made from sealed shards, beside them: deleting it changes no answer
MANIFESTS = "logs/_writers"
REJECTS = "logs/_rejects"  # lines that could not become events, kept with the reason
CURSORS = "logs/_cursors"  # how far a named reader has come
QUARANTINE = "logs/_quarantine"  # bytes that recovery cut off, with a report
PRUNED = "logs/_pruned"  # what was deleted, so that coverage stays true
ERRORS = "logs/_errors"  # what a recorder could not do
RUNS = "logs/_runs"  # labels and notes on runs
SUFFIX = ".jsonl.gz"

_STREAM = re.compile(r"(data|logs)/([a-z][a-z0-9_]{0,31})\Z")
_DATE = re.compile(r"date=(\d{4}-\d\d-\d\d)\Z", re.ASCII)
_WRITER = re.compile(r"[a-z0-9][a-z0-9_.]{0,95}\Z")
_FILE = re.compile(r"([a-z][a-z0-9_]{0,31})-([a-z0-9][a-z0-9_.]{0,95})-(\d{4,9})\.jsonl\.gz\Z", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class ShardName:
    """One shard: its stream (`data/events`), writer, number from 1, UTC date, and whether it is sealed."""

    stream: str
    writer: str
    number: int
    date: str
    sealed: bool

    @property
    def filename(self) -> str:
        """`events-<writer>-0001.jsonl.gz`: the same open and sealed."""
        return f"{self.stream.partition('/')[2]}-{self.writer}-{self.number:04d}{SUFFIX}"

    @property
    def directory(self) -> PurePosixPath:
        """Where the shard lies once sealed, relative to the archive."""
        return PurePosixPath(self.stream, f"date={self.date}")

    @property
    def path(self) -> PurePosixPath:
        """Where the shard lies now, relative to the archive."""
        folder = self.directory if self.sealed else self.directory / OPEN_DIR
        return folder / self.filename

    def as_sealed(self) -> ShardName:
        """The same shard after sealing."""
        return replace(self, sealed=True)


def parse_shard_path(relative: PurePosixPath) -> ShardName | None:
    """The shard a path relative to the archive names, or None if it is not the name of one."""
    parts = relative.parts
    sealed = len(parts) == 4
    if not sealed and not (len(parts) == 5 and parts[3] == OPEN_DIR):
        return None
    stream, day = f"{parts[0]}/{parts[1]}", _DATE.match(parts[2])
    file = _FILE.match(parts[-1])
    if _STREAM.match(stream) is None or day is None or file is None or file[1] != parts[1]:
        return None
    name = ShardName(stream, file[2], int(file[3]), day[1], sealed)
    # 0000, 00001 and the 30th of February fit the patterns; no writer makes them.
    return name if name.number > 0 and name.filename == parts[-1] and _is_date(name.date) else None


def _is_date(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def is_stream(stream: str) -> bool:
    """Whether this is an allowed stream name, `data/<name>` or `logs/<name>`."""
    return isinstance(stream, str) and _STREAM.match(stream) is not None


def check_stream(stream: str) -> str:
    """The stream itself if its name is allowed; raises UsageError otherwise."""
    if not is_stream(stream):
        raise UsageError(
            f"not a stream name: {stream[:80]!r}",
            hint="data/<name> or logs/<name>; a-z, 0-9 and _ only, at most 32 characters",
        )
    return stream


def check_writer(writer: str) -> str:
    """The writer id itself if it is allowed; raises UsageError otherwise."""
    if _WRITER.match(writer) is None:
        raise UsageError(
            f"not a writer id: {writer[:80]!r}", hint="a-z, 0-9, _ and . only, at most 96 characters"
        )
    return writer


def manifest_path(writer: str) -> PurePosixPath:
    """Where a writer's manifest lies, relative to the archive."""
    return PurePosixPath(MANIFESTS, f"{check_writer(writer)}.json")
