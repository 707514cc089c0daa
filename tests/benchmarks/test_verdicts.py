"""Verdicts follow from figures, and the page says what was measured."""

from __future__ import annotations

import growth
import pytest
from goals import as_json, as_text, goal_lines
from hypothesis import given
from hypothesis import strategies as st
from month import deviation
from page import page
from plot import Line, round_up, short, svg
from row import TINY, Check, Result, Row, Table, number


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_at_most_and_at_least_are_met_on_their_side_of_the_bound(value: float, bound: float) -> None:
    most, least = Check(value, bound, "s"), Check(value, bound, "s", least=True)
    assert (most.verdict == "met") == (value <= bound)
    assert (least.verdict == "met") == (value >= bound)


def test_nan_is_missed_and_nothing_is_not_measured() -> None:
    assert Check(float("nan"), 1, "s").verdict == "missed"
    assert Check(float("nan"), 1, "s", least=True).verdict == "missed"
    assert Check(None, 1, "s", why="not installed").verdict == "not measured"
    assert Check(None, 1, "s", why="not installed").result == "not installed"


def test_a_goal_names_its_bound_and_a_result_its_unit() -> None:
    check = Check(0.256, 0.25, "s")
    assert (check.goal, check.result, check.verdict) == ("at most 0.25 s", "0.256 s", "missed")
    rate = Check(1_234_567, 1e6, "lines/s", least=True)
    assert (rate.goal, rate.result) == ("at least 1,000,000 lines/s", "1,234,567 lines/s")


@pytest.mark.parametrize(("value", "text"), [(2, "2"), (2.064, "2.06"), (99.96, "100"), (1234.5, "1,234")])
def test_numbers_have_the_digits_that_matter(value: float, text: str) -> None:
    assert number(value) == text


def test_a_candidate_that_is_not_there_is_said_and_the_others_are_compared() -> None:
    table = Table("t", "ns", {"ours": 10.0, "theirs": 25.0, "gone": None}, "ours", 0)
    assert [line.split() for line in table.lines()] == [
        ["t:"],
        ["ours", "10", "ns"],
        ["theirs", "25", "ns", "2.50", "times", "ours"],
        ["gone", "not", "installed"],
    ]


def results() -> list[tuple[Row, Result]]:
    row = Row("x", "A thing", "How.", "{share:.1f} of it.", lambda _: result, "py-spy")
    result = Result((Check(3.0, 2.0, "s", "warm"),), (Table("t", "s", {"a": 3.0}),), {"share": 0.5})
    return [(row, result)]


def test_the_table_has_a_line_for_every_check() -> None:
    lines = goal_lines(results())
    assert lines == [("A thing: warm", "at most 2 s", "3 s", "missed")]
    assert as_text(lines).splitlines() == [
        "what           goal         result  verdict",
        "A thing: warm  at most 2 s  3 s     missed",
    ]


def test_the_page_has_goals_figures_and_reasons() -> None:
    text = page(TINY, results(), goal_lines(results()))
    assert "| A thing: warm | at most 2 s | 3 s | missed |" in text
    assert "## A thing" in text
    assert "0.5 of it." in text
    assert "`py-spy`" in text


def test_json_has_the_verdicts() -> None:
    assert '"verdict": "missed"' in as_json(results())


def test_the_plot_is_drawn_to_scale() -> None:
    text = svg([Line("a & b", "events", [(0.0, 0.0), (50.0, 2.0), (100.0, 4.0)])])
    assert 'd="M0.0 150.0L150.0 75.0L300.0 0.0"' in text
    assert "a &amp; b" in text


@given(st.floats(min_value=1e-6, max_value=1e12))
def test_an_axis_ends_above_its_values_and_not_far(value: float) -> None:
    assert value <= round_up(value) * (1 + 1e-6)
    assert round_up(value) <= value * 2.0000001


def test_ticks_are_short() -> None:
    assert [short(value) for value in (0, 500, 250_000, 15e6)] == ["0", "500", "250k", "15M"]


def test_what_is_plotted_are_the_measured_points() -> None:
    figures = {"1,000 events in the window": 0.5, **{f"trace, {size:,} events": 0.2 for size in TINY.sizes}}
    window, trace = growth.lines(Result((), (Table("t", "s", figures),)), TINY)
    assert window.points == [(1000.0, 0.5)]
    assert [x for x, _ in trace.points] == [float(size) for size in TINY.sizes]


def test_the_error_of_histograms_is_the_largest_of_any_percentile() -> None:
    truth = {"p50": 1.0, "p95": 2.0, "p99": 4.0, "p99_9": 8.0}
    off = {**truth, "p99": 4.2}
    assert deviation({"stages": [truth, off]}, {"stages": [truth, truth]}) == pytest.approx(0.05)
