"""Recorded events as SQL views: `events`, and one per event type with a column per field of `data`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final, TypeAlias

from polyrecord.events.names import EventType
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source
from polyrecord.report.cached import parts_of
from polyrecord.report.columns import ENVELOPE, MOST_FIELDS, Column, columns_of
from polyrecord.report.feed import LineFile
from polyrecord.report.info import describe
from polyrecord.report.question import Question
from polyrecord.report.quoting import can_be_named, distinct_names, identifier, literal, literals
from polyrecord.report.tables import Portion, Tables, shard_parts
from polyrecord.report.used import Used

EVENTS: Final = "events"
_CATALOGUE: Final = tuple(member.value for member in EventType)
Loader: TypeAlias = Callable[[Tables, Selection], Portion]
"""Loads what is selected as one portion."""


class Views:
    """The views of a connection. What a query names is loaded when it is asked for the first time.

    `unfit` counts the values that a column cannot hold exactly, by `view.column`: it is null there, and
    `data` has them as they were recorded. `unreadable` are lines that are no events. `used` says what the
    events were had from.
    """

    def __init__(
        self,
        connection: Any,
        lines: LineFile,
        source: Source,
        selection: Selection,
        explain: Explain,
        *,
        load: Loader | None = None,
    ) -> None:
        """Reads nothing yet; `load` says how to read, by default the fast way, in no order."""
        self._connection, self._tables = connection, Tables(connection, lines)
        self._source, self._selection, self._explain = source, selection, explain
        self._loader = load or self._load_unordered
        self._portions: dict[str, Portion] = {}
        self._whole: Portion | None = None
        self._shown: dict[str, tuple[str, int]] = {}
        self._known: frozenset[str] | None = None
        self.unfit: dict[str, int] = {}
        self.unreadable = 0
        self.loaded = 0
        self.used = Used()

    def need(self, names: Iterable[str]) -> None:
        """Make the views of these names, as far as there are such events.

        A name is an event type spelled exactly, else one that differs in upper and lower case only.
        """
        wanted = {name for name in names if can_be_named(name)}
        if any(name.lower() == EVENTS for name in wanted):
            self._load_whole()
        types = {name for name in wanted if name.lower() != EVENTS}
        self._load({*types, *(name.lower() for name in types if name.lower() in _CATALOGUE)})
        for name in sorted(types):
            found = self._type_called(name)
            if found is not None:
                self._show(found, found)

    def need_all(self) -> None:
        """Make all views. Of types whose names differ in case only, the later ones get `_2`, `_3` added."""
        whole = self._load_whole()
        types = sorted({name for name in whole.types if can_be_named(name)} | self._asked(_CATALOGUE))
        for event_type, name in zip(types, distinct_names(types, [EVENTS]), strict=True):
            self._show(event_type, name)

    @property
    def has_read(self) -> bool:
        """Whether anything was looked for."""
        return self._whole is not None or bool(self._portions)

    @property
    def known(self) -> frozenset[str]:
        """The event types there are, as far as headers tell without reading any line."""
        if self._known is None:
            if self._whole is not None:
                self._known = frozenset(self._whole.types)
            else:
                shards = describe(Question(self._source, self._selection, Explain())).shards
                self._known = frozenset(self._asked(name for shard in shards for name in shard.types))
        return self._known

    def _asked(self, names: Iterable[str]) -> set[str]:
        """Those of the types that the selection takes."""
        types = self._selection.types
        return {name for name in names if not types or name in types}

    def _load_whole(self) -> Portion:
        if self._whole is None:
            self._whole = self._read(self._selection)
            self._connection.execute(_events_view(self._whole))
        return self._whole

    def _load(self, types: set[str]) -> None:
        """Load the events of these types that are not there yet."""
        missing = self._asked(types - self._portions.keys())
        if not missing or self._whole is not None:
            return
        streams = self._source.streams_of(frozenset(missing))
        portion = self._read(replace(self._selection, types=frozenset(missing), streams=streams))
        self._portions.update(dict.fromkeys(missing, portion))

    def _read(self, selection: Selection) -> Portion:
        portion = self._loader(self._tables, selection)
        self.unreadable += portion.unreadable
        self.loaded += sum(portion.types.values())
        if portion.timeless:
            self.unfit["events.ts"] = portion.timeless
        return portion

    def _load_unordered(self, tables: Tables, selection: Selection) -> Portion:
        parts = parts_of(self._source, selection, self._explain, self.used)
        return tables.load(shard_parts(parts, selection, self._explain, self.used))

    def _portion_of(self, event_type: str) -> Portion | None:
        return self._portions.get(event_type) or self._whole

    def _is_there(self, event_type: str) -> bool:
        portion = self._portion_of(event_type)
        return portion is not None and event_type in portion.types

    def _type_called(self, name: str) -> str | None:
        """The event type that a name of a query means; None where there is none."""
        if self._is_there(name) or name in self._asked(_CATALOGUE):
            return name
        if name.lower() in self._asked(_CATALOGUE):
            return name.lower()
        alike = sorted(other for other in self.known if other.lower() == name.lower())
        if not alike:
            return None
        self._load({alike[0]})
        return alike[0]

    def _show(self, event_type: str, name: str) -> None:
        """Make the view of a type under a name, unless it is there."""
        portion = self._portion_of(event_type)
        if portion is None or self._shown.get(name.lower()) == (event_type, portion.number):
            return
        columns = columns_of(event_type, self._fields(event_type, portion))
        self._connection.execute(_type_view(name, event_type, portion, columns))
        self._shown[name.lower()] = (event_type, portion.number)
        self._count_unfit(name, event_type, portion, columns)

    def _fields(self, event_type: str, portion: Portion) -> dict[str, frozenset[str]]:
        """The fields that occur in a type's data and their JSON types."""
        unknown = _unknown(event_type, self._tables.fields(portion, event_type))
        return self._tables.kinds(portion, event_type, unknown)

    def _count_unfit(self, view: str, event_type: str, portion: Portion, columns: list[Column]) -> None:
        checked = [(column.name, unfit) for column in columns if (unfit := column.unfit) is not None]
        if not checked or not portion.types.get(event_type):
            return
        counts = ", ".join(f"count(*) filter (where {unfit})" for _, unfit in checked)
        rows = self._connection.execute(f"select {counts} {_rows_of(event_type, portion)}").fetchall()
        for (name, _), count in zip(checked, rows[0], strict=True):
            if count:
                self.unfit[f"{view}.{name}"] = count


