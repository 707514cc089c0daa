"""Writes that fail: the bot goes on, the statistics tell, and everything arrives once it works again."""

from __future__ import annotations

import gzip
import os
import resource
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from polyrecord.format.layout import ShardName
from polyrecord.record.files import write_atomically
from polyrecord.record.policy import RetryPolicy, RotatePolicy
from polyrecord.record.recorder import EventRecorder
from polyrecord.record.shard_file import ShardFile
from polyrecord.testing import read_lines, shard_files
from tests.format.samples import block
from tests.record.archives import assert_accounted, blocks, footers, names

QUICK = RetryPolicy(first=0.005, ceiling=0.02, at_close=0.2)
NAME = ShardName("data/events", "w", 1, "2026-11-20", sealed=False)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def test_a_root_that_cannot_be_made_is_told_and_tried_again(tmp_path: Path) -> None:
    root = tmp_path / "file" / "archive"
    root.parent.write_text("not a directory")
    with EventRecorder(root, buffer_size=10, retry=QUICK) as recorder:
        for number in range(100):
            assert recorder.record("signal", {"n": number})
        wait_until(lambda: recorder.stats().write_errors > 2)
        stats = recorder.stats()
        assert stats.last_error is not None
        assert stats.last_error == f"File exists: {tmp_path / 'file'}"
        assert (stats.written, stats.dropped) == (0, 0)
        assert stats.buffered_bytes > 0
        root.parent.unlink()
        assert recorder.flush().wait(5).ok
        assert recorder.stats().last_error is None
    assert [event["data"]["n"] for event in read_lines(root)] == list(range(100))
    assert_accounted(root)


def test_a_folder_in_the_way_of_one_stream_does_not_lose_it(tmp_path: Path) -> None:
    """The stream of books is a file: its blocks wait, and so does what comes after them."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "books").write_text("in the way")
    with EventRecorder(tmp_path, retry=QUICK) as recorder:
        for number in range(20):
            recorder.record("trade" if number % 2 else "signal", {"n": number})
        recorder.flush()
        wait_until(lambda: recorder.stats().write_errors > 0)
        (tmp_path / "data" / "books").unlink()
    assert [event["data"]["n"] for event in read_lines(tmp_path)] == list(range(20))
    assert_accounted(tmp_path)


def test_a_close_gives_up_after_a_while_and_says_how_many_events_are_missing(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    root.write_text("in the way")
    recorder = EventRecorder(root, retry=QUICK)
    for _ in range(7):
        recorder.record("signal", {})
    outcome = recorder.close().wait(5)
    assert (outcome.ok, outcome.durable, outcome.events) == (False, False, 0)
    assert outcome.error is not None
    assert outcome.error == f"7 events could not be written: File exists: {root}"
    assert recorder.stats().dropped == 7


def test_a_failed_seal_is_tried_again_and_nothing_is_written_twice(tmp_path: Path) -> None:
    """A directory stands where the sealed shard should go."""
    with EventRecorder(tmp_path, rotate=RotatePolicy(max_events=10), retry=QUICK) as recorder:
        for number in range(10):
            recorder.record("signal", {"n": number})
        recorder.flush().wait(5)
        (path,) = shard_files(tmp_path)
        obstacle = path.parent.parent / path.name
        obstacle.mkdir()
        for number in range(10, 20):
            recorder.record("signal", {"n": number})
        recorder.flush()
        wait_until(lambda: recorder.stats().write_errors > 1)
        assert "directory" in str(recorder.stats().last_error)
        obstacle.rmdir()
    assert [event["data"]["n"] for event in read_lines(tmp_path)] == list(range(20))
    assert [name.number for name in names(tmp_path)] == [1, 2]
    assert [footer.events for _, footer in sorted(footers(tmp_path).items())] == [10, 10]
    assert_accounted(tmp_path)


def test_at_close_one_shard_that_cannot_be_sealed_does_not_keep_the_others_open(tmp_path: Path) -> None:
    recorder = EventRecorder(tmp_path, retry=QUICK)
    recorder.record("trade", {})
    recorder.record("signal", {})
    recorder.flush().wait(5)
    books = next(path for path in shard_files(tmp_path) if path.name.startswith("books"))
    (books.parent.parent / books.name).mkdir()
    outcome = recorder.close().wait(5)
    assert not outcome.ok
    (books.parent.parent / books.name).rmdir()
    assert [(name.stream, name.sealed) for name in names(tmp_path)] == [
        ("data/books", False),
        ("data/events", True),
    ]
    assert len(read_lines(tmp_path)) == 2
    assert len(blocks(tmp_path)) == 2


LIMITED = """
    import resource, signal, sys
    from pathlib import Path
    from polyrecord.record.policy import RetryPolicy
    from polyrecord.record.recorder import EventRecorder

    limit = 20_000
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    recorder = EventRecorder("archive", buffer_size=50, retry=RetryPolicy(0.005, 0.02, 0.2))
    sent = 0
    while recorder.stats().write_errors == 0:
        assert recorder.record("signal", {"n": sent, "noise": __import__("os").urandom(60).hex()})
        sent += 1
    (shard,) = Path("archive").rglob("*.jsonl.gz")
    print(shard.stat().st_size, recorder.stats().last_error)
    for _ in range(100):
        assert recorder.record("signal", {"n": sent, "noise": ""})
        sent += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    outcome = recorder.close().wait(10)
    print(sent, outcome.ok)
