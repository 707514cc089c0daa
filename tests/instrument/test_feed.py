"""What a feed leaves out is found, said once, and nothing is invented."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import ConfigError
from polyrecord.events.catalogue import validate
from polyrecord.instrument.feed import FeedMonitor
from polyrecord.instrument.feed_rules import (
    Rule,
    increments_by_one,
    names_its_predecessor,
    ranges_join,
)
from polyrecord.record.recorder import EventRecorder
from polyrecord.testing import FrozenClock, read_lines
from polyrecord.times import SECOND, parse_ts


class Notebook:
    """Keeps what a recorder would be told, and checks it against the catalogue."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def record(self, event_type: str, data: dict[str, Any]) -> bool:
        validate(event_type, data)
        self.events.append((event_type, data))
        return True

    @property
    def types(self) -> list[str]:
        return [event_type for event_type, _ in self.events]

    def of(self, event_type: str, reason: str | None = None) -> list[dict[str, Any]]:
        return [data for name, data in self.events if name == event_type and reason in (None, data["reason"])]


def watched(
    rule: Rule | None = increments_by_one, **options: Any
) -> tuple[FeedMonitor, Notebook, FrozenClock]:
    notebook, clock = Notebook(), FrozenClock()
    monitor = FeedMonitor(notebook, "venue.book", next_expected=rule, clock=clock, **options)  # type: ignore[arg-type]
    return monitor, notebook, clock


def test_a_number_that_is_left_out_is_one_gap() -> None:
    monitor, notebook, clock = watched()
    assert monitor.message("A", 5)
    clock.advance(0.25)
    assert not monitor.message("A", 9)
    assert monitor.message("A", 10)

    assert notebook.events == [
        (
            "gap",
            {
                "source": "venue.book",
                "reason": "sequence",
                "token_id": "A",
                "expected": 6,
                "received": 9,
                "missing": 3,
                "silent_ms": 250.0,
                "since_ts": "2026-11-20T12:00:00.000000000Z",
                "until_ts": "2026-11-20T12:00:00.250000000Z",
            },
        )
    ]
    assert (monitor.stats().gaps, monitor.stats().missing) == (1, 3)


def test_tokens_are_numbered_on_their_own() -> None:
    monitor, notebook, _ = watched()
    for token, number in [("A", 1), ("B", 70), ("A", 2), ("B", 71), (None, 9), (None, 10)]:
        assert monitor.message(token, number)
    assert notebook.events == []


def test_duplicates_and_late_messages_are_no_gaps() -> None:
    monitor, notebook, _ = watched()
    for number in (1, 2, 2, 1, 3):
        assert monitor.message("A", number)
    assert notebook.events == []
    assert (monitor.stats().duplicates, monitor.stats().out_of_order) == (1, 1)


def test_a_venue_that_numbers_anew_is_believed_after_a_hundred_messages() -> None:
    monitor, notebook, _ = watched()
    monitor.message("A", 1_000_000)
    answers = [monitor.message("A", number) for number in range(1, 201)]

    assert [data["reason"] for data in notebook.of("gap")] == ["restart"]
    assert answers.count(False) == 1
    assert not monitor.message("A", 203), "gaps of the new numbering are found"


def test_ranges_that_join_or_overlap_are_in_order() -> None:
    monitor, notebook, _ = watched(ranges_join)
    for covered in [(10, 12), (13, 13), (14, 20), (18, 25), (26, 26)]:
        assert monitor.message("ETHUSDT", covered)
    assert not monitor.message("ETHUSDT", (30, 31))

    (gap,) = notebook.of("gap")
    assert (gap["expected"], gap["received"], gap["missing"]) == (27, 30, 3)


def test_a_message_that_names_another_predecessor_is_a_gap_of_unknown_size() -> None:
    monitor, notebook, _ = watched(names_its_predecessor)
    for before, own in [(90, 100), (100, 140), (140, 141)]:
        assert monitor.message("BTC", (before, own))
    assert monitor.message("BTC", (100, 140))
    assert not monitor.message("BTC", (150, 160))

    (gap,) = notebook.of("gap")
    assert (gap["expected"], gap["received"], gap["missing"]) == (141, 150, None)
    assert monitor.stats().out_of_order == 1


def test_a_rule_of_the_bot_is_followed() -> None:
    monitor, notebook, _ = watched(lambda previous, number: (previous + 10, number, number, None))
    assert monitor.message("A", 10)
    assert monitor.message("A", 20)
    assert not monitor.message("A", 40)
    assert len(notebook.of("gap", "sequence")) == 1


