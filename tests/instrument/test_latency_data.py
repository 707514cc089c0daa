"""The null rules of a latency event."""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord import declare_stages
from polyrecord.errors import ConfigError
from polyrecord.events.latency_data import build_latency, declared_stages
from polyrecord.events.stages import DEFAULT_STAGES

COMPLETE = {
    "ws_to_book_update_ms": 10.5,
    "book_to_signal_ms": 5.2,
    "signal_to_risk_ms": 3.1,
    "risk_to_send_ms": 15.8,
}


def test_the_end_to_end_is_the_sum_of_the_declared_stages() -> None:
    assert build_latency(COMPLETE, DEFAULT_STAGES) == {**COMPLETE, "end_to_end_ms": 34.6}


def test_a_missing_stage_is_null_and_so_is_the_sum() -> None:
    assert build_latency({"book_to_signal_ms": 5.2}, DEFAULT_STAGES) == {
        "ws_to_book_update_ms": None,
        "book_to_signal_ms": 5.2,
        "signal_to_risk_ms": None,
        "risk_to_send_ms": None,
        "end_to_end_ms": None,
    }


def test_zero_is_a_value_and_not_missing() -> None:
    assert build_latency(dict.fromkeys(DEFAULT_STAGES, 0), DEFAULT_STAGES)["end_to_end_ms"] == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, Decimal("NaN"), np.float64("inf")])
def test_what_is_no_number_is_null(value: object) -> None:
    data = build_latency({**COMPLETE, "book_to_signal_ms": value}, DEFAULT_STAGES)

    assert data["book_to_signal_ms"] is None
    assert data["end_to_end_ms"] is None


def test_a_negative_value_is_kept() -> None:
    data = build_latency({"a_ms": -3.0, "b_ms": 1.0}, ("a_ms", "b_ms"))

    assert data == {"a_ms": -3.0, "b_ms": 1.0, "end_to_end_ms": -2.0}


def test_other_stages_follow_the_declared_ones_and_are_not_in_the_sum() -> None:
    data = build_latency({"gc_ms": 7.0, "a_ms": 1.0}, ("a_ms",))

    assert list(data.items()) == [("a_ms", 1.0), ("gc_ms", 7.0), ("end_to_end_ms", 1.0)]


def test_an_end_to_end_that_the_caller_measured_is_kept() -> None:
    assert build_latency({"end_to_end_ms": 50.0}, DEFAULT_STAGES)["end_to_end_ms"] == 50.0


def test_without_declared_stages_there_is_no_sum() -> None:
    assert build_latency({"a_ms": 1.0}, ()) == {"a_ms": 1.0, "end_to_end_ms": None}


@pytest.mark.parametrize("value", [Decimal("1.5"), Fraction(3, 2), np.float64(1.5), np.float32(1.5)])
def test_numbers_of_other_kinds_become_json_numbers(value: object) -> None:
    data = build_latency({"a_ms": value}, ("a_ms",))

    assert orjson.dumps(data) == b'{"a_ms":1.5,"end_to_end_ms":1.5}'


@pytest.mark.parametrize("value", ["12", object(), [1.0], 10**400])
def test_what_cannot_be_a_number_is_kept_as_it_is_and_never_raises(value: object) -> None:
    data = build_latency({"a_ms": value}, ("a_ms",))

    assert data == {"a_ms": value, "end_to_end_ms": None}


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=8))
def test_the_sum_is_the_exact_one_rounded_once(values: list[float]) -> None:
    stages = {f"s{number}_ms": value for number, value in enumerate(values)}

    assert build_latency(stages, stages)["end_to_end_ms"] == float(sum(map(Fraction, values), Fraction(0)))


def test_a_sum_too_large_for_a_float_is_null() -> None:
    assert build_latency({"a_ms": 1e308, "b_ms": 1e308}, ("a_ms", "b_ms"))["end_to_end_ms"] is None


class TestDeclaring:
    @pytest.fixture(autouse=True)
    def _restored(self) -> Iterator[None]:
        before = declared_stages()
        yield
        declare_stages(*before)

    def test_the_default_is_the_pipeline_from_frame_to_order(self) -> None:
        assert declared_stages() == tuple(COMPLETE)

    def test_the_names_are_completed_and_kept_in_order(self) -> None:
        assert declare_stages("parse", "decide_ms") == ("parse_ms", "decide_ms")
        assert declared_stages() == ("parse_ms", "decide_ms")

    @pytest.mark.parametrize("names", [("a", "a_ms"), ("a", ""), ("end_to_end_ms",)])
    def test_a_wrong_declaration_changes_nothing(self, names: tuple[str, ...]) -> None:
        with pytest.raises(ConfigError):
            declare_stages(*names)

        assert declared_stages() == tuple(COMPLETE)
