"""The spread of every stage over rows of typed tables, typed lines or whole lines, group by group."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from polyrecord.report.cached import Tabled
from polyrecord.report.counted import (
    QUANTILES,
    counted_sql,
    is_coarse,
    largest_of,
    quantiles_of,
    sample_sql,
)
from polyrecord.report.engine import Engine
from polyrecord.report.quoting import identifier, literals, pointer

WORST: Final = 3
_AT_ONCE: Final = 32  # stages


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of events: what follows `from`, and the SQL of the number of each stage in them.

    A stage of None has to be taken out of `data`. `ts` and `group` are the SQL of the time as text and of the
    group's number.
    """

    source: str
    stages: Mapping[str, str | None]
    ts: str = "ts"
    group: str = "0"

    def select(self, names: Sequence[str]) -> str:
        """These rows with the stages as `v0`, `v1`, ..., for a query that binds `pointers`."""
        values = ", ".join(f"{self._value(name, at)} as v{at}" for at, name in enumerate(names))
        return f"select {self.group} as group_id, {self.ts} as ts, seq, trace_id, {values} from {self.source}"  # noqa: S608  # our own

    def _value(self, name: str, at: int) -> str:
        if name not in self.stages:
            return "null::double"
        column = self.stages[name]
        data = f"try_cast(json_extract(data, ($pointers::varchar[])[{at + 1}])::varchar as double)"
        return data if column is None else f"{column}::double"


@dataclass(frozen=True, slots=True)
class Spread:
    """What was measured of a stage in a group: finite numbers in ms, from 0 up but for `negative`."""

    measured: int
    negative: int
    least: float | None
    mean: float | None
    most: float | None
    quantiles: Sequence[float] | None
    traces: tuple[str, ...] = ()


def rows_of_tables(tabled: Iterable[Tabled]) -> Iterator[Rows]:
    """The rows of typed tables: those with the same stages together."""
    alike: dict[tuple[tuple[str, tuple[str, str] | None], ...], list[str]] = {}
    for each in tabled:
        for path, table in each.tables.values():
            alike.setdefault(tuple(sorted(table.stages.items())), []).append(str(path))
    for stages, paths in alike.items():
        yield Rows(
            f"read_parquet({literals(paths)}, hive_partitioning = false)",
            {name: None if column is None else identifier(column[0]) for name, column in stages},
            "rfc3339(make_timestamp_ns(ts)::varchar)",
        )


def rows_of_lines(names: Iterable[str]) -> Rows:
    """The rows of the table `lines`, in the groups they were put into."""
    source = "lines where ts is not null and group_id is not null"
    return Rows(source, dict.fromkeys(names), group="group_id")


def spreads(engine: Engine, rows: Sequence[Rows], names: Sequence[str]) -> dict[int, dict[str, Spread]]:
    """The spread of each stage in each group that has any number of it, 0 being the group of all."""
    found: dict[int, dict[str, Spread]] = {}
    for first in range(0, len(names), _AT_ONCE):
        batch = names[first : first + _AT_ONCE]
        for group, spread in _Batch(engine, rows, batch).answer():
            found.setdefault(group, {}).update(spread)
    return found


class _Batch:
    """Some stages, each a column."""

    def __init__(self, engine: Engine, rows: Sequence[Rows], names: Sequence[str]) -> None:
        self._engine, self._names = engine, names
        self._measured = "\nunion all\n".join(each.select(names) for each in rows)
        self._is_one = all(each.group == "0" for each in rows)
        self._pointers = [pointer(name) for name in names]

    def answer(self) -> Iterator[tuple[int, dict[str, Spread]]]:
        """The groups and their spreads."""
        told = self._counted() if self._is_coarse() else self._sorted()
        worst = self._worst(told)
        means = self._means() if any(each.is_large for row in told.values() for each in row) else {}
        for group, row in told.items():
            yield (
                group,
                {
                    name: each.spread(worst.get((group, at), ()), means.get((group, at)))
                    for at, (name, each) in enumerate(zip(self._names, row, strict=True))
                    if each.measured or each.negative
                },
            )

    def _is_coarse(self) -> bool:
        """Whether all is one group, and its values are few different ones."""
        return self._is_one and is_coarse(*self._ask(sample_sql(len(self._names)))[0])

    def _counted(self) -> dict[int, list[_Figures]]:
        row = [_NO_FIGURES] * len(self._names)
        for stage, values, counts, total in self._ask(counted_sql(len(self._names))):
            row[stage] = _figures_of(values, counts, total)
        return {0: row}

    def _sorted(self) -> dict[int, list[_Figures]]:
        told: dict[int, list[_Figures]] = {}
        for group, *row in self._ask(_spread_sql(len(self._names))):
            told[group] = [_Figures(*row[at : at + _COUNT]) for at in range(0, len(row), _COUNT)]
        return told

    def _ask(self, text: str, **parameters: object) -> list[tuple[Any, ...]]:
        if "$pointers" in self._measured:
            parameters["pointers"] = self._pointers
        # What is materialized is read as a whole: traces too, where only a few are asked for.
        whole = f"with measured as not materialized (\n{self._measured}\n)\n{text}"
        return self._engine.run("latency", whole, **parameters)

    def _means(self) -> dict[tuple[int, int], float]:
        """The means where a sum of decimals would not do, by group and stage."""
        rows = self._ask(_means_sql(len(self._names)))
        return {(group, at): mean for group, *means in rows for at, mean in enumerate(means)}

    def _worst(self, told: Mapping[int, Sequence[_Figures]]) -> dict[tuple[int, int], list[str]]:
        """The traces of the largest values by group and stage: the largest of all are mostly traced."""
        cuts = {
            (group, at): min(each.largest)
            for group, row in told.items()
            for at, each in enumerate(row)
            if each.measured
        }
        found = self._longest(cuts)
        short = {
            (group, at): 0.0
            for group, at in cuts
            if len(found.get((group, at), ())) < min(WORST, told[group][at].measured)
        }
        return found | self._longest(short)

    def _longest(self, cuts: Mapping[tuple[int, int], float]) -> dict[tuple[int, int], list[str]]:
        """The traces of the largest values of a group and stage from the cut of theirs up."""
        stages = sorted({at for _, at in cuts})
        if not stages:
            return {}
        groups = range(max(group for group, _ in cuts) + 1)
        parameters: dict[str, object] = {"worst": WORST}
        for at in stages:
            parameters[f"cuts{at}"] = [cuts.get((group, at)) for group in groups]
            parameters[f"least{at}"] = min(cut for (_, stage), cut in cuts.items() if stage == at)
        found: dict[tuple[int, int], list[str]] = {}
        for group, stage, trace, _ in self._ask(
            "union all".join(map(_longest_sql, stages)) + _IN_ORDER, **parameters
        ):
            found.setdefault((group, stage), []).append(trace)
        return found


