"""The archives that benchmarks run on: seeded, sound, of one density."""

from __future__ import annotations

import gzip
import json
from collections import Counter, defaultdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import archives
import orjson
import pytest
from market import EVENTS_PER_TICK, Market
from timing import POLYRECORD, run

from polyrecord.times import SECOND, parse_ts

EVENTS = 1_200


def shards(root: Path) -> list[Path]:
    return sorted(root.glob("*/*/date=*/*.jsonl.gz"))


def digests(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): sha256(path.read_bytes()).hexdigest() for path in shards(root)}


def lines(root: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for path in shards(root) for line in gzip.decompress(path.read_bytes()).splitlines()
    ]


@pytest.fixture(scope="module")
def day() -> Path:
    return archives.archive("day", EVENTS, quiet=True)


def test_the_same_seed_gives_the_same_bytes(day: Path, tmp_path: Path) -> None:
    archives.make(tmp_path / "again", "day", EVENTS)
    assert digests(tmp_path / "again") == digests(day)


def test_another_seed_gives_other_events(day: Path, tmp_path: Path) -> None:
    archives.make(tmp_path / "other", "day", EVENTS, seed=8)
    assert not {*digests(tmp_path / "other").values()} & {*digests(day).values()}


def test_a_day_has_as_many_events_as_were_asked_for(day: Path) -> None:
    assert len(lines(day)) == EVENTS


def test_a_tenth_of_the_events_is_latency_with_a_trace_of_its_own(day: Path) -> None:
    latencies = [line for line in lines(day) if line["event_type"] == "latency"]
    assert len(latencies) == len({line["trace_id"] for line in latencies}) == EVENTS // EVENTS_PER_TICK


def test_the_end_to_end_is_the_sum_of_the_stages(day: Path) -> None:
    for line in lines(day):
        if line["event_type"] == "latency":
            data = dict(line["data"])
            assert data.pop("strategy")
            assert data.pop("end_to_end_ms") == pytest.approx(sum(data.values()), abs=1e-9)


def test_a_trace_goes_from_the_wire_to_the_latency_and_only_accepted_ones_have_orders(day: Path) -> None:
    traces: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for line in lines(day):
        traces[line.get("trace_id", "")][line["event_type"]] = line["data"]
    traces.pop("")
    for events in traces.values():
        assert {"event_received", "signal", "decision", "latency"} <= set(events)
        assert ("order_request" in events) == (events["decision"]["decision"] == "ACCEPT")
    assert 0 < sum("fill" in events for events in traces.values()) < len(traces)


def test_every_data_is_as_the_recorder_would_encode_it() -> None:
    market = Market(3)
    for tick in range(300):
        for _, data, _ in market.tick(tick):
            assert orjson.dumps(orjson.loads(data)) == data


def test_six_writers_fill_four_streams_of_one_date(day: Path) -> None:
    names = Counter((path.parents[1].name, path.parent.name) for path in shards(day))
    assert names == dict.fromkeys(
        [(stream, "date=2026-11-20") for stream in ("books", "events", "metrics", "telemetry")], 6
    )


@pytest.mark.parametrize("events", [1_000_000, 10_000_000, 30_000_000])
def test_the_last_300_seconds_hold_70_000_ticks_whatever_the_size(events: int) -> None:
    since, ticks = archives.END_NS - 300 * SECOND, 0
    for session in archives.plan("day", events, archives.SEED):
        moments = range(session.start, session.end, session.step)
        ticks += sum(1 for ts in moments[-30_000:] if ts >= since)
    assert abs(ticks - 70_000) <= 6


def test_the_largest_day_begins_and_ends_on_one_date() -> None:
    start, end = archives.span(30_000_000)
    assert parse_ts("2026-11-20") <= start < end < parse_ts("2026-11-21")


def test_verify_finds_it_sound_and_validate_knows_every_event(day: Path) -> None:
    assert "sound" in run([POLYRECORD, "verify", "--root", str(day)])[1]
    run([POLYRECORD, "validate", "--root", str(day)])


def test_a_month_has_thirty_dates_of_latency_events(tmp_path: Path) -> None:
    archives.make(tmp_path / "month", "month", 90)
    found = Counter(line["ts"][:10] for line in lines(tmp_path / "month"))
    assert len(found) == archives.DAYS
    assert set(found.values()) == {3}


def test_an_archive_that_is_there_is_not_made_again(day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "make", None)
    assert archives.archive("day", EVENTS) == day


def test_traces_are_found_where_they_were_drawn(day: Path) -> None:
    known = {line.get("trace_id") for line in lines(day)}
    found = archives.traces(day, EVENTS, 4)
    assert len(found) == 4
    assert set(found) <= known
    assert found == archives.traces(day, EVENTS, 4)
