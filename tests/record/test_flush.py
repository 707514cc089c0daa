"""What is on disk when: flushes, blocks, rotation, sealing."""

from __future__ import annotations

import gzip
import stat
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from polyrecord.record.policy import RotatePolicy, SyncMode, SyncPolicy
from polyrecord.record.recorder import EventRecorder
from polyrecord.testing import FrozenClock, read_lines, shard_files
from tests.record.archives import blocks, footers, names


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Poll; a test that waits in vain fails."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def test_a_flush_covers_everything_recorded_before_it_and_the_open_shard_is_readable(tmp_path: Path) -> None:
    with EventRecorder(tmp_path, flush_interval=60) as recorder:
        for number in range(1, 251):
            recorder.record("signal", {"n": number})
            if number % 50 == 0:
                outcome = recorder.flush().wait(5)
                assert (outcome.ok, outcome.events) == (True, number)
                assert [event["data"]["n"] for event in read_lines(tmp_path)] == list(range(1, number + 1))
                assert [name.sealed for name in names(tmp_path)] == [False]
                assert outcome.bytes == sum(path.stat().st_size for path in shard_files(tmp_path))


def test_flushes_from_many_threads_each_cover_their_own_events(tmp_path: Path) -> None:
    missing: list[int] = []

    def work(name: int) -> None:
        for number in range(20):
            recorder.record("signal", {"id": name * 100 + number})
            recorder.flush().wait(5)
            found = {event["data"]["id"] for event in read_lines(tmp_path)}
            missing.extend({name * 100 + before for before in range(number + 1)} - found)

    with EventRecorder(tmp_path, flush_interval=60) as recorder:
        threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert missing == []
    assert len(read_lines(tmp_path)) == 80


def test_after_buffer_size_events_they_go_to_the_disk_by_themselves(tmp_path: Path) -> None:
    with EventRecorder(tmp_path, buffer_size=100, clock=FrozenClock()) as recorder:
        for _ in range(99):
            recorder.record("signal", {})
        time.sleep(0.1)
        assert shard_files(tmp_path) == []
        recorder.record("signal", {})
        wait_until(lambda: recorder.stats().written == 100)
        assert len(read_lines(tmp_path)) == 100


def test_after_flush_interval_events_go_to_the_disk_by_themselves(tmp_path: Path) -> None:
    clock = FrozenClock()
    with EventRecorder(tmp_path, flush_interval=2.0, clock=clock) as recorder:
        recorder.record("signal", {})
        clock.advance(1.9)
        time.sleep(0.1)
        assert recorder.stats().written == 0
        clock.advance(0.2)
        wait_until(lambda: recorder.stats().written == 1)


def test_a_flush_of_nothing_is_done_at_once(tmp_path: Path) -> None:
    recorder = EventRecorder(tmp_path)
    assert recorder.flush().wait(0).ok
    assert list(tmp_path.iterdir()) == []


def test_a_flush_after_close_waits_for_the_close(tmp_path: Path) -> None:
    recorder = EventRecorder(tmp_path)
    recorder.record("signal", {})
    recorder.close()
    assert recorder.flush().wait(5).events == 1
    assert len(read_lines(tmp_path)) == 1


@pytest.mark.parametrize(("mode", "durable"), [("never", False), ("interval", False), ("flush", True)])
def test_a_flush_says_whether_the_bytes_are_on_the_disk(tmp_path: Path, mode: str, durable: bool) -> None:
    sync = SyncPolicy(SyncMode(mode), seconds=60)
    with EventRecorder(tmp_path, sync=sync) as recorder:
        recorder.record("signal", {})
        outcome = recorder.flush().wait(5)
        assert (outcome.ok, outcome.durable) == (True, durable)


def test_synced_every_interval_a_flush_is_durable_when_it_was_long_ago(tmp_path: Path) -> None:
    clock = FrozenClock()
    with EventRecorder(tmp_path, sync=SyncPolicy(seconds=1.0), clock=clock) as recorder:
        recorder.record("signal", {})
        clock.advance(1.5)
        assert recorder.flush().wait(5).durable


def test_blocks_hold_about_as_many_bytes_as_they_are_told(tmp_path: Path) -> None:
    with EventRecorder(tmp_path, block_bytes=10_000, buffer_size=100_000, flush_interval=60) as recorder:
        for number in range(1000):
            recorder.record("signal", {"note": f"{number:0100d}"})
    sizes = [block.header.content_length for block in blocks(tmp_path)]
    line = sizes[0] // blocks(tmp_path)[0].header.events
    assert len(sizes) > 10
    most = 10_000 + 10_000 // 8 + 2 * line  # events are added many at once, an eighth of a block at most
    assert all(10_000 <= size < most for size in sizes[:-1])


def test_a_block_is_cut_before_its_index_outgrows_a_gzip_header(tmp_path: Path) -> None:
    """8,000 ids of four bytes would be 32,000 bytes of keys."""
    with EventRecorder(tmp_path, block_bytes=64 << 20, buffer_size=10**6, flush_interval=60) as recorder:
        for number in range(20_000):
            recorder.record("signal", {"order_id": f"order-{number}"}, trace_id=f"{number:08x}")
    found = blocks(tmp_path)
    assert sum(block.header.events for block in found) == 20_000
    assert len(found) >= 5
    for path in shard_files(tmp_path):
        data = path.read_bytes()
        assert int.from_bytes(data[10:12], "little") <= 32_000


