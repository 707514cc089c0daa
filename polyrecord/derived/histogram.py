"""Cells of latencies, counted and merged by DuckDB: of a period, an event type, a stage, a strategy.

A cell without a stage counts the events themselves. Everything of a cell but its percentiles is exact. Cells
are merged by adding their counts, whatever processes, hosts, shards and days they are of.

While they are counted cells have numbers, and a cell's number and a bucket are one integer: that takes a
quarter of the time that grouping by names takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from polyrecord.derived.buckets import HIGHEST_NS, INDEX_SQL, NS_PER_MS
from polyrecord.times import SECOND

PERIODS: Final = {"minute": 60 * SECOND, "hour": 3_600 * SECOND, "day": 86_400 * SECOND}
WORST: Final = 3
MOST_STRATEGIES: Final = 64

_KEY: Final = ("start_ns", "event_type", "stage", "strategy", "rest")
_FACTS: Final = "count, negative, beyond, min, sum, max"
CELL: Final = f"{', '.join(_KEY)}, {_FACTS}, buckets, counts, worst"

_NO_CELLS: Final = """
create or replace temp table parts (
    start_ns bigint, event_type varchar, stage varchar, strategy varchar, rest boolean, count bigint,
    negative bigint, beyond bigint, min double, sum double, max double, buckets usmallint[], counts bigint[],
    worst struct("value" double, ts bigint, seq ubigint, trace_id varchar)[]
)
"""

_STAGES: Final = """
create or replace temp table stages as
select unnest(range(len($names::varchar[]))) as stage, unnest($names::varchar[]) as name
"""

_NAMED: Final = """
create or replace temp table named as
select strategy
from {source}
where strategy is not null
group by strategy
order by count(*) desc, strategy
limit $most
"""

_PLACES: Final = """
create or replace temp table places as
select row_number() over () as place, *, $event_type as event_type
from (
    select
        {start} as start_ns, named.strategy,
        {source}.strategy is not null and named.strategy is null as rest, count(*) as events
    from {source} left join named using (strategy)
    group by all
)
"""

# Of `bucketed`, a number of a cell * 2 ** 16 + bucket and how many each: 47 bits are room for any count.
_LISTS: Final = """
    select
        cell,
        list_transform(packed, lambda each: (each >> 47)::usmallint) as buckets,
        list_transform(packed, lambda each: each & 140737488355327) as counts
    from (
        select key >> 16 as cell, list_sort(list(((key & 65535) << 47) | n)) as packed
        from bucketed
        group by cell
    )
"""

_COUNT: Final = """
create or replace temp table {into} as
with told as (
    select place << 16 | unnest(range(len(stages))) as cell, ts, seq, trace_id, unnest(stages) as value
    from {source}
    left join named using (strategy)
    join places
    on places.start_ns = {start}
    and places.strategy is not distinct from named.strategy
    and places.rest = ({source}.strategy is not null and named.strategy is null)
),
placed as (
    select *, round(value * {ns_per_ms}) as ns from told where isfinite(value)
),
bucketed as (
    select cell << 16 | ({index}) as key, count(*) as n
    from placed
    where value >= 0 and ns <= {highest}
    group by key
),
lists as ({lists}),
facts as (
    select
        cell,
        count(*) filter (where value >= 0) as count,
        count(*) filter (where value < 0) as negative,
        count(*) filter (where ns > {highest}) as beyond,
        min(value) filter (where value >= 0) as min,
        fsum(value) filter (where value >= 0) as sum,
        max(value) filter (where value >= 0) as max,
        min({{
            'least': -value, 'one': {{'value': value, 'ts': ts, 'seq': seq, 'trace_id': trace_id}}
        }}, {worst}) filter (where value >= 0 and trace_id is not null) as longest
    from placed
    group by cell
)
select
    start_ns, event_type, stages.name as stage, strategy, rest, {facts},
    coalesce(buckets, []) as buckets, coalesce(counts, []) as counts,
    coalesce(list_transform(longest, lambda each: each.one), []) as worst
