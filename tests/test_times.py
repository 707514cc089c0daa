"""Times as text and what people type, against datetime as the independent reader."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import UsageError
from polyrecord.times import SECOND, date_of, format_second, format_ts, parse_moment, parse_ts

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = -62_135_596_800 * SECOND  # 0001-01-01
LAST = 253_402_300_800 * SECOND - 1  # the last nanosecond of 9999
ALL = st.integers(FIRST, LAST)
NOW = 1_795_177_696_789_123_456  # 2026-11-20T12:28:16.789123456Z


@given(ALL)
def test_a_timestamp_is_read_back_to_the_nanosecond(ns: int) -> None:
    text = format_ts(ns)
    assert parse_ts(text) == ns
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", text)


@given(ALL)
def test_a_timestamp_is_what_datetime_says(ns: int) -> None:
    moment = EPOCH + timedelta(microseconds=ns // 1000)
    assert format_ts(ns) == moment.isoformat(timespec="microseconds").removesuffix("+00:00") + (
        f"{ns % 1000:03d}Z"
    )
    assert date_of(ns) == moment.date().isoformat()


@given(ALL, ALL)
def test_the_order_of_the_text_is_the_order_of_time(one: int, other: int) -> None:
    assert (format_ts(one) < format_ts(other)) is (one < other)


@given(st.datetimes(timezones=st.timezones()))
def test_iso_text_with_an_offset_is_that_moment(moment: datetime) -> None:
    text = moment.isoformat()
    if re.search(r"[+-]\d\d:\d\d\Z", text):
        assert parse_ts(text) == (moment - EPOCH) // timedelta(microseconds=1) * 1000


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-11-20", "2026-11-20T00:00:00.000000000Z"),
        ("2026-11-20T12:34", "2026-11-20T12:34:00.000000000Z"),
        ("2026-11-20 12:34:56", "2026-11-20T12:34:56.000000000Z"),
        ("2026-11-20t12:34:56z", "2026-11-20T12:34:56.000000000Z"),
        ("2026-11-20T12:34:56.7Z", "2026-11-20T12:34:56.700000000Z"),
        ("2026-11-20T12:34:56,7Z", "2026-11-20T12:34:56.700000000Z"),
        ("2026-11-20T12:34:56.1234567899Z", "2026-11-20T12:34:56.123456789Z"),
        ("2026-11-20T12:34:56+01:00", "2026-11-20T11:34:56.000000000Z"),
        ("2026-11-20T12:34:56-0530", "2026-11-20T18:04:56.000000000Z"),
        ("2026-11-20T00:00:00+14:00", "2026-11-19T10:00:00.000000000Z"),
        ("2024-02-29T23:59:59Z", "2024-02-29T23:59:59.000000000Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000000Z"),
        ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500000000Z"),
    ],
)
def test_times_as_other_programs_write_them(text: str, same: str) -> None:
    assert format_ts(parse_ts(text)) == same


@pytest.mark.parametrize(
    "text",
    ["", "x", "2026", "2026-11", "2026-13-01", "2026-02-30", "2025-02-29", "0000-01-01", "26-11-20",
     "2026-11-20T24:00:00Z", "2026-11-20T12:60:00Z", "2026-11-20T12:00:61Z", "2026-11-20T12", "2026-11-20Z",
     "2026-11-20T12:00:00.Z", "2026-11-20T12:00:00+1", "2026-11-20T12:00:00+24:00",
     "2026-11-20T12:00:00+01:60",
     "2026-11-20T12:00:00Z\n", " 2026-11-20", "\uff12\uff10\uff12\uff16-11-20", "1732106096"],
)  # fmt: skip
def test_other_text_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a time|must be in|out of range"):
        parse_ts(text)


@given(st.text())
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        parse_ts(text)
    except ValueError:
        return
    assert re.match(r"\d{4}-", text)


@given(st.integers(FIRST // SECOND, LAST // SECOND))
def test_seconds_are_formatted_in_all_years(seconds: int) -> None:
    assert format_second(seconds) == (EPOCH + timedelta(seconds=seconds)).isoformat()[:19]


@pytest.mark.parametrize(
    ("typed", "moment"),
    [
        ("now", NOW),
        (" NOW ", NOW),
        ("today", parse_ts("2026-11-20")),
        ("Yesterday", parse_ts("2026-11-19")),
        ("-90s", NOW - 90 * SECOND),
        ("-5m", NOW - 300 * SECOND),
        ("-3h", NOW - 3 * 3600 * SECOND),
        ("-1.5H", NOW - 5400 * SECOND),
        ("-2d", NOW - 2 * 86_400 * SECOND),
        ("-1w", NOW - 7 * 86_400 * SECOND),
        ("2026-11-20T12:34:56Z", parse_ts("2026-11-20T12:34:56Z")),
        ("2026-11-20", parse_ts("2026-11-20")),
    ],
)
def test_what_people_type(typed: str, moment: int) -> None:
    assert parse_moment(typed, NOW) == moment


def test_today_is_utc_at_any_time_of_the_day() -> None:
    midnight = parse_ts("2026-11-20")
    for now in (midnight, midnight + 86_400 * SECOND - 1):
        assert (parse_moment("today", now), parse_moment("yesterday", now)) == (
            midnight,
            midnight - 86_400 * SECOND,
        )


@pytest.mark.parametrize(
    "typed",
    ["", "tomorrow", "3h", "+3h", "-3", "-h", "-3y", "--3h", "-1e9h", "-٣h", "2026-02-30", "-99999999w",
     "-" + "9" * 400 + "d"],
)  # fmt: skip
def test_what_is_no_moment_is_a_usage_error_with_a_hint(typed: str) -> None:
    with pytest.raises(UsageError, match="not a time") as caught:
        parse_moment(typed, NOW)
    assert caught.value.hint is not None
    assert len(caught.value.what) < 120


@given(st.text() | st.from_regex(r"-\d+(\.\d+)?[smhdw]", fullmatch=True))
def test_any_text_is_a_moment_or_a_usage_error(typed: str) -> None:
    try:
        moment = parse_moment(typed, NOW)
    except UsageError:
        return
    assert format_ts(moment)
