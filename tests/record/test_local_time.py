"""The local time on each line, in the zone that was asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord import EventRecorder, replay
from polyrecord.errors import ConfigError
from polyrecord.record.local_time import LocalTime
from polyrecord.testing import FrozenClock, read_lines
from polyrecord.times import SECOND, parse_ts

ZONES = ("Asia/Kolkata", "America/New_York", "Europe/London", "UTC", "Australia/Lord_Howe", "Asia/Kathmandu")


@pytest.mark.parametrize(
    ("utc", "zone", "local"),
    [
        ("2026-11-20T12:34:56.789123456Z", "Asia/Kolkata", "2026-11-20T18:04:56.789123456+05:30"),
        ("2026-03-29T00:59:59.999999999Z", "Europe/London", "2026-03-29T00:59:59.999999999+00:00"),
        ("2026-03-29T01:00:00.000000000Z", "Europe/London", "2026-03-29T02:00:00.000000000+01:00"),
        ("2026-11-01T05:59:59.000000000Z", "America/New_York", "2026-11-01T01:59:59.000000000-04:00"),
        ("2026-11-01T06:00:00.000000000Z", "America/New_York", "2026-11-01T01:00:00.000000000-05:00"),
    ],
)
def test_it_is_the_same_moment_as_a_clock_on_the_wall_there_shows_it(utc: str, zone: str, local: str) -> None:
    assert LocalTime(zone)(parse_ts(utc)) == local


@given(st.lists(st.integers(-(10**18), 4 * 10**18), max_size=20), st.sampled_from(ZONES))
def test_it_agrees_with_the_standard_library_whatever_came_before(times: list[int], zone: str) -> None:
    local = LocalTime(zone)
    for ts in times:
        seconds, fraction = divmod(ts, SECOND)
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        text = moment.astimezone(ZoneInfo(zone)).isoformat()
        assert local(ts) == f"{text[:19]}.{fraction:09d}{text[19:]}"


def test_it_stands_on_each_line_and_changes_nothing_for_readers(tmp_path: Path) -> None:
    clock = FrozenClock("2026-11-20T12:34:56Z")
    with EventRecorder(tmp_path, clock=clock, local_zone="Asia/Kolkata", bot_id="b") as recorder:
        recorder.record("signal", {"n": 1}, "4f1c")
    (line,) = read_lines(tmp_path)
    assert line["ts_local"] == "2026-11-20T18:04:56.000000000+05:30"
    assert list(line) == ["ts", "seq", "event_type", "trace_id", "bot_id", "ts_local", "data"]
    assert [(event.ts, event.data) for event in replay(tmp_path)] == [(line["ts"], {"n": 1})]


@pytest.mark.parametrize("zone", ["IST (India)", "../../etc/passwd", "Asia/Nowhere", "", "\0"])
def test_a_zone_that_is_not_known_is_refused_at_once(tmp_path: Path, zone: str) -> None:
    if zone == "":
        with EventRecorder(tmp_path, local_zone=zone) as recorder:
            recorder.record("signal", {})
        assert "ts_local" not in read_lines(tmp_path)[0]
        return
    with pytest.raises(ConfigError, match="time zone"):
        EventRecorder(tmp_path, local_zone=zone)