def test_without_a_rule_only_silence_counts() -> None:
    monitor, notebook, _ = watched(None)
    assert monitor.message("A", 1)
    assert monitor.message("A", 99)
    assert notebook.events == []


def test_a_silence_is_told_once_and_its_end_is_a_gap() -> None:
    monitor, notebook, clock = watched(stale_after=5.0)
    monitor.message("A", 1)
    clock.advance(4.9)
    assert not monitor.check()
    clock.advance(0.2)
    assert monitor.check()
    clock.advance(3)
    assert monitor.check()
    monitor.message("A", 2)

    assert not monitor.check()
    assert notebook.types == ["stale", "gap"]
    (gap,) = notebook.of("gap", "silence")
    assert gap["silent_ms"] == 8100.0
    assert parse_ts(gap["until_ts"]) - parse_ts(gap["since_ts"]) == 8_100_000_000
    assert monitor.stats().silences == 1


def test_a_silence_that_nobody_looked_at_is_still_a_gap() -> None:
    monitor, notebook, clock = watched(stale_after=1.0)
    monitor.message()
    clock.advance(2.5)
    monitor.message()
    assert notebook.types == ["gap"]
    assert notebook.of("gap", "silence")[0]["silent_ms"] == 2500.0
    assert monitor.stats().silences == 1


def test_a_feed_is_not_stale_before_its_first_message_or_connection() -> None:
    monitor, notebook, clock = watched()
    clock.advance(60)
    assert not monitor.check()
    monitor.message()
    assert notebook.events == []


def test_a_connection_that_brings_nothing_is_stale() -> None:
    monitor, notebook, clock = watched(stale_after=5.0)
    monitor.connected()
    clock.advance(6)
    assert monitor.check()
    assert notebook.types == ["stale"]


def test_a_lost_connection_is_one_reconnect_and_no_gap() -> None:
    monitor, notebook, clock = watched()
    monitor.connected()
    monitor.message("A", 5)
    clock.advance(1)
    monitor.disconnected("code 1006")
    clock.advance(1)
    monitor.disconnected("timed out")
    clock.advance(60)
    assert not monitor.check(), "a feed that is known to be down is not stale"
    monitor.connected()
    monitor.message("A", 900)

    assert notebook.types == ["reconnect"]
    (data,) = notebook.of("reconnect")
    assert (data["reason"], data["attempt"], data["down_ms"]) == ("code 1006", 2, 61_000.0)
    assert parse_ts(data["until_ts"]) - parse_ts(data["since_ts"]) == 62 * SECOND


def test_a_message_after_a_loss_means_that_the_connection_is_back() -> None:
    monitor, notebook, clock = watched()
    monitor.message("A", 1)
    monitor.disconnected("closed")
    clock.advance(2)
    assert monitor.message("A", 50)
    assert notebook.types == ["reconnect"]


def test_a_connection_announced_twice_has_been_lost_in_between() -> None:
    monitor, notebook, clock = watched()
    monitor.connected()
    monitor.message("A", 1)
    clock.advance(3)
    monitor.connected()
    assert notebook.types == ["reconnect"]
    assert notebook.of("reconnect")[0]["down_ms"] == 3000.0


def test_numbers_go_on_from_a_snapshot() -> None:
    monitor, notebook, _ = watched()
    monitor.message("A", 10)
    monitor.snapshot("A", 500)
    assert monitor.message("A", 501)
    assert not monitor.message("A", 503)
    assert notebook.of("gap")[0]["expected"] == 502


def test_a_book_that_does_not_come_is_told_and_so_is_its_arrival() -> None:
    monitor, notebook, clock = watched(stale_after=60.0)
    monitor.connected()
    for token in ("A", "B"):
        monitor.expect_snapshot(token, within=10)
    clock.advance(1)
    monitor.snapshot("A", 1)
    clock.advance(10)
    monitor.check()
    monitor.check()
    assert [data["token_id"] for data in notebook.of("stale", "no_snapshot")] == ["B"]

    clock.advance(4)
    monitor.snapshot("B", 1)
    (gap,) = notebook.of("gap", "no_snapshot")
    assert (gap["token_id"], gap["silent_ms"]) == ("B", 15_000.0)


def test_memory_is_bounded_however_many_tokens_there_are() -> None:
    monitor, notebook, _ = watched(most_tokens=100)
    for token in range(1_000):
        monitor.message(str(token), 7)
        monitor.expect_snapshot(str(token))
    assert len(monitor._tokens) == 100
    assert len(monitor._awaited) == 100
    assert monitor.stats().forgotten == 900
    assert monitor.message("0", 99), "what is forgotten begins anew, without a gap"
    assert notebook.events == []


