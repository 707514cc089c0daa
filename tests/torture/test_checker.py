"""The checker sees what it is there to see: archives that break a promise, and one that does not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from polyrecord.record.policy import RotatePolicy
from polyrecord.record.recorder import EventRecorder
from polyrecord.testing import shard_files, tear
from tests.torture.checker import Promise, Tally, check
from tests.torture.events import TYPES, data_of
from tests.torture.journal import Journal, JournalWriter
from tests.torture.report import Outcome, as_json, table

COUNT = 90
ENDED = Promise(ended=True)


class Recording:
    """An archive of one victim that ended in order, in three shards, and its journal."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "archive"
        path = folder / "v1.journal"
        with EventRecorder(self.root, rotate=RotatePolicy(max_events=30)) as recorder:
            self.writer = JournalWriter(path, 1, 0.1, recorder.writer)
            for number in range(1, COUNT + 1):
                recorder.record(TYPES[0], data_of("v1", 0, number))
                self.writer.count(0, number, 0)
                if number % 30 == 0:
                    recorder.flush().wait(10)
        self.writer.acknowledge([COUNT], durable=True)
        self._path = path

    @property
    def shards(self) -> list[Path]:
        return shard_files(self.root)

    def forget_the_end(self) -> None:
        """As if the writer had died: no last shard, and no manifest that says it ended."""
        self.shards[-1].unlink()
        for manifest in (self.root / "logs" / "_writers").iterdir():
            manifest.unlink()

    def check(self, promise: Promise = ENDED) -> Tally:
        return check(self.root, [(Journal.read(self._path), promise)])


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path)


def test_a_whole_archive_keeps_every_promise(recording: Recording) -> None:
    tally = recording.check()
    assert tally.breaches == []
    assert (tally.recorded, tally.acknowledged, tally.read_back, tally.lost) == (COUNT, COUNT, COUNT, 0)


def test_an_acknowledged_event_that_is_missing_is_lost(recording: Recording) -> None:
    recording.shards[-1].unlink()
    tally = recording.check(Promise())
    assert (tally.read_back, tally.lost) == (COUNT - 30, 30)
    assert "30 events of 90 acknowledged are lost, 0 were declared" in tally.breaches[0]


def test_a_hole_between_events_is_seen_though_nothing_was_acknowledged(recording: Recording) -> None:
    recording.writer.acknowledge([0], durable=False)
    recording.shards[1].unlink()
    tally = recording.check(Promise())
    assert tally.lost == 0
    assert "30 events are missing between others, 0 were declared" in tally.breaches[0]


def test_what_was_recorded_before_a_crash_may_be_missing_and_is_accounted_for(recording: Recording) -> None:
    recording.writer.acknowledge([60], durable=False)
    recording.forget_the_end()
    tally = recording.check(Promise())
    assert tally.breaches == []
    assert (tally.lost, tally.accounted) == (0, 30)


def test_but_not_if_it_was_recorded_long_before(recording: Recording) -> None:
    recording.writer.acknowledge([0], durable=False)
    for shard in recording.shards:
        shard.unlink()
    marks = Journal.read(recording.root.parent / "v1.journal").threads[0].marks
    soon = recording.check(Promise(died_ns=marks[0][0] + 10**9, tail_seconds=2.0))
    late = recording.check(Promise(died_ns=marks[0][0] + 10**10, tail_seconds=2.0))
    assert soon.breaches == []
    assert "events recorded 10.00 s before the end are missing" in late.breaches[0]


def test_an_event_that_is_there_twice_is_seen(recording: Recording) -> None:
    first = recording.shards[0]
    shutil.copy(first, first.with_name(first.name.replace("-0001.", "-0009.")))
    tally = recording.check()
    assert tally.duplicates == 30
    assert any("more than once" in breach for breach in tally.breaches)


def test_shards_in_the_wrong_order_are_seen(recording: Recording) -> None:
    first, second, _ = recording.shards
    aside = first.with_name("aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    assert recording.check().out_of_order > 0


def test_a_sealed_shard_with_a_torn_end_is_seen(recording: Recording) -> None:
    tear(recording.shards[-1], -5)
    tally = recording.check()
    assert tally.torn_tails == 1
    assert any("is sealed and" in breach for breach in tally.breaches)


def test_an_event_that_nobody_recorded_is_seen(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        recorder.record(TYPES[0], {**data_of("v1", 0, 1), "x": "changed"})
    tally = check(tmp_path, [])
    assert tally.wrong == 1


def test_the_table_tells_what_was_broken_and_how_to_repeat_it(recording: Recording) -> None:
    recording.shards[-1].unlink()
    outcome = Outcome("kill -9", 7, 1.0, recording.check(Promise()))
    told = table([outcome]).splitlines()
    assert told[1].split() == ["kill", "-9", "1", "90", "90", "60", "30", "0", "1", "BREACH"]
    assert 'again with scripts/torture --only "kill -9" --seed 7' in told[2]
    assert json.loads(as_json([outcome]))["scenarios"][0]["lost"] == 30
