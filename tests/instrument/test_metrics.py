"""Percentiles against numpy, and the collector's summary."""

from __future__ import annotations

import math
import threading
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import UsageError
from polyrecord.metrics import MetricsCollector, StageSummary, calculate_percentiles

LATENCIES = st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=200)


class TestPercentiles:
    @given(LATENCIES, st.lists(st.floats(0, 100), min_size=1, max_size=5, unique=True))
    def test_they_are_those_of_numpy(self, values: list[float], percentiles: list[float]) -> None:
        for percentile in percentiles:
            [(_, value)] = calculate_percentiles(values, (percentile,)).items()

            assert value == np.percentile(values, percentile)

    def test_the_keys_say_which(self) -> None:
        assert list(calculate_percentiles([1.0], (50, 95.0, 99.9, 2.5))) == ["p50", "p95", "p99_9", "p2_5"]

    def test_the_default_is_the_median_95_and_99(self) -> None:
        assert calculate_percentiles(range(101)) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}

    def test_between_two_ranks_they_are_interpolated(self) -> None:
        assert calculate_percentiles([1, 2], (25,)) == {"p25": 1.25}

    def test_the_order_of_the_values_does_not_matter(self) -> None:
        assert calculate_percentiles([3, 1, 2], (0, 50, 100)) == {"p0": 1.0, "p50": 2.0, "p100": 3.0}

    def test_of_nothing_there_are_none(self) -> None:
        assert calculate_percentiles([]) == {}
        assert calculate_percentiles([math.nan]) == {}

    def test_nan_is_ignored(self) -> None:
        assert calculate_percentiles([math.nan, 1.0, math.nan, 3.0], (50,)) == {"p50": 2.0}

    def test_infinity_is_the_largest_value(self) -> None:
        assert calculate_percentiles([1.0, math.inf, math.inf], (0, 100)) == {"p0": 1.0, "p100": math.inf}

    def test_an_iterator_and_decimals_will_do(self) -> None:
        assert calculate_percentiles(iter([Decimal("1.5")]), (50,)) == {"p50": 1.5}

    @pytest.mark.parametrize("percentile", [-1, 100.1, math.nan])
    def test_one_that_does_not_exist_is_refused(self, percentile: float) -> None:
        with pytest.raises(UsageError, match="not a percentile"):
            calculate_percentiles([1.0], (percentile,))


class TestMetricsCollector:
    @given(st.lists(st.floats(0, 1e9), min_size=1, max_size=300))
    def test_the_summary_is_that_of_numpy(self, values: list[float]) -> None:
        collector = MetricsCollector()
        for value in values:
            collector.observe("book_to_signal_ms", value)

        summary = collector.summary()["book_to_signal_ms"]

        assert (summary.count, summary.min, summary.max) == (len(values), min(values), max(values))
        assert summary.average == pytest.approx(np.mean(values))
        percentiles = (summary.p50, summary.p95, summary.p99, summary.p99_9)
        assert percentiles == tuple(np.percentile(values, [50, 95, 99, 99.9]))

    def test_stages_of_one_trace_are_observed_together(self) -> None:
        collector = MetricsCollector()

        collector.observe_latency(book_to_signal_ms=5.2, signal_to_risk_ms=3.1)

        assert {stage: summary.max for stage, summary in collector.summary().items()} == {
            "book_to_signal_ms": 5.2,
            "signal_to_risk_ms": 3.1,
        }

    def test_a_stage_has_one_name_with_or_without_its_unit(self) -> None:
        collector = MetricsCollector()

        collector.observe("a", 1.0)
        collector.observe("a_ms", 2.0)

        assert collector.summary()["a_ms"].count == 2

    def test_missing_and_negative_values_are_counted_apart(self) -> None:
        collector = MetricsCollector()
        for value in (None, math.nan, math.inf, -1.0, 4.0):
            collector.observe("a_ms", value)

        assert collector.summary() == {"a_ms": StageSummary(1, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 4.0, 3, 1)}

    def test_a_stage_without_a_value_has_no_statistics(self) -> None:
        collector = MetricsCollector()
        collector.observe("a_ms", -1.0)

        summary = collector.summary()["a_ms"]

        assert (summary.count, summary.min, summary.average, summary.p99_9) == (0, None, None, None)

    def test_only_the_newest_values_are_kept(self) -> None:
        collector = MetricsCollector(newest=3)
        for value in range(10):
            collector.observe("a_ms", value)

        summary = collector.summary()["a_ms"]

        assert (summary.count, summary.min, summary.max) == (3, 7.0, 9.0)

    def test_a_collector_of_nothing_is_refused(self) -> None:
        with pytest.raises(UsageError, match="at least 1"):
            MetricsCollector(newest=0)

    def test_reset_forgets_everything(self) -> None:
        collector = MetricsCollector()
        collector.observe("a_ms", 1.0)

        collector.reset()

        assert collector.summary() == {}

    def test_threads_may_observe_while_another_summarises(self) -> None:
        collector = MetricsCollector()

        def observe() -> None:
            for number in range(2_000):
                collector.observe("a_ms", float(number))

        threads = [threading.Thread(target=observe) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            collector.summary()
        assert collector.summary()["a_ms"].count == 8_000
