"""What is found wrong with an archive: a list that stays short however much is damaged."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Final

MOST_KEPT: Final = 1000


class Kind(StrEnum):
    """What a problem was seen by."""

    BYTES = "bytes"  # of a shard: a sum, a length, a directory
    LINES = "lines"  # of a block whose bytes are right
    NUMBERS = "numbers"  # over several shards: seqs, ordinals, shard numbers
    NAMES = "names"  # of files


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a place of the archive, by its path relative to it.

    `offset` and `bytes` are of the file, where they are known. `events` are lost by it, None where nobody can
    tell how many; `loses` is false where nothing is lost.
    """

    path: PurePosixPath
    what: str
    offset: int | None = None
    bytes: int | None = None
    events: int | None = 0
    loses: bool = False
    hint: str | None = None
    kind: Kind = Kind.BYTES


@dataclass(slots=True)
class Problems:
    """Problems as they are found: all are counted, the first are kept, those that lose data before others."""

    count: int = 0
    losing: int = 0
    lost_events: int = 0  # as far as known
    lost_bytes: int = 0
    kept: list[Problem] = field(default_factory=list)
    by_writer: Counter[str] = field(default_factory=Counter)  # events known to be lost

    def add(self, problem: Problem, writer: str = "") -> None:
        """Count a problem, and keep it if there is room."""
        self.count += 1
        self.losing += problem.loses
        if problem.loses:
            self.lost_events += problem.events or 0
            self.lost_bytes += problem.bytes or 0
            self.by_writer[writer] += problem.events or 0
        if len(self.kept) < MOST_KEPT:
            self.kept.append(problem)
        elif problem.loses and not self.kept[-1].loses:
            self.kept.sort(key=lambda one: not one.loses)
            self.kept[-1] = problem
