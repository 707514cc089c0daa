"""The buckets are those of the reference: its Python port and this formula agree on every value."""

from __future__ import annotations

import duckdb
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.derived.buckets import (
    DIGITS,
    ERROR,
    HIGHEST_NS,
    INDEX_SQL,
    INDEXES,
    LOWEST_NS,
    highest_of,
    index_of,
    lowest_of,
    middle_of,
)

EDGES = sorted(
    {value for power in range(43) for value in (2**power - 1, 2**power, 2**power + 1) if value <= HIGHEST_NS}
)
VALUES = st.one_of(st.integers(0, HIGHEST_NS), st.integers(0, 1 << 16), st.sampled_from(EDGES))
REFERENCE = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)


def in_sql(values: list[int]) -> list[int]:
    rows = duckdb.execute(
        f"select {INDEX_SQL} from (select unnest($values)::double as ns)", {"values": values}
    )
    return [index for (index,) in rows.fetchall()]


def test_there_are_as_many_buckets_as_in_the_reference() -> None:
    assert REFERENCE.counts_len == INDEXES
    assert index_of(HIGHEST_NS) == INDEXES - 1


@given(VALUES)
def test_a_value_is_counted_where_the_reference_counts_it(value: int) -> None:
    reference = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS) if value < 4096 else REFERENCE
    assert reference.record_value(value)
    assert reference.get_count_at_index(index_of(value)) > 0
    assert highest_of(index_of(value)) == reference.get_highest_equivalent_value(value)


@given(st.lists(VALUES, min_size=1, max_size=200))
def test_sql_counts_where_python_counts(values: list[int]) -> None:
    assert in_sql(values) == [index_of(value) for value in values]


def test_sql_is_right_at_the_edges_of_every_power_of_two() -> None:
    assert in_sql(EDGES) == [index_of(value) for value in EDGES]


@given(VALUES)
def test_a_value_is_within_its_bucket_and_as_near_to_its_middle_as_stated(value: int) -> None:
    index = index_of(value)
    assert lowest_of(index) <= value <= highest_of(index)
    assert abs(middle_of(index) - value) <= value * ERROR


@given(st.integers(1, INDEXES - 1))
def test_buckets_follow_each_other_without_a_gap(index: int) -> None:
    assert lowest_of(index) == highest_of(index - 1) + 1


@pytest.mark.parametrize("value", [-1, HIGHEST_NS + 1])
def test_what_is_beyond_the_buckets_has_none(value: int) -> None:
    with pytest.raises(ValueError, match="beyond"):
        index_of(value)