def test_many_long_event_types_fit_their_headers(tmp_path: Path) -> None:
    with EventRecorder(tmp_path, buffer_size=10**6, flush_interval=60) as recorder:
        for number in range(500):
            recorder.record(f"{number:0300d}"[::-1], {})
    assert sum(block.header.events for block in blocks(tmp_path)) == 500


def test_as_many_index_keys_as_are_allowed_fit_a_header(tmp_path: Path) -> None:
    """Each as long as allowed, each with a value of its own in every event."""
    keys = [f"{number:0250d}" for number in range(100)]
    with EventRecorder(tmp_path, index_keys=[f"data.{key}" for key in keys]) as recorder:
        for number in range(50):
            recorder.record("x" * 255, dict.fromkeys(keys, number))
            recorder.record("y" * 255, {key: f"{key}{number}" for key in keys}, f"{number:08x}")
    assert sum(block.header.events for block in blocks(tmp_path)) == 100
    assert {len(block.header.paths) for block in blocks(tmp_path)} == {100}


def test_a_line_of_ten_megabytes_is_kept(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {"note": "é" * 5_000_000})
        recorder.record("signal", {"note": "small"})
    assert [len(event["data"]["note"]) for event in read_lines(tmp_path)] == [5_000_000, 5]


def test_a_close_seals_everything_and_says_it_was_orderly(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        for event_type in ("signal", "trade", "latency", "event_received"):
            recorder.record(event_type, {})
    assert all(name.sealed for name in names(tmp_path))
    assert list(tmp_path.rglob("_open")) == []
    assert [footer.clean for footer in footers(tmp_path).values()] == [True] * 4
    assert recorder.stats().shards_sealed == 4


@pytest.mark.parametrize(
    ("rotate", "shards"),
    [
        (RotatePolicy(max_events=25), 4),
        (RotatePolicy(max_blocks=2), 5),
        (RotatePolicy(max_bytes=1), 10),
        (RotatePolicy(), 1),
    ],
)
def test_a_shard_that_is_full_is_sealed_and_the_next_one_opened(
    tmp_path: Path, rotate: RotatePolicy, shards: int
) -> None:
    with EventRecorder(tmp_path, rotate=rotate) as recorder:
        for number in range(100):
            recorder.record("signal", {"n": number})
            if number % 10 == 9:
                recorder.flush().wait(5)
    found = names(tmp_path)
    assert [name.number for name in found] == list(range(1, shards + 1))
    assert [footer.clean for _, footer in sorted(footers(tmp_path).items())] == [False] * (shards - 1) + [
        True
    ]
    assert [event["data"]["n"] for event in read_lines(tmp_path)] == list(range(100))
    spans = [footer for _, footer in sorted(footers(tmp_path).items())]
    assert all(after.first_seq == before.last_seq + 1 for before, after in pairwise(spans))


def test_a_shard_that_is_old_enough_is_sealed_though_nothing_more_comes(tmp_path: Path) -> None:
    clock = FrozenClock()
    with EventRecorder(tmp_path, rotate=RotatePolicy(max_seconds=60), clock=clock) as recorder:
        recorder.record("signal", {})
        recorder.flush().wait(5)
        assert not names(tmp_path)[0].sealed
        clock.advance(61)
        wait_until(lambda: names(tmp_path)[0].sealed)


def test_the_manifest_is_there_before_the_first_shard_and_says_who_writes(tmp_path: Path) -> None:
    metadata = {"strategy": "arb", "run": 7}
    with EventRecorder(tmp_path, bot_id="bot-1", index_keys=["data.market"], metadata=metadata) as recorder:
        recorder.record("signal", {})
        recorder.flush().wait(5)
        path = tmp_path / "logs" / "_writers" / f"{recorder.writer}.json"
        (shard,) = shard_files(tmp_path)
        assert path.stat().st_mtime_ns <= shard.stat().st_mtime_ns
        manifest = orjson.loads(path.read_bytes())
    assert manifest["writer"] == recorder.writer == names(tmp_path)[0].writer
    assert (manifest["kind"], manifest["format"], manifest["bot_id"]) == ("recorder", 1, "bot-1")
    assert (manifest["index_keys"], manifest["metadata"]) == (["data.market"], metadata)
    assert len(manifest["stages"]) == 4


def test_files_are_for_their_owner_and_group_only(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "archive"
    with EventRecorder(root) as recorder:
        recorder.record("signal", {})
        recorder.flush().wait(5)
        folders = [path for path in (tmp_path / "deep").rglob("*") if path.is_dir()]
        assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o750}
    files = [path for path in root.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o640}
    assert stat.S_IMODE((tmp_path / "deep").stat().st_mode) == 0o750


def test_the_counters_are_those_of_the_files(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        for _ in range(10):
            recorder.record("signal", {"odd": {1, 2}})
        recorder.record("trade", {})
        recorder.flush().wait(5)
        stats = recorder.stats()
        assert (stats.recorded, stats.written, stats.blocks) == (11, 11, 2)
        assert stats.bytes == sum(path.stat().st_size for path in shard_files(tmp_path))
        assert (stats.kept_as_repr, stats.dropped, stats.buffered_bytes) == (10, 0, 0)
        assert (stats.write_errors, stats.last_error) == (0, None)


def test_any_gzip_reader_reads_an_open_shard(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {"note": "é ☃"})
        recorder.flush().wait(5)
        (path,) = shard_files(tmp_path)
        (line,) = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    assert line.endswith(b',"event_type":"signal","data":{"note":"\xc3\xa9 \xe2\x98\x83"}}\n')
