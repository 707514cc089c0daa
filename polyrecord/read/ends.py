"""How writers ended: in order, or gone with what was still in their memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from polyrecord.read.alive import lives
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.files import ShardFile
from polyrecord.read.manifests import read_manifest
from polyrecord.read.pieces import read_footer, whole_of
from polyrecord.read.pruned import PrunedShard
from polyrecord.read.shard import open_shard
from polyrecord.read.source import Source


@dataclass(frozen=True, slots=True)
class UncleanEnd:
    """A writer that is gone without an orderly end.

    Up to `seconds` of events after `last_ts` (ns) may be missing: what it had in memory, its flush interval.
    Either is None where nobody knows. `recovered` says that its shards were sealed later.
    """

    writer: str
    last_ts: int | None
    seconds: float | None
    recovered: bool


def ends_of(
    source: Source,
    everything: Iterable[ShardInfo],
    writers: set[str],
    pruned: Sequence[PrunedShard],
    explain: Explain,
) -> list[UncleanEnd]:
    """The ends of those of the writers that are gone without an orderly one, by name.

    Such a writer has an open shard that nobody holds, or neither a last shard of a stream that says it is
    clean, nor a manifest that says it ended, nor a process that runs: rotation may have sealed all shards
    before an orderly close, and an idle writer has none open.
    """
    last: dict[str, dict[str, ShardInfo]] = defaultdict(dict)
    for info in everything:
        if info.name.writer in writers:
            last[info.name.writer][f"{info.name.stream} {info.name.sealed}"] = info
    gone_clean = {shard.name.writer for shard in pruned if shard.clean}
    found = []
    for writer, shards in sorted(last.items()):
        theirs = list(shards.values())
        if _is_unclean(source, writer, theirs, explain, gone_clean=writer in gone_clean):
            found.append(_end(source, writer, theirs, pruned))
    return found


def _is_unclean(
    source: Source, writer: str, last: list[ShardInfo], explain: Explain, *, gone_clean: bool
) -> bool:
    is_open = [info for info in last if not info.name.sealed]
    if any(map(is_held, is_open)):
        return False
    manifest = read_manifest(source.root, writer) if source.has_manifests else None
    is_living = manifest is not None and lives(manifest)
    if any(_lies_open(info, is_living=is_living) for info in is_open):
        return True
    moved = [info for info in is_open if not info.path.exists()]
    last = [info for info in last if info.name.sealed]
    last += [replace(info, name=info.name.as_sealed()) for info in moved]
    if manifest is not None and manifest.was_moved:
        return False
    clean = [_is_clean(info, explain) for info in last]
    if None in clean:
        return True
    if manifest is not None and manifest.was_mended and not manifest.has_ended:
        return True  # after a power cut one stream may have been sealed clean and another left torn
    if any(clean) or gone_clean:
        return False
    return manifest is None or not (manifest.has_ended or is_living)


def _lies_open(info: ShardInfo, *, is_living: bool) -> bool:
    """Whether an open shard that nobody holds is still there: it may have been sealed since it was listed.

    A living writer is about to lock an empty one.
    """
    try:
        size = info.path.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return not info.sealed_path.exists()
    except OSError:
        return True
    return size > 0 or not is_living


def _end(source: Source, writer: str, last: list[ShardInfo], pruned: Sequence[PrunedShard]) -> UncleanEnd:
    pieces = [piece for piece in map(whole_of, last) if piece is not None]
    times = [piece.max_ts for piece in pieces]
    times += [shard.max_ts for shard in pruned if shard.name.writer == writer]
    manifest = read_manifest(source.root, writer) if source.has_manifests else None
    seconds = None if manifest is None else manifest.flush_seconds
    recovered = manifest is not None and manifest.was_recovered
    return UncleanEnd(writer, max(times, default=None), seconds, recovered)


def _is_clean(info: ShardInfo, explain: Explain) -> bool | None:
    """Whether a sealed shard ends an orderly session; None when its end is gone, and maybe events with it.

    One that ends plain cannot say and is taken for it.
    """
    try:
        footer = read_footer(info)
    except OSError:
        return None
    if footer is not None:
        return footer.clean
    index = open_shard(info, Explain(strict=explain.strict))
    if index is None:
        return None
    if index.footer is None:
        return True if index.ends_plain else None
    return index.footer.clean


def is_held(info: ShardInfo) -> bool:
    """Whether a living process has the shard locked; taken for granted where locks do not exist."""
    try:
        import fcntl
    except ImportError:  # pragma: no cover
        return True
    try:
        with ShardFile(info) as file:
            fcntl.flock(file.descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
