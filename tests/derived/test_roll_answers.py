"""Answers by roll-ups: all but percentiles as exact as ever, those within the stated error, or no answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from polyrecord.derived.buckets import ERROR
from polyrecord.derived.rollup import FEW_IN_A_MINUTE, rolled_up
from polyrecord.read.where import parse_condition
from polyrecord.report import rollups
from polyrecord.report.latency import LatencySummary, StageLatency, summarize, summarize_by
from polyrecord.report.rollups import groups_of, summary_of
from tests.derived.roll_archive import DAY, FIRST, HOUR, MINUTE, STAGES, Latencies, Latency, some_latencies

SECOND = MINUTE // 60
PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p99_9": 0.999}
WINDOWS = [
    (None, None),
    (FIRST + 12345, FIRST + 3 * DAY - 678),
    (FIRST + 5 * HOUR, FIRST + 2 * DAY + 7 * HOUR),
    (FIRST + DAY + 5 * HOUR + 17 * SECOND, FIRST + DAY + 6 * HOUR + 20 * MINUTE + 1),
    (FIRST + DAY + 5 * HOUR + 10, FIRST + DAY + 5 * HOUR + 30 * SECOND),
]


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Latencies:
    """Three days of two hosts, and thirty-six minutes of a third with many events in each."""
    latencies = Latencies(tmp_path_factory.mktemp("month"))
    latencies.record("host1", some_latencies(1, FIRST, 3 * DAY, 3_000))
    latencies.record("host2", some_latencies(2, FIRST + HOUR, 2 * DAY, 1_000, ["maker"]))
    latencies.record("host3", some_latencies(3, FIRST + DAY + 5 * HOUR, 36 * MINUTE, 40 * FEW_IN_A_MINUTE))
    latencies.compact()
    return latencies


@pytest.fixture(autouse=True)
def whatever_it_is_worth(monkeypatch: pytest.MonkeyPatch) -> None:
    """By roll-ups however few events there are."""
    monkeypatch.setattr(rollups, "FEW_EVENTS", 0)


def same_but_percentiles(stage: StageLatency, exact: StageLatency) -> None:
    told, expected = asdict(stage), asdict(exact)
    for name in told:
        if name == "avg":
            assert told[name] == pytest.approx(expected[name], rel=1e-9, abs=2e-9)
        elif name in PERCENTILES and expected[name] is not None:
            assert abs(told[name] - expected[name]) <= expected[name] * ERROR + 1e-6
        else:
            assert told[name] == expected[name], name


@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_is_answered_as_from_lines(month: Latencies, window: tuple[int | None, int | None]) -> None:
    by_rollups, exact = summary_of(month.ask(*window)), summarize(month.ask(*window), exact=True)
    assert by_rollups is not None
    assert (by_rollups.window, by_rollups.coverage) == (exact.window, exact.coverage)
    assert (by_rollups.events, by_rollups.unreadable) == (exact.events, 0)
    assert by_rollups.events > 0
    assert [stage.stage for stage in by_rollups.stages] == [stage.stage for stage in exact.stages]
    for stage, expected in zip(by_rollups.stages, exact.stages, strict=True):
        same_but_percentiles(stage, expected)


@pytest.mark.parametrize("window", WINDOWS[:4])
def test_percentiles_are_numpy_s_within_the_stated_error(
    month: Latencies, window: tuple[int | None, int | None]
) -> None:
    answer = summary_of(month.ask(*window))
    assert answer is not None
    for stage in answer.stages:
        values = month.values(stage.stage, window[0] or 0, window[1] or 1 << 62)
        expected = np.quantile(values, list(PERCENTILES.values()))
        told = np.array([getattr(stage, name) for name in PERCENTILES])
        assert stage.count == len(values)
        assert np.all(np.abs(told - expected) <= expected * answer.error + 1e-6)


def test_the_answer_says_that_it_is_from_histograms_and_how_wrong_it_can_be(month: Latencies) -> None:
    answer = summary_of(month.ask())
    assert answer is not None
    assert (answer.method, answer.error) == ("histogram", ERROR)


def test_of_whole_days_no_line_is_read(month: Latencies) -> None:
    question = month.ask(FIRST, FIRST + 3 * DAY)
    assert summary_of(question) is not None
    assert (question.explain.blocks_read, question.explain.bytes_inflated) == (0, 0)


def test_of_the_edges_of_a_window_only_their_blocks_are_read(month: Latencies) -> None:
    question = month.ask(*WINDOWS[1])
    assert summary_of(question) is not None
    assert 0 < question.explain.lines_kept < 200


@pytest.mark.parametrize("field", ["strategy", "hour", "date"])
def test_groups_are_those_of_the_lines(month: Latencies, field: str) -> None:
    window = WINDOWS[1]
    told, exact = groups_of(month.ask(*window), field), summarize_by(month.ask(*window), field, exact=True)
    assert told is not None
    assert (told.by, told.by_trace, told.events, told.left_out) == (field, False, exact.events, 0)
    assert [(group.value, group.events) for group in told.groups] == [
        (group.value, group.events) for group in exact.groups
    ]
    for group, expected in zip(told.groups, exact.groups, strict=True):
        assert [stage.stage for stage in group.stages] == [stage.stage for stage in expected.stages]
        for stage, other in zip(group.stages, expected.stages, strict=True):
            same_but_percentiles(stage, other)


def test_a_shard_without_a_roll_up_is_counted_from_its_lines(month: Latencies) -> None:
    with without(month, slice(1)):
        answer, exact = summary_of(month.ask()), summarize(month.ask(), exact=True)
    assert answer is not None
    for stage, expected in zip(answer.stages, exact.stages, strict=True):
        same_but_percentiles(stage, expected)


def test_where_most_of_it_has_no_roll_up_the_answer_is_left_to_the_lines(month: Latencies) -> None:
    with without(month, slice(-1, None)):
        assert summary_of(month.ask()) is None


class without:  # noqa: N801  # reads as a word of the sentence
    """Without the roll-ups of some shards; the last one has most of the events."""

    def __init__(self, month: Latencies, some: slice) -> None:
        found = (rolled_up(shard) for shard in month.shards())
        self._paths = [path for path in found if path is not None][some]

    def __enter__(self) -> list[Path]:
        for path in self._paths:
            path.rename(path.with_suffix(".away"))
        return self._paths

    def __exit__(self, *_: object) -> None:
        for path in self._paths:
            path.with_suffix(".away").replace(path)


@pytest.mark.parametrize("left", [0, 1_000])
def test_a_roll_up_that_was_cut_is_none(month: Latencies, left: int) -> None:
    with without(month, slice(1)) as (path,):
        path.write_bytes(path.with_suffix(".away").read_bytes()[:left])
        answer, exact = summary_of(month.ask()), summarize(month.ask(), exact=True)
    assert answer is not None
    assert (answer.events, len(answer.stages)) == (exact.events, len(exact.stages))


def test_a_roll_up_that_cannot_be_read_leaves_the_answer_to_the_lines(month: Latencies) -> None:
    with without(month, slice(1)) as (path,):
        path.write_bytes(b"PAR1" * 9)
        assert summary_of(month.ask()) is None


def test_a_roll_up_whose_sums_do_not_hold_leaves_the_answer_to_the_lines(month: Latencies) -> None:
    with without(month, slice(1)) as (path,):
        changed = (
            "select * replace (list_transform(counts, lambda n: n + 1) as counts) from read_parquet($whole)"
        )
        told = {"whole": str(path.with_suffix(".away")), "path": str(path)}
        duckdb.execute(f"copy ({changed}) to $path (format parquet)", told)
        assert summary_of(month.ask()) is None


def test_few_events_are_left_to_the_exact_answer(month: Latencies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "FEW_EVENTS", len(month.all()))
    assert summary_of(month.ask()) is not None
    monkeypatch.setattr(rollups, "FEW_EVENTS", len(month.all()) + 1)
    assert summary_of(month.ask()) is None


def test_a_window_that_cuts_shards_is_left_to_the_exact_answer_where_a_tenth_is_in_it(
    month: Latencies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly it is had from lines, which takes ten times as long as typed tables."""
    window = (FIRST + DAY + 5 * HOUR + MINUTE, FIRST + DAY + 6 * HOUR)
    events = len(month.all(*window))
    monkeypatch.setattr(rollups, "FEW_EVENTS", events * 9)
    assert summary_of(month.ask(*window)) is not None
    monkeypatch.setattr(rollups, "FEW_EVENTS", events * 11)
    assert summary_of(month.ask(*window)) is None


