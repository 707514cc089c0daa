"""A shard's roll-up: one file beside it, in which days are the sums of hours, and hours of minutes."""

from __future__ import annotations

import stat
from collections import Counter
from glob import escape
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from polyrecord.derived.buckets import index_of
from polyrecord.derived.rollup import FEW_IN_A_MINUTE, KIND, MOST_STAGES, derive_histograms, rolled_up
from tests.derived.roll_archive import DAY, FIRST, HOUR, MINUTE, STAGES, Latencies, Latency, some_latencies

MANY = 40 * FEW_IN_A_MINUTE  # in 36 minutes: enough for minutes


@pytest.fixture
def dense(tmp_path: Path) -> Latencies:
    """Thirty-six minutes of one writer, with many events in each."""
    latencies = Latencies(tmp_path / "a")
    latencies.record("bot", some_latencies(1, FIRST + 5 * HOUR, 36 * MINUTE, MANY))
    return latencies


def rows_of(path: Path | None, what: str) -> list[Any]:
    assert path is not None
    rows = duckdb.execute(f"select {what} from read_parquet($path) order by all", {"path": escape(str(path))})
    return rows.fetchall()


def test_each_level_counts_every_measurement_once(dense: Latencies) -> None:
    (path,) = dense.compact()
    told = rows_of(
        path, "distinct level, together, stage, sum(count) over (partition by level, together, stage)"
    )
    expected: dict[str | None, int] = {None: MANY, **{stage: len(dense.values(stage)) for stage in STAGES}}
    levels = [("minute", True), ("hour", False), ("day", False), ("day", True)]
    assert {row[:3]: row[3] for row in told} == {
        (*level, stage): count for level in levels for stage, count in expected.items()
    }


def test_a_row_says_all_of_its_cell(dense: Latencies) -> None:
    (path,) = dense.compact()
    rows = rows_of(
        path,
        "count, negative, missing, beyond, min, sum, max, buckets, counts, worst, level, stage, strategy",
    )
    ((count, negative, missing, beyond, least, total, most, buckets, counts, worst, *_),) = [
        row for row in rows if row[10:] == ("day", STAGES[1], "atomic")
    ]
    events = [
        each for each in dense.all() if isinstance(each.data, dict) and each.data["strategy"] == "atomic"
    ]
    values = [each.data[STAGES[1]] for each in events if isinstance(each.data, dict)]
    known = np.array([value for value in values if value is not None])
    positive = known[known >= 0]
    assert (count, negative, missing, beyond) == (
        len(positive), len(known) - len(positive), len(values) - len(known), 0,
    )  # fmt: skip
    assert (least, most) == (positive.min(), positive.max())
    assert total == pytest.approx(positive.sum(), rel=1e-12)
    expected = Counter(index_of(round(value * 1e6)) for value in positive.tolist())
    assert list(zip(buckets, counts, strict=True)) == sorted(expected.items())
    assert [one["value"] for one in worst] == sorted(positive.tolist(), reverse=True)[:3]
    traces = {each.trace_id: each for each in events}
    assert all(traces[one["trace_id"]].ts == one["ts"] for one in worst)


def test_where_little_is_in_a_minute_there_are_no_minutes(tmp_path: Path) -> None:
    sparse = Latencies(tmp_path)
    sparse.record("bot", some_latencies(2, FIRST, DAY - 1, 500))
    (path,) = sparse.compact()
    assert {level for (level,) in rows_of(path, "level")} == {"hour", "day"}


def test_days_can_be_read_without_the_rest(dense: Latencies) -> None:
    """They are row groups of their own."""
    (path,) = dense.compact()
    rows = duckdb.execute(
        "select distinct stats_min_value = stats_max_value from parquet_metadata($path) "
        "where path_in_schema = 'level'",
        {"path": str(path)},
    )
    assert rows.fetchall() == [(True,)]


def test_the_file_is_whole_or_not_there_and_nobody_else_s(dense: Latencies) -> None:
    (path,) = dense.compact()
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each.name for each in path.parent.iterdir() if each.name.startswith(".")] == []
    assert path.name.endswith(f".{dense.shards()[0].fingerprint}.{KIND}.parquet")


def test_what_is_made_anew_says_the_same(dense: Latencies) -> None:
    (path,) = dense.compact()
    assert path is not None
    before = rows_of(path, "*")
    path.unlink()
    assert rolled_up(dense.shards()[0]) is None
    assert rows_of(derive_histograms(dense.shards()[0]), "*") == before


def test_without_a_typed_table_there_is_none(dense: Latencies) -> None:
    (shard,) = dense.shards()
    assert derive_histograms(shard) is None
    assert not shard.folder.exists()


def test_a_link_is_no_roll_up(dense: Latencies, tmp_path: Path) -> None:
    (path,) = dense.compact()
    assert path is not None
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert rolled_up(dense.shards()[0]) is None


def test_a_stage_may_have_any_name(tmp_path: Path) -> None:
    names = [
        "a, b\n_ms",
        "'; drop table x; --_ms",
        'say "hi"_ms',
        "a/b~c_ms",
        "Ž 🎲_ms",
        "A_ms",
        "a_ms",
        "_ms",
    ]
    hostile = Latencies(tmp_path / "root [1]*")
    hostile.record(
        "bot", [Latency(FIRST + at, dict.fromkeys(names, at / 1000), f"t{at}") for at in range(10)]
    )
    hostile.roll_up(hostile.shards()[0])
    (path,) = [rolled_up(shard) for shard in hostile.shards()]
    assert {row for row in rows_of(path, "stage, count") if row[0]} == {(name, 10) for name in names}


def test_a_stage_that_is_not_always_a_number_is_counted_where_it_is(tmp_path: Path) -> None:
    mixed = Latencies(tmp_path)
    values: list[object] = [1.5, "2.5", None, True, [3], {"x": 1}, 7, "NaN", -1, 1e300]
    mixed.record("bot", [Latency(FIRST + at, {"a_ms": value}) for at, value in enumerate(values)])
    (path,) = mixed.compact()
    rows = rows_of(path, "level, stage, count, negative, missing, beyond")
    assert [row[2:] for row in rows if row[:2] == ("hour", "a_ms")] == [(3, 1, 6, 1)]


def test_more_stages_than_it_keeps_are_left_to_the_lines(tmp_path: Path) -> None:
    many = Latencies(tmp_path)
    many.record("bot", [Latency(FIRST, {f"s{at}_ms": 1.0 for at in range(MOST_STAGES + 1)})])
    assert many.compact() == [None]


def test_a_strategy_is_the_text_that_grouping_by_it_takes(tmp_path: Path) -> None:
    strategies = ['"a,b\\n"', "7", "true", '{"x":1}', "null", '""']
    named = Latencies(tmp_path)
    named.record(
        "bot", [Latency(FIRST, b'{"strategy":%b,"a_ms":1.0}' % strategy.encode()) for strategy in strategies]
    )
    (path,) = named.compact()
    assert {row[0] for row in rows_of(path, "strategy")} == {"a,b\n", "7", "true", '{"x":1}', None, ""}
