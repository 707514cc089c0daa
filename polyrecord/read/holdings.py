"""What an archive has of each writer's streams: shards, shards that were deleted, and what manifests say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

from polyrecord.events.routes import TELEMETRY
from polyrecord.read.archive import ShardInfo
from polyrecord.read.manifests import Manifest, manifest_writers, read_manifest
from polyrecord.read.ordinals import End
from polyrecord.read.pieces import touches
from polyrecord.read.pruned import PrunedShard, pruned_shards
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source

Place: TypeAlias = tuple[str, str]
"""Writer and stream."""


class Holdings:
    """One listing of an archive. `places` are those a window asks about, and those that tell of losses."""

    def __init__(self, source: Source, window: Selection) -> None:
        self._root = source.root
        self._window, self._days = window, replace(window, streams=frozenset())
        self.is_whole = source.has_manifests  # else a few files, and nobody can tell what was beside them
        self.everything = source.shards()
        self._shards: dict[Place, list[ShardInfo]] = defaultdict(list)
        for info in self.everything:
            self._shards[info.name.writer, info.name.stream].append(info)
        # After the shards: one that is deleted between is then in both, and passed over where it is opened.
        self.pruned = pruned_shards(source.root) if self.is_whole else []
        self._pruned: dict[Place, list[PrunedShard]] = defaultdict(list)
        self._pruned_of: dict[str, list[PrunedShard]] = defaultdict(list)
        for shard in self.pruned:
            self._pruned[shard.name.writer, shard.name.stream].append(shard)
            self._pruned_of[shard.name.writer].append(shard)
        self.manifests = self._read_manifests()
        self._last: dict[Place, End] = dict(self._read_ends())
        known = self._shards.keys() | self._pruned.keys() | self._last.keys()
        self.places = sorted(filter(self._is_wanted, known))

    def _read_manifests(self) -> dict[str, Manifest]:
        names = manifest_writers(self._root) if self.is_whole else []
        found = (read_manifest(self._root, name) for name in names)
        return {manifest.writer: manifest for manifest in found if manifest is not None}

    def _read_ends(self) -> Iterator[tuple[Place, End]]:
        for writer, manifest in self.manifests.items():
            for stream, totals in manifest.totals.items():
                yield (writer, stream), End(totals.last_ordinal, manifest.started_ns, manifest.ended_ns)

    def _is_wanted(self, place: Place) -> bool:
        return place[1] == TELEMETRY or self.is_counted(place)

    def is_counted(self, place: Place) -> bool:
        """Whether a stream is asked about."""
        return self._window.takes_stream(place[1])

    def has_changed(self) -> bool:
        """Whether shards were deleted since."""
        inside = self.inside()
        if not self.is_whole or all(info.path.exists() or info.sealed_path.exists() for info in inside):
            return False
        return pruned_shards(self._root) != self.pruned

    def shards(self, place: Place) -> list[ShardInfo]:
        """The shards of a stream, of all days."""
        return self._shards.get(place, [])

    def inside(self, place: Place | None = None) -> Iterator[ShardInfo]:
        """The shards of a stream, or of all places, that the window touches by their date."""
        for one in self.places if place is None else (place,):
            yield from (info for info in self.shards(one) if info.may_hold(self._days))

    def pruned_at(self, place: Place) -> list[PrunedShard]:
        """The shards of a stream that were deleted."""
        return self._pruned.get(place, [])

    def pruned_of(self, writer: str) -> list[PrunedShard]:
        """The shards of a writer that were deleted."""
        return self._pruned_of.get(writer, [])

    def end(self, place: Place) -> End | None:
        """How far a writer that ended in order says that a stream went."""
        return self._last.get(place)

    def started(self, writer: str) -> int | None:
        """When a writer began, ns."""
        manifest = self.manifests.get(writer)
        return None if manifest is None else manifest.started_ns

    def is_elsewhere(self, place: Place) -> bool:
        """Whether nothing of a stream can be in the window: no shard by its date, nor the session at all."""
        manifest = self.manifests.get(place[0])
        if manifest is None or manifest.started_ns is None or manifest.ended_ns is None:
            return False
        is_then = touches(self._window, manifest.started_ns, max(manifest.started_ns, manifest.ended_ns))
        return not is_then and next(self.inside(place), None) is None
