"""Counting and merging in the engine: equal to the reference's, however the measurements are cut up."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrecord.derived.buckets import DIGITS, HIGHEST_NS, LOWEST_NS
from polyrecord.derived.histogram import (
    CELL,
    MOST_STRATEGIES,
    PERIODS,
    Measured,
    count_cells,
    merge_cells,
    no_cells,
)
from polyrecord.derived.rollup import open_database

STAGE = "a_ms"
NAMES = (STAGE, "b_ms")
MINUTE, HOUR = PERIODS["minute"], PERIODS["hour"]


@dataclass(frozen=True)
class Event:
    ts: int
    value: float | None
    strategy: str | None = None
    trace_id: str | None = "t"


MS = st.one_of(
    st.floats(0, 1e5),
    st.integers(0, 5_000).map(lambda ns: ns / 1e6),
    st.floats(-10, 0),
    st.just(5e6),
    st.none(),
)
EVENTS = st.lists(
    st.builds(
        Event,
        st.integers(-3 * HOUR, 3 * HOUR),
        MS,
        st.sampled_from([None, "x", "y"]),
        st.sampled_from(["t", "u", None]),
    ),
    max_size=60,
)


@pytest.fixture(scope="module")
def connection() -> Iterator[Any]:
    with open_database() as opened:
        yield opened


def count(
    connection: Any, events: Sequence[Event], into: str = "cells", period: str | None = None
) -> list[Any]:
    """The cells of these events; a row is as `CELL` has it."""
    connection.execute(
        "create or replace temp table measured "
        "(ts bigint, seq ubigint, trace_id varchar, strategy varchar, stages double[])"
    )
    rows = [(each.ts, at, each.trace_id, each.strategy, [each.value, None]) for at, each in enumerate(events)]
    if rows:
        connection.executemany("insert into measured values (?, ?, ?, ?, ?)", rows)
    count_cells(connection, Measured("measured", "latency", NAMES), into, period)
    return table(connection, into)


def table(connection: Any, name: str) -> list[Any]:
    return sorted(connection.execute(f"select {CELL} from {name}").fetchall(), key=repr)


def reference_of(events: Sequence[Event]) -> HdrHistogram:
    histogram = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
    for each in events:
        if each.value is not None and each.value >= 0:
            histogram.record_value(math.floor(each.value * 1e6 + 0.5))
    return histogram


def counts_of(histogram: HdrHistogram) -> dict[int, int]:
    counts = np.ctypeslib.as_array(histogram.counts)
    return {int(at): int(counts[at]) for at in np.flatnonzero(counts)}


def without_sums(rows: list[Any]) -> list[Any]:
    """Cells but for their sums: those depend on the order of adding in their last bits."""
    return [(*row[:9], *row[10:]) for row in rows]


@settings(max_examples=15)
@given(EVENTS)
def test_the_counts_are_those_of_the_reference(connection: Any, events: list[Event]) -> None:
    nameless = [Event(each.ts, each.value) for each in events]
    cells = [row for row in count(connection, nameless) if row[2] == STAGE]
    counted = dict(zip(cells[0][11], cells[0][12], strict=True)) if cells else {}
    assert counted == counts_of(reference_of(nameless))


@settings(max_examples=15)
@given(EVENTS)
def test_all_but_percentiles_is_exact(connection: Any, events: list[Event]) -> None:
    nameless = [Event(each.ts, each.value, None, each.trace_id) for each in events]
    rows = {row[2]: row for row in count(connection, nameless)}
    known = [each.value for each in nameless if each.value is not None]
    positive = [value for value in known if value >= 0]
    assert (rows[None][5] if None in rows else 0) == len(events)
    if known:
        _, _, _, _, _, n, negative, beyond, least, total, most, _, _, worst = rows[STAGE]
        assert (n, negative) == (len(positive), len(known) - len(positive))
        assert beyond == sum(value * 1e6 > HIGHEST_NS for value in positive)
        assert (least, most) == (min(positive, default=None), max(positive, default=None))
        assert total == (pytest.approx(math.fsum(positive), rel=1e-12) if positive else None)
        traced = [
            (-each.value, each.ts, at)
            for at, each in enumerate(nameless)
            if each.value is not None and each.value >= 0 and each.trace_id
        ]
        assert [(-one["value"], one["ts"], one["seq"]) for one in worst] == sorted(traced)[:3]


@settings(max_examples=15)
@given(EVENTS, st.integers(0, 60), st.integers(0, 60), st.sampled_from([None, "minute", "hour"]))
def test_parts_merged_in_any_order_are_the_whole(
    connection: Any, events: list[Event], first: int, second: int, period: str | None
) -> None:
    low, high = sorted((first, second))
    distinct = [Event(each.ts, each.value, each.strategy, f"{each.trace_id}") for each in events]
    whole = without_sums(count(connection, distinct, period=period))
    no_cells(connection)
    for part in (distinct[high:], distinct[:low], distinct[low:high]):
        count(connection, part, "part", period)
        connection.execute(f"insert into parts select {CELL} from part")
        merge_cells(connection, "parts", "merged", period)
        connection.execute("create or replace temp table parts as from merged")
    merged = without_sums(table(connection, "merged"))
    assert [row[:-1] for row in merged] == [row[:-1] for row in whole]
    assert [[(w["value"], w["ts"]) for w in row[-1]] for row in merged] == [
        [(w["value"], w["ts"]) for w in row[-1]] for row in whole
    ]


@settings(max_examples=15)
@given(EVENTS, EVENTS)
def test_merging_is_what_the_reference_adds(connection: Any, some: list[Event], others: list[Event]) -> None:
    added = reference_of(some)
    added.add(reference_of(others))
    no_cells(connection)
    for part in (some, others):
        count(connection, [Event(each.ts, each.value) for each in part], "part")
        connection.execute(f"insert into parts select {CELL} from part")
    merge_cells(connection, "parts", "merged", None)
    cells = [row for row in table(connection, "merged") if row[2] == STAGE]
    assert (dict(zip(cells[0][11], cells[0][12], strict=True)) if cells else {}) == counts_of(added)


def test_hours_of_minutes_are_the_hours(connection: Any) -> None:
    events = [Event(at * MINUTE * 7 - HOUR, at / 3, trace_id=str(at)) for at in range(100)]
    hours = without_sums(count(connection, events, period="hour"))
    count(connection, events, "minutes", "minute")
    merge_cells(connection, "minutes", "merged", "hour")
    assert without_sums(table(connection, "merged")) == hours


@pytest.mark.parametrize(("ts", "start"), [(-1, -MINUTE), (0, 0), (MINUTE - 1, 0), (MINUTE, MINUTE)])
def test_a_period_begins_at_its_whole_multiple_before_1970_too(connection: Any, ts: int, start: int) -> None:
    assert {row[0] for row in count(connection, [Event(ts, 1.0)], period="minute")} == {start}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_what_is_no_finite_number_is_missing(connection: Any, value: float | None) -> None:
    rows = count(connection, [Event(0, value)])
    assert [(row[2], row[5]) for row in rows] == [(None, 1)]


def test_strategies_beyond_the_most_frequent_are_the_rest(connection: Any) -> None:
    events = [Event(0, 1.0, f"s{at:04}") for at in range(1_000)] + [Event(0, 1.0, "often")] * 2
    rows = [row for row in count(connection, events) if row[2] == STAGE]
    assert sum(row[5] for row in rows) == 1_002
    assert [row[5] for row in rows if row[3] == "often"] == [2]
    rest = [row for row in rows if row[4]]
    assert [(row[3], row[5]) for row in rest] == [(None, 1_000 - (MOST_STRATEGIES - 1))]
