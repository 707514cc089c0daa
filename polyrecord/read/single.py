"""One file asked on its own: a shard, or lines of ours as plain text or gzip, wherever it lies."""

from __future__ import annotations

import re
from pathlib import Path

from polyrecord.errors import ArchiveMissing
from polyrecord.format.layout import OPEN_DIR, ShardName
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection

_SHARD = re.compile(r"([a-z][a-z0-9_]{0,31})-([a-z0-9][a-z0-9_.]{0,95})-(\d{4,9})\.jsonl\.gz\Z")


class _File(ShardInfo):
    """A file in the place of a shard; it is where it is, whatever its name says."""

    @property
    def path(self) -> Path:
        return self.root

    @property
    def sealed_path(self) -> Path:
        return self.root

    @property
    def shown(self) -> str:
        return str(self.root)

    def may_hold(self, selection: Selection) -> bool:
        """True: its name need not tell the truth."""
        return True


class SingleFile:
    """A source of one file. A file in an `_open` folder may end in a torn tail; another may not."""

    __slots__ = ("_place", "root")

    def __init__(self, path: Path, place: int = 1) -> None:
        """`place` tells files apart whose names do not say who wrote them."""
        self.root = path
        self._place = place

    @property
    def notes(self) -> tuple[str, ...]:
        """None: it is what it was called."""
        return ()

    @property
    def has_manifests(self) -> bool:
        """False: of one file nobody can tell how its writer went on in another."""
        return False

    def streams_of(self, types: frozenset[str]) -> frozenset[str]:
        """Empty: a file's name need not tell the truth."""
        return frozenset()

    def shards(self, selection: Selection | None = None, explain: Explain | None = None) -> list[ShardInfo]:
        """The file; `selection` prunes nothing, for the file's name need not tell the truth."""
        if not self.root.is_file():
            what = "not a file" if self.root.exists() else "no such file"
            raise ArchiveMissing(what, path=self.root, hint="name one shard, or one file of event lines")
        if explain is not None:
            explain.shards_found += 1
        named = _SHARD.match(self.root.name)
        # Only of a shard by name that is the first is it known that nothing comes before it.
        name, writer, number = "file", "file" if self._place == 1 else f"file.{self._place}", 2
        if named is not None:
            name, writer, number = named[1], named[2], int(named[3])
        is_sealed = self.root.absolute().parent.name != OPEN_DIR
        return [_File(self.root, ShardName(f"data/{name}", writer, number, "1970-01-01", is_sealed))]
