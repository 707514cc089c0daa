"""What a writer does to its shards beside writing: restore, seal by age, join blocks, have them compacted."""

from __future__ import annotations

import math
from functools import partial

from polyrecord.clock import Clock
from polyrecord.record.compacting import Compacting
from polyrecord.record.faults import Faults
from polyrecord.record.shards import ShardSet
from polyrecord.record.trouble import TroubleFile


class Chores:
    """Each is tried when it is due, and again the next time where it failed."""

    def __init__(
        self,
        shards: ShardSet,
        clock: Clock,
        faults: Faults,
        trouble: TroubleFile,
        join_seconds: float | None,
        compacting: Compacting | None,
    ) -> None:
        """`join_seconds`: so often small blocks of open shards are joined; None: never."""
        self._shards, self._clock = shards, clock
        self._faults, self._trouble = faults, trouble
        self._join_ns = math.inf if join_seconds is None else join_seconds * 1e9
        self._joined_ns = clock.mono_ns()
        self._compacting = compacting
        self._sealed = 0  # shards that compacting knows of
        self._restored = 0

    def restore(self) -> None:
        """Make files anew that were removed or replaced."""
        self._faults.guard("restore", self._shards.restore)
        self.tell_restored()

    def tell_restored(self) -> None:
        """Tell of files that were made anew since."""
        if self._shards.restored != self._restored:
            self._restored = self._shards.restored
            self._trouble.tell("files were removed or replaced, and made again", files=self._restored)

    def seal(self, day: int) -> None:
        """Seal what is old enough, and all dates before `day`."""
        self._faults.guard("seal", partial(self._shards.seal_due, day))
        self.compact()

    def join(self) -> None:
        """Join small blocks, if it is time."""
        if self._clock.mono_ns() - self._joined_ns >= self._join_ns:
            self._joined_ns = self._clock.mono_ns()
            self._faults.guard("join", self._shards.join_blocks)

    def compact(self, *, last: bool = False) -> None:
        """Let compacting know of shards sealed since; that it cannot run is said once, and costs nothing."""
        compacting, sealed = self._compacting, len(self._shards.sealed)
        if compacting is None:
            return
        if sealed > self._sealed:
            self._sealed = sealed
            self._faults.guard("compact", compacting.after_seal)
        if last:
            self._faults.guard("compact", compacting.close)
