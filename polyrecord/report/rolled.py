"""Cells of a window: from the roll-ups of shards that have them, else counted from lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from glob import escape
from pathlib import Path
from typing import Any, Final

from polyrecord.derived.histogram import CELL, PERIODS, Measured, count_cells, merge_cells, no_cells, pointer
from polyrecord.derived.place import Derivable, derivable
from polyrecord.derived.rollup import EVENT_TYPE, finest_of, open_database, rolled_up
from polyrecord.derived.rollup_spans import Span, spans_of
from polyrecord.derived.tables import Table, read_made
from polyrecord.errors import DataError
from polyrecord.read.archive import ShardInfo
from polyrecord.read.blocks import chunks_of_shard
from polyrecord.read.match import Matcher
from polyrecord.read.selection import Selection
from polyrecord.report.engine import question_text
from polyrecord.report.feed import line_file
from polyrecord.report.question import Question

_MANY: Final = 1_000  # rows fetched at once


class Unfit(Exception):
    """Roll-ups are not as they were made: lines or typed tables have to be read."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What is known of one stage in one period, and of one strategy where they are told apart.

    Without a stage `count` is that of the events themselves. Values are in ms, `buckets` are indexes in
    ascending order (derived/buckets.py) with `counts` each; `beyond` of the count are in no bucket. `rest`
    is true of all strategies together that were not counted each for itself; `worst` are the traces of the
    largest values.
    """

    start_ns: int
    stage: str | None
    strategy: str | None
    rest: bool
    count: int
    negative: int
    beyond: int
    min: float | None
    sum: float | None
    max: float | None
    buckets: Sequence[int]
    counts: Sequence[int]
    worst: Sequence[str]


@dataclass(frozen=True, slots=True)
class How:
    """How cells are told apart: by a period (None: all of the window is one), and by strategy."""

    period: str | None = None
    by_strategy: bool = False


@dataclass(frozen=True, slots=True)
class Rolled:
    """A shard with roll-ups: where they are, and the table they were made from."""

    shard: Derivable
    path: Path
    table: Table

    def finest(self, how: How) -> str:
        """The shortest period in which what is asked for is told: minutes know no strategies."""
        return "hour" if how.by_strategy else finest_of(self.shard, self.table)

    def touches(self, span: Span) -> bool:
        """Whether the shard has something of this time."""
        return self.shard.min_ts < span.high and self.shard.max_ts >= span.low

    def is_within(self, span: Span) -> bool:
        """Whether all of the shard is of this time."""
        return span.low <= self.shard.min_ts and self.shard.max_ts < span.high

    def events_in(self, span: Span) -> float:
        """About how many of its events are of this time: as if they were evenly spread."""
        low, high = self.shard.min_ts, self.shard.max_ts + 1
        share = max(min(high, span.high) - max(low, span.low), 0) / max(high - low, 1)
        return self.table.rows * share


@dataclass(frozen=True, slots=True)
class Shards:
    """The shards of a question: with roll-ups, and those of which lines have to be read."""

    rolled: tuple[Rolled, ...]
    others: tuple[ShardInfo, ...]

    @property
    def names(self) -> set[str]:
        """The stages that occur in shards with roll-ups, measured or not."""
        return {name for each in self.rolled for name in each.table.stages}


def can_be_told(asked: Selection) -> bool:
    """Whether roll-ups know what is selected: latency events of a time, and nothing else about them."""
    return asked == Selection(asked.since_ns, asked.until_ns, frozenset({EVENT_TYPE}), streams=asked.streams)


def shards_of(question: Question) -> Shards:
    """The shards that may hold what is selected; those that are known to hold nothing of it are left out."""
    asked = question.selection
    window = Span(None, asked.lowest_ns, asked.highest_ns)
    rolled, others = [], []
    shards = question.source.shards(asked, question.explain)
    if not can_be_told(asked):
        return Shards((), tuple(shards))
    for info in shards:
        shard = derivable(info)
        made = None if shard is None else read_made(shard)
        if shard is None or made is None or made.reason is not None:
            others.append(info)
        elif EVENT_TYPE in made.tables:
            path, table = rolled_up(shard), made.tables[EVENT_TYPE]
            if path is None or table is None:
                others.append(info)
            elif (known := Rolled(shard, path, table)).touches(window):
                rolled.append(known)
    return Shards(tuple(rolled), tuple(others))


def lines_of(shards: Shards) -> Shards:
    """The same shards, none of them by its roll-ups."""
    return Shards((), (*(each.shard.info for each in shards.rolled), *shards.others))


class Cells:
    """The cells of a question, added up in an engine of its own."""

    def __init__(self, connection: Any, question: Question, shards: Shards, how: How) -> None:
        self._connection, self._question, self._shards, self._how = connection, question, shards, how
        self.unreadable = 0
        no_cells(connection)

    def gather(self) -> None:
        """Take every span of the window from where it is known; raises Unfit and DataError."""
        import duckdb

        try:
            self._add_rolled()
        except duckdb.InterruptException:
            raise KeyboardInterrupt from None
        except duckdb.Error as error:
            raise Unfit from error
        try:
            self._add_lines(self._chunks())
            merge_cells(self._connection, "parts", "merged", self._how.period)
        except duckdb.InterruptException:
            raise KeyboardInterrupt from None
        except duckdb.Error as error:
            raise DataError(f"latencies cannot be counted: {error}") from error

    def _spans(self) -> Iterator[tuple[Span, list[Rolled]]]:
        """The parts of the window, each with the shards that have something of it and tell it so."""
        selection, how = self._question.selection, self._how
        for finest in PERIODS:
            alike = [each for each in self._shards.rolled if each.finest(how) == finest]
            for span in spans_of(selection.lowest_ns, selection.highest_ns, finest, how.period or "day"):
                if found := [each for each in alike if each.touches(span)]:
                    yield span, found

    def _add_rolled(self) -> None:
        for span, shards in self._spans():
            if span.level is not None:
                paths = [escape(str(each.path)) for each in shards]
                told = {"paths": paths, "level": span.level, "low": span.low, "high": span.high}
                merge_cells(
                    self._connection, _ROLLED, "span", self._how.period, **told,
                    by_strategy=self._how.by_strategy, together=self._together(span.level),
                )  # fmt: skip
                self._take("span")
        if self._connection.execute(_ODD).fetchone() is not None:
            raise Unfit

    def _chunks(self) -> Iterator[bytes]:
        """The lines of the window's edges, and all of those shards that have no roll-ups."""
        question = self._question
        for edge, shards in self._spans():
            if edge.level is None:
                matcher = Matcher(replace(question.selection, since_ns=edge.low, until_ns=edge.high))
                for each in shards:
                    yield from chunks_of_shard(each.shard.info, matcher, question.explain)
        matcher = Matcher(question.selection)
        for info in self._shards.others:
            yield from chunks_of_shard(info, matcher, question.explain)

    def _add_lines(self, chunks: Iterable[bytes]) -> None:
        """Count lines as roll-ups are counted."""
        execute = self._connection.execute
        with line_file(chunks) as lines:
            if not lines.size:
                return
            execute(question_text("lines"), {"path": lines.path, "longest": lines.longest})
        ((self.unreadable,),) = execute("select count(*) - count(ts) from lines").fetchall()
        names = [name for (name,) in execute(_NAMES).fetchall()]
        execute(_MEASURED, {"pointers": list(map(pointer, names)), "by_strategy": self._how.by_strategy})
        count_cells(self._connection, Measured("measured", EVENT_TYPE, names), "cells", self._how.period)
        self._take("cells")

    def _together(self, level: str) -> bool:
        """Whether to read rows that tell no strategies apart: of hours there are none."""
        return level != "hour" and not self._how.by_strategy

    def _take(self, cells: str) -> None:
        self._connection.execute(f"insert into parts select {CELL} from {cells}")  # noqa: S608  # constants

    def __iter__(self) -> Iterator[Cell]:
        """The cells by period, strategy and stage; the first of each says how many events there are."""
        rows = self._connection.execute(_CELLS)
        while found := rows.fetchmany(_MANY):
            yield from (Cell(*row) for row in found)


