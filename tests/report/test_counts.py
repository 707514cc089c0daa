"""Counting events by a field, and what is read where no header tells."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.where import parse_condition
from polyrecord.report.counts import count_by
from polyrecord.report.info import describe
from polyrecord.report.question import Question
from tests.report.archives import NOON, Given, read, write

MINUTE = 60_000_000_000


def day(root: Path) -> list[dict[str, Any]]:
    """Some 300 events over ten minutes; the same, read with gzip and json."""
    events = [
        Given(
            NOON + at * 2_000_000_000 + 7,
            ("signal", "fill", "my_own")[at % 3],
            {"strategy": f"s{at % 5}", "size": at} if at % 7 else {"size": at},
            trace_id=f"{at % 11:08x}",
        )
        for at in range(300)
    ]
    write(root, events)
    return read(root)


@pytest.mark.parametrize(
    "field", ["strategy", "data.strategy", "event_type", "trace_id", "size", "minute", "hour"]
)
def test_every_event_is_in_one_group(tmp_path: Path, field: str) -> None:
    def key(event: dict[str, Any]) -> str | None:
        if field in ("minute", "hour"):
            return str(event["ts"][: {"minute": 16, "hour": 13}[field]])
        value = event.get(field, event["data"].get(field.removeprefix("data.")))
        return None if value is None else str(value)

    expected = Counter(map(key, day(tmp_path)))

    counts = count_by(Question(Archive(tmp_path)), field)

    assert {row.value: row.events for row in counts.groups} == expected
    assert counts.events == 300
    assert sum(row.share for row in counts.groups) == pytest.approx(1, abs=1e-3)


def test_groups_come_by_time_or_by_falling_count_with_the_times_they_span(tmp_path: Path) -> None:
    events = day(tmp_path)

    by_time = count_by(Question(Archive(tmp_path)), "minute").groups
    by_count = count_by(Question(Archive(tmp_path)), "strategy").groups

    assert [row.value for row in by_time] == sorted({event["ts"][:16] for event in events})
    assert [row.events for row in by_count] == sorted((row.events for row in by_count), reverse=True)
    first = [event["ts"] for event in events if event["data"].get("strategy") == by_count[0].value]
    assert (by_count[0].first_ts, by_count[0].last_ts) == (min(first), max(first))


def test_conditions_count_the_events_they_hold_of_and_only_shards_that_have_some(tmp_path: Path) -> None:
    expected = Counter(event["event_type"] for event in day(tmp_path) if event["data"]["size"] > 250)

    info = describe(Question(Archive(tmp_path), Selection(where=(parse_condition("size>250"),))))

    assert info.counted
    assert sum((Counter(row.types) for row in info.shards), Counter()) == expected
    assert sum(row.events for row in info.streams) == expected.total()


def test_plain_shards_are_read_and_counted_and_so_known_to_the_coverage(tmp_path: Path) -> None:
    day(tmp_path)
    for path in tmp_path.rglob("*.jsonl.gz"):
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())))

    info = describe(Question(Archive(tmp_path), explain=Explain()))

    assert (sum(row.events for row in info.shards), info.coverage.events) == (300, 300)
    assert sum((Counter(row.types) for row in info.streams), Counter()) == dict.fromkeys(
        ("signal", "fill", "my_own"), 100
    )
