"""Writer by writer: all of its open shards are mended, the manifest says so, then they are moved."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from polyrecord.format.layout import QUARANTINE, ShardName
from polyrecord.record.identity import write_manifest
from polyrecord.record.recovery.find import OpenWriter, find_dead, read_manifest, take
from polyrecord.record.recovery.shard import Mended, mend, place
from polyrecord.times import format_ts

_AT_ONCE = 32  # descriptors


@dataclass(frozen=True, slots=True)
class Failed:
    """A shard that stays as it is, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class RecoveredWriter:
    """A dead writer's shards after recovery: `shards` of them sealed, with so many `events`.

    `torn_bytes` were cut off and are in `quarantine`; `damaged_bytes` among good blocks stay where they are;
    `removed` shards held nothing. `last_seq` is the last one found. `reason` says why it was taken for dead.
    """

    writer: str
    reason: str
    shards: int
    events: int
    torn_bytes: int
    damaged_bytes: int
    removed: int
    last_seq: int | None
    quarantine: tuple[Path, ...] = ()
    failed: tuple[Failed, ...] = ()

    def event_data(self) -> dict[str, Any]:
        """The data of a `recovered` event."""
        return {
            "writer": self.writer,
            "reason": self.reason,
            "shards": self.shards,
            "events": self.events,
            "torn_bytes": self.torn_bytes,
            "damaged_bytes": self.damaged_bytes,
            "removed": self.removed,
            "last_seq": self.last_seq,
            "quarantine": [path.name for path in self.quarantine],
            "failed": [{"file": failed.path.name, "reason": failed.reason} for failed in self.failed],
        }


def recover_dead(
    root: Path, *, everywhere: bool = False, skip: str | None = None
) -> Iterator[RecoveredWriter]:
    """Recover dead writers' shards, one writer after the other; what each had is told when it is done.

    `skip` is the writer that asks, where one does. Where two ask at once, one of them gets each writer. A
    shard that cannot be made whole is told and stays. Raises OSError only when the archive cannot be listed.
    """
    for dead in find_dead(root, everywhere=everywhere, skip=skip):
        outcome = _Recovery(root, dead, skip or "seal").run()
        if outcome is not None:
            yield outcome


@dataclass(slots=True)
class _Recovery:
    """One writer's recovery."""

    root: Path
    dead: OpenWriter
    by: str
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    failed: list[Failed] = field(default_factory=list)
    did: bool = False  # something: another process may have been faster

    def run(self) -> RecoveredWriter | None:
        """Mend and move; None where another process does it already."""
        shards = iter(self.dead.shards)
        while some := list(islice(shards, _AT_ONCE)):
            if not self._some(some):
                return None
        return self._outcome() if self.did or self.failed else None

    def _some(self, names: Sequence[ShardName]) -> bool:
        """Whether all of them could be locked, or are gone; else the writer lives, or another recovers it."""
        held: dict[ShardName, int] = {}
        try:
            for name in names:
                descriptor = self._take(name)
                if descriptor is not None:
                    held[name] = descriptor
                elif os.path.lexists(self.root / name.path) and not self._has_failed(name):
                    return False
            mended = [one for name, fd in held.items() if (one := self._mend(name, fd)) is not None]
            if self._tell_manifest(mended):
                for one in mended:
                    self._place(one)
        finally:
            for descriptor in held.values():
                os.close(descriptor)
        return True

    def _take(self, name: ShardName) -> int | None:
        try:
            return take(self.root / name.path)
        except OSError as error:
            self._fail(name, error)
            return None

    def _mend(self, name: ShardName, descriptor: int) -> Mended | None:
        about = {"at": format_ts(time.time_ns()), "by": self.by}
        try:
            return mend(self.root, name, descriptor, about)
        except (OSError, ValueError) as error:
            self._fail(name, error)
            return None

    def _place(self, mended: Mended) -> None:
        try:
            place(self.root, mended)
        except OSError as error:
            self._fail(mended.name, error)

    def _fail(self, name: ShardName, error: Exception) -> None:
        path = self.root / name.path
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        self.entries.pop(str(name.as_sealed().path), None)
        self.failed.append(Failed(path, reason))

    def _has_failed(self, name: ShardName) -> bool:
        return any(failed.path == self.root / name.path for failed in self.failed)

    def _tell_manifest(self, mended: Sequence[Mended]) -> bool:
        """Add what is recovered to the manifest, if there is one; only when that is done may shards move."""
        manifest = read_manifest(self.root, self.dead.writer)
        told = manifest.get("recovered") if manifest is not None else None
        known = told.get("shards") if isinstance(told, dict) else None
        earlier = {str(entry.get("path")): entry for entry in known or () if isinstance(entry, dict)}
        self.entries = {
            **earlier,
            **self.entries,
            **{str(one.entry()["path"]): one.entry() for one in mended},
        }
        self.did = self.did or bool(mended)
        if manifest is None or not mended:
            return True
        try:
            write_manifest(self.root, self.dead.writer, {**manifest, "recovered": self._about()})
        except OSError as error:
            for one in mended:
                self._fail(one.name, error)
            return False
        return True

    def _about(self) -> dict[str, Any]:
        entries = list(self.entries.values())
        return {
            "at": format_ts(time.time_ns()),
            "by": self.by,
            "reason": self.dead.state.value,
            "torn_bytes": _sum(entries, "torn_bytes"),
            "damaged_bytes": _sum(entries, "damaged_bytes"),
            "clean": all(entry.get("clean") is True for entry in entries),
            "shards": entries,
        }

    def _outcome(self) -> RecoveredWriter:
        entries = list(self.entries.values())
        seqs = [entry["last_seq"] for entry in entries if isinstance(entry.get("last_seq"), int)]
        removed = sum(entry.get("removed") is True for entry in entries)
        return RecoveredWriter(
            self.dead.writer, self.dead.state.value, len(entries) - removed, _sum(entries, "events"),
            _sum(entries, "torn_bytes"), _sum(entries, "damaged_bytes"), removed, max(seqs, default=None),
            tuple(self.root / QUARANTINE / self.dead.writer / name for name in sorted(_reports(entries))),
            tuple(self.failed),
        )  # fmt: skip


def _reports(entries: Sequence[dict[str, Any]]) -> set[str]:
    listed = (entry.get("reports") for entry in entries)
    return {str(name) for names in listed if isinstance(names, list) for name in names}


def _sum(entries: Sequence[dict[str, Any]], name: str) -> int:
    return sum(value for entry in entries if isinstance(value := entry.get(name), int))
