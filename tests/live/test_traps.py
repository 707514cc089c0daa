"""Traps that other recorders fell into; each of them as a test of ours.

Those that need more than a few lines are elsewhere: a recovered archive that cannot be read (tests/recovery),
errors of the writer that nobody hears of (tests/record/test_disk_trouble.py), live objects that change after
they were recorded (tests/record/test_values.py), books without a snapshot (tests/instrument/test_feed.py).
"""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from polyrecord import EventRecorder, replay
from polyrecord.record.policy import RotatePolicy
from polyrecord.testing import FrozenClock, read_lines, shard_files


def test_a_restart_on_the_same_day_leaves_what_was_recorded_as_it_is(tmp_path: Path) -> None:
    """Others opened the day's file again and truncated it, or wrote into the middle of it."""
    for start in range(3):
        with EventRecorder(tmp_path) as recorder:
            recorder.record("signal", {"start": start})
        before = {path: path.read_bytes() for path in shard_files(tmp_path)}
    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {"start": 3})
    assert all(path.read_bytes() == content for path, content in before.items())
    assert sorted(event["data"]["start"] for event in read_lines(tmp_path)) == [0, 1, 2, 3]


def test_a_restart_after_a_crash_leaves_what_was_recorded_too(tmp_path: Path) -> None:
    program = (
        "import os, sys\nfrom polyrecord import EventRecorder\nr = EventRecorder(sys.argv[1])\n"
        "r.record('signal', {'start': 0})\nassert r.flush().wait(30).ok\nos.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {"start": 1})
    starts = [event["data"]["start"] for event in read_lines(tmp_path) if event["event_type"] == "signal"]
    assert sorted(starts) == [0, 1]


def test_the_manifest_is_there_before_the_first_event(tmp_path: Path) -> None:
    """Others wrote theirs at the end, and a crash made 50 GB unreadable; ours is not even needed to read."""
    program = (
        "import os, sys\nfrom polyrecord import EventRecorder\n"
        "real = os.write\n"
        "def die(descriptor, data):\n"
        "    if bytes(data[:2]) == b'\\x1f\\x8b':\n"
        "        os.kill(os.getpid(), 9)\n"
        "    return real(descriptor, data)\n"
        "os.write = die\nr = EventRecorder(sys.argv[1])\nr.record('signal', {})\nr.flush().wait(30)"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False, timeout=60)
    (manifest,) = (tmp_path / "logs" / "_writers").iterdir()
    assert json.loads(manifest.read_bytes())["ended"] is None


def test_an_archive_without_its_manifests_is_read_all_the_same(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {"n": 1})
    for manifest in (tmp_path / "logs" / "_writers").iterdir():
        manifest.unlink()
    assert [event.data["n"] for event in replay(tmp_path)] == [1]


def test_what_is_being_written_is_outside_of_every_glob_that_tools_use(tmp_path: Path) -> None:
    """A half-written gzip member makes a query over a whole directory fail."""
    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {})
        recorder.flush().wait(10)
        assert list(tmp_path.glob("data/*/date=*/*.jsonl.gz")) == []
        assert len(shard_files(tmp_path)) == 1
    (sealed,) = tmp_path.glob("data/*/date=*/*.jsonl.gz")
    assert gzip.decompress(sealed.read_bytes())


def test_order_is_what_was_recorded_not_what_clocks_say(tmp_path: Path) -> None:
    """Exchange times repeat and go back in real feeds, and so do wall clocks."""
    clock = FrozenClock()
    with EventRecorder(tmp_path, clock=clock) as recorder:
        for number, exchange in enumerate([5, 3, 3, 9, 1]):
            recorder.record("trade", {"n": number, "exchange_ts": exchange})
            clock.step(-10)
    assert [event.data["n"] for event in replay(tmp_path, types=["trade"])] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("writers", [1, 4])
def test_types_that_nobody_knows_are_kept_counted_and_given_back(tmp_path: Path, writers: int) -> None:
    """Others dropped them and reported success."""
    names = ["made up", "x" * 300, "ünïcode", "signal", "with\nline", "4711", "a.b/c"]
    for _ in range(writers):
        with EventRecorder(tmp_path) as recorder:
            for name in names:
                recorder.record(name, {"name": name})
    found = [event.event_type for event in replay(tmp_path)]
    assert sorted(found) == sorted(names * writers)


def test_a_full_shard_is_never_appended_to(tmp_path: Path) -> None:
    with EventRecorder(tmp_path, rotate=RotatePolicy(max_events=1), buffer_size=1) as recorder:
        for number in range(5):
            recorder.record("signal", {"n": number})
            recorder.flush().wait(10)
    assert len(shard_files(tmp_path)) == 5


def test_files_and_directories_are_closed_to_strangers(tmp_path: Path) -> None:
    os.umask(os.umask(0o022))
    root = tmp_path / "archive"
    with EventRecorder(root) as recorder:
        recorder.record("signal", {})
        recorder.flush().wait(10)
    for path in root.rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o750 if path.is_dir() else 0o640), path
