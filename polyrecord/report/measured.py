"""Tables of what lines measured: of each line the engine reads only the stages, as numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from polyrecord.read.event import NotAnEvent, read_json
from polyrecord.report.engine import Engine
from polyrecord.report.feed import LineFile
from polyrecord.report.quoting import can_be_named, identifier, literal

_PIECE: Final = 32 << 20  # bytes of lines in memory before the engine takes them over
_FIRST_LINES: Final = 64  # mostly they have all the names there are
_MOST_STAGES: Final = 300  # a column each
_END: Final = b'_ms"'  # of a name in the text of a line
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

    def __init__(self, engine: Engine, lines: LineFile, guesses: Iterable[str]) -> None:
        """`guesses` are names; those that no line has are not among `stages` in the end."""
        self._engine, self._lines = engine, lines
        self._names: list[str] = []
        self._found: set[str] = set()
        self._ends = 0  # what may be names in the piece
        self._escaped = False
        self._pieces: list[int] = []  # how many of the names are columns of each
        self.events = self.unreadable = 0
        self._add(guesses)

    @property
    def pieces(self) -> Iterator[tuple[str, dict[str, str]]]:
        """The tables, and in each the column of every name."""
        for at, count in enumerate(self._pieces):
            yield f"typed_{at}", {name: f"v{place}" for place, name in enumerate(self._names[:count])}

    @property
    def stages(self) -> frozenset[str]:
        """The names of which there is at least one, measured or null."""
        return frozenset(self._found)

    def load(self, chunks: Iterable[bytes]) -> None:
        """Read whole lines in chunks; raises DataError and CannotBeColumns."""
        self._lines.begin()
        for at, chunk in enumerate(chunks):
            if at == 0:
                self._add(_guessed(chunk))
            if self._lines.size and self._lines.size + len(chunk) > _PIECE:
                self._flush()
            self._lines.add(chunk)
            self._ends += chunk.count(_END)
            self._escaped = self._escaped or (b"\\" in chunk and b"\\u" in chunk)
        self._flush()
        self._lines.clear()

    def _add(self, names: Iterable[str]) -> None:
        """Take names for columns."""
        known = list(dict.fromkeys((*self._names, *names)))
        distinct = {name.lower() for name in known}  # to the engine upper and lower case are the same
        if len(known) > _MOST_STAGES or len(distinct) < len(known) or not all(map(can_be_named, known)):
            raise CannotBeColumns
        self._names = known

    def _flush(self) -> None:
        if not self._lines.size:
            return
        self._lines.end()
        rows, events, present = self._read()
        if self._escaped or sum(present.values()) != self._ends:
            known = len(self._names)
            present = self._all_names(present)
            if len(self._names) > known:
                self._read()
        self._found.update(present)
        self.events += events
        self.unreadable += rows - events
        self._pieces.append(len(self._names))
        self._ends, self._escaped = 0, False
        self._lines.begin()

    def _read(self) -> tuple[int, int, dict[str, int]]:
        """Make a table of the piece; its lines, its events, and how many numbers there are by name."""
        table = f"typed_{len(self._pieces)}"
        values = "".join(
            f", try_cast(data.{identifier(name)}::varchar as double) as v{at}"
            for at, name in enumerate(self._names)
        )
        shape = ", ".join(f"{identifier(name)} json" for name in self._names)
        self._engine.run(
            "typed",
            f"create or replace temp table {table} as select ts, seq, trace_id{values} "  # noqa: S608  # quoted
            f"from read_json($path, format = 'newline_delimited', maximum_object_size = $longest, "
            "ignore_errors = true, columns = {ts: 'VARCHAR', seq: 'UBIGINT', trace_id: 'VARCHAR', "
            f"data: {literal(f'STRUCT({shape})' if shape else 'JSON')}}})",
            path=self._lines.path,
            longest=self._lines.longest,
        )
        counts = "".join(f", count(v{at})" for at in range(len(self._names)))
        ((rows, events, *found),) = self._engine.run(
            "typed",
            f"select count(*), count(ts){counts} from {table}",  # noqa: S608  # numbers
        )
        return rows, events, {name: count for name, count in zip(self._names, found, strict=True) if count}

    def _all_names(self, present: dict[str, int]) -> dict[str, int]:
        """The names in a piece of which the numbers found are not all there is."""
        nulls = Counter(_NULL.findall(self._lines.text()))
        if not self._escaped and sum(present.values()) + nulls.total() == self._ends:
            present |= {name.decode("utf-8", "replace"): count for name, count in nulls.items()}
        else:
            rows = self._engine.run("names", _NAMES, path=self._lines.path, longest=self._lines.longest)
            present = dict.fromkeys((name for (name,) in rows), 1)
        self._add(present)
        return present


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