@dataclass(frozen=True, slots=True)
class _Figures:
    """What the engine tells of a stage in a group; `total` is a decimal, of what is not `is_large`."""

    measured: int
    negative: int
    least: float | None
    most: float | None
    total: str | None
    quantiles: Sequence[float] | None
    largest: Sequence[float]

    @property
    def is_large(self) -> bool:
        return self.measured > 0 and self.total is None

    def spread(self, traces: Sequence[str], mean: float | None) -> Spread:
        if self.total is not None:
            mean = float(Decimal(self.total) / self.measured)
        return Spread(
            self.measured, self.negative, self.least, mean, self.most, self.quantiles, tuple(traces)
        )


_NO_FIGURES: Final = _Figures(0, 0, None, None, None, None, ())


def _figures_of(values: Sequence[float], counts: Sequence[int], total: str | None) -> _Figures:
    """The figures of ascending finite values, with how many there are of each."""
    first = bisect_left(values, 0.0)
    negative = sum(counts[:first])
    values, counts = values[first:], counts[first:]
    if not values:
        return replace(_NO_FIGURES, negative=negative)
    return _Figures(
        sum(counts), negative, values[0], values[-1], total,
        quantiles_of(values, counts), largest_of(values, counts, WORST),
    )  # fmt: skip


# A sum of doubles depends on their order, which is another one in tables; that of decimals does not.
_COUNT: Final = 7  # figures of a stage
_OF_ONE: Final = """
    count(p{at}), count(n{at}), min(p{at}), max(p{at}),
    case when max(p{at}) < 1e8 then sum(try_cast(p{at} as decimal(18, 9)))::varchar end,
    quantile_cont(p{at}, {quantiles}), max(p{at}, {worst})
"""
_IN_ORDER: Final = "order by group_id, stage, place"


def _spread_sql(stages: int) -> str:
    """The figures of every stage by group; only a finite number counts as measured."""
    finite = ", ".join(
        f"case when isfinite(v{at}) and v{at} >= 0 then v{at} end as p{at}, "
        f"case when isfinite(v{at}) and v{at} < 0 then v{at} end as n{at}"
        for at in range(stages)
    )
    figures = ",".join(_OF_ONE.format(at=at, worst=WORST, quantiles=list(QUANTILES)) for at in range(stages))
    return f"select group_id, {figures} from (select group_id, {finite} from measured) group by group_id"  # noqa: S608  # numbers


def _means_sql(stages: int) -> str:
    """The means of every stage by group."""
    means = ", ".join(f"favg(v{at}) filter (where isfinite(v{at}) and v{at} >= 0)" for at in range(stages))
    return f"select group_id, {means} from measured group by group_id"  # noqa: S608  # numbers


def _longest_sql(at: int) -> str:
    """The traces of a stage's largest values by group, the largest first."""
    return f"""
        select group_id, {at} as stage, trace_id, place
        from (
            select
                group_id, trace_id,
                row_number() over (partition by group_id order by v{at} desc, ts, seq) as place
            from measured
            where v{at} >= $least{at} and v{at} >= ($cuts{at}::double[])[group_id + 1]
                and isfinite(v{at}) and trace_id is not null
        )
        where place <= $worst
    """  # noqa: S608  # numbers
