"""One sealed shard as typed tables: Parquet by DuckDB, an event type a file, sorted by time."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from polyrecord.derived.place import Derivable, hidden_of, publishing
from polyrecord.derived.tables import Made, Table, checksum, encode, has_table
from polyrecord.read.blocks import chunks_of_shard
from polyrecord.read.explain import Explain
from polyrecord.read.match import Matcher
from polyrecord.read.selection import Selection
from polyrecord.read.shard import open_shard
from polyrecord.report.columns import ENVELOPE, Column, columns_of
from polyrecord.report.quoting import identifier, literal
from polyrecord.report.sandbox import open_box
from polyrecord.report.tables import Part, Portion, Tables

# Rows of a group: few, so that the dictionary of all its trace ids is small.
_ROWS: Final = 30_720
# DuckDB writes a Bloom filter only of a column with a dictionary, which by default none of unique values has.
_OPTIONS: Final = (
    f"format parquet, parquet_version 'v2', compression zstd, row_group_size {_ROWS}, use_tmp_file false, "
    f"dictionary_size_limit {_ROWS}, string_dictionary_page_size_limit {4 << 20}"
)
_MEMORY: Final = "1GiB"
_NUMBERS: Final = frozenset({"BIGINT", "UBIGINT", "DOUBLE", "NULL"})
_CANONICAL: Final = re.compile(rb'(?:\{"ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z","seq":\d+,".*\}\n)*+')
_ODD: Final = ("damage", "rejected", "plain_events", "plain_members", "torn_bytes", "padding_bytes")
_MODE: Final = 0o640


def make_tables(shard: Derivable) -> Made:
    """Write the tables of a shard, then the index that says so; raises OSError and duckdb.Error.

    A shard that is not whole, or whose lines are not all written as ours, gets an index without any table.
    """
    lines = _Lines(shard)
    paths = {name: shard.path(name) for name in lines.types() if has_table(name)}
    hidden = map(hidden_of, paths.values())
    with open_box(hidden, memory_limit=_MEMORY, preserve_insertion_order=False) as box:
        tables = Tables(box.connection, box.lines)
        portion = tables.load([Part(shard.info.name.writer, shard.info.name.stream, lines)])
        reason = lines.reason(portion)
        made = Made({}, reason) if reason else Made(_written(box.connection, tables, portion, paths))
    with publishing(shard.index) as index:
        index.write_bytes(encode(made))
        index.chmod(_MODE)
    return made


class _Lines:
    """The lines of a shard in chunks, watched while they pass."""

    def __init__(self, shard: Derivable) -> None:
        self._shard, self._explain, self._odd = shard, Explain(), False

    def types(self) -> list[str]:
        """The event types there are."""
        index = open_shard(self._shard.info, self._explain)
        return [] if index is None else list(index.types)

    def __iter__(self) -> Iterator[bytes]:
        for chunk in chunks_of_shard(self._shard.info, Matcher(Selection()), self._explain):
            self._odd = self._odd or _CANONICAL.fullmatch(chunk) is None
            yield chunk

    def reason(self, portion: Portion) -> str | None:
        """Why tables would not give what the lines give; None where they do."""
        if self._explain.damage:
            return "it is damaged"
        if any(getattr(self._explain, name) for name in _ODD) or portion.unreadable:
            return "not all of it are events in blocks"
        if self._odd or portion.timeless:
            return "not all of its lines are written as ours are"
        return None


def _written(
    connection: Any, tables: Tables, portion: Portion, paths: Mapping[str, Path]
) -> dict[str, Table | None]:
    """A table for each type of the portion, made now."""
    made: dict[str, Table | None] = {}
    for event_type in portion.types:
        path = paths.get(event_type)
        made[event_type] = None if path is None else _write(connection, tables, portion, event_type, path)
    return made


def _write(connection: Any, tables: Tables, portion: Portion, event_type: str, path: Path) -> Table:
    kinds = tables.kinds(portion, event_type, tables.fields(portion, event_type))
    columns = columns_of(event_type, kinds)
    path.parent.mkdir(mode=0o750, exist_ok=True)
    with publishing(path) as hidden:
        connection.execute(_copy(event_type, portion, columns, hidden))
        hidden.chmod(_MODE)
        descriptor = os.open(hidden, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            size, found = os.fstat(descriptor).st_size, checksum(descriptor)
        finally:
            os.close(descriptor)
    return Table(portion.types[event_type], size, found, _stages(columns, kinds))


def _copy(event_type: str, portion: Portion, columns: Iterable[Column], path: Path) -> str:
    envelope = ("epoch_ns(ts) as ts" if name == "ts" else name for name in ENVELOPE if name != "ts_ns")
    fields = (f"{column.expression} as {identifier(column.name)}" for column in columns)
    chosen = ",\n    ".join([*envelope, *fields, "data"])
    rows = f"portion = {portion.number} and event_type = {literal(event_type)}"
    query = f"select\n    {chosen}\nfrom recorded.lines\nwhere {rows}\norder by recorded.lines.ts, seq"
    return f"copy (\n{query}\n)\nto {literal(str(path))} ({_OPTIONS})"


def _stages(
    columns: Iterable[Column], kinds: Mapping[str, frozenset[str]]
) -> dict[str, tuple[str, str] | None]:
    """The members that are times in ms, and the column of each that holds every number of it."""
    numbers = {
        column.field: (column.name, column.kind)
        for column in columns
        if column.kind in ("DOUBLE", "BIGINT") and kinds.get(column.field, frozenset()) <= _NUMBERS
    }
    return {name: numbers.get(name) for name in kinds if name.endswith("_ms")}