"""


def test_a_write_that_stops_half_way_is_cut_back_and_made_again(tmp_path: Path) -> None:
    """The file size limit makes the kernel write a part, then refuse: a short write and EFBIG."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LIMITED)], cwd=tmp_path, text=True, capture_output=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told, ended = done.stdout.splitlines()
    assert told.endswith("File too large")
    sent = int(ended.split()[0])
    assert ended.endswith("True")
    root = tmp_path / "archive"
    assert [event["data"]["n"] for event in read_lines(root)] == list(range(sent))
    assert_accounted(root)
    assert len(list(root.rglob("*.jsonl.gz"))) == 1


@pytest.fixture
def shard(tmp_path: Path) -> ShardFile:
    return ShardFile(tmp_path, NAME, 0)


def limited(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def unlimited() -> None:
    limited(resource.getrlimit(resource.RLIMIT_FSIZE)[1])


def test_at_any_size_limit_a_shard_holds_whole_members_only(shard: ShardFile) -> None:
    """After the failure the file ends at the last whole member, and the same block then fits again."""
    first, second = block(1, 10), block(11, 30)
    shard.append(first)
    for room in (0, 1, 10, 100, len(second) - 1):
        limited(len(first) + room)
        try:
            with pytest.raises(OSError, match="too large"):
                shard.append(second)
            assert shard.path.read_bytes() == first
        finally:
            unlimited()
    shard.append(second)
    assert shard.path.read_bytes() == first + second
    assert (shard.blocks, shard.events, shard.size) == (2, 40, len(first + second))


def test_a_seal_that_fails_leaves_the_shard_open_as_it_was(shard: ShardFile) -> None:
    member = block(1, 10)
    shard.append(member)
    for room in (0, 50, 200):
        limited(len(member) + room)
        try:
            with pytest.raises(OSError, match="too large"):
                shard.seal(clean=True)
        finally:
            unlimited()
        assert shard.path.read_bytes() == member
    shard.append(block(11, 5))
    final = shard.seal(clean=True)
    assert len(gzip.decompress(final.read_bytes()).splitlines()) == 15
    assert not shard.path.parent.exists()


def test_a_shard_never_overwrites_another(tmp_path: Path, shard: ShardFile) -> None:
    assert shard.path == tmp_path / NAME.path
    with pytest.raises(FileExistsError):
        ShardFile(tmp_path, NAME, 0)


def test_a_small_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    write_atomically(path, b"old")
    limited(100)
    try:
        with pytest.raises(OSError, match="too large"):
            write_atomically(path, b"x" * 1000)
    finally:
        unlimited()
    assert path.read_bytes() == b"old"
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["manifest.json"]  # noqa: PTH208


def test_a_close_waits_once_for_a_failing_disk_however_much_is_queued(tmp_path: Path) -> None:
    """Not once for each block; what could not be written is told."""
    (tmp_path / "afile").write_text("")
    retry = RetryPolicy(first=0.01, ceiling=0.02, at_close=0.2)
    recorder = EventRecorder(tmp_path / "afile", buffer_size=10, retry=retry)
    for number in range(2_000):
        recorder.record("signal", {"n": number})
    outcome = recorder.close().wait(20)  # 200 blocks: each waiting anew would take 40 seconds
    assert not outcome.ok
    assert recorder.stats().dropped == 2_000


def test_a_close_does_not_wait_for_ever_behind_a_full_queue(tmp_path: Path) -> None:
    """More waits than the writer takes at once, so the close itself is behind it in the buffer."""
    (tmp_path / "afile").write_text("")
    retry = RetryPolicy(first=0.01, ceiling=0.02, at_close=0.2)
    recorder = EventRecorder(tmp_path / "afile", retry=retry)
    for _ in range(15_000):
        recorder.record("signal", {"filler": "x" * 1_000})
    assert not recorder.close().wait(30).ok
