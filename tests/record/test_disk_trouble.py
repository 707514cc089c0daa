"""A disk in trouble: who is told, what is held, what is made good, and how recording resumes by itself."""

from __future__ import annotations

import errno
import json
import logging
import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polyrecord.errors import ConfigError
from polyrecord.format.block import pack_block
from polyrecord.format.layout import ERRORS, QUARANTINE
from polyrecord.record.breaker import Breaker
from polyrecord.record.health import HealthState
from polyrecord.record.policy import DiskPolicy, RetryPolicy, RotatePolicy, SyncMode, SyncPolicy
from polyrecord.record.recorder import EventRecorder
from polyrecord.record.trouble import TroubleFile
from polyrecord.testing import read_lines, shard_files
from tests.record.archives import assert_accounted, names

QUICK = RetryPolicy(first=0.005, ceiling=0.02, at_close=0.3)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def told(root: Path, recorder: EventRecorder) -> list[dict[str, Any]]:
    """The error file."""
    text = (root / ERRORS / f"{recorder.writer}.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


class Switch:
    """A call to the operating system that fails while it is on."""

    def __init__(self, real: Callable[..., Any], number: int) -> None:
        self.on = False
        self.calls = 0
        self._real, self._number = real, number

    def __call__(self, *args: Any, **more: Any) -> Any:
        self.calls += 1
        if self.on:
            raise OSError(self._number, os.strerror(self._number))
        return self._real(*args, **more)


@pytest.fixture
def switch(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], Switch]:
    def make(name: str, number: int) -> Switch:
        made = Switch(getattr(os, name), number)
        monkeypatch.setattr(os, name, made)
        return made

    return make


def test_pauses_double_up_to_a_ceiling_with_jitter_and_the_circuit_opens() -> None:
    jitter = iter([1.0, 0.0, 0.5, 1.0, 1.0, 0.0])
    breaker = Breaker(RetryPolicy(first=0.1, ceiling=0.5, trip_after=3), lambda: next(jitter))
    assert not breaker.failing
    pauses = [(breaker.failed(), breaker.open) for _ in range(5)]
    assert pauses == [(0.1, False), (0.1, False), (pytest.approx(0.3), True), (0.5, True), (0.5, True)]
    assert breaker.succeeded() == 5
    assert (breaker.failing, breaker.open) == (False, False)
    assert breaker.failed() == 0.05


def test_many_bots_do_not_try_at_the_same_moments() -> None:
    policy = RetryPolicy(first=1.0, ceiling=8.0)
    rng = random.Random(7)
    for attempt in range(1, 8):
        delays = {policy.delay(attempt, rng.random()) for _ in range(100)}
        longest = min(8.0, 2.0 ** (attempt - 1))
        assert len(delays) == 100
        assert all(longest / 2 <= delay <= longest for delay in delays)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
def test_a_failing_disk_is_told_and_recording_resumes_by_itself(
    tmp_path: Path, switch: Callable[[str, int], Switch], number: int
) -> None:
    write = switch("write", number)
    with EventRecorder(tmp_path, retry=QUICK) as recorder:
        assert recorder.health().state is HealthState.IDLE
        recorder.record("signal", {"n": 0})
        assert recorder.flush().wait(10).ok
        assert recorder.health().ok
        write.on = True
        for at in range(1, 50):
            assert recorder.record("signal", {"n": at})
        outcome = recorder.flush().wait(10)
        assert (outcome.ok, outcome.error) == (False, os.strerror(number))
        assert recorder.health().state is HealthState.FAILING
        assert recorder.health().error == os.strerror(number)
        assert recorder.health().waiting_bytes > 0
        write.on = False
        wait_until(lambda: recorder.health().ok)
        assert recorder.flush().wait(10).ok
    assert [event["data"]["n"] for event in read_lines(tmp_path)] == list(range(50))
    lines = told(tmp_path, recorder)
    assert [line["what"] for line in lines] == ["write fails", "circuit open", "write works again"]
    assert lines[0]["error"] == os.strerror(number)
    assert_accounted(tmp_path)


def test_no_descriptor_left_is_a_trouble_that_passes(
    tmp_path: Path, switch: Callable[[str, int], Switch]
) -> None:
    opens = switch("open", errno.EMFILE)
    opens.on = True
    recorder = EventRecorder(tmp_path, retry=QUICK)
    for at in range(10):
        assert recorder.record("signal", {"n": at})
    recorder.flush()
    wait_until(lambda: recorder.stats().write_errors > 2)
    opens.on = False
    assert recorder.close().wait(10).ok
    assert len(read_lines(tmp_path)) == 10


