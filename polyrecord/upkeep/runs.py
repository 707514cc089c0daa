"""Runs: who recorded into an archive, when, with which program and configuration, and how it ended."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeAlias

from polyrecord.errors import AmbiguousId, ArchiveMissing, NotFound
from polyrecord.format.layout import PRUNED, RUNS
from polyrecord.read.alive import is_of_this_host, lives
from polyrecord.read.archive import Archive, ShardInfo
from polyrecord.read.ends import is_held
from polyrecord.read.manifests import Manifest, manifest_writers, read_manifest
from polyrecord.read.pieces import Piece, joined, whole_of
from polyrecord.read.pruned import PrunedShard, pruned_shards
from polyrecord.upkeep.labels import Remark, read_remarks

OnProgress: TypeAlias = Callable[[int, int], None]
"""Told how many runs were looked at, and of how many."""

_MOST_CANDIDATES: Final = 20


class RunState(StrEnum):
    """How a run is, or how it ended."""

    RUNNING = "running"  # its process lives, or holds a shard
    ENDED = "ended"  # in order
    CRASHED = "crashed"  # its process is gone, and did not close
    RECOVERED = "recovered"  # crashed; its shards were sealed later
    UNKNOWN = "unknown"  # of another host, or it left no manifest


@dataclass(frozen=True, slots=True)
class Run:
    """One writer. Times are ns; `ended_ns` is when it closed, None where it did not or is running.

    Events, shards and bytes are what is here; `pruned` are events of shards that were deleted or moved.
    `declared` are the events that it says it dropped.
    """

    writer: str
    state: RunState
    manifest: Manifest | None
    first_ts: int | None
    last_ts: int | None
    events: int
    declared: int
    pruned: int
    shards: int
    open_shards: int
    bytes: int
    remarks: tuple[Remark, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """Its labels, each once."""
        return tuple(dict.fromkeys(remark.label for remark in self.remarks if remark.label))

    @property
    def started_ns(self) -> int | None:
        """When it began: by its manifest, else its first event."""
        told = None if self.manifest is None else self.manifest.started_ns
        return self.first_ts if told is None else told

    @property
    def ended_ns(self) -> int | None:
        """When it came to an orderly end."""
        return None if self.manifest is None else self.manifest.ended_ns

    def told(self, name: str) -> Any:
        """A member of its manifest, None where it has none."""
        return None if self.manifest is None else self.manifest.content.get(name)

    def seconds(self, now_ns: int) -> float | None:
        """How long it ran, up to its last event where it did not end in order, up to now where it runs."""
        until = now_ns if self.state is RunState.RUNNING else self.ended_ns or self.last_ts
        if self.started_ns is None or until is None:
            return None
        return max(until - self.started_ns, 0) / 1e9

    def touches(self, since_ns: int | None, until_ns: int | None) -> bool:
        """Whether it ran at some time of a window."""
        begun, last = self.started_ns, self.ended_ns or self.last_ts
        if until_ns is not None and begun is not None and begun >= until_ns:
            return False
        is_over = self.state is not RunState.RUNNING and last is not None
        return not (since_ns is not None and is_over and last is not None and last < since_ns)


def find_runs(root: Path, prefix: str = "", on_progress: OnProgress | None = None) -> list[Run]:
    """The runs whose writer id begins so, by their start. Raises ArchiveMissing, DataError."""
    shards: dict[str, list[ShardInfo]] = defaultdict(list)
    for info in _shards(root):
        shards[info.name.writer].append(info)
    gone: dict[str, list[PrunedShard]] = defaultdict(list)
    for shard in pruned_shards(root):
        gone[shard.name.writer].append(shard)
    writers = sorted(shards.keys() | gone.keys() | set(manifest_writers(root)))
    wanted = [writer for writer in writers if writer.startswith(prefix)]
    runs = []
    for at, writer in enumerate(wanted):
        if on_progress is not None:
            on_progress(at, len(wanted))
        runs.append(_run(root, writer, shards[writer], gone[writer]))
    return sorted(runs, key=lambda run: (run.started_ns or 0, run.writer))


def find_run(root: Path, prefix: str) -> Run:
    """The one run whose writer id begins so; raises NotFound and AmbiguousId."""
    runs = find_runs(root, prefix)
    exact = [run for run in runs if run.writer == prefix]
    if len(exact or runs) == 1:
        return (exact or runs)[0]
    if not runs:
        raise NotFound(f"no run is called {prefix[:80]!r}", path=root, hint="`polyrecord runs` lists them")
    names = [run.writer for run in runs]
    raise AmbiguousId(
        f"{len(names):,} runs begin with {prefix[:80]!r}", names, hint=", ".join(names[:_MOST_CANDIDATES])
    )


def _shards(root: Path) -> list[ShardInfo]:
    """All shards; none where there are only manifests, or all were deleted."""
    try:
        return Archive(root).shards()
    except ArchiveMissing:
        if manifest_writers(root) or any((root / folder).is_dir() for folder in (RUNS, PRUNED)):
            return []
        raise


def _run(root: Path, writer: str, shards: list[ShardInfo], gone: list[PrunedShard]) -> Run:
    manifest = read_manifest(root, writer)
    pieces = [piece for piece in map(whole_of, shards) if piece is not None]
    whole = joined(pieces) if pieces else None
    return Run(
        writer=writer,
        state=_state(manifest, shards),
        manifest=manifest,
        first_ts=_first(whole, gone),
        last_ts=_last(whole, gone),
        events=whole.events if whole else 0,
        declared=(whole.lost if whole else 0) + sum(shard.lost for shard in gone),
        pruned=sum(shard.events for shard in gone),
        shards=len(shards),
        open_shards=sum(not info.name.sealed for info in shards),
        bytes=sum(map(_size, shards)),
        remarks=tuple(read_remarks(root, writer)),
    )


def _first(whole: Piece | None, gone: Iterable[PrunedShard]) -> int | None:
    return min([*([whole.min_ts] if whole else []), *(shard.min_ts for shard in gone)], default=None)


def _last(whole: Piece | None, gone: Iterable[PrunedShard]) -> int | None:
    return max([*([whole.max_ts] if whole else []), *(shard.max_ts for shard in gone)], default=None)


def _size(info: ShardInfo) -> int:
    for path in (info.path, info.sealed_path):
        try:
            return path.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return 0


def _state(manifest: Manifest | None, shards: list[ShardInfo]) -> RunState:
    if any(is_held(info) for info in shards if not info.name.sealed):
        return RunState.RUNNING
    if manifest is None:
        return RunState.UNKNOWN
    if manifest.was_recovered:
        return RunState.RECOVERED
    if manifest.has_ended or manifest.content.get("complete") is True:
        return RunState.ENDED
    if not is_of_this_host(manifest):
        return RunState.UNKNOWN
    return RunState.RUNNING if lives(manifest) else RunState.CRASHED
