"""Recorded lines as a table: loaded a portion at a time, from typed tables or through one file in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from polyrecord.read.archive import ShardInfo
from polyrecord.read.blocks import chunks_of_shard
from polyrecord.read.explain import Explain
from polyrecord.read.match import Matcher
from polyrecord.read.selection import Selection
from polyrecord.report.cached import Parts
from polyrecord.report.engine import question_text
from polyrecord.report.feed import LineFile
from polyrecord.report.quoting import pointer
from polyrecord.report.used import Used

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


@dataclass(frozen=True, slots=True)
class Part:
    """Events of one writer and stream: in typed tables, or where those are missing or unfit, in lines."""

    writer: str
    stream: str
    chunks: Iterable[bytes]
    paths: tuple[Path, ...] = ()
    used: Used | None = None

    def refuse(self) -> None:
        """Note that the tables cannot be read after all."""
        if self.used is not None:
            self.used.unfit += self.paths
            self.used.by_tables -= 1
            self.used.by_lines += 1


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

    def load(self, parts: Iterable[Part]) -> Portion:
        """A portion of what comes from each part."""
        self._begin()
        origins: list[Origin] = []
        for part in parts:
            origins.append((part.writer, part.stream))
            if not part.paths or not self._load_tables(part, len(origins)):
                for chunk in part.chunks:
                    self._add(chunk, len(origins))
                self._flush(len(origins))
        return self._portion(origins)

    def _load_tables(self, part: Part, origin: int) -> bool:
        """Load the typed tables of a part; False, and nothing is loaded, where one cannot be read."""
        import duckdb

        self._connection.execute("begin transaction")
        try:
            for path in part.paths:
                self.ask("load_table", portion=self._portions, origin=origin, path=str(path))
        except duckdb.InterruptException:
            self._connection.execute("rollback")
            raise
        except duckdb.Error:
            self._connection.execute("rollback")
            part.refuse()
            return False
        self._connection.execute("commit")
        return True

    def load_marked(self, pieces: Iterable[bytes], origins: list[Origin]) -> Portion:
        """A portion of chunks whose lines begin with `ORIGIN`, the place of theirs in `origins` from 1.

        `origins` may grow while the chunks are made.
        """
        self._begin()
        for chunk in pieces:
            self._add(chunk, 0)
        self._flush(0)
        return self._portion(origins)

    def fields(self, portion: Portion, event_type: str) -> list[str]:
        """The fields that occur in the data of a type."""
        rows = self.ask("fields", portion=portion.number, event_type=event_type)
        return [name for (name,) in rows]

    def kinds(self, portion: Portion, event_type: str, names: Sequence[str]) -> dict[str, frozenset[str]]:
        """The JSON types of these fields of a type, `BIG` for an integer that 64 bits do not hold."""
        if not names:
            return {}
        rows = self.ask(
            "kinds", portion=portion.number, event_type=event_type, names=list(names),
            pointers=[pointer(name) for name in names],
        )  # fmt: skip
        return {name: frozenset(kinds) for name, kinds in rows}

    def _begin(self) -> None:
        self._portions += 1
        self._lines.clear()  # a load that was interrupted may have left lines

    def _add(self, chunk: bytes, origin: int) -> None:
        if self._lines.size and self._lines.size + len(chunk) > _PIECE:
            self._flush(origin)
        self._lines.add(chunk)

    def _flush(self, origin: int) -> None:
        if self._lines.size:
            self._lines.end()
            path, longest = self._lines.path, self._lines.longest
            self.ask("load", portion=self._portions, origin=origin, path=path, longest=longest)
            self._lines.begin()

    def _portion(self, origins: list[Origin]) -> Portion:
        self._lines.clear()
        rows = self.ask("types", portion=self._portions)
        types = {name: count for name, count, _ in rows if name is not None}
        unreadable = sum(count for name, count, _ in rows if name is None)
        timeless = sum(missing for name, _, missing in rows if name is not None)
        if unreadable:
            self.ask("forget", portion=self._portions)
        return Portion(self._portions, tuple(origins), types, unreadable, timeless)


def shard_parts(parts: Parts, selection: Selection, explain: Explain, used: Used) -> Iterator[Part]:
    """The shards of a question as parts, in the order of their names."""
    tables = {each.info: each for each in parts.tabled}
    matcher = Matcher(selection)
    for info in sorted((*tables, *parts.lined), key=_by_name):
        tabled = tables.get(info)
        part = Part(info.name.writer, info.name.stream, chunks_of_shard(info, matcher, explain))
        if tabled is not None:
            paths = tuple(path for path, _ in tabled.tables.values())
            part = replace(part, chunks=part.chunks if paths else (), paths=paths, used=used)
        yield part
        used.by_tables += bool(part.paths)
        used.by_lines += tabled is None


def _by_name(info: ShardInfo) -> tuple[str, str, int]:
    return (info.name.writer, info.name.stream, info.name.number)
