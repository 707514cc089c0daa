"""A writer that lives has not ended, also where all of its shards are sealed: `runs` and coverage agree."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polyrecord import EventRecorder
from polyrecord.read.archive import Archive
from polyrecord.read.coverage import coverage
from polyrecord.read.ends import ends_of
from polyrecord.read.explain import Explain
from polyrecord.record.policy import RotatePolicy
from polyrecord.upkeep.runs import RunState, find_run
from tests.recovery import crashed
from tests.recovery.crashed import NOON, WRITER, open_shards, sealed_shards


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[EventRecorder]:
    """A recorder that has just sealed its only shard, and waits for more."""
    rotate = RotatePolicy(max_events=20)
    with EventRecorder(tmp_path, rotate=rotate, flush_interval=60, buffer_size=1000) as recorder:
        for number in range(20):
            recorder.record("signal", {"n": number})
        assert recorder.flush().wait(10).ok
        deadline = time.monotonic() + 10
        while open_shards(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.01)  # a flush does not wait for the seal
        assert (len(sealed_shards(tmp_path)), open_shards(tmp_path)) == (1, [])
        yield recorder


def unclean(root: Path) -> tuple[str, ...]:
    return coverage(Archive(root)).unclean


def change(root: Path, **told: Any) -> str:
    """Change what the only manifest says; its writer."""
    (path,) = (root / "logs/_writers").glob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **told}))
    return path.stem


def test_an_idle_writer_without_an_open_shard_is_running(idle: EventRecorder, tmp_path: Path) -> None:
    writer = change(tmp_path)
    assert unclean(tmp_path) == ()
    assert find_run(tmp_path, writer).state is RunState.RUNNING


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"pid": crashed.dead_pid()}, RunState.CRASHED),
        ({"boot_id": "another"}, RunState.CRASHED),
        ({"started": "2020-01-01T00:00:00Z"}, RunState.CRASHED),  # the pid has come to be another's
        ({"pid": "1"}, RunState.CRASHED),
        ({"pid": True}, RunState.CRASHED),
        ({"host": "another"}, RunState.UNKNOWN),
    ],
)
def test_one_whose_process_is_gone_is_not(
    idle: EventRecorder, tmp_path: Path, told: dict[str, Any], state: RunState
) -> None:
    writer = change(tmp_path, **told)
    assert unclean(tmp_path) == (writer,)
    assert find_run(tmp_path, writer).state is state


@pytest.mark.parametrize("copy", ["cut", "merged", "salvaged"])
def test_a_copy_of_a_living_writers_shards_has_no_writer(
    idle: EventRecorder, tmp_path: Path, copy: str
) -> None:
    assert unclean(tmp_path) == ()
    writer = change(tmp_path, **{copy: {}})
    assert unclean(tmp_path) == (writer,)


def test_a_shard_that_is_sealed_while_it_is_looked_at_is_no_crash(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {"n": 1})
        assert recorder.flush().wait(10).ok
        listed = Archive(tmp_path).shards()
        assert [info.name.sealed for info in listed] == [False]
    writers = {info.name.writer for info in listed}
    assert ends_of(Archive(tmp_path), listed, writers, [], Explain()) == []


def test_an_empty_shard_of_a_living_writer_is_about_to_be_locked(idle: EventRecorder, tmp_path: Path) -> None:
    (sealed,) = sealed_shards(tmp_path)
    empty = sealed.parent / "_open" / sealed.name.replace("-0001.", "-0002.")
    empty.parent.mkdir(exist_ok=True)
    empty.touch()
    assert unclean(tmp_path) == ()
    empty.write_bytes(sealed.read_bytes()[:100])
    assert len(unclean(tmp_path)) == 1


@pytest.mark.parametrize("seconds", [1e300, -1, True, "1", None, []])
def test_a_flush_interval_that_is_none_is_not_told(tmp_path: Path, seconds: Any) -> None:
    crashed.record(tmp_path, 20, flush={"seconds": seconds})
    (end,) = coverage(Archive(tmp_path)).ends
    assert (end.writer, end.seconds) == (WRITER, None)
    assert end.last_ts is not None
    assert end.last_ts > NOON
