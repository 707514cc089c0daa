"""Tables of what lines measured: of each line the engine reads only the stages, as numbers."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from polyrecord.read.event import NotAnEvent, read_json
from polyrecord.report.beside import made_beside
from polyrecord.report.engine import Engine, open_engine
from polyrecord.report.feed import line_file
from polyrecord.report.pieces import Piece, pieces
from polyrecord.report.quoting import can_be_named, identifier, literal

_FIRST_LINES: Final = 64  # mostly they have all the names there are
_MOST_STAGES: Final = 300  # a column each
_NULL: Final = re.compile(rb'"([^"\\]{0,100}_ms)":null')

_NAMES: Final = """
select distinct name
from (
    select unnest(json_keys(data)) as name
    from read_json(
        $path, format = 'newline_delimited', columns = {data: 'JSON'}, maximum_object_size = $longest,
        ignore_errors = true
    )
    where json_type(data) = 'OBJECT'
)
where ends_with(name, '_ms')
"""


class CannotBeColumns(Exception):
    """There are more names than columns are made for, or such as no two columns can have."""


class TypedLines:
    """Tables of the stages in lines: `v0`, `v1`, ... are the first of the names, null without a number.

    Which names there are is not known before all lines are read. So each piece of them is read for the names
    known so far, and where its text has more of what may be a name than values were found, for all in it.
    """

    def __init__(self, engine: Engine, guesses: Iterable[str]) -> None:
        """`guesses` are names; those that no line has are not among `stages` in the end."""
        self._engine = engine
        self._names: list[str] = []
        self._found: set[str] = set()
        self._tables: list[int] = []  # how many of the names are columns of each
        self.events = self.unreadable = 0
        self._add(guesses)

    @property
    def pieces(self) -> Iterator[tuple[str, dict[str, str]]]:
        """The tables, and in each the column of every name."""
        for at, count in enumerate(self._tables):
            yield f"typed_{at}", {name: f"v{place}" for place, name in enumerate(self._names[:count])}

    @property
    def stages(self) -> frozenset[str]:
        """The names of which there is at least one, measured or null."""
        return frozenset(self._found)

    def load(self, pieces: Iterable[Piece]) -> None:
        """Read pieces of lines, each before the next is asked for; raises DataError and CannotBeColumns."""
        for at, piece in enumerate(pieces):
            if at == 0:
                self._add(_guessed(piece.beginning))
            self._take(piece)

    def _add(self, names: Iterable[str]) -> None:
        """Take names for columns."""
        known = list(dict.fromkeys((*self._names, *names)))
        distinct = {name.lower() for name in known}  # to the engine upper and lower case are the same
        if len(known) > _MOST_STAGES or len(distinct) < len(known) or not all(map(can_be_named, known)):
            raise CannotBeColumns
        self._names = known

    def _take(self, piece: Piece) -> None:
        rows, events, present = self._read(piece)
        if piece.escaped or sum(present.values()) != piece.ends:
            known = len(self._names)
            present = self._all_names(piece, present)
            if len(self._names) > known:
                self._read(piece)
        self._found.update(present)
        self.events += events
        self.unreadable += rows - events
        self._tables.append(len(self._names))

    def _read(self, piece: Piece) -> tuple[int, int, dict[str, int]]:
        """Make a table of the piece; its lines, its events, and how many numbers there are by name."""
        table = f"typed_{len(self._tables)}"
        kinds = {name: _kind(name, piece) for name in self._names}
        values = "".join(
            f", try_cast(data.{identifier(name)}::varchar as double) as v{at}"
            if kind == "json"
            else f", data.{identifier(name)} as v{at}"
            for at, (name, kind) in enumerate(kinds.items())
        )
        shape = ", ".join(f"{identifier(name)} {kind}" for name, kind in kinds.items())
        self._engine.run(
            "typed",
            f"create or replace temp table {table} as select ts, seq, trace_id{values} "  # noqa: S608  # quoted
            f"from read_json($path, format = 'newline_delimited', maximum_object_size = $longest, "
            "ignore_errors = true, columns = {ts: 'VARCHAR', seq: 'UBIGINT', trace_id: 'VARCHAR', "
            f"data: {literal(f'STRUCT({shape})' if shape else 'JSON')}}})",
            path=piece.lines.path,
            longest=piece.lines.longest,
        )
        counts = "".join(f", count(v{at})" for at in range(len(self._names)))
        ((rows, events, *found),) = self._engine.run(
            "typed",
            f"select count(*), count(ts){counts} from {table}",  # noqa: S608  # numbers
        )
        return rows, events, {name: count for name, count in zip(self._names, found, strict=True) if count}

    def _all_names(self, piece: Piece, present: dict[str, int]) -> dict[str, int]:
        """The names in a piece of which the numbers found are not all there is."""
        lines = piece.lines
        nulls = Counter(_NULL.findall(lines.text()))
        if not piece.escaped and sum(present.values()) + nulls.total() == piece.ends:
            present |= {name.decode("utf-8", "replace"): count for name, count in nulls.items()}
        else:
            rows = self._engine.run("names", _NAMES, path=lines.path, longest=lines.longest)
            present = dict.fromkeys((name for (name,) in rows), 1)
        self._add(present)
        return present


def _kind(name: str, piece: Piece) -> str:
    """The type to read a stage as: the engine takes a text or a truth value for a number where it may."""
    is_seen = name.endswith("_ms") and not piece.escaped
    return "double" if is_seen and not piece.odd else "json"


def _processors() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def typed_lines(
    chunks: Iterable[bytes], paths: Iterable[Path], guesses: Iterable[str], *, has_lines: bool = True
) -> Iterator[tuple[Engine, TypedLines]]:
    """An engine that can read these files too, with the stages in chunks of whole lines as tables.

    Without `has_lines` there are no chunks. Raises DataError and CannotBeColumns.
    """
    threads = max(_processors() - 1, 1) if has_lines else None  # one is busy with the next piece
    with (
        line_file() as one,
        line_file() as other,
        made_beside(pieces(chunks, (one, other))) as made,
        open_engine([*paths, Path(one.path), Path(other.path)], threads=threads) as (engine, _),
    ):
        lines = TypedLines(engine, guesses)
        lines.load(made)
        yield engine, lines


def _guessed(chunk: bytes) -> list[str]:
    """The names in the first lines of a chunk."""
    names: dict[str, None] = {}
    for line in chunk.split(b"\n", _FIRST_LINES)[:-1]:
        try:
            document = read_json(line)
        except NotAnEvent:
            continue
        data = document.get("data") if isinstance(document, dict) else None
        names.update(dict.fromkeys(data if isinstance(data, dict) else ()))
    return [name for name in names if name.endswith("_ms") and can_be_named(name)]
