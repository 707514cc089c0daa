"""What salvaging an archive kept of it, what damage took, and the lines that have no place any more."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Final

from polyrecord.format.layout import REJECTS
from polyrecord.record.rejects import RejectsFile
from polyrecord.upkeep.parts import Part, Parts
from polyrecord.upkeep.problems import Problem, Problems
from polyrecord.upkeep.shard_facts import ShardFacts
from polyrecord.upkeep.verify import Verification

UNPLACED: Final = "salvage"  # logs/_rejects/salvage.jsonl


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What was kept, or with `out` None would be: `copied` of the shards are as they were.

    `rescued` events were in blocks without a valid header. `lost` is what damage took, as far as known, and
    `verification` what the new archive was found to be.
    """

    root: Path
    out: Path | None
    shards: int
    copied: int
    events: int
    rescued: int
    count: int
    losing: int
    lost_events: int
    problems: tuple[Problem, ...]
    verification: Verification | None = None

    @property
    def loses(self) -> bool:
        """Whether something is lost: to damage, or missing before."""
        return bool(self.losing) or (self.verification is not None and self.verification.loses)


@dataclass(slots=True)
class SalvageTally:
    """Adds up one pass over an archive; without `place`, the new one, nothing is written."""

    root: Path
    place: Path | None
    shards: int = 0
    copied: int = 0
    events: int = 0
    rescued: int = 0
    left_out: int = 0  # events that are there twice, or have no place
    problems: Problems = field(default_factory=Problems)
    _rejects: RejectsFile | None = None

    def copy(self, facts: ShardFacts) -> None:
        """Count a shard that is kept as it is."""
        self.shards += 1
        self.copied += 1
        self.events += facts.events + facts.plain

    def mend(self, facts: ShardFacts, parts: Parts) -> None:
        """Count a shard of which these parts are kept, and tell its problems; raises OSError.

        What could be kept of a block with a problem is no loss.
        """
        self._tell(facts, {part.offset: part for part in parts.kept if part.lines})
        for part in parts.dropped:
            self._drop(facts.name.path, part, parts.kept)
        for part in parts.unplaced:
            self._reject(facts.name.path, part)
        if parts.kept:
            self.shards += 1
            self.events += sum(part.events for part in parts.kept)

    def _tell(self, facts: ShardFacts, saved: dict[int, Part]) -> None:
        writer = facts.name.writer
        for problem in facts.problems:
            part = saved.pop(problem.offset, None) if problem.offset is not None else None
            if part is None:
                self.problems.add(problem, writer)
                continue
            self.rescued += part.events
            left = max((problem.events or 0) - part.events, 0) if problem.events is not None else 0
            what = f"{problem.what}; {part.events:,} events of it were saved"
            self.problems.add(replace(problem, what=what, events=left, loses=left > 0), writer)
        self.rescued += sum(part.events for part in saved.values())

    def _drop(self, path: PurePosixPath, part: Part, kept: list[Part]) -> None:
        is_twice = any((one.first_seq, one.last_seq) == (part.first_seq, part.last_seq) for one in kept)
        what = "a block that is there twice" if is_twice else "a block whose numbers others have too"
        self.left_out += part.events
        events = 0 if is_twice else part.events
        self.problems.add(Problem(path, what, part.offset, part.length, events, loses=not is_twice))

    def _reject(self, path: PurePosixPath, part: Part) -> None:
        self.left_out += part.events
        why = "without a place" if part.proven else "of a gzip member that is not whole"
        what = f"{part.events:,} lines {why}; they are in {REJECTS}/{UNPLACED}.jsonl"
        self.problems.add(Problem(path, what, part.offset, part.length))
        if self.place is None:
            return
        self._rejects = self._rejects or RejectsFile(self.place, UNPLACED)
        reason, where = "unplaced" if part.proven else "unproven", f"{path} at byte {part.offset}"
        for number, line in enumerate(part.lines, 1):
            self._rejects.add(number, reason, where, line)
        self._rejects.flush()

    def close(self) -> None:
        """Close the file of lines without a place, where there is one."""
        if self._rejects is not None:
            self._rejects.close()

    def result(self, out: Path | None, found: Verification | None) -> Salvaged:
        """What came of it."""
        kept = tuple(sorted(self.problems.kept, key=lambda one: not one.loses))
        return Salvaged(
            self.root, out, self.shards, self.copied, self.events, self.rescued, self.problems.count,
            self.problems.losing, self.problems.lost_events, kept, found,
        )  # fmt: skip
