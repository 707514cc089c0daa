"""The test doubles that bots may use too."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from polyrecord.record.recorder import EventRecorder
from polyrecord.testing import FrozenClock, read_lines, shard_files, tear


def test_a_frozen_clock_moves_only_when_it_is_told_to() -> None:
    clock = FrozenClock("1970-01-01T00:00:01Z", mono=5)
    assert (clock.wall_ns(), clock.mono_ns()) == (1_000_000_000, 5)
    clock.advance(0.5)
    assert (clock.wall_ns(), clock.mono_ns()) == (1_500_000_000, 500_000_005)
    clock.step(-1)
    assert (clock.wall_ns(), clock.mono_ns()) == (500_000_000, 500_000_005)
    assert FrozenClock(7).wall_ns() == 7


def test_the_lines_of_an_archive_come_by_writer_and_number(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        recorder.record("trade", {"n": 1})
        recorder.record("signal", {"n": 2})
        recorder.record("trade", {"n": 3})
    assert [event["data"]["n"] for event in read_lines(tmp_path)] == [1, 2, 3]
    assert len(shard_files(tmp_path)) == 2
    assert read_lines(tmp_path / "absent") == []


@pytest.mark.parametrize(("at", "left"), [(3, b"abc"), (-2, b"abcd"), (0, b"")])
def test_a_file_is_torn_at_a_byte_from_its_start_or_end(tmp_path: Path, at: int, left: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abcdef")
    tear(path, at)
    assert path.read_bytes() == left


def test_a_torn_shard_is_no_whole_gzip_file(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {})
    (path,) = shard_files(tmp_path)
    tear(path, -1)
    with pytest.raises((EOFError, zlib.error)):
        read_lines(tmp_path)