from facts
left join lists using (cell)
join places on places.place = cell >> 16
join stages on stages.stage = cell & 65535
union all
select start_ns, event_type, null, strategy, rest, events, 0, 0, null, null, null, [], [], []
from places
"""

# The lists of cells are long: they are read once, and never kept.
_MERGE: Final = """
create or replace temp table {into} as
with moved as not materialized (
    select * replace ({start} as start_ns) from {cells}
),
numbered as (
    select {key}, row_number() over () as cell from moved group by all
),
placed as not materialized (
    select numbered.cell, moved.* from moved join numbered on {same}
),
bucketed as (
    select key, sum(n)::bigint as n
    from (select cell << 16 | unnest(buckets) as key, unnest(counts) as n from placed)
    group by key
),
lists as ({lists}),
gathered as (
    select
        cell, sum(count)::bigint as count, sum(negative)::bigint as negative, sum(beyond)::bigint as beyond,
        min(min) as min, fsum(sum) as sum, max(max) as max,
        list_sort(list_transform(
            flatten(list(worst)), lambda each: {{'least': -each.value, 'one': each}}
        )) as longest
    from placed
    group by cell
)
select
    {key}, {facts}, coalesce(buckets, []) as buckets, coalesce(counts, []) as counts,
    list_transform(list_slice(longest, 1, {worst}), lambda each: each.one) as worst
from gathered join numbered using (cell) left join lists using (cell)
"""


def no_cells(connection: Any) -> None:
    """Make the empty table `parts`, for cells to be gathered in and merged."""
    connection.execute(_NO_CELLS)


@dataclass(frozen=True, slots=True)
class Measured:
    """A table or view with a row for each event of a type: `ts` in ns, `seq`, `trace_id`, `strategy`, and
    `stages`, the values of all these names in ms, null where they are none.
    """

    table: str
    event_type: str
    names: Sequence[str]


def count_cells(connection: Any, measured: Measured, into: str, period: str | None) -> None:
    """Make the table `into` of what was measured, by periods; with None all of the time is one, from 0.

    Strategies beyond the most frequent ones are counted together, as the rest.
    """
    start, source = _start("ts", period), measured.table
    connection.execute(_STAGES, {"names": measured.names})
    connection.execute(_NAMED.format(source=source), {"most": MOST_STRATEGIES})
    connection.execute(_PLACES.format(start=start, source=source), {"event_type": measured.event_type})
    connection.execute(
        _COUNT.format(
            into=into, source=source, start=start, ns_per_ms=NS_PER_MS, index=INDEX_SQL,
            highest=HIGHEST_NS, lists=_LISTS, worst=WORST, facts=_FACTS,
        )
    )  # fmt: skip


def merge_cells(connection: Any, cells: str, into: str, period: str | None, **bound: object) -> None:
    """Make the table `into` of the sums of cells, by periods that are no shorter.

    `cells` is a table or a query in brackets, whose parameters are `bound`.
    """
    same = " and ".join(f"moved.{name} is not distinct from numbered.{name}" for name in _KEY)
    connection.execute(
        _MERGE.format(
            start=_start("start_ns", period), cells=cells, into=into, same=same, key=", ".join(_KEY),
            facts=_FACTS, lists=_LISTS, worst=WORST,
        ),
        bound or None,
    )  # fmt: skip


def _start(column: str, period: str | None) -> str:
    """The beginning of the period in which a time is, before 1970 too, as SQL."""
    if period is None:
        return "0::bigint"
    length = PERIODS[period]
    return f"{column} - (({column} % {length}) + {length}) % {length}"


def pointer(name: str) -> str:
    """The JSON pointer of a member (RFC 6901): a name with a slash in it is one member all the same."""
    return "/" + name.replace("~", "~0").replace("/", "~1")