def test_a_rule_that_raises_stays_out_of_the_strategy(caplog: pytest.LogCaptureFixture) -> None:
    monitor, notebook, _ = watched()
    with caplog.at_level(logging.ERROR, "polyrecord"):
        for number in (1, "two", None, 2, "three"):
            assert monitor.message("A", number)
    assert notebook.events == []
    assert monitor.stats().errors == 2
    assert len(caplog.records) == 1


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError):
        FeedMonitor(stale_after=0)
    with pytest.raises(ConfigError):
        FeedMonitor(most_tokens=0)


async def test_a_task_notices_silence_while_no_message_comes() -> None:
    noticed = asyncio.Event()

    class Bell(Notebook):
        def record(self, event_type: str, data: dict[str, Any]) -> bool:
            noticed.set()
            return super().record(event_type, data)

    notebook = Bell()
    monitor = FeedMonitor(notebook, "venue", stale_after=0.02)  # type: ignore[arg-type]
    async with monitor.watch():
        monitor.message()
        await asyncio.wait_for(noticed.wait(), 5)
    assert notebook.types == ["stale"]
    assert all("polyrecord-watch" not in task.get_name() for task in asyncio.all_tasks())


@given(
    counts=st.dictionaries(st.sampled_from("ABCD"), st.integers(1, 60), min_size=1),
    seed=st.integers(0, 2**32),
    loss=st.sampled_from([0.0, 0.05, 0.5]),
)
def test_all_planted_gaps_are_found_and_none_is_invented(
    counts: dict[str, int], seed: int, loss: float
) -> None:
    random = Random(seed)
    monitor, notebook, clock = watched()
    sent = dict.fromkeys(counts, 0)
    last: dict[str, int] = {}
    planted: list[tuple[str, int, int]] = []
    queue = [token for token, count in counts.items() for _ in range(count)]
    random.shuffle(queue)
    for token in queue:
        sent[token] += 1
        clock.advance(random.random())
        if random.random() < loss:
            continue
        if token in last and sent[token] != last[token] + 1:
            planted.append((token, last[token] + 1, sent[token]))
        last[token] = sent[token]
        monitor.message(token, sent[token])
        if random.random() < 0.1:
            monitor.message(token, sent[token])  # sent twice by the venue

    found = [
        (data["token_id"], data["expected"], data["received"]) for data in notebook.of("gap", "sequence")
    ]
    assert found == planted
    assert monitor.stats().missing == sum(received - expected for _, expected, received in planted)


def test_what_a_monitor_finds_is_in_the_archive(tmp_path: Path) -> None:
    clock = FrozenClock()
    with EventRecorder(tmp_path, clock=clock, validate=True) as recorder:
        monitor = FeedMonitor(recorder, "venue.book", next_expected=increments_by_one, clock=clock)
        monitor.connected()
        monitor.message("A", 1)
        monitor.message("A", 4)
        clock.advance(9)
        monitor.check()
        monitor.disconnected("no data")
        clock.advance(1)
        monitor.connected()

    lines = read_lines(tmp_path)
    assert [line["event_type"] for line in lines] == ["gap", "stale", "reconnect"]
    assert {path.parts[-4:-2] for path in tmp_path.glob("*/*/date=*/*.gz")} == {("logs", "telemetry")}


def test_a_real_feed_is_whole_and_what_is_taken_out_of_it_is_found(recordings: Path) -> None:
    lines = gzip.decompress(
        (recordings / "hftbacktest_raw/spot_ethusdt_20240808.gz").read_bytes()
    ).splitlines()
    frames = [json.loads(line.split(b" ", 1)[1]) for line in lines]
    updates = [
        (data["U"], data["u"]) for data in (frame.get("data", frame) for frame in frames) if "U" in data
    ]
    taken_out = set(Random(1).sample(range(1, len(updates) - 1), 60))

    whole, found, _ = watched(ranges_join)
    assert all(whole.message("ETHUSDT", update) for update in updates)
    assert found.events == []

    holed, found, _ = watched(ranges_join)
    for at, update in enumerate(updates):
        if at not in taken_out:
            holed.message("ETHUSDT", update)
    assert len(found.of("gap")) == sum(at - 1 not in taken_out for at in taken_out)
    assert holed.stats().missing == sum(updates[at][1] - updates[at][0] + 1 for at in taken_out)
