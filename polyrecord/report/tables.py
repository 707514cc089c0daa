"""Recorded lines as a table: loaded a portion at a time, through one file in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import Any, Final, TypeAlias

from polyrecord.read.archive import ShardInfo
from polyrecord.read.blocks import chunks
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source
from polyrecord.report.engine import question_text
from polyrecord.report.feed import LineFile

Origin: TypeAlias = tuple[str, str]
"""Writer and stream."""

_PIECE: Final = 64 << 20  # bytes of lines in memory before the engine takes them over
ORIGIN: Final = b'{"polyrecord origin":%d,'  # written before the members of a line: of two the first counts


@dataclass(frozen=True, slots=True)
class Portion:
    """What one reading loaded: events by type, where they came from, and what could not be read.

    `timeless` events have a time that 64 bits of nanoseconds do not hold: before 1678 or after 2261.
    """

    number: int
    origins: tuple[Origin, ...]
    types: dict[str, int]
    unreadable: int
    timeless: int


class Tables:
    """The table `recorded.lines` of a connection, and the file that its lines come through."""

    def __init__(self, connection: Any, lines: LineFile) -> None:
        self._connection, self._lines = connection, lines
        self._portions = 0
        connection.execute(question_text("views/tables"))

    def ask(self, question: str, **parameters: object) -> list[tuple[Any, ...]]:
        """The rows that `sql/views/<question>.sql` gives."""
        rows: list[tuple[Any, ...]] = self._connection.execute(
            question_text(f"views/{question}"), parameters
        ).fetchall()
        return rows

    def load(self, parts: Iterable[tuple[Origin, Iterable[bytes]]]) -> Portion:
        """A portion of chunks of whole lines, each part from one origin."""
        self._begin()
        origins: list[Origin] = []
        for origin, part in parts:
            origins.append(origin)
            for chunk in part:
                self._add(chunk, len(origins))
            self._flush(len(origins))
        return self._portion(origins)

    def load_marked(self, pieces: Iterable[bytes], origins: list[Origin]) -> Portion:
        """A portion of chunks whose lines begin with `ORIGIN`, the place of theirs in `origins` from 1.

        `origins` may grow while the chunks are made.
        """
        self._begin()
        for chunk in pieces:
            self._add(chunk, 0)
        self._flush(0)
        return self._portion(origins)

    def _begin(self) -> None:
        self._portions += 1
        self._lines.clear()  # a load that was interrupted may have left lines

    def _add(self, chunk: bytes, origin: int) -> None:
        if self._lines.size and self._lines.size + len(chunk) > _PIECE:
            self._flush(origin)
        self._lines.add(chunk)

    def _flush(self, origin: int) -> None:
        if self._lines.size:
            self.ask(
                "load",
                portion=self._portions,
                origin=origin,
                path=self._lines.path,
                longest=self._lines.longest,
            )
            self._lines.clear()

    def _portion(self, origins: list[Origin]) -> Portion:
        rows = self.ask("types", portion=self._portions)
        types = {name: count for name, count, _ in rows if name is not None}
        unreadable = sum(count for name, count, _ in rows if name is None)
        timeless = sum(missing for name, _, missing in rows if name is not None)
        if unreadable:
            self.ask("forget", portion=self._portions)
        return Portion(self._portions, tuple(origins), types, unreadable, timeless)


def parts_of(
    source: Source, selection: Selection, explain: Explain
) -> Iterator[tuple[Origin, Iterator[bytes]]]:
    """The selected lines by writer and stream, a block at a time."""
    shards = source.shards(selection, explain)
    for origin, group in groupby(shards, key=lambda info: (info.name.writer, info.name.stream)):
        yield (
            origin,
            chain.from_iterable(chunks(_OneShard(source, info), selection, explain) for info in group),
        )


class _OneShard:
    """A source narrowed to one of its shards."""

    def __init__(self, source: Source, info: ShardInfo) -> None:
        self._source, self._info = source, info

    @property
    def root(self) -> Path:
        return self._source.root

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    @property
    def has_manifests(self) -> bool:
        return self._source.has_manifests

    def shards(self, selection: Selection | None = None, explain: Explain | None = None) -> list[ShardInfo]:
        return [self._info]

    def streams_of(self, types: frozenset[str]) -> frozenset[str]:
        return self._source.streams_of(types)
