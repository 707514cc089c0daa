"""The one port that everything reads through: an archive, a single file, or the logs of another system."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection


class Source(Protocol):
    """Where events come from. What differs between sources is which files there are and how to read one.

    How a file is read is told by its ShardInfo: `blocks.plan_shard` turns any of them into pieces of lines.
    """

    @property
    def root(self) -> Path:
        """The directory or file that messages name."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What it was taken for, where that was found out; to be told to whoever asked."""
        ...

    @property
    def has_manifests(self) -> bool:
        """Whether its writers left manifests in `root`: of their stages, and of how they ended."""
        ...

    def shards(self, selection: Selection | None = None, explain: Explain | None = None) -> list[ShardInfo]:
        """The files that can hold what is selected; raises ArchiveMissing where there is nothing at all."""
        ...

    def streams_of(self, types: frozenset[str]) -> frozenset[str]:
        """The streams to look for these event types in; empty where streams cannot tell."""
        ...
