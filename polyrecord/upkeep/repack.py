"""Sealed shards of small blocks become sealed shards of large ones: same lines, same numbers, same name.

A new file is written beside the old one, proven to hold the same, and renamed over it. Whoever reads the old
one goes on reading it; whoever opens the new one finds the same lines by their seqs (read/moved.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeAlias

from polyrecord.errors import DataError
from polyrecord.format.block import BadHeader, header_length
from polyrecord.format.content import BadBlock
from polyrecord.format.join import MOST_CONTENT, join_blocks
from polyrecord.format.layout import ShardName
from polyrecord.read.archive import Archive, ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.files import ShardFile
from polyrecord.read.selection import Selection
from polyrecord.read.shard import ShardIndex, read_index
from polyrecord.record.line_keys import keys_of
from polyrecord.transfer.whole import checked
from polyrecord.upkeep.replacing import Replacement, is_same, remove_leftovers

SMALL_BLOCK: Final = 64 << 10  # bytes of lines: smaller blocks compress badly
_LENGTH, _CONTENT = 1, 2  # of a raw record
_START: Final = 12  # bytes that tell a header's length
_LARGE_HEADERS: Final = 50  # headers of more than a fiftieth of the blocks are worth leaving keys out
_GONE: Final = "shard was changed or deleted meanwhile"

OnProgress: TypeAlias = Callable[[int, int], None]
"""Told how many bytes have been dealt with, and of how many."""


@dataclass(frozen=True, slots=True)
class Repacked:
    """A shard that was rewritten, or would be: its file in bytes and its blocks, before and after."""

    name: ShardName
    events: int
    before: int
    after: int
    blocks_before: int
    blocks_after: int


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A shard that should have been rewritten and was not."""

    name: ShardName
    reason: str


@dataclass(slots=True)
class Repack:
    """What was done to an archive: `looked` sealed shards were looked at."""

    root: Path
    dry_run: bool
    looked: int = 0
    shards: list[Repacked] = field(default_factory=list)
    left: list[LeftAlone] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def before(self) -> int:
        """Bytes of the shards that were rewritten, as they were."""
        return sum(shard.before for shard in self.shards)

    @property
    def after(self) -> int:
        """Bytes of those shards now."""
        return sum(shard.after for shard in self.shards)


def repack(
    root: Path,
    streams: Iterable[str] = (),
    *,
    min_block: int = SMALL_BLOCK,
    dry_run: bool = False,
    on_progress: OnProgress | None = None,
) -> Repack:
    """Rewrite the sealed shards whose blocks hold fewer than `min_block` bytes of lines or list many keys.

    Of some streams, or all. Damaged shards are left alone, and said. A second run finds nothing to do. Raises
    ArchiveMissing.
    """
    began = time.monotonic()
    shards = Archive(root).shards(Selection(streams=frozenset(streams)))
    sealed = [info for info in shards if info.name.sealed]
    answer = Repack(root, dry_run, len(sealed))
    if not dry_run:
        for folder in {info.path.parent for info in sealed}:
            remove_leftovers(folder)
    sizes = [_size(info) for info in sealed]
    for number, info in enumerate(sealed):
        try:
            done = repack_shard(root, info.name, min_block=min_block, dry_run=dry_run)
            answer.shards += [done] if done is not None else []
        except DataError as error:
            answer.left.append(LeftAlone(info.name, error.what))
        except OSError as error:
            answer.left.append(LeftAlone(info.name, str(error.strerror)))
        if on_progress is not None:
            on_progress(sum(sizes[: number + 1]), sum(sizes))
    answer.seconds = time.monotonic() - began
    return answer


def repack_shard(
    root: Path, name: ShardName, *, min_block: int = SMALL_BLOCK, dry_run: bool = False
) -> Repacked | None:
    """Rewrite one sealed shard if its blocks are small or list many keys; None where nothing is to be gained.

    With `dry_run` it is only measured. Lines, seqs, ordinals, declared losses, keys and the CLEAN flag stay.
    Raises DataError where the shard is damaged, was changed meanwhile, or the new file is not the same;
    OSError. The shard is then as it was.
    """
    info = ShardInfo(root, name)
    with ShardFile(info) as file:
        index = read_index(info, file, Explain())
        if index.footer is None:
            raise DataError("shard is damaged: its directory cannot be used", path=info.path)
        if not _has_small_blocks(index, min_block) and not _lists_keys(index, file):
            return None
        if checked(info) is None:
            raise DataError("shard is damaged", path=info.path)
        return _rewrite(info, file, index, dry_run=dry_run)


def _has_small_blocks(index: ShardIndex, min_block: int) -> bool:
    """Whether blocks are small on average, and two neighbours would fit into one."""
    sizes = [record[_CONTENT] for record in index.records()]
    if len(sizes) < 2 or sum(sizes) >= min_block * len(sizes):
        return False
    return any(one + other <= MOST_CONTENT for one, other in pairwise(sizes))


def _lists_keys(index: ShardIndex, file: ShardFile) -> bool:
    """Whether block headers take much of the file: they list keys that the directory has at half the size."""
    records = list(index.records())
    headers = sum(header_length(file.read_at(record[0], _START)) for record in records)
    return headers * _LARGE_HEADERS > sum(record[_LENGTH] for record in records)


def _rewrite(info: ShardInfo, file: ShardFile, index: ShardIndex, *, dry_run: bool) -> Repacked | None:
    footer = index.footer
    assert footer is not None
    replacement = Replacement(info, None if dry_run else file.descriptor)
    try:
        for joined in join_blocks(_members(file, index), keys_of, listed=False):
            replacement.append(*joined)
        replacement.end(clean=footer.clean)
        if replacement.size >= file.size:
            return None
        if not dry_run:
            if not is_same(info, replacement.info):
                raise DataError("shard could not be rewritten: the new file differs", path=info.path)
            if not replacement.settle():
                raise DataError(_GONE, path=info.path)
    except (BadHeader, BadBlock) as error:
        raise DataError(f"shard is damaged: {error}", path=info.path) from error
    finally:
        replacement.close()
    return Repacked(info.name, footer.events, file.size, replacement.size, footer.blocks, replacement.blocks)


def _members(file: ShardFile, index: ShardIndex) -> Iterator[bytes]:
    for record in index.records():
        yield file.read_at(record[0], record[_LENGTH])


def _size(info: ShardInfo) -> int:
    try:
        return info.path.stat(follow_symlinks=False).st_size
    except OSError:
        return 0