def test_what_roll_ups_do_not_keep_is_left_to_the_exact_answer(month: Latencies) -> None:
    question = month.ask()
    for narrowed in (
        replace(question.selection, where=(parse_condition("strategy=maker"),)),
        replace(question.selection, trace="00"),
        replace(question.selection, types=frozenset({"latency", "other"})),
        replace(question.selection, types=frozenset()),
    ):
        assert summary_of(replace(question, selection=narrowed)) is None
    assert groups_of(question, "bot_id") is None


def test_where_no_latency_has_a_strategy_groups_are_left_to_the_traces(tmp_path: Path) -> None:
    nameless = Latencies(tmp_path)
    nameless.record("bot", [Latency(FIRST + at, {"a_ms": 1.0}) for at in range(10)])
    nameless.compact()
    assert groups_of(nameless.ask(), "strategy") is None


def recorded(root: Path, values: Sequence[object]) -> LatencySummary | None:
    few = Latencies(root)
    few.record("bot", [Latency(FIRST + at, {"a_ms": value}, f"t{at}") for at, value in enumerate(values)])
    few.compact()
    return summary_of(few.ask())


def test_a_percentile_beyond_the_buckets_is_left_to_the_exact_answer(tmp_path: Path) -> None:
    assert recorded(tmp_path / "a", [1.0] * 10 + [1e10] * 90) is None
    few = recorded(tmp_path / "b", [1.0] * 9_990 + [1e10])
    assert few is not None
    assert (few.stages[0].count, few.stages[0].max) == (9_991, 1e10)
    assert few.stages[0].p50 == pytest.approx(1.0, rel=ERROR)


def test_a_stage_that_was_never_measured_is_there_all_the_same(tmp_path: Path) -> None:
    answer = recorded(tmp_path, [None] * 5)
    assert answer is not None
    assert [(stage.stage, stage.count, stage.missing, stage.p50) for stage in answer.stages] == [
        ("a_ms", 0, 5, None)
    ]


def test_one_value_is_its_own_percentiles(tmp_path: Path) -> None:
    answer = recorded(tmp_path, [12.3456789])
    assert answer is not None
    (stage,) = answer.stages
    assert {stage.min, stage.avg, stage.max, stage.p50, stage.p99_9} == {12.3456789}
    assert stage.exemplars == ("t0",)


def test_stages_are_in_the_order_in_which_they_were_declared(month: Latencies) -> None:
    answer = summary_of(month.ask())
    assert answer is not None
    assert tuple(stage.stage for stage in answer.stages) == STAGES
