"""What of a question the typed tables beside its shards answer, and what only lines do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from polyrecord.derived.place import Derivable, derivable
from polyrecord.derived.tables import Table, can_be_told, is_as_made, read_made, tables_of
from polyrecord.errors import DataError
from polyrecord.read.archive import ShardInfo
from polyrecord.read.blocks import chunks_of_shard
from polyrecord.read.explain import Explain
from polyrecord.read.match import Matcher
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source
from polyrecord.report.used import Used

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tabled:
    """A shard of which all that is asked for is in these tables, by event type."""

    info: ShardInfo
    tables: Mapping[str, tuple[Path, Table]]


@dataclass(frozen=True, slots=True)
class Parts:
    """The shards of a question: by tables, and by lines."""

    tabled: tuple[Tabled, ...]
    lined: tuple[ShardInfo, ...]

    @property
    def paths(self) -> list[Path]:
        """All the tables."""
        return [path for each in self.tabled for path, _ in each.tables.values()]

    def chunks(self, selection: Selection, explain: Explain) -> Iterator[bytes]:
        """The selected lines of the shards that are read by lines."""
        matcher = Matcher(selection)
        for info in self.lined:
            yield from chunks_of_shard(info, matcher, explain)


def parts_of(source: Source, selection: Selection, explain: Explain, used: Used | None) -> Parts:
    """The shards of a selection, with `used` by tables where that gives the same; without, all by lines.

    A table that is not as it was made is noted and not used. Only shards that lie in the window as a whole
    are read by tables: of the others the blocks in the window are less.
    """
    shards = source.shards(selection, explain)
    if used is None or not source.has_manifests or not _is_plain(selection):
        return Parts((), tuple(shards))
    found = [(info, _tables(info, selection, used)) for info in shards]
    tabled = tuple(Tabled(info, tables) for info, tables in found if tables is not None)
    return Parts(tabled, tuple(info for info, tables in found if tables is None))


def table_paths(source: Source, selection: Selection) -> list[Path]:
    """The tables that any part of a selection may be read by, as far as is known without reading them."""
    if not source.has_manifests or not _is_plain(selection):
        return []
    found = []
    for info in source.shards(selection):
        shard = derivable(info)
        if shard is not None and _is_within(shard, selection) and can_be_told(shard.folder):
            made = read_made(shard)
            tables = {} if made is None else made.tables
            found += [shard.path(name) for name, table in tables.items() if table is not None]
    return found


def _is_plain(selection: Selection) -> bool:
    """Whether only types and a window are asked for."""
    return selection == Selection(
        selection.since_ns, selection.until_ns, selection.types, streams=selection.streams
    )


def _tables(info: ShardInfo, selection: Selection, used: Used) -> dict[str, tuple[Path, Table]] | None:
    shard = derivable(info)
    if shard is None or not _is_within(shard, selection):
        return None
    tables = tables_of(shard, selection.types)
    if tables is None:
        return None
    unfit = [path for path, table in tables.values() if not is_as_made(path, table)]
    used.unfit += unfit
    return None if unfit else tables


def _is_within(shard: Derivable, selection: Selection) -> bool:
    if shard.min_ts < selection.lowest_ns:
        return False
    return selection.until_ns is None or shard.max_ts < selection.highest_ns


def answered(
    source: Source,
    selection: Selection,
    explain: Explain,
    used: Used,
    answer: Callable[[Parts, Explain], T],
) -> T:
    """The answer from tables and lines, or where a table cannot be read after all, from lines alone.

    Raises DataError.
    """
    attempt = Explain(strict=explain.strict)
    parts = parts_of(source, selection, attempt, used)
    try:
        given = answer(parts, attempt)
    except DataError:
        if not parts.tabled:
            raise
        used.unfit += [path for path in parts.paths if path not in used.unfit]
        attempt = Explain(strict=explain.strict)
        parts = parts_of(source, selection, attempt, None)
        given = answer(parts, attempt)
    explain.absorb(attempt)
    used.by_tables += sum(bool(each.tables) for each in parts.tabled)
    used.by_lines += len(parts.lined)
    return given