@contextmanager
def cells_of(question: Question, shards: Shards, how: How) -> Iterator[Cells]:
    """The cells of a question's window. Raises Unfit and DataError."""
    with open_database() as connection:
        cells = Cells(connection, question, shards, how)
        cells.gather()
        yield cells


_ROLLED: Final = """
(
    select
        * exclude (level, together, missing)
        replace (case when $by_strategy then strategy end as strategy, rest and $by_strategy as rest)
    from read_parquet($paths)
    where level = $level and together = $together and start_ns >= $low and start_ns < $high
)
"""

# What was cut or changed shows in sums that do not hold.
_ODD: Final = """
select 1
from parts
where coalesce(list_sum(counts), 0) <> case when stage is null then 0 else count - beyond end
limit 1
"""

_NAMES: Final = """
select distinct name
from (select unnest(json_keys(data)) as name from lines where json_type(data) = 'OBJECT')
where ends_with(name, '_ms')
order by name
"""

_MEASURED: Final = """
create or replace temp table measured as
select
    epoch_ns(ts::timestamp_ns) as ts, seq, trace_id,
    case when $by_strategy then json_extract_string(data, '/strategy') end as strategy,
    list_transform(
        json_extract(data, $pointers::varchar[]), lambda each: try_cast(each::varchar as double)
    ) as stages
from lines
where ts is not null
"""

_CELLS: Final = """
select
    start_ns, stage, strategy, rest, count, negative, beyond, min, sum, max, buckets, counts,
    list_transform(worst, lambda each: each.trace_id)
from merged
order by start_ns, strategy nulls first, rest, stage nulls first
"""
