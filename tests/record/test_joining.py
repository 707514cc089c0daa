"""A slow bot's many small blocks become large ones while its shard is open."""

from __future__ import annotations

import errno
import gzip
import os
import time
from pathlib import Path

import pytest

from polyrecord.format.layout import ShardName
from polyrecord.read.archive import Archive
from polyrecord.read.coverage import coverage
from polyrecord.read.traces import find_trace
from polyrecord.record.policy import RotatePolicy
from polyrecord.record.recorder import EventRecorder
from polyrecord.record.shard_file import ShardFile
from polyrecord.testing import FrozenClock, read_lines, shard_files
from tests.record.archives import assert_accounted, blocks, footers

NAME = ShardName("data/events", "w", 1, "2026-11-20", sealed=False)
HOURLY = RotatePolicy(join_seconds=3600)


def slow_bot(recorder: EventRecorder, events: range) -> None:
    for number in events:
        recorder.record("signal", {"n": number, "order_id": f"o-{number}"}, f"{number:032x}")
        assert recorder.flush().wait(10).ok


def joined(recorder: EventRecorder, clock: FrozenClock) -> None:
    recorder.flush().wait(10)
    clock.advance(3601)
    deadline = time.monotonic() + 10
    while len(blocks(recorder.root)) > len(shard_files(recorder.root)):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_in_the_time_asked_for_small_blocks_become_large_and_nothing_else_changes(
    tmp_path: Path,
) -> None:
    clock = FrozenClock("2026-11-20T01:00:00Z")
    with EventRecorder(tmp_path, clock=clock, rotate=HOURLY) as recorder:
        slow_bot(recorder, range(100))
        (path,) = shard_files(tmp_path)
        content, size = gzip.decompress(path.read_bytes()), path.stat().st_size
        joined(recorder, clock)
        assert gzip.decompress(path.read_bytes()) == content
        assert path.stat().st_size < size / 2
        assert len(blocks(tmp_path)) == 1
        assert [e.data["n"] for e in find_trace(Archive(tmp_path), f"{7:032x}").events] == [7]
        assert [e.data["n"] for e in find_trace(Archive(tmp_path), "o-42").events] == [42]
        slow_bot(recorder, range(100, 150))
        joined(recorder, clock)
        assert len(blocks(tmp_path)) == 1
        slow_bot(recorder, range(150, 155))
    assert [event["data"]["n"] for event in read_lines(tmp_path)] == list(range(155))
    (footer,) = footers(tmp_path).values()
    assert (footer.blocks, footer.events) == (6, 155)
    told = coverage(Archive(tmp_path))
    assert (told.events, told.lost, told.unknown, told.unclean) == (155, 0, 0, ())
    assert_accounted(tmp_path)


def test_without_asking_open_shards_are_left_as_they_are(tmp_path: Path) -> None:
    clock = FrozenClock("2026-11-20T01:00:00Z")
    with EventRecorder(tmp_path, clock=clock) as recorder:
        slow_bot(recorder, range(50))
        clock.advance(4000)
        slow_bot(recorder, range(50, 60))
        assert len(blocks(tmp_path)) == 60


def test_losses_between_blocks_stay_told(tmp_path: Path) -> None:
    clock = FrozenClock("2026-11-20T01:00:00Z")
    with EventRecorder(tmp_path, clock=clock, rotate=HOURLY) as recorder:
        for _ in range(20):
            slow_bot(recorder, range(1))
            recorder.record("signal", {}, stream="nowhere")
        joined(recorder, clock)
    assert coverage(Archive(tmp_path)).lost == 20
    assert_accounted(tmp_path)


@pytest.mark.parametrize("call", ["fdatasync", "rename"])
def test_a_failure_leaves_the_shard_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    from tests.format.samples import block

    shard = ShardFile(tmp_path, NAME, 0)
    for at in range(20):
        shard.append(block(at + 1, 1))
    content = shard.path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(*((os, "fdatasync", fail) if call == "fdatasync" else (Path, "rename", fail)))
        with pytest.raises(OSError, match="Input/output"):
            shard.join_blocks()
    assert shard.path.read_bytes() == content
    assert [path.name for path in shard.path.parent.iterdir()] == [shard.path.name]
    shard.append(block(21, 1))
    shard.join_blocks()
    assert shard.blocks == 1
    final = shard.seal(clean=True)
    assert len(gzip.decompress(final.read_bytes()).splitlines()) == 21
