"""Is an archive whole? Every byte of every shard, every number of every writer."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Final

from polyrecord.format.layout import PRUNED, ShardName
from polyrecord.read.archive import Archive
from polyrecord.read.coverage import Coverage, coverage
from polyrecord.read.pruned import PrunedShard, read_ledger
from polyrecord.record.recovery.find import (
    State,
    find_open,
    is_held,
)
from polyrecord.record.recovery.quarantine import reports
from polyrecord.upkeep.accounts import Account
from polyrecord.upkeep.living import Ended, manifest_of, manifest_place
from polyrecord.upkeep.names import list_archive
from polyrecord.upkeep.problems import Kind, Problem, Problems
from polyrecord.upkeep.shard_facts import ShardFacts
from polyrecord.upkeep.shard_look import OnProgress, ShardLooks

_SETTLE_SECONDS: Final = 1.5  # a loss is declared in another stream than it happened in, up to a flush later
_SETTLE_TIMES: Final = 3
_MOST_NUMBERS: Final = 1000
_HINTS: Final = {
    State.DEAD: "polyrecord seal",
    State.OTHER_BOOT: "polyrecord seal --everywhere",
    State.OTHER_HOST: "polyrecord seal --everywhere, when that writer has ended",
    State.NO_MANIFEST: "polyrecord seal --everywhere, when that writer has ended",
    State.IMPORT: "import the same files again: it removes what an interrupted import left",
}


@dataclass(frozen=True, slots=True)
class Verification:
    """What an archive was found to be.

    `coverage` is of what was read, every event: what is kept, declared lost, missing without a word, deleted
    on purpose. Of the problems the first are in `problems`.
    """

    root: Path
    writers: int
    shards: int
    open_shards: int
    blocks: int
    bytes: int
    coverage: Coverage
    count: int
    losing: int
    lost_events: int
    lost_bytes: int
    problems: tuple[Problem, ...]

    @property
    def events(self) -> int:
        """How many were read, each once."""
        return self.coverage.events

    @property
    def lost(self) -> int:
        """How many were declared lost."""
        return self.coverage.lost

    @property
    def unknown(self) -> int:
        """How many are missing without a word."""
        return self.coverage.unknown

    @property
    def loses(self) -> bool:
        """Whether data is lost, or cannot be read."""
        return bool(self.losing)


def verify(root: Path, on_progress: OnProgress | None = None) -> Verification:
    """Look at everything, while writers write, seal and prune. Raises ArchiveMissing and OSError."""
    return _Verify(root, on_progress).run()


class _Verify:
    """Writer by writer, so that what is known of one is forgotten with it."""

    def __init__(self, root: Path, on_progress: OnProgress | None) -> None:
        self._root = root
        self._problems = Problems()
        # Who lives is asked before anything is listed: what a writer that has ended left is then complete.
        self._ended = Ended(root)
        self._listing = list_archive(root)
        self._looks = ShardLooks(root, self._problems, self._listing.bytes, on_progress)
        self._open = self._shards = self._blocks = self._writers = 0
        self._events = self._lost = self._unknown = self._pruned = 0

    def run(self) -> Verification:
        listing, ledger = self._listing, read_ledger(self._root)
        if ledger.damaged:
            what = f"{ledger.damaged:,} lines of the deletion ledger cannot be read"
            self._problems.add(Problem(PurePosixPath(PRUNED), what, kind=Kind.NAMES))
        self._names()
        states = {one.writer: one.state for one in find_open(self._root)}
        pruned = {writer: list(some) for writer, some in groupby(ledger.shards, lambda one: one.name.writer)}
        shards = {writer: list(some) for writer, some in groupby(listing.shards, lambda name: name.writer)}
        for writer in sorted(shards.keys() | pruned.keys()):
            self._writer(writer, shards.get(writer, []), pruned.get(writer, []), states.get(writer))
        return self._result()

    def _names(self) -> None:
        listing = self._listing
        for problem in listing.problems:
            if os.path.lexists(self._root / problem.path):  # it may have been a file on its way
                self._problems.add(problem)
        for name in listing.moved:
            if os.path.lexists(self._root / name.path) and os.path.lexists(
                self._root / name.as_sealed().path
            ):
                self._problems.add(
                    Problem(name.path, "a shard of that number is sealed already", kind=Kind.NAMES)
                )
        for writer in listing.manifests:
            if manifest_of(self._root, writer) is None:
                self._problems.add(
                    Problem(manifest_place(writer), "manifest cannot be read", kind=Kind.NAMES)
                )

    def _writer(
        self,
        writer: str,
        names: list[ShardName],
        pruned: list[PrunedShard],
        state: State | None,
    ) -> None:
        manifest = manifest_of(self._root, writer)
        if manifest is None and names and not os.path.lexists(self._root / manifest_place(writer)):
            self._problems.add(Problem(manifest_place(writer), "writer has no manifest", kind=Kind.NAMES))
        account = Account(writer, manifest, [one for one in pruned if not _is_among(one.name, names)])
        for name in names:
            self._shard(name, account, state)
        self._writers += 1
        self._events += account.events + account.plain - account.twice
        self._pruned += sum(shard.events for shard in pruned)
        self._lost += account.lost + sum(shard.lost for shard in pruned)
        self._account(account, is_alive=not self._ended.knows(writer))

    # -- one shard -------------------------------------------------------------------------------------------

    def _shard(self, name: ShardName, account: Account, state: State | None) -> None:
        facts = self._looks.look(name)
        if facts is None:
            return
        for problem in facts.problems:
            self._problems.add(problem, name.writer)
        self._shards += 1
        self._blocks += facts.blocks
        self._open += not facts.name.sealed
        twice = account.add(facts)
        if twice:
            what = f"{twice:,} of its seqs are in this archive already"
            self._problems.add(Problem(facts.name.path, what, kind=Kind.NUMBERS))
        if not facts.name.sealed and state is not None and state is not State.ALIVE:
            self._left_open(facts, state)

    def _left_open(self, facts: ShardFacts, state: State) -> None:
        path = self._root / facts.name.path
        if not os.path.lexists(path) or is_held(path):
            return  # sealed meanwhile, or its writer was about to lock it
        torn = f", its last {facts.torn_bytes:,} bytes torn" if facts.torn_bytes else ""
        what = f"left open by a writer that is gone{torn}"
        at = facts.size - facts.torn_bytes if facts.torn_bytes else None
        self._problems.add(Problem(facts.name.path, what, at, facts.torn_bytes or None, hint=_HINTS[state]))

    # -- all shards of a writer ------------------------------------------------------------------------------

    def _account(self, account: Account, *, is_alive: bool) -> None:
        for problem in account.overlaps():
            self._problems.add(problem)
        for stream, numbers in account.missing_shards() if not is_alive else ():
            self._numbers(account.writer, stream, numbers)
        missing = list(account.missing())
        for _ in range(_SETTLE_TIMES if is_alive and missing else 0):
            time.sleep(_SETTLE_SECONDS)
            self._declared_since(account)
            missing = [one for one in account.missing() if not _is_by_seq(one)]
        for problem in missing:
            if not (is_alive and _is_by_seq(problem)):
                self._unknown += problem.events or 0
                self._problems.add(problem, account.writer)
        self._unknown += account.gone

    def _numbers(self, writer: str, stream: str, numbers: range) -> None:
        """Shards that are not there: recovery removes those that hold nothing, and leaves a report."""
        names = [ShardName(stream, writer, number, "", sealed=True) for number in numbers[:_MOST_NUMBERS]]
        absent = [name for name in names if not _was_removed(self._root, name)]
        for name in absent:
            path = PurePosixPath(stream, name.filename)
            self._problems.add(Problem(path, "shard of this number is missing", kind=Kind.NUMBERS))
        if len(numbers) > len(names):
            what = f"{len(numbers) - len(names):,} more shards up to number {numbers[-1]} are missing"
            self._problems.add(Problem(PurePosixPath(stream), what, kind=Kind.NUMBERS))

    def _declared_since(self, account: Account) -> None:
        """Take in what a living writer has declared lost by now."""
        names = [one for one in list_archive(self._root).shards if one.writer == account.writer]
        facts = [self._looks.again(name) for name in names if name.stream == "logs/telemetry"]
        account.declare([one for one in facts if one is not None])

    def _result(self) -> Verification:
        told = coverage(Archive(self._root)) if self._listing.shards else Coverage(0, 0, 0)
        counted = replace(
            told, events=self._events, lost=self._lost, unknown=self._unknown, pruned=self._pruned, streams=()
        )
        found = self._problems
        return Verification(
            self._root, self._writers, self._shards, self._open, self._blocks, self._listing.bytes,
            counted, found.count, found.losing, found.lost_events, found.lost_bytes,
            tuple(sorted(found.kept, key=lambda one: not one.loses)),
        )  # fmt: skip


def _was_removed(root: Path, name: ShardName) -> bool:
    return any(report.get("removed") is True for _, report in reports(root, name))


def _is_among(name: ShardName, names: Iterable[ShardName]) -> bool:
    return any((one.stream, one.number) == (name.stream, name.number) for one in names)


def _is_by_seq(problem: Problem) -> bool:
    return problem.path.parent == PurePosixPath("logs/_writers")
