"""Open shards of dead writers, sealed on demand, and the event that says so."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import orjson

from polyrecord.errors import ArchiveMissing, RecorderError
from polyrecord.events.names import EventType
from polyrecord.format.layout import TREES
from polyrecord.record.bulk import BulkWriter
from polyrecord.record.identity import new_writer_id
from polyrecord.record.recovery import OpenWriter, RecoveredWriter, State, find_open, recover_dead
from polyrecord.record.recovery.survey import survey
from polyrecord.record.regular import open_regular, read_at

_HINT: Final = "name the directory that holds data/ and logs/ with --root or POLYRECORD_ROOT"


@dataclass(frozen=True, slots=True)
class Left:
    """Open shards that `seal` would seal, or does not touch: what is in them, as far as it can be read."""

    writer: str
    state: State
    shards: int
    events: int
    torn_bytes: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """What was sealed, and whose shards are open still."""

    recovered: tuple[RecoveredWriter, ...]
    left: tuple[Left, ...]

    @property
    def failed(self) -> bool:
        """Whether a shard could not be sealed."""
        return any(outcome.failed for outcome in self.recovered)


def seal(root: Path, *, everywhere: bool = False) -> Sealed:
    """Seal what dead writers of this boot of this host left, or `everywhere` of any.

    A `recovered` event for each writer is recorded in logs/telemetry. Raises ArchiveMissing, and
    RecorderError when the events could not be written.
    """
    _check(root)
    outcomes = tuple(recover_dead(root, everywhere=everywhere))
    done = [outcome for outcome in outcomes if outcome.shards or outcome.removed]
    if done:
        try:
            _record(root, done)
        except OSError as error:
            what = f"sealed, but not recorded: {error.strerror}"
            raise RecorderError(
                what, path=root, hint="manifests of the writers say what was recovered"
            ) from error
    return Sealed(outcomes, tuple(look(root)))


def look(root: Path) -> Iterator[Left]:
    """What lies open; nothing is changed. Raises ArchiveMissing."""
    _check(root)
    for writer in find_open(root):
        yield _left(root, writer)


def _check(root: Path) -> None:
    if not root.is_dir():
        what = "not a directory" if root.exists() else "no such directory"
        raise ArchiveMissing(what, path=root, hint=_HINT)
    if not any((root / tree).is_dir() for tree in TREES):
        raise ArchiveMissing("no recorded events in this directory", path=root, hint=_HINT)


def _record(root: Path, outcomes: list[RecoveredWriter]) -> None:
    writer = new_writer_id(time.time_ns())
    with BulkWriter(root, writer, kind="seal") as bulk:
        for outcome in outcomes:
            bulk.add(time.time_ns(), EventType.RECOVERED, orjson.dumps(outcome.event_data()))


def _left(root: Path, writer: OpenWriter) -> Left:
    events = torn = 0
    for name in writer.shards:
        try:
            descriptor = open_regular(root / name.path)
        except OSError:
            continue
        try:
            found = survey(partial(read_at, descriptor), os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)
        events += found.events
        torn += found.size - found.end
    return Left(writer.writer, writer.state, len(writer.shards), events, torn)
