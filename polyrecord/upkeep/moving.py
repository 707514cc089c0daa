"""Shards into another archive: copied, read back, proven the same; only then the first one may go."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from polyrecord.errors import DataError, UsageError
from polyrecord.read.archive import ShardInfo
from polyrecord.read.files import ShardFile
from polyrecord.read.manifests import Manifest, read_manifest
from polyrecord.read.pruned import read_ledger
from polyrecord.record.files import make_directory, sync_directory, write_all
from polyrecord.record.identity import write_manifest
from polyrecord.transfer.whole import checked
from polyrecord.upkeep.deletion import write_ledger
from polyrecord.upkeep.retention import Facts

_CHUNK: Final = 1 << 20
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


class Mover:
    """Moves shards of one archive to another; `close` removes what an unfinished copy left."""

    def __init__(self, root: Path, to: Path) -> None:
        self._root, self._to = root, to
        self._room = to / f".incoming.{os.getpid()}.{os.urandom(2).hex()}"
        self._told: set[str] = set()

    def copy(self, shard: Facts) -> None:
        """Put a shard and its writer's manifest in the other archive, both on the disk when this returns.

        One that is there already, byte for byte, is left as it is. Raises DataError where another is there,
        or the copy is not the same; OSError.
        """
        self._tell(shard.name.writer)
        there = self._to / shard.name.path
        digest = _digest(ShardInfo(self._root, shard.name))
        if os.path.lexists(there):
            if there.is_symlink() or _digest(ShardInfo(self._to, shard.name)) != digest:
                raise DataError("another shard has its place in the other archive", path=there)
            return
        self._copy(shard, digest)

    def _copy(self, shard: Facts, digest: bytes) -> None:
        copied = self._room / shard.name.path
        make_directory(copied.parent)
        _copy_file(ShardInfo(self._root, shard.name), copied)
        info = ShardInfo(self._room, shard.name)
        if _digest(info) != digest or not _is_proven(info, shard):
            copied.unlink()
            raise DataError(
                "the copy is not the same, or the shard is damaged", path=self._root / shard.name.path
            )
        there = self._to / shard.name.path
        make_directory(there.parent)
        _settle(copied, there)
        for folder in (there.parent, there.parent.parent, there.parent.parent.parent, self._to):
            sync_directory(folder)

    def _tell(self, writer: str) -> None:
        """The writer's manifest, and what of it was deleted here, for the other archive's coverage."""
        if writer in self._told:
            return
        manifest = read_manifest(self._root, writer)
        if manifest is not None and _differs(manifest, read_manifest(self._to, writer)):
            write_manifest(self._to, writer, {**manifest.content, "archived": {"from": str(self._root)}})
        self._tell_deleted(writer)
        self._told.add(writer)

    def _tell_deleted(self, writer: str) -> None:
        known = {shard.name for shard in read_ledger(self._to).shards}
        gone = [
            shard
            for shard in read_ledger(self._root).shards
            if shard.name.writer == writer and shard.to is None and shard.name not in known
        ]
        write_ledger(self._to, (shard.entry() for shard in gone))

    def close(self) -> None:
        """Remove the room copies were made in."""
        with suppress(OSError):
            shutil.rmtree(self._room)


def check_target(root: Path, to: Path | None) -> None:
    """Raise UsageError where an archive's shards would be moved into the archive itself."""
    if to is not None and to.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            "shards cannot be moved into the archive they are in",
            path=to, hint="name another directory with --archive-to or archive_to",
        )  # fmt: skip


def _settle(copied: Path, there: Path) -> None:
    """Give a copy its name, over nothing that somebody put there meanwhile."""
    try:
        os.link(copied, there)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        copied.rename(there)
    else:
        copied.unlink()


def _differs(mine: Manifest, theirs: Manifest | None) -> bool:
    content: dict[str, Any] = dict(theirs.content) if theirs is not None else {}
    content.pop("archived", None)
    return content != mine.content


def _is_proven(info: ShardInfo, shard: Facts) -> bool:
    """Whether every block of a copy holds what directory and CRCs say; one without a footer cannot tell."""
    if not shard.sound:
        return True
    footer = checked(info)
    return footer is not None and footer.fingerprint.hex() == shard.fingerprint


def _digest(info: ShardInfo) -> bytes:
    digest, at = blake2b(digest_size=16), 0
    with ShardFile(info) as file:
        while data := file.read_at(at, _CHUNK):
            digest.update(data)
            at += len(data)
    return digest.digest()


def _copy_file(info: ShardInfo, to: Path) -> None:
    descriptor = os.open(to, _FLAGS, 0o640)
    try:
        with ShardFile(info) as file:
            at = 0
            while data := file.read_at(at, _CHUNK):
                write_all(descriptor, data)
                at += len(data)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
