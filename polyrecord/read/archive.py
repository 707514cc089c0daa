"""An archive: which shards it has, by their names alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from glob import iglob
from itertools import chain
from pathlib import Path, PurePosixPath

from polyrecord.errors import ArchiveMissing, DataError
from polyrecord.events.routes import EVENTS, STREAMS, TELEMETRY, is_named, stream_of
from polyrecord.format.layout import DERIVED_DIR, OPEN_DIR, SUFFIX, TREES, ShardName, parse_shard_path
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.settings.root import archive_root

_HINT = "name the directory that holds data/ and logs/ with --root or POLYRECORD_ROOT"
_FIRST_STEPS = f"""{_HINT}
    there is none yet? record from Python: EventRecorder("archive").record("note", {{"n": 1}})
    from any language: your-bot | polyrecord record --root archive
    to look around first: python -m polyrecord.demo --root demo
    logs you have already: polyrecord info --file bot.jsonl"""


@dataclass(frozen=True, slots=True)
class ShardInfo:
    """A shard by its name, and the archive it lies in."""

    root: Path
    name: ShardName

    @property
    def path(self) -> Path:
        """Where the shard lay when it was listed."""
        return self.root / self.name.path

    @property
    def sealed_path(self) -> Path:
        """Where the shard lies, or will lie, once sealed."""
        return self.root / self.name.as_sealed().path

    def may_hold(self, selection: Selection) -> bool:
        """Whether the shard can hold what is selected, judged by its name alone."""
        return selection.takes_stream(self.name.stream) and selection.takes_date(self.name.date)

    @property
    def shown(self) -> str:
        """What to call it where the archive is known."""
        return str(self.name.path)

    @property
    def is_log(self) -> bool:
        """Whether its lines are another system's, to be made into events as they are read."""
        return False


class Archive:
    """A directory with `data/` and `logs/`. Making one touches no file."""

    __slots__ = ("root",)

    def __init__(self, root: Path | str | None = None) -> None:
        self.root = archive_root(root)

    def shards(self, selection: Selection | None = None, explain: Explain | None = None) -> list[ShardInfo]:
        """The shards that can hold what is selected, judged by stream and date, by writer and number.

        Raises ArchiveMissing when there is no archive or nothing in it, DataError when it cannot be read.
        """
        wanted = selection or Selection()
        counts = explain if explain is not None else Explain()
        found, ignored = self._list(wanted)
        if not found and not self._list(Selection())[0]:
            raise ArchiveMissing("no recorded events in this directory", path=self.root, hint=_FIRST_STEPS)
        counts.shards_found += len(found)
        counts.names_ignored += ignored
        return sorted(found, key=lambda shard: (shard.name.writer, shard.name.stream, shard.name.number))

    def has_shards(self) -> bool:
        """Whether there is at least one shard; looks no further than the first."""
        patterns = (f"{tree}/*/date=*/{place}*{SUFFIX}" for tree in TREES for place in ("", f"{OPEN_DIR}/"))
        # Not Path.glob, which raises where a folder is removed while it looks.
        names = chain.from_iterable(iglob(pattern, root_dir=self.root) for pattern in patterns)  # noqa: PTH207
        return any(parse_shard_path(PurePosixPath(name)) is not None for name in names)

    @property
    def notes(self) -> tuple[str, ...]:
        """None: it is what it was called."""
        return ()

    @property
    def has_manifests(self) -> bool:
        """True: every writer leaves one."""
        return True

    def streams_of(self, types: frozenset[str]) -> frozenset[str]:
        """The streams that events of these types are in: their own, and all that are none of ours.

        A question about latencies then opens no book. Types without a route go to one of two streams.
        """
        named = {stream_of(name) for name in types if is_named(name)}
        unnamed = {EVENTS, TELEMETRY} if any(not is_named(name) for name in types) else set()
        return frozenset(named | unnamed | self._further_streams())

    def _further_streams(self) -> set[str]:
        found = set()
        for tree in TREES:
            try:
                found |= {f"{tree}/{folder.name}" for folder in (self.root / tree).iterdir()}
            except OSError:
                continue
        return found - set(STREAMS)

    def _list(self, selection: Selection) -> tuple[list[ShardInfo], int]:
        if not self.root.is_dir():
            what = "not a directory" if self.root.exists() else "no such directory"
            raise ArchiveMissing(what, path=self.root, hint=_HINT)
        walk = _Walk(self.root, selection)
        try:
            walk.trees()
        except OSError as error:
            raise DataError(f"archive cannot be read: {error.strerror}", path=error.filename) from error
        return [ShardInfo(self.root, name) for name in walk.names.values()], walk.ignored


class _Walk:
    """One pass over the directories. No symbolic link is followed: it could lead out of the archive."""

    def __init__(self, root: Path, selection: Selection) -> None:
        self.names: dict[tuple[str, str, int], ShardName] = {}
        self.ignored = 0
        self._root = root
        self._selection = selection

    def trees(self) -> None:
        for tree in TREES:
            for stream in self._folders(PurePosixPath(tree)):
                if not stream.name.startswith("_") and self._selection.takes_stream(str(stream)):
                    self._stream(stream)

    def _stream(self, stream: PurePosixPath) -> None:
        for folder in self._folders(stream):
            date = folder.name.removeprefix("date=")
            if date == folder.name:
                self.ignored += 1
            elif self._selection.takes_date(date):
                # Open shards first: one that is sealed meanwhile is then seen twice rather than never.
                self._files(folder / OPEN_DIR)
                self._files(folder)

    def _folders(self, folder: PurePosixPath) -> Iterator[PurePosixPath]:
        for entry in self._entries(folder):
            if entry.is_dir(follow_symlinks=False):
                yield folder / entry.name
            else:
                self._ignore(entry.name)

    def _files(self, folder: PurePosixPath) -> None:
        for entry in self._entries(folder):
            name = parse_shard_path(folder / entry.name)
            if name is not None and entry.is_file(follow_symlinks=False):
                self.names[name.stream, name.writer, name.number] = name
            elif entry.name not in (OPEN_DIR, DERIVED_DIR):
                self._ignore(entry.name)

    def _ignore(self, name: str) -> None:
        self.ignored += name != ".gitkeep"

    def _entries(self, folder: PurePosixPath) -> list[os.DirEntry[str]]:
        path = self._root / folder
        if path.is_symlink():
            self.ignored += 1
            return []
        try:
            with os.scandir(path) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return []
