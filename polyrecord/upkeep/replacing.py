"""One sealed shard in the place of another with the same lines: the old file or the new one, never neither.

The new file has a name that no reader looks for. It is forced to the disk, compared, and renamed. Whatever
stops that leaves the old file as it was, and a file that the next run removes.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

from polyrecord.errors import DataError
from polyrecord.format.block import BadHeader, parse_header
from polyrecord.format.block_keys import BlockKeys
from polyrecord.format.content import BadBlock, inflate
from polyrecord.format.directory import Footer
from polyrecord.format.directory_builder import DirectoryBuilder
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.files import ShardFile
from polyrecord.read.shard import read_index
from polyrecord.record.files import sync_directory, write_all
from polyrecord.record.regular import files

_SUFFIX: Final = ".repack"
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
_SAME: Final = (
    "flags", "events", "content_length", "first_seq", "last_seq", "first_ordinal", "last_ordinal", "min_ts",
    "max_ts", "lost",
)  # fmt: skip


class _Beside(ShardInfo):
    """The new file, before it has the shard's name."""

    @property
    def path(self) -> Path:
        return _place_of(self.root / self.name.path)

    @property
    def sealed_path(self) -> Path:
        return self.path


def _place_of(path: Path) -> Path:
    return path.with_name(f".{path.name}{_SUFFIX}")


class Replacement:
    """A shard being written beside the one that it will replace; without a file only measured."""

    def __init__(self, info: ShardInfo, replaced: int | None) -> None:
        """`replaced` is a descriptor of the old file. Raises DataError where another process is at it."""
        self.info = _Beside(info.root, info.name)
        self.size = self.blocks = 0
        self._shard = info
        self._replaced = replaced
        self._directory = DirectoryBuilder()
        self._descriptor = None if replaced is None else self._create(replaced)

    def _create(self, replaced: int) -> int:
        descriptor = _lock(self.info.path)
        if descriptor is None:
            raise DataError("another process rewrites this shard", path=self._shard.path)
        os.ftruncate(descriptor, 0)
        status = os.fstat(replaced)
        os.fchmod(descriptor, status.st_mode & 0o777)
        with suppress(PermissionError):
            os.fchown(descriptor, status.st_uid, status.st_gid)
        return descriptor

    def append(self, member: bytes, keys: BlockKeys) -> None:
        """Add a block whose keys are these, whatever its header lists; raises OSError."""
        header = parse_header(member)
        self._directory.add(self.size, header, int.from_bytes(member[-8:-4], "little"), keys)
        self._write(member)
        self.blocks += 1

    def end(self, *, clean: bool) -> None:
        """Add directory and footer and force all to the disk; raises OSError."""
        self._write(self._directory.ending(clean=clean))
        if self._descriptor is not None:
            os.fsync(self._descriptor)

    def _write(self, data: bytes) -> None:
        if self._descriptor is not None:
            write_all(self._descriptor, data)
        self.size += len(data)

    def settle(self) -> bool:
        """Take the old file's place; False where another file is there now, or none. Raises OSError."""
        path = self._shard.path
        try:
            there = path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return False
        if self._replaced is None or not os.path.samestat(there, os.fstat(self._replaced)):
            return False
        self.info.path.rename(path)
        sync_directory(path.parent)
        return True

    def close(self) -> None:
        """Let go of the file; one that took nobody's place is removed."""
        if self._descriptor is not None:
            _remove(self.info.path, self._descriptor)
            os.close(self._descriptor)


def _lock(path: Path) -> int | None:
    """The file of that name, made where it is missing, for this process alone; None where another has it."""
    descriptor = os.open(path, _FLAGS, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it may have given it the shard's name meanwhile.
        if os.path.samestat(path.stat(follow_symlinks=False), os.fstat(descriptor)):
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def _remove(path: Path, descriptor: int) -> None:
    with suppress(OSError):
        if os.path.samestat(path.stat(follow_symlinks=False), os.fstat(descriptor)):
            path.unlink()


def remove_leftovers(folder: Path) -> None:
    """Remove what an earlier run left in a folder of shards, unless a process is at it."""
    for name in files(folder):
        if name.startswith(".") and name.endswith(f".jsonl.gz{_SUFFIX}"):
            with suppress(OSError):
                descriptor = _lock(folder / name)
                if descriptor is not None:
                    _remove(folder / name, descriptor)
                    os.close(descriptor)


def is_same(old: ShardInfo, new: ShardInfo) -> bool:
    """Whether two sealed shards hold the same bytes of lines under the same totals; both are read whole."""
    try:
        (footer, digest), (other, others) = _summary(old), _summary(new)
    except (OSError, BadHeader, BadBlock):
        return False
    return digest == others and all(getattr(footer, name) == getattr(other, name) for name in _SAME)


def _summary(info: ShardInfo) -> tuple[Footer, bytes]:
    digest = blake2b(digest_size=16)
    with ShardFile(info) as file:
        index = read_index(info, file, Explain())
        if index.footer is None:
            raise BadHeader("no footer")
        for content in _contents(file, [(record[0], record[1]) for record in index.records()]):
            digest.update(content)
    return index.footer, digest.digest()


def _contents(file: ShardFile, places: list[tuple[int, int]]) -> Iterator[bytes]:
    for offset, length in places:
        member = file.read_at(offset, length)
        yield inflate(member, parse_header(member))
