"""A forked child has no threads and must not write for its parent: it records as a writer of its own."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from polyrecord.read.archive import Archive
from polyrecord.read.coverage import coverage
from polyrecord.record.recorder import EventRecorder
from polyrecord.testing import read_lines

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def in_child(work: object) -> int:
    """Exit status of a forked child that does `work()`; it ends without running what pytest set up."""
    child = os.fork()
    if child == 0:
        try:
            work()  # type: ignore[operator]
        except BaseException:  # noqa: BLE001 - the status tells
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_parent_and_child_record_side_by_side_under_their_own_names(tmp_path: Path) -> None:
    with EventRecorder(tmp_path, flush_interval=60) as recorder:
        for number in range(100):
            recorder.record("signal", {"who": "parent", "n": number})

        def child() -> None:
            for number in range(50):
                assert recorder.record("signal", {"who": "child", "n": number})
            assert recorder.close().wait(10).events == 50

        parent_writer = recorder.writer
        assert in_child(child) == 0
        assert recorder.writer == parent_writer
        assert recorder.record("signal", {"who": "parent", "n": 100})
    lines = read_lines(tmp_path)
    assert [e["data"]["n"] for e in lines if e["data"]["who"] == "parent"] == list(range(101))
    assert [e["data"]["n"] for e in lines if e["data"]["who"] == "child"] == list(range(50))
    told = coverage(Archive(tmp_path))
    assert (told.events, told.unknown, told.unclean) == (151, 0, ())


def test_a_recorder_that_has_not_begun_gets_a_name_in_each_process(tmp_path: Path) -> None:
    recorder = EventRecorder(tmp_path)

    def child() -> None:
        recorder.record("signal", {"who": "child"})
        assert recorder.close().wait(10).ok

    assert in_child(child) == 0
    recorder.record("signal", {"who": "parent"})
    assert recorder.close().wait(10).ok
    assert sorted(event["data"]["who"] for event in read_lines(tmp_path)) == ["child", "parent"]


def test_a_closed_recorder_stays_closed_in_the_child(tmp_path: Path) -> None:
    recorder = EventRecorder(tmp_path)
    recorder.record("signal", {})
    recorder.close().wait(10)

    def child() -> None:
        assert not recorder.record("signal", {})
        assert recorder.close().wait(1).ok

    assert in_child(child) == 0
    assert len(read_lines(tmp_path)) == 1


def test_a_fork_at_any_moment_leaves_a_child_that_can_record(tmp_path: Path) -> None:
    """Whatever the parent's threads were in the middle of: a search, an import, a write, a lock."""
    done = threading.Event()

    def flood() -> None:
        while not done.is_set():
            recorder.record("signal", {"who": "parent", "note": "api_key=x" * 20})

    def child() -> None:
        signal.alarm(30)
        recorder.record("signal", {"who": "child"})
        assert recorder.close().wait(20).events == 1

    recorder = EventRecorder(tmp_path, buffer_bytes=1 << 20, flush_interval=0.01)
    flooding = threading.Thread(target=flood)
    flooding.start()
    try:
        assert [in_child(child) for _ in range(25)] == [0] * 25
    finally:
        done.set()
        flooding.join()
        recorder.close().wait(20)
    children = [event for event in read_lines(tmp_path) if event["data"].get("who") == "child"]
    assert len(children) == 25
