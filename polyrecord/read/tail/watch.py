"""Which shards there are, asked again and again: a folder is listed anew only when it has changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final, TypeAlias

from polyrecord.errors import DataError
from polyrecord.format.layout import OPEN_DIR, TREES, ShardName, is_stream, parse_shard_path
from polyrecord.read.archive import ShardInfo
from polyrecord.times import date_of

_Key: TypeAlias = tuple[str, str, int]
_SETTLED_NS: Final = 2_500_000_000  # a folder's time has steps: what changed just now may change unseen
_SWEEP_SECONDS: Final = 5.0  # how often dates that seem over are looked at


class Watch:
    """The shards of an archive as they appear. A shard that is sealed stays the one it was."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[PurePosixPath, _Folder] = {}
        self._known: set[_Key] = set()
        self._swept = float("-inf")

    def new_shards(self) -> list[ShardInfo]:
        """Those that were not there before: by stream and writer, the highest number first.

        So of two shards that follow each other the later one is read first, and can miss nothing before it.
        Raises DataError when the archive cannot be read.
        """
        now = time.monotonic()
        sweep = now - self._swept >= _SWEEP_SECONDS
        if sweep:
            self._swept = now
        try:
            names = {_key(name): name for name in self._names(sweep=sweep)}
        except OSError as error:
            raise DataError(f"archive cannot be read: {error.strerror}", path=error.filename) from error
        self._known |= names.keys()
        return [ShardInfo(self._root, names[key]) for key in sorted(names, reverse=True)]

    def _names(self, *, sweep: bool) -> Iterator[ShardName]:
        """Names not known yet. Open shards first: one sealed meanwhile is then seen twice, not never."""
        for tree in TREES:
            for stream in self._children(PurePosixPath(tree)):
                if not is_stream(str(stream)):
                    continue
                dates = self._children(stream)
                everything = sweep or self._folders[stream].is_fresh
                latest = min([f"date={date_of(time.time_ns())}", *(date.name for date in dates[-_LATEST:])])
                for date in dates:
                    if everything or date.name >= latest or self._has_open(date):
                        yield from self._new_in(date / OPEN_DIR)
                        yield from self._new_in(date)

    def _has_open(self, date: PurePosixPath) -> bool:
        folder = self._folders.get(date / OPEN_DIR)
        return folder is not None and folder.exists

    def _children(self, folder: PurePosixPath) -> list[PurePosixPath]:
        known = self._folder(folder)
        known.look()
        return known.children

    def _new_in(self, folder: PurePosixPath) -> Iterator[ShardName]:
        known = self._folder(folder)
        if not known.look():
            return
        for name in known.new_files:
            shard = parse_shard_path(folder / name)
            if shard is not None and _key(shard) not in self._known:
                yield shard

    def _folder(self, folder: PurePosixPath) -> _Folder:
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = _Folder(self._root, folder)
        return known


_LATEST: Final = 2  # dates of each stream that are always looked at


def _key(name: ShardName) -> _Key:
    return name.stream, name.writer, name.number


class _Folder:
    """One folder as it was listed last. No symbolic link is followed: it could lead out of the archive."""

    __slots__ = (
        "_files",
        "_name",
        "_path",
        "_settled",
        "_time",
        "children",
        "exists",
        "is_fresh",
        "new_files",
    )

    def __init__(self, root: Path, name: PurePosixPath) -> None:
        self._name, self._path = name, str(root / name)
        self._time: int | None = None
        self._settled = False
        self.children: list[PurePosixPath] = []
        self.new_files: set[str] = set()  # since it was listed before
        self._files: set[str] = set()
        self.exists = False
        self.is_fresh = False

    def look(self) -> bool:
        """List it unless it is as it was; whether it was listed."""
        try:
            changed = os.lstat(self._path).st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            self._time, self.exists, self.is_fresh = None, False, False
            self.children, self._files, self.new_files = [], set(), set()
            return False
        self.is_fresh = changed != self._time or not self._settled
        if self.is_fresh:
            self._settled = time.time_ns() - changed > _SETTLED_NS
            self._time = changed
            self._list()
        return self.is_fresh

    def _list(self) -> None:
        try:
            with os.scandir(self._path) as entries:
                found = [] if os.path.islink(self._path) else list(entries)  # noqa: PTH114  # text already
        except (FileNotFoundError, NotADirectoryError):
            found = []
        self.exists = True
        folders = sorted(entry.name for entry in found if entry.is_dir(follow_symlinks=False))
        self.children = [self._name / name for name in folders]
        files = {entry.name for entry in found if entry.is_file(follow_symlinks=False)}
        self._files, self.new_files = files, files - self._files
