"""A window is cut into the longest whole periods that fit, and what is left at its edges."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from polyrecord.derived.histogram import PERIODS
from polyrecord.derived.rollup_spans import EARLIEST, LATEST, Span, spans_of

HOUR, DAY = PERIODS["hour"], PERIODS["day"]
TIMES = st.one_of(
    st.integers(-10 * DAY, 10 * DAY),
    st.integers(-240, 240).map(lambda hours: hours * HOUR),
    st.sampled_from([EARLIEST, LATEST]),
)
NAMES = list(PERIODS)


@given(TIMES, TIMES, st.integers(0, 2), st.integers(0, 2))
def test_spans_make_up_the_window_without_gap_or_overlap(low: int, high: int, first: int, last: int) -> None:
    spans = spans_of(low, high, NAMES[first], NAMES[last])
    edges = [low, *(span.high for span in spans)]
    assert [(span.low, span.high) for span in spans] == list(pairwise(edges))
    assert edges[-1] == max(low, high)


@given(TIMES, TIMES)
def test_every_span_is_of_whole_periods(low: int, high: int) -> None:
    for span in spans_of(low, high):
        if span.level is not None:
            ends = [end for end in (span.low, span.high) if end not in (EARLIEST, LATEST)]
            assert all(end % PERIODS[span.level] == 0 for end in ends)


@given(TIMES, TIMES)
def test_what_a_longer_period_tells_is_not_told_by_shorter_ones(low: int, high: int) -> None:
    longest = {None: PERIODS["minute"], "minute": HOUR, "hour": DAY}
    for span in spans_of(low, high):
        if span.level in longest:
            period = longest[span.level]
            assert -(-span.low // period) >= span.high // period


def test_a_window_of_two_and_a_bit_days() -> None:
    low, high = HOUR + 1, 3 * DAY + 90 * PERIODS["minute"]
    assert spans_of(low, high) == [
        Span(None, low, HOUR + PERIODS["minute"]),
        Span("minute", HOUR + PERIODS["minute"], 2 * HOUR),
        Span("hour", 2 * HOUR, DAY),
        Span("day", DAY, 3 * DAY),
        Span("hour", 3 * DAY, 3 * DAY + HOUR),
        Span("minute", 3 * DAY + HOUR, high),
    ]


def test_where_the_shortest_period_is_longer_than_the_longest_asked_for_all_is_edge() -> None:
    assert spans_of(0, DAY, "hour", "minute") == [Span(None, 0, DAY)]
