"""What lies in an archive, by names alone: shards, and what is none."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from polyrecord.errors import ArchiveMissing
from polyrecord.format.layout import (
    DERIVED_DIR,
    MANIFESTS,
    OPEN_DIR,
    PRUNED,
    TREES,
    ShardName,
    is_stream,
    parse_shard_path,
)
from polyrecord.upkeep.problems import Kind, Problem

_HINT = "name the directory that holds data/ and logs/ with --root or POLYRECORD_ROOT"


@dataclass(slots=True)
class Listing:
    """The shards of an archive by writer, and everything that is not as it should be."""

    shards: list[ShardName] = field(default_factory=list)
    manifests: list[str] = field(default_factory=list)  # writer ids
    bytes: int = 0
    problems: list[Problem] = field(default_factory=list)
    moved: list[ShardName] = field(default_factory=list)  # seen open and then sealed


def list_archive(root: Path) -> Listing:
    """Everything in the trees of an archive; raises ArchiveMissing where there is none, and OSError.

    One that has no shard yet, or none any more, has manifests or a deletion ledger.
    """
    if not root.is_dir():
        what = "not a directory" if root.exists() else "no such directory"
        raise ArchiveMissing(what, path=root, hint=_HINT)
    listing = Listing()
    walk = _Walk(root, listing)
    for tree in TREES:
        walk.tree(PurePosixPath(tree))
    if not (listing.shards or listing.manifests or listing.problems or (root / PRUNED).is_dir()):
        raise ArchiveMissing("no recorded events in this directory", path=root, hint=_HINT)
    # a writer's shards of one day together: what is known of its seqs stays small
    listing.shards.sort(key=lambda name: (name.writer, name.date, name.stream, name.number))
    return listing


class _Walk:
    """One pass over the directories; no symbolic link is followed."""

    def __init__(self, root: Path, listing: Listing) -> None:
        self._root, self._listing = root, listing
        self._seen: dict[tuple[str, str, int], ShardName] = {}

    def tree(self, tree: PurePosixPath) -> None:
        for entry in self._entries(tree):
            place = tree / entry.name
            if entry.is_dir(follow_symlinks=False):
                self._folder(place)
            elif entry.name != ".gitkeep":
                self._odd(place, entry)

    def _folder(self, place: PurePosixPath) -> None:
        if str(place) == MANIFESTS:
            self._manifests(place)
        elif is_stream(str(place)):
            self._stream(place)
        elif not place.name.startswith("_"):
            self._add(place, "not the name of a stream")

    def _manifests(self, folder: PurePosixPath) -> None:
        for entry in self._entries(folder):
            if entry.name.startswith("."):
                continue  # being written
            if not entry.is_file(follow_symlinks=False) or not entry.name.endswith(".json"):
                self._odd(folder / entry.name, entry)
            else:
                self._listing.manifests.append(entry.name.removesuffix(".json"))

    def _stream(self, stream: PurePosixPath) -> None:
        for entry in self._entries(stream):
            place = stream / entry.name
            if entry.is_dir(follow_symlinks=False) and entry.name.startswith("date="):
                # Open shards first: one that is sealed meanwhile is then seen twice rather than never.
                self._files(place / OPEN_DIR)
                self._files(place)
            else:
                self._odd(place, entry)

    def _files(self, folder: PurePosixPath) -> None:
        for entry in self._entries(folder):
            place = folder / entry.name
            name = parse_shard_path(place)
            if name is not None and entry.is_file(follow_symlinks=False):
                self._shard(name, entry)
            elif not (entry.name in (OPEN_DIR, DERIVED_DIR) and entry.is_dir(follow_symlinks=False)):
                self._odd(place, entry)

    def _shard(self, name: ShardName, entry: os.DirEntry[str]) -> None:
        key = (name.stream, name.writer, name.number)
        known = self._seen.get(key)
        self._seen[key] = name
        if known is None:
            self._listing.shards.append(name)
        elif known.date == name.date:  # it was moved between the two looks
            self._listing.shards[self._listing.shards.index(known)] = name
            self._listing.moved.append(known)
        else:
            self._add(name.path, f"another shard of that number lies in date={known.date}")
            self._listing.shards.append(name)
        try:
            self._listing.bytes += entry.stat(follow_symlinks=False).st_size
        except OSError:
            return

    def _odd(self, place: PurePosixPath, entry: os.DirEntry[str]) -> None:
        if entry.is_symlink():
            self._add(place, "a symbolic link; it is not followed")
        elif entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False):
            self._add(place, "not a name of this format; readers ignore it")
        else:
            self._add(place, "neither a file nor a directory; readers ignore it")

    def _add(self, place: PurePosixPath, what: str) -> None:
        self._listing.problems.append(Problem(place, what, kind=Kind.NAMES))

    def _entries(self, folder: PurePosixPath) -> list[os.DirEntry[str]]:
        path = self._root / folder
        if path.is_symlink():
            self._add(folder, "a symbolic link; it is not followed")
            return []
        try:
            with os.scandir(path) as entries:
                return sorted(entries, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self._listing.problems.append(
                Problem(folder, f"cannot be read: {error.strerror}", events=None, loses=True, kind=Kind.NAMES)
            )
            return []
