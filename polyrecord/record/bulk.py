"""Write many events that already have their times: imports, merges, cuts. No threads, no buffer, no clock."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from polyrecord.errors import UsageError
from polyrecord.format.layout import OPEN_DIR, SUFFIX, TREES, check_stream, check_writer
from polyrecord.record.admission import Admission
from polyrecord.record.blocks import PendingBlock
from polyrecord.record.files import remove_if_empty
from polyrecord.record.identity import Manifest, read_manifest, session_manifest
from polyrecord.record.item import CLOSE, Item
from polyrecord.record.numbering import Numbering
from polyrecord.record.policy import BlockPolicy, RotatePolicy
from polyrecord.record.shards import ShardSet
from polyrecord.record.steps import Steps
from polyrecord.times import format_ts

_NS_BOUND = 1 << 63
_AT_ONCE = 256  # events
_SHARE = 8  # part of a block that is numbered at once


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """What a bulk write left on disk."""

    events: int
    shards: tuple[Path, ...]


class _Given:
    """Events that have their times, of which none may be left out."""

    def drop(self, item: Item, _: str) -> None:
        error = sys.exc_info()[1]
        raise ValueError(f"{item[1]} at {format_ts(item[0])} cannot be recorded: {error}") from error

    def release(self, _: int) -> None:
        """Nothing is counted here."""

    def stamp(self, ts_ns: int) -> int:
        return ts_ns

    def stamps(self, ts_ns: Iterable[int]) -> list[int]:
        return list(ts_ns)


class BulkWriter:
    """A writer whose events come with their times. All of it becomes visible at `finish`, or none of it.

    As a context manager it finishes, or discards when an error is raised. The manifest says when it `ended`
    once the last shard is sealed; what an interrupted run left is removed by the next of that id.
    """

    def __init__(
        self,
        root: Path,
        writer: str,
        *,
        kind: str = "import",
        index_keys: Iterable[str] = (),
        metadata: Mapping[str, Any] | None = None,
        blocks: BlockPolicy | None = None,
        rotate: RotatePolicy | None = None,
        steps: Steps | None = None,
    ) -> None:
        """`kind` and `metadata` go into the manifest; raises UsageError on a bad writer id.

        `steps` say what becomes of secrets; without them events are kept as they are.
        """
        self._steps = steps or Steps()
        self.root = root
        self.writer = check_writer(writer)
        about = {"kind": kind, "metadata": dict(metadata or {})}
        self._manifest = Manifest(root, writer, session_manifest(writer, time.time_ns(), about))
        self._shards = ShardSet(
            root, writer, rotate or RotatePolicy(), time.monotonic_ns, self._manifest.ensure
        )
        blocks = blocks or BlockPolicy()
        self._cut: deque[PendingBlock] = deque()
        self._numbering = Numbering(self._cut.append, blocks, index_keys)
        self._admission = Admission(_Given(), self._numbering, _Given(), self._steps)
        self._items: list[Item] = []
        self._item_bytes, self._most_bytes = 0, blocks.content_bytes // _SHARE
        self._latest = -_NS_BOUND
        self._manifest.content["index_keys"] = list(self._numbering.declared_paths)
        self._finished = False
        self._remove_interrupted()

    def add(
        self,
        ts_ns: int,
        event_type: str,
        data: bytes,
        *,
        trace_id: str | None = None,
        envelope: Mapping[str, str] | None = None,
        stream: str | None = None,
    ) -> None:
        """Take the next event; `data` is one JSON value, encoded. Raises OSError, and ValueError on `\\n`."""
        if b"\n" in data or b"\r" in data:
            raise ValueError("data has a line break")
        if not -_NS_BOUND <= ts_ns < _NS_BOUND:
            raise ValueError("a time that 64 bits of nanoseconds cannot hold, 1677 to 2262")
        if stream is not None:
            check_stream(stream)
        self._items.append((ts_ns, event_type, trace_id, data + CLOSE, envelope, stream))
        self._item_bytes += len(data)
        if self._item_bytes >= self._most_bytes or len(self._items) >= _AT_ONCE:
            self._number()

    def _number(self) -> None:
        """Number what was added, at once where it is in the order of time, and write full blocks."""
        items, self._items, self._item_bytes = self._items, [], 0
        if not items:
            return
        times = [item[0] for item in items]
        if times[0] >= self._latest and times == sorted(times):
            self._admission.take(items)
        else:
            for item in items:
                self._admission.take_one(item)
        self._latest = max(self._latest, *times)
        self._write_cut()

    def _write_cut(self) -> None:
        while self._cut:
            self._shards.write(self._cut.popleft())

    def finish(self, **metadata: Any) -> BulkOutcome:
        """Seal everything and say in the manifest that it ended, with more `metadata`."""
        self._finished = True
        self._number()
        self._numbering.cut()
        self._write_cut()
        self._shards.close()
        self._manifest.content["metadata"].update(metadata)
        self._manifest.write(ended=format_ts(time.time_ns()), streams=self._shards.totals)
        return BulkOutcome(self._shards.events, tuple(self._shards.sealed))

    def discard(self) -> None:
        """Remove everything this run wrote, sealed shards too."""
        self._finished = True
        self._shards.discard()
        for path in self._shards.sealed:
            path.unlink(missing_ok=True)
            remove_if_empty(path.parent)

    def _remove_interrupted(self) -> None:
        earlier = read_manifest(self.root, self.writer)
        if earlier is not None and earlier.get("ended"):
            raise UsageError(f"writer {self.writer} has written here before and is complete")
        name = f"*-{self.writer}-*{SUFFIX}"
        for tree in TREES:
            for place in (f"{tree}/*/*/{name}", f"{tree}/*/*/{OPEN_DIR}/{name}"):
                # Not Path.glob, which raises where another writer removes its folder meanwhile.
                for path in glob(place, root_dir=self.root):  # noqa: PTH207
                    (self.root / path).unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.discard()
        elif not self._finished:
            try:
                self.finish()
            except BaseException:
                self.discard()
                raise
