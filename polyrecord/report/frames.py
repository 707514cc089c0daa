"""`read`: recorded events in replay order as Arrow, pandas, Polars or plain Python, nothing rounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from polyrecord.errors import UsageError
from polyrecord.read.event import Event
from polyrecord.read.explain import Explain
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source
from polyrecord.read.sources import open_source
from polyrecord.report.ask import paths_of, selection_of, warn_of
from polyrecord.report.columns import ENVELOPE
from polyrecord.report.parquet import in_utc
from polyrecord.report.quoting import identifier
from polyrecord.report.rows import as_values
from polyrecord.report.sandbox import open_box
from polyrecord.report.tables import ORIGIN, Origin, Portion, Tables
from polyrecord.report.views import EVENTS, Views

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

_BATCH: Final = 65_536
_CHUNK: Final = 1 << 20  # bytes of lines handed on at once


def read(
    root: Path | str | None = None,
    *,
    types: Iterable[str] | None = None,
    trace: str | None = None,
    since: str | int | None = None,
    until: str | int | None = None,
    where: Iterable[str] = (),
    files: Sequence[Path | str] = (),
) -> Reading:
    """The recorded events that are selected, in replay order; read when they are asked for.

    `root` is POLYRECORD_ROOT or the current directory by default; `files` are single shards or logs in its
    place; `trace` is an id or its beginning. Times are ns or text (`2026-11-20T12:00:00Z`, `-3h`, `today`),
    `since` inclusive, `until` exclusive; `where` are conditions such as `data.net_edge>0.5`. Raises
    UsageError and DataError.
    """
    selection = selection_of(since, until, types, where, trace)
    return Reading(open_source(root, paths_of(files)), selection)


class Reading:
    """Events that were asked for. Iterate for Events, or take them as a table.

    Of one event type (`types=["fill"]`) a table has a column per field of its data; else `data` is JSON
    text. `explain` tells what reading took, over all uses; damage that was read around is a UserWarning.
    """

    def __init__(self, source: Source, selection: Selection) -> None:
        """Touches no shard; raises UsageError when the selection makes no sense."""
        self.explain = Explain()
        self._source, self._selection = source, selection
        self._replay = Replay(source, selection, explain=self.explain)

    def __iter__(self) -> Iterator[Event]:
        return iter(self._replay)

    def to_pylist(self) -> list[dict[str, Any]]:
        """One dict per event: the line's members, None where absent; `ts_ns` an int, `data` parsed."""
        return [_plain(event) for event in self]

    def to_batches(self, rows: int = _BATCH) -> pa.RecordBatchReader:
        """A reader of record batches of so many rows at most: for more events than memory holds.

        `ts` is timestamp[ns, UTC], decimals are decimal128(38, 18). Needs pyarrow.
        """
        _require("pyarrow")
        import pyarrow as pa

        batches = self._batches(rows)
        schema = next(batches)
        return pa.RecordBatchReader.from_batches(schema, batches)

    def to_arrow(self) -> pa.Table:
        """All events as a pyarrow.Table: the columns of `to_batches`."""
        return self.to_batches().read_all()

    def to_pandas(self) -> pd.DataFrame:
        """All events as a pandas.DataFrame.

        `ts` is datetime64[ns, UTC]; decimals are `decimal.Decimal` objects; integers and truth values are
        pandas' own types that know missing ones (Int64, UInt64, boolean). Needs pyarrow and pandas.
        """
        _require("pandas")
        import pandas as pd
        import pyarrow as pa

        kinds = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype(), pa.bool_(): pd.BooleanDtype()}
        frame: pd.DataFrame = self.to_arrow().to_pandas(types_mapper=kinds.get)
        return frame

    def to_polars(self) -> pl.DataFrame:
        """All events as a polars.DataFrame: `ts` is Datetime("ns", "UTC"), decimals are Decimal(38, 18)."""
        _require("polars")
        import polars as pl

        frame = pl.from_arrow(self.to_arrow())
        assert isinstance(frame, pl.DataFrame)
        return frame

    def _batches(self, rows: int) -> Iterator[Any]:
        """The schema, then the batches. The engine lives as long as they are asked for."""
        view = next(iter(self._selection.types)) if len(self._selection.types) == 1 else EVENTS
        with open_box() as box:
            views = Views(
                box.connection, box.lines, self._source, self._selection, self.explain, load=self._load
            )
            views.need([view])
            warn_of(self.explain, views)
            query = f"select * exclude (stream) from {identifier(view)}"  # noqa: S608  # quoted
            relation = box.connection.sql(query)
            text = as_values(query, relation.columns, relation.types)
            with box.connection.sql(text).to_arrow_reader(rows) as reader:
                schema = in_utc(reader.schema)
                yield schema
                for batch in reader:
                    yield batch.cast(schema)

    def _load(self, tables: Tables, selection: Selection) -> Portion:
        """Everything in replay order; which writer a line is of is written into it."""
        origins: list[Origin] = []
        return tables.load_marked(_marked(self._replay, origins), origins)


def _marked(events: Iterable[Event], origins: list[Origin]) -> Iterator[bytes]:
    """The lines in chunks, each marked with the place of its writer in `origins`, which grows."""
    places: dict[str, int] = {}
    chunk = bytearray()
    for event in events:
        place = places.get(event.writer)
        if place is None:
            place = places[event.writer] = len(places) + 1
            origins.append((event.writer, ""))
        chunk += ORIGIN % place
        chunk += event.line.lstrip()[1:]
        chunk += b"\n"
        if len(chunk) >= _CHUNK:
            yield bytes(chunk)
            chunk.clear()
    yield bytes(chunk)


def _plain(event: Event) -> dict[str, Any]:
    known = {name: getattr(event, name) for name in ENVELOPE}
    return {**known, "data": event.data, "writer": event.writer}


def _require(library: str) -> None:
    """Raises UsageError where an optional library is missing."""
    for name in {"pyarrow", library}:
        try:
            __import__(name)
        except ImportError:
            raise UsageError(f"{name} is not installed", hint="pip install 'polyrecord[notebook]'") from None