def _unknown(event_type: str, names: list[str]) -> list[str]:
    """The fields that the catalogue does not know, as many as become columns."""
    known = {column.field for column in columns_of(event_type, {})}
    return [name for name in names if name not in known and "\0" not in name][:MOST_FIELDS]


def _events_view(portion: Portion) -> str:
    columns = ",\n    ".join([*_envelope(), "data", *_origin(portion)])
    return f"create or replace view events as\nselect\n    {columns}\n{_rows_of(None, portion)}"


def _type_view(name: str, event_type: str, portion: Portion, columns: list[Column]) -> str:
    fields = (f"{column.expression} as {identifier(column.name)}" for column in columns)
    chosen = ",\n    ".join([*_envelope(), *fields, "data", *_origin(portion)])
    view = f"create or replace view {identifier(name)} as"
    return f"{view}\nselect\n    {chosen}\n{_rows_of(event_type, portion)}"


def _envelope() -> Iterator[str]:
    for name in ENVELOPE:
        yield "epoch_ns(ts) as ts_ns" if name == "ts_ns" else name


def _origin(portion: Portion) -> Iterator[str]:
    """Writer and stream: kept once, and a number of them in every row."""
    for place, name in enumerate(("writer", "stream")):
        yield f"({literals(origin[place] for origin in portion.origins)}::varchar[])[origin] as {name}"


def _rows_of(event_type: str | None, portion: Portion) -> str:
    only = "" if event_type is None else f" and event_type = {literal(event_type)}"
    return f"from recorded.lines\nwhere portion = {portion.number}{only}"
