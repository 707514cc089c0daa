"""Figures of counted values are those of the values one by one."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.report import spread
from polyrecord.report.counted import QUANTILES, is_coarse, largest_of, quantiles_of
from polyrecord.report.engine import Engine
from polyrecord.report.latency import latency_of
from tests.report.archives import NOON, latency, lines

COUNTED = st.dictionaries(st.integers(0, 9_000).map(lambda us: us / 1000), st.integers(1, 50), min_size=1)


@given(COUNTED)
def test_quantiles_are_those_of_numpy(counted: dict[float, int]) -> None:
    values = sorted(counted)
    counts = [counted[value] for value in values]

    found = quantiles_of(values, counts)

    assert found == pytest.approx(np.quantile(np.repeat(values, counts), QUANTILES), abs=1e-12)


@given(COUNTED, st.integers(1, 5))
def test_the_largest_are_as_often_there_as_they_were_measured(counted: dict[float, int], most: int) -> None:
    values = sorted(counted)

    found = largest_of(values, [counted[value] for value in values], most)

    assert found == sorted(np.repeat(values, [counted[value] for value in values]), reverse=True)[:most]


def test_values_are_counted_where_most_of_a_sample_are_there_twice() -> None:
    assert is_coarse(100, 50, 7)
    assert not is_coarse(100, 50, 51)
    assert is_coarse(0, 0)


@pytest.mark.parametrize("is_counted", [True, False])
def test_both_ways_give_the_same(is_counted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(5)  # no secret
    values = [draw.choice([draw.randrange(-20, 300) / 100, None, float("inf"), -0.0]) for _ in range(800)]
    chunk = lines(
        latency({"a_ms": value, "b_ms": 7, "c_ms": None}, NOON + at, f"{at:032x}")
        for at, value in enumerate(values)
    )
    expected = latency_of([chunk])
    monkeypatch.setattr(spread, "is_coarse", lambda *_: is_counted)

    found = latency_of([chunk])

    assert found == expected
    measured = [value for value in values if value is not None and 0 <= value < float("inf")]
    (row,) = (stage for stage in found[2] if stage.stage == "a_ms")
    assert row.count == len(measured)
    assert row.avg == pytest.approx(np.mean(measured), abs=1e-9)
    assert [row.p50, row.p95, row.p99, row.p99_9] == pytest.approx(np.quantile(measured, QUANTILES), abs=1e-9)
    order = sorted(range(800), key=lambda at: (-(v if (v := values[at]) in measured else -9), at))
    assert row.exemplars == tuple(f"{at:032x}" for at in order[:3])


def test_values_of_microseconds_are_not_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    run = Engine.run

    def noting(self: Engine, question: str, text: str, **parameters: object) -> list[tuple[object, ...]]:
        asked.append(text)
        return run(self, question, text, **parameters)

    monkeypatch.setattr(Engine, "run", noting)
    latency_of([lines(latency({"a_ms": at % 40 / 1000}) for at in range(400))])
    assert not any("quantile" in text for text in asked)

    latency_of([lines(latency({"a_ms": at / 7}) for at in range(400))])
    assert any("quantile" in text for text in asked)