def test_whoever_waits_for_a_flush_is_told_once_the_circuit_is_open_and_its_events_come_later(
    tmp_path: Path,
) -> None:
    root = tmp_path / "archive"
    root.write_text("in the way")
    with EventRecorder(root, retry=QUICK) as recorder:
        recorder.record("signal", {"n": 1})
        first = recorder.flush().wait(10)
        assert not first.ok
        assert recorder.flush().wait(10).error == first.error == f"File exists: {root}"
        root.unlink()
        wait_until(lambda: recorder.stats().written == 1)
        assert recorder.flush().wait(10).ok
    assert_accounted(root)


def test_what_a_failed_sync_may_have_lost_is_written_again_before_the_next_one_counts(
    tmp_path: Path, switch: Callable[[str, int], Switch], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel takes pages for clean after a failed fsync: here the file itself loses them."""
    real = os.fdatasync

    def failing(descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        os.pwrite(descriptor, b"\0" * size, 0)  # what a page that was thrown away would read as
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", failing)
    sync = SyncPolicy(SyncMode.FLUSH)
    with EventRecorder(tmp_path, retry=QUICK, sync=sync) as recorder:
        for at in range(3):
            recorder.record("signal", {"n": at})
            outcome = recorder.flush().wait(10)
            assert (outcome.durable, outcome.error) == (False, "Input/output error")
        assert recorder.health().state is HealthState.DEGRADED
        monkeypatch.setattr(os, "fdatasync", real)
        recorder.record("signal", {"n": 3})
        assert recorder.flush().wait(10).durable
        assert recorder.health().ok
        assert [event["data"]["n"] for event in read_lines(tmp_path)] == [0, 1, 2, 3]
    assert_accounted(tmp_path)


def test_a_seal_whose_sync_failed_is_made_good_too(
    tmp_path: Path, switch: Callable[[str, int], Switch]
) -> None:
    fsync = switch("fsync", errno.EIO)
    rotate = RotatePolicy(max_events=5)
    with EventRecorder(tmp_path, retry=QUICK, rotate=rotate, buffer_size=1) as recorder:
        recorder.record("signal", {"n": 0})
        assert recorder.flush().wait(10).ok
        fsync.on = True
        for at in range(1, 20):
            recorder.record("signal", {"n": at})
        recorder.flush()
        wait_until(lambda: recorder.stats().write_errors > 2)
        fsync.on = False
    assert [event["data"]["n"] for event in read_lines(tmp_path)] == list(range(20))
    assert_accounted(tmp_path)


@pytest.mark.parametrize("what", ["", "data", "data/events", "logs"])
def test_a_directory_that_is_removed_while_recording_is_made_again_with_what_was_in_it(
    tmp_path: Path, what: str
) -> None:
    root = tmp_path / "archive"
    with EventRecorder(root, retry=QUICK) as recorder:
        for at in range(10):
            recorder.record("signal", {"n": at})
            recorder.record("latency", {"n": at})
        assert recorder.flush().wait(10).ok
        shutil.rmtree(root / what)
        for at in range(10, 20):
            recorder.record("signal", {"n": at})
        assert recorder.flush().wait(10).ok
        assert len(read_lines(root)) == 30
    assert [e["data"]["n"] for e in read_lines(root) if e["event_type"] == "signal"] == list(range(20))
    assert (root / "logs" / "_writers" / f"{recorder.writer}.json").exists()
    assert "files were removed or replaced, and made again" in [line["what"] for line in told(root, recorder)]
    assert_accounted(root)


def test_a_file_in_place_of_an_open_shard_is_put_aside_not_overwritten(tmp_path: Path) -> None:
    with EventRecorder(tmp_path, retry=QUICK) as recorder:
        recorder.record("signal", {"n": 0})
        recorder.flush().wait(10)
        (shard,) = shard_files(tmp_path)
        shard.rename(tmp_path / "moved")
        shard.write_text("somebody else's")
    assert [event["data"]["n"] for event in read_lines(tmp_path)] == [0]
    (aside,) = (tmp_path / QUARANTINE / recorder.writer).iterdir()
    assert aside.read_text() == "somebody else's"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What is free, as the recorder sees it."""
    state = {"free": 1 << 30}
    real = os.statvfs

    def statvfs(path: Any) -> Any:
        values = list(real(path))
        found = real(path)
        values[4] = state["free"] // found.f_frsize  # f_bavail
        return os.statvfs_result(values)

    monkeypatch.setattr(os, "statvfs", statvfs)
    return state


def test_before_the_disk_is_full_what_is_open_is_sealed_and_the_rest_waits(
    tmp_path: Path, disk: dict[str, int]
) -> None:
    with EventRecorder(tmp_path, retry=QUICK, min_free=1 << 20) as recorder:
        recorder.record("signal", {"n": 0})
        assert recorder.flush().wait(10).ok
        disk["free"] = 900_000
        recorder.record("signal", {"n": 1})
        outcome = recorder.flush().wait(10)
        assert outcome.error is not None
        assert outcome.error.startswith("897,024 bytes are free, 1,048,576 are to stay so")
        assert recorder.health().state is HealthState.DISK_FULL
        assert [name.sealed for name in names(tmp_path)] == [True]
        disk["free"] = (1 << 20) + 10_000  # not enough to begin again: it would stop at once
        time.sleep(0.1)
        assert recorder.health().state is HealthState.DISK_FULL
        disk["free"] = 2 << 20
        wait_until(lambda: recorder.health().ok)
    assert [event["data"]["n"] for event in read_lines(tmp_path)] == [0, 1]
    assert [name.number for name in names(tmp_path)] == [1, 2]
    assert_accounted(tmp_path)


@pytest.mark.parametrize(
    ("free", "stopped", "refused"),
    [(99, False, True), (100, False, False), (100, True, True), (124, True, True), (125, True, False)],
)
def test_recording_begins_again_with_a_quarter_more_than_it_stopped_at(
    free: int, stopped: bool, refused: bool
) -> None:
    assert DiskPolicy(min_free=100).refuses(free, stopped=stopped) is refused


def test_without_a_floor_nobody_asks_how_much_is_free(tmp_path: Path, disk: dict[str, int]) -> None:
    disk["free"] = 0
    with EventRecorder(tmp_path, min_free=0) as recorder:
        recorder.record("signal", {})
        assert recorder.flush().wait(10).ok


def test_a_block_that_cannot_be_packed_is_declared_lost_and_the_others_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not an error of the disk: trying again would not help."""
    real, poison = pack_block, b'"poison"'

    def pack(content: bytes, index: Any) -> bytes:
        if poison in content:
            raise ValueError("cannot be packed")
        return real(content, index)

    monkeypatch.setattr("polyrecord.record.shards.pack_block", pack)
    with EventRecorder(tmp_path, retry=QUICK, buffer_size=1) as recorder:
        for value in ("good", "poison", "good"):
            recorder.record("signal", {"value": value})
            recorder.flush().wait(10)
        wait_until(lambda: recorder.stats().dropped == 1)
        recorder.record("signal", {"value": "good"})
        recorder.flush().wait(10)
    assert recorder.stats().dropped_by == {"write_error": 1}
    events = read_lines(tmp_path)
    assert [e["data"]["value"] for e in events if e["event_type"] == "signal"] == ["good"] * 3
    (loss,) = [e["data"] for e in events if e["event_type"] == "loss"]
    assert (loss["reason"], loss["count"], loss["first_seq"], loss["last_seq"]) == ("write_error", 1, 2, 2)
    assert loss["streams"] == {"data/events": {"count": 1, "first_ordinal": 2, "last_ordinal": 2}}


def test_the_error_file_waits_in_memory_while_its_own_disk_fails(
    tmp_path: Path, switch: Callable[[str, int], Switch], caplog: pytest.LogCaptureFixture
) -> None:
    write = switch("write", errno.ENOSPC)
    write.on = True
    trouble = TroubleFile(tmp_path, "w", time.time_ns, lambda text: text.replace("secret", "[redacted]"))
    with caplog.at_level(logging.INFO, "polyrecord"):
        for at in range(500):
            trouble.tell("write fails", error=f"secret {at}")
    assert "write fails: [redacted] 499" in caplog.text
    assert "secret" not in caplog.text
    write.on = False
    trouble.write()
    errors = [json.loads(line)["error"] for line in trouble.path.read_text().splitlines()]
    assert errors == [f"[redacted] {at}" for at in range(300, 500)]
    trouble.write()
    assert len(trouble.path.read_text().splitlines()) == 200


def test_an_error_file_is_no_way_out_of_the_archive(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    trouble = TroubleFile(tmp_path / "a", "w", time.time_ns)
    trouble.path.parent.mkdir(parents=True)
    trouble.path.symlink_to(victim)
    trouble.tell("x")
    assert victim.read_text() == "untouched"


def test_events_that_come_while_no_thread_can_be_started_are_declared_lost_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    real = threading.Thread.start
    broken = True

    def start(self: threading.Thread) -> None:
        if broken and self.name == "polyrecord-drain":
            raise RuntimeError("can't start new thread")
        real(self)

    monkeypatch.setattr(threading.Thread, "start", start)
    recorder = EventRecorder(tmp_path)
    assert not recorder.record("signal", {"n": 0})
    broken = False
    assert recorder.record("signal", {"n": 1})
    assert recorder.close().wait(10).ok
    events = read_lines(tmp_path)
    assert [e["data"]["n"] for e in events if e["event_type"] == "signal"] == [1]
    assert recorder.stats().dropped_by == {"not_started": 1}
    assert_accounted(tmp_path)


@pytest.mark.parametrize("value", [-1, 1.5])
def test_a_floor_that_makes_no_sense_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ConfigError, match="min_free"):
        EventRecorder(tmp_path, min_free=value)
