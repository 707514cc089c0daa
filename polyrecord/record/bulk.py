"""Write many events that already have their times: imports, merges, cuts. No threads, no buffer, no clock."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from polyrecord.errors import UsageError
from polyrecord.format.layout import OPEN_DIR, SUFFIX, TREES, check_writer
from polyrecord.record.files import remove_if_empty
from polyrecord.record.identity import Manifest, read_manifest, session_manifest
from polyrecord.record.item import CLOSE
from polyrecord.record.numbering import Numbering
from polyrecord.record.policy import BlockPolicy, RotatePolicy
from polyrecord.record.shards import ShardSet
from polyrecord.record.steps import Steps
from polyrecord.times import format_ts

_NS_BOUND = 1 << 63


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """What a bulk write left on disk."""

    events: int
    shards: tuple[Path, ...]


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
        self._numbering = Numbering(self._shards.write, blocks or BlockPolicy(), index_keys)
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
        payload, trace_id, envelope = self._steps.clean(ts_ns, data + CLOSE, trace_id, envelope)
        self._numbering.add(ts_ns, format_ts(ts_ns), event_type, payload, trace_id, envelope, stream)

    def finish(self, **metadata: Any) -> BulkOutcome:
        """Seal everything and say in the manifest that it ended, with more `metadata`."""
        self._finished = True
        self._numbering.cut()
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
            self.finish()
