"""Timestamps of foreign logs become nanoseconds exactly."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.foreign.moments import to_ns
from polyrecord.times import UNITS, format_ts

NS = 1_776_550_428_425_123_456
MODERN = st.integers(10**8 * 10**9, 2**63 - 1)  # nanoseconds, 1973 to 2262


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (1_776_550_428, "s", 1_776_550_428_000_000_000),
        (1_776_550_428_425, "ms", 1_776_550_428_425_000_000),
        (1_776_550_428_425_123, "us", 1_776_550_428_425_123_000),
        (NS, "ns", NS),
        ("1780796701304", "ms", 1_780_796_701_304_000_000),
        ("1633998511.132921", "s", 1_633_998_511_132_921_000),
        ("1633998511.132921123", "s", 1_633_998_511_132_921_123),
        ("1.633998511132921e9", "s", 1_633_998_511_132_921_000),
        (" 1633998511 ", "s", 1_633_998_511_000_000_000),
        ("2026-04-18T22:13:48.425Z", "iso", 1_776_550_428_425_000_000),
        ("2026-04-18 22:13:48,425", "iso", 1_776_550_428_425_000_000),
        ("2026-04-19T00:13:48.425+02:00", "auto", 1_776_550_428_425_000_000),
        ("2026-04-18T22:13:48", "auto", 1_776_550_428_000_000_000),
        (0, "s", 0),
        (-1, "ns", -1),
    ],
)
def test_a_time_is_read_in_its_unit(value: object, unit: str, expected: int) -> None:
    assert to_ns(value, unit) == expected


def test_digits_beyond_the_nanosecond_are_cut_downwards() -> None:
    assert to_ns("1633998511.1329211239", "s") == 1_633_998_511_132_921_123
    assert to_ns("-0.0000000001", "s") == -1


@given(MODERN, st.sampled_from(sorted(UNITS)))
def test_the_unit_of_a_modern_number_is_told_by_its_magnitude(ns: int, unit: str) -> None:
    value = ns // UNITS[unit]

    assert to_ns(value, "auto") == to_ns(str(value), "auto") == value * UNITS[unit]


@given(MODERN, st.sampled_from(sorted(UNITS)))
def test_a_decimal_fraction_loses_nothing(ns: int, unit: str) -> None:
    whole, rest = divmod(ns, UNITS[unit])
    digits = len(str(UNITS[unit])) - 1
    text = f"{whole}.{rest:0{digits}d}" if digits else str(whole)

    assert to_ns(text, unit) == ns == int(Fraction(text) * UNITS[unit])


@given(st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_an_iso_time_with_a_zone_agrees_with_datetime(moment: datetime, minutes: int) -> None:
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000

    assert to_ns(aware.isoformat(), "auto") == expected


@given(st.integers(-(2**63), 2**63 - 1))
def test_what_the_event_line_says_is_read_back(ns: int) -> None:
    assert to_ns(format_ts(ns), "iso") == ns


@pytest.mark.parametrize(
    ("value", "unit", "reason"),
    [
        (True, "s", "a bool is no time"),
        (None, "auto", "a NoneType is no time"),
        ({"s": 1}, "auto", "a dict is no time"),
        ("", "auto", "not a time"),
        ("yesterday", "auto", "not a time"),
        ("NaN", "s", "not a number of s"),
        ("Infinity", "auto", "not a time"),
        ("2026-04-18T22:13:48Z", "ms", "not a number of ms"),
        (1_776_550_428, "iso", "not an ISO time"),
        ("2026-13-01T00:00:00Z", "iso", "month"),
        (71, "auto", "name it"),
        ("71.6", "auto", "name it"),
        (10**30, "auto", "name it"),
        (2**63, "ns", "outside the years"),
        ("1e999", "s", "outside the years"),
        ("1" * 1000, "ns", "not a time"),
        ("9999-01-01T00:00:00Z", "iso", "outside the years"),
        ("٣", "ns", "not a number"),
    ],
)
def test_what_is_no_time_says_why(value: object, unit: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        to_ns(value, unit)
