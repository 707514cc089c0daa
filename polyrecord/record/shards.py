"""The shards one writer has open: blocks go to the one of their stream and date."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from polyrecord.format.block import pack_block
from polyrecord.format.layout import ShardName
from polyrecord.record.blocks import PendingBlock
from polyrecord.record.files import sync_directory
from polyrecord.record.policy import RotatePolicy
from polyrecord.record.shard_file import ShardFile

_MAX_OPEN = 32  # an import may span any number of dates, a process only has so many descriptors
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def day_text(day: int) -> str:
    """`2026-11-20` of days since 1970-01-01."""
    return (_EPOCH + timedelta(days=day)).strftime("%Y-%m-%d").rjust(10, "0")


class ShardSet:
    """All open shards of one writer. Not thread-safe: one thread writes."""

    def __init__(
        self,
        root: Path,
        writer: str,
        rotate: RotatePolicy,
        now_ns: Callable[[], int],
        before_file: Callable[[], None],
        *,
        retain: bool = False,
    ) -> None:
        """`now_ns` gives monotonic time for ages; `before_file` runs before any file is made.

        `retain` keeps what is not yet on the disk in memory too, to make a failed sync good.
        """
        self.blocks = 0
        self.bytes = 0
        self.events = 0
        self.restored = 0  # files made anew because they were removed or replaced
        self.sealed: list[Path] = []
        self._root = root
        self._writer = writer
        self._rotate = rotate
        self._now_ns = now_ns
        self._before_file = before_file
        self._retain = retain
        self._open: dict[tuple[str, int], ShardFile] = {}
        self._numbers: Counter[str] = Counter()
        self._totals: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def write(self, block: PendingBlock) -> None:
        """Compress a block and append it; raises OSError, after which it may be tried again."""
        member = pack_block(b"".join(block.pieces), block.index)
        shard = self._shard(block.stream, block.day)
        if shard.removed:
            self._restore(shard)
        shard.append(member)
        self.blocks += 1
        self.bytes += len(member)
        self.events += block.index.events
        totals = self._totals[block.stream]
        totals["shards"] = self._numbers[block.stream]
        totals["events"] += block.index.events
        totals["last_ordinal"] = block.index.last_ordinal

    @property
    def totals(self) -> dict[str, dict[str, int]]:
        """What was written of each stream: shards, events, and the ordinal of the last one."""
        return {stream: dict(totals) for stream, totals in sorted(self._totals.items())}

    def _shard(self, stream: str, day: int) -> ShardFile:
        shard = self._open.get((stream, day))
        if shard is not None and self._due(shard):
            # Before the block is written, not after: if sealing fails, the block is tried again whole.
            self._seal(stream, day, clean=False)
            shard = None
        if shard is None:
            if len(self._open) >= _MAX_OPEN:
                self._seal(*next(iter(self._open)), clean=False)
            self._before_file()
            name = ShardName(stream, self._writer, self._numbers[stream] + 1, day_text(day), sealed=False)
            shard = ShardFile(self._root, name, self._now_ns(), retain=self._retain)
            self._numbers[stream] += 1
        self._open.pop((stream, day), None)
        self._open[stream, day] = shard  # at the end: the first is the one least recently written
        return shard

    @property
    def unsynced(self) -> int:
        """Bytes written and not yet forced to the disk."""
        return sum(shard.unsynced for shard in self._open.values())

    def sync(self) -> None:
        """Force all that was written to the disk; raises the first OSError after trying every shard."""
        self._try_all([shard.sync for shard in self._open.values()])

    def restore(self) -> None:
        """Make anew what was removed or replaced while it was written; raises OSError."""
        self._try_all(partial(self._restore, shard) for shard in self._open.values() if not shard.in_place)

    def join_blocks(self) -> None:
        """Rewrite the shards that have many small blocks; raises the first error after trying all."""
        self._try_all(shard.join_blocks for shard in self._open.values() if shard.has_small_blocks)

    def _restore(self, shard: ShardFile) -> None:
        self._before_file()
        shard.restore()
        self.restored += 1

    @staticmethod
    def _try_all(actions: Iterable[Callable[[], object]]) -> None:
        failed: OSError | None = None
        for action in actions:
            try:
                action()
            except OSError as error:  # the others may work
                failed = failed or error
        if failed is not None:
            raise failed

    def seal_all(self) -> None:
        """Seal everything for now: more may be written later, to further shards."""
        self._seal_all(list(self._open))

    def seal_due(self, day: int) -> None:
        """Seal the shards of dates before `day`, and those due by age although nothing was written lately."""
        self._seal_all([key for key, shard in self._open.items() if key[1] < day or self._due(shard)])

    def _due(self, shard: ShardFile) -> bool:
        age = self._now_ns() - shard.opened_ns
        return self._rotate.due(shard.size, shard.events, shard.blocks, age)

    def close(self, *, clean: bool = True) -> None:
        """Seal everything; if `clean`, the last shard of each stream is marked as an orderly end."""
        if clean:  # before the first of them says so: else a power cut could leave one clean and another torn
            self.sync()
        shards = sorted(self._open.items(), key=lambda entry: entry[0])
        self._try_all(
            partial(self._seal, *key, clean=clean and shard.name.number == self._numbers[key[0]])
            for key, shard in shards
        )

    def abandon(self) -> None:
        """Close the descriptors a fork has copied; the locks stay with the process that took them."""
        for shard in self._open.values():
            shard.abandon()
        self._open.clear()

    def discard(self) -> None:
        """Remove all that is open."""
        for shard in self._open.values():
            shard.discard()
        self._open.clear()

    def _seal_all(self, keys: Iterable[tuple[str, int]]) -> None:
        self._try_all(partial(self._seal, *key, clean=False) for key in keys)

    def _seal(self, stream: str, day: int, *, clean: bool) -> None:
        path = self._open[stream, day].seal(clean=clean)
        del self._open[stream, day]
        self.sealed.append(path)
        sync_directory(path.parent)
