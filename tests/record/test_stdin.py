"""Lines of a descriptor become an archive: counts, bytes, time, back-pressure, failing disks, passing on."""

from __future__ import annotations

import base64
import gzip
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrecord.clock import Clock, SystemClock
from polyrecord.foreign.repair import repair
from polyrecord.record import intake as intake_module
from polyrecord.record.intake import Intake
from polyrecord.record.passing import PassOn
from polyrecord.record.policy import RetryPolicy, RotatePolicy
from polyrecord.record.privacy import Privacy
from polyrecord.record.rejects import RejectsFile
from polyrecord.record.shards import ShardSet
from polyrecord.record.stdin import Ending, StdinRecorder
from polyrecord.record.wire import BadLine, WireReader
from polyrecord.testing import FrozenClock, read_lines, shard_files
from tests.record.archives import assert_accounted, blocks, footers, names
from tests.record.test_failing_disk import wait_until
from tests.record.test_stdin_lines import JSON

QUICK = RetryPolicy(first=0.005, ceiling=0.02, at_close=0.2)


class Feed:
    """A recorder on a thread of its own behind a pipe."""

    def __init__(
        self, root: Path, clock: Clock | None = None, pass_on: PassOn | None = None, **options: Any
    ) -> None:
        clock = clock or SystemClock()
        source, self._sink = os.pipe()
        self._source = source
        self.told: list[tuple[int, str]] = []
        intake = Intake(root, clock, **{"retry": QUICK, "flush_seconds": 0.05, **options})
        self.recorder = StdinRecorder(
            source, intake, WireReader(repair), RejectsFile(root, intake.writer), clock,
            pass_on=pass_on, on_reject=self._reject, on_look=lambda: None,
        )  # fmt: skip
        self.ending: Ending | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.ending = self.recorder.run()

    def _reject(self, number: int, bad: BadLine) -> None:
        self.told.append((number, bad.reason))

    def send(self, data: bytes) -> None:
        """Write all of it; waits while the pipe is full."""
        view = memoryview(data)
        while view:
            view = view[os.write(self._sink, view) :]

    def settle(self, events: int) -> None:
        """Wait until so many events came, and all are written."""
        counts, intake = self.recorder.counts, self.recorder.intake
        wait_until(lambda: counts.events == events and intake.waiting == 0)

    def end(self) -> Ending:
        """Close the pipe and wait for the recorder."""
        if self._sink >= 0:
            os.close(self._sink)
            self._sink = -1
        return self.wait()

    def wait(self) -> Ending:
        """Wait for the recorder."""
        self._thread.join(20)
        assert self.ending is not None
        if self._source >= 0:
            os.close(self._source)
            self._source = -1
        return self.ending


@contextmanager
def feeding(root: Path, **options: Any) -> Iterator[Feed]:
    feed = Feed(root, **options)
    try:
        yield feed
    finally:
        feed.end()


def record(root: Path, data: bytes, **options: Any) -> StdinRecorder:
    with feeding(root, **options) as feed:
        feed.send(data)
    assert feed.ending is not None
    assert feed.ending.whole
    return feed.recorder


def rejects(root: Path) -> list[dict[str, Any]]:
    (path,) = (root / "logs" / "_rejects").iterdir()
    return [json.loads(line) for line in path.read_text().splitlines()]


def numbers(root: Path) -> list[int]:
    return [event["data"]["n"] for event in read_lines(root)]


def lines_of(count: int, start: int = 0) -> bytes:
    return b"".join(b'{"event_type":"signal","data":{"n":%d}}\n' % n for n in range(start, start + count))


def test_twenty_thousand_lines_in_one_go_are_twenty_thousand_events(tmp_path: Path) -> None:
    recorder = record(tmp_path, lines_of(20_000))
    assert numbers(tmp_path) == list(range(20_000))
    assert recorder.counts.events == recorder.counts.lines == 20_000
    assert_accounted(tmp_path)
    assert all(name.sealed for name in names(tmp_path))


def test_a_session_is_one_of_a_recorder(tmp_path: Path) -> None:
    recorder = record(tmp_path, lines_of(3), bot_id="b7", index_keys=["data.market"])
    (manifest,) = (tmp_path / "logs" / "_writers").iterdir()
    said = json.loads(manifest.read_text())
    assert said["writer"] == recorder.intake.writer == manifest.stem
    assert (said["kind"], said["format"], said["pid"]) == ("recorder", 1, os.getpid())
    assert said["index_keys"] == ["data.market"]
    assert said["ended"] >= said["started"]
    assert [event["bot_id"] for event in read_lines(tmp_path)] == ["b7"] * 3
    assert {block.header.paths for block in blocks(tmp_path)} == {("data.market",)}


def test_events_go_to_the_stream_of_their_type_or_to_the_one_that_is_forced(tmp_path: Path) -> None:
    data = b"trade\t{}\nsignal\t{}\nlatency\t{}\nrisk_passed\t{}\n"
    record(tmp_path / "a", data)
    assert [name.stream for name in names(tmp_path / "a")] == [
        "data/books", "data/events", "logs/metrics", "logs/telemetry",
    ]  # fmt: skip
    record(tmp_path / "b", data, stream="data/rust")
    assert [name.stream for name in names(tmp_path / "b")] == ["data/rust"]


def test_a_bot_id_of_the_line_goes_before_that_of_the_session(tmp_path: Path) -> None:
    record(tmp_path, b'{"event_type":"x","bot_id":"own"}\n{"event_type":"x","level":"info"}\n', bot_id="b")
    assert [event["bot_id"] for event in read_lines(tmp_path)] == ["own", "b"]


def test_bytes_of_the_data_are_those_of_the_line(tmp_path: Path) -> None:
    data = '{"price": 0.10, "n":1e2, "big":123456789012345678901234567890, "s":"\\u00e9 é"}'
    record(tmp_path, f'{{"event_type":"x","data":{data}}}\r\nx\t{data}\r\n'.encode())
    (path,) = shard_files(tmp_path)
    for line in gzip.decompress(path.read_bytes()).splitlines():
        assert line.endswith(f'"event_type":"x","data":{data}}}'.encode())


@settings(max_examples=25)
@given(st.lists(JSON, min_size=1, max_size=8))
def test_any_values_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, values: list[Any]
) -> None:
    root = tmp_path_factory.mktemp("any")
    lines = [json.dumps({"event_type": "x", "data": value}) for value in values]
    record(root, "\n".join(lines).encode(), privacy=Privacy(redact=False))
    assert [event["data"] for event in read_lines(root)] == values


def test_times_are_those_of_arrival_and_never_go_back(tmp_path: Path) -> None:
    clock = FrozenClock("2026-11-20T23:59:59Z")
    with feeding(tmp_path, clock=clock) as feed:
        feed.send(lines_of(1))
        wait_until(lambda: feed.recorder.counts.events == 1)
        clock.step(-3600)
        feed.send(lines_of(1, 1))
        wait_until(lambda: feed.recorder.counts.events == 2)
        clock.advance(2)
        feed.send(lines_of(1, 2))
    events = read_lines(tmp_path)
    signals = [event["ts"] for event in events if event["event_type"] == "signal"]
    assert signals == [
        "2026-11-20T23:59:59.000000000Z", "2026-11-20T23:59:59.000000000Z", "2026-11-21T00:00:01.000000000Z",
    ]  # fmt: skip
    (step,) = [event["data"] for event in events if event["event_type"] == "clock_step"]
    assert (step["offset_ns"], step["direction"]) == (-3_600_000_000_000, "back")
    assert sorted({name.date for name in names(tmp_path)}) == ["2026-11-20", "2026-11-21"]


def test_what_came_is_in_the_open_shard_after_the_flush_interval(tmp_path: Path) -> None:
    with feeding(tmp_path) as feed:
        feed.send(lines_of(5))
        wait_until(lambda: bool(shard_files(tmp_path)) and len(read_lines(tmp_path)) == 5)
        (name,) = names(tmp_path)
        assert not name.sealed
        feed.send(lines_of(5, 5))
        wait_until(lambda: len(read_lines(tmp_path)) == 10)
    assert [(name.sealed, name.number) for name in names(tmp_path)] == [(True, 1)]


def test_shards_rotate(tmp_path: Path) -> None:
    with feeding(tmp_path, rotate=RotatePolicy(max_events=10)) as feed:
        for start in range(0, 30, 10):
            feed.send(lines_of(10, start))
            feed.settle(start + 10)
    assert numbers(tmp_path) == list(range(30))
    assert [footer.events for _, footer in sorted(footers(tmp_path).items())] == [10, 10, 10]


def test_without_events_no_shard_and_no_manifest_is_made(tmp_path: Path) -> None:
    recorder = record(tmp_path, b"\n \r\n\n")
    assert (recorder.counts.lines, recorder.counts.blank, recorder.counts.events) == (3, 3, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_last_line_without_its_line_feed_counts_if_it_is_whole(tmp_path: Path) -> None:
    record(tmp_path, lines_of(2)[:-1])
    assert numbers(tmp_path) == [0, 1]


def test_bad_lines_go_to_the_rejects_and_do_not_stop_the_rest(tmp_path: Path) -> None:
    long = b'{"event_type":"x","data":"' + b"y" * (17 << 20) + b'"}\n'
    data = b"oops\n" + lines_of(1) + b"\n\xff{}\r\n" + long + lines_of(1, 1) + b'{"event_type":"x","da'
    recorder = record(tmp_path, data)
    assert numbers(tmp_path) == [0, 1]
    assert dict(recorder.counts.reasons) == {"not JSON": 1, "not UTF-8": 1, "too long": 1, "cut off": 1}
    first, second, third, fourth = rejects(tmp_path)
    assert first == {
        "line": 1, "reason": "not JSON", "text": "oops",
        "detail": "unexpected character, expected a JSON value at column 1",
    }  # fmt: skip
    assert (second["line"], second["text"]) == (4, "\\xff{}\r")
    assert base64.b64decode(second["base64"]) == b"\xff{}\r"
    assert (third["line"], third["reason"], len(third["text"])) == (5, "too long", 1_000)
    assert third["detail"].startswith(f"{len(long) - 1:,} bytes")
    assert (fourth["line"], fourth["reason"], fourth["text"]) == (7, "cut off", '{"event_type":"x","da')


def test_a_folder_in_the_way_of_the_rejects_loses_none_of_them(tmp_path: Path) -> None:
    with feeding(tmp_path) as feed:
        (tmp_path / "logs").write_text("in the way")
        feed.send(b"bad\n" * 3)
        wait_until(lambda: feed.recorder.trouble is not None)
        assert str(feed.recorder.trouble).startswith("File exists")
        (tmp_path / "logs").unlink()
        wait_until(lambda: feed.recorder.trouble is None)
    assert [entry["line"] for entry in rejects(tmp_path)] == [1, 2, 3]
    assert feed.ending is not None
    assert feed.ending.whole


def test_rejects_that_cannot_be_written_to_the_end_are_told(tmp_path: Path) -> None:
    with feeding(tmp_path) as feed:
        (tmp_path / "logs").write_text("in the way")
        feed.send(b"bad\n" * 3)
    assert feed.ending is not None
    assert (feed.ending.unwritten, feed.ending.unwritten_rejects) == (0, 3)
    assert str(feed.ending.write_error).startswith("rejected lines could not be written: File exists")


def test_while_the_disk_is_slow_the_input_waits_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer is held at its first block: the pipe fills, memory does not; then everything arrives."""
    go, write = threading.Event(), ShardSet.write
    monkeypatch.setattr(intake_module, "_MAX_BACKLOG", 1 << 20)
    monkeypatch.setattr(ShardSet, "write", lambda self, block: go.wait(20) and write(self, block))
    with feeding(tmp_path) as feed:
        sender = threading.Thread(target=feed.send, args=(lines_of(50_000),))
        sender.start()
        wait_until(lambda: feed.recorder.intake.full)
        time.sleep(0.1)
        taken = feed.recorder.counts.lines
        time.sleep(0.1)
        assert feed.recorder.counts.lines == taken < 25_000
        assert sender.is_alive()
        go.set()
        sender.join(20)
    assert numbers(tmp_path) == list(range(50_000))
    assert_accounted(tmp_path)


def test_while_the_disk_fails_everything_waits_and_then_arrives(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    root.write_text("in the way")
    with feeding(root) as feed:
        feed.send(lines_of(100))
        wait_until(lambda: feed.recorder.trouble is not None)
        assert str(feed.recorder.trouble) == f"File exists: {root}"
        feed.send(lines_of(100, 100))
        wait_until(lambda: feed.recorder.intake.waiting == 200)
        root.unlink()
        wait_until(lambda: feed.recorder.trouble is None)
    assert numbers(root) == list(range(200))


def test_an_end_while_the_disk_fails_tells_how_many_events_are_missing(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    root.write_text("in the way")
    with feeding(root) as feed:
        feed.send(lines_of(7))
    assert feed.ending is not None
    assert not feed.ending.whole
    assert feed.ending.unwritten == 7
    assert feed.ending.write_error == f"7 events could not be written: File exists: {root}"


def test_a_stop_reads_what_is_on_its_way_and_seals(tmp_path: Path) -> None:
    with feeding(tmp_path) as feed:
        feed.send(lines_of(10))
        feed.recorder.stop()
        feed.send(lines_of(10, 10) + b'signal\t{"n":20}')
        ending = feed.wait()
    assert ending.whole
    assert numbers(tmp_path) == list(range(21))
    assert all(name.sealed for name in names(tmp_path))


def test_a_stop_does_not_wait_for_an_input_that_never_ends(tmp_path: Path) -> None:
    with feeding(tmp_path) as feed:
        ended = threading.Event()

        def flood() -> None:
            while not ended.is_set():
                feed.send(lines_of(1))
                time.sleep(0.01)

        sender = threading.Thread(target=flood)
        sender.start()
        feed.recorder.stop()
        feed._thread.join(20)
        ended.set()
        sender.join()
        assert feed.wait().whole
    assert numbers(tmp_path) == [0] * feed.recorder.counts.events


def read_all(descriptor: int, into: list[bytes]) -> None:
    while chunk := os.read(descriptor, 65_536):
        into.append(chunk)


def test_bytes_are_passed_on_unchanged(tmp_path: Path) -> None:
    source, sink = os.pipe()
    passed: list[bytes] = []
    reader = threading.Thread(target=read_all, args=(source, passed))
    reader.start()
    data = lines_of(20_000) + b"\xff bad\r\n\n" + lines_of(1)[:-1]
    record(tmp_path, data, pass_on=PassOn(sink))
    os.close(sink)
    reader.join()
    os.close(source)
    assert b"".join(passed) == data
    assert len(read_lines(tmp_path)) == 20_001


def test_while_nobody_takes_what_is_passed_on_events_still_reach_the_disk(tmp_path: Path) -> None:
    source, sink = os.pipe()
    with feeding(tmp_path, pass_on=PassOn(sink)) as feed:
        sender = threading.Thread(target=feed.send, args=(lines_of(10_000),))
        sender.start()
        wait_until(lambda: feed.recorder.counts.lines > 1_500 and feed.recorder.intake.waiting == 0)
        assert sender.is_alive()
        passed: list[bytes] = []
        reader = threading.Thread(target=read_all, args=(source, passed))
        reader.start()
        sender.join(20)
        feed.end()
        os.close(sink)
        reader.join()
    os.close(source)
    assert b"".join(passed) == lines_of(10_000)


def test_when_whoever_took_the_bytes_has_gone_recording_goes_on(tmp_path: Path) -> None:
    source, sink = os.pipe()
    os.close(source)
    recorder = record(tmp_path, lines_of(5_000), pass_on=PassOn(sink))
    os.close(sink)
    assert recorder.counts.events == 5_000
    assert numbers(tmp_path) == list(range(5_000))


def test_what_cannot_be_passed_on_for_another_reason_is_told(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full, feeding(tmp_path, pass_on=PassOn(full.fileno())) as feed:
        feed.send(lines_of(10))
        ending = feed.end()
    assert (ending.whole, ending.pass_on_error) == (False, "No space left on device")
    assert numbers(tmp_path) == list(range(10))


def test_an_input_that_cannot_be_read_is_told_and_what_came_before_is_kept(tmp_path: Path) -> None:
    with feeding(tmp_path) as feed:
        feed.send(lines_of(3))
        feed.settle(3)
        directory = os.open("/", os.O_RDONLY)
        os.dup2(directory, feed._source)
        os.close(directory)
        ending = feed.end()
    assert (ending.whole, ending.read_error) == (False, "Is a directory")
    assert numbers(tmp_path) == [0, 1, 2]


def test_events_that_cannot_be_recorded_are_named_and_cost_the_others_nothing(tmp_path: Path) -> None:
    intake = Intake(tmp_path, SystemClock())
    intake.arrive()
    broken = ("signal", b'{"order_id":', None, None)
    assert intake.add_all(
        [("signal", b"{}", "ab", None), broken, ("note", b"1", None, {"level": "WARN"})]
    ) == [1]
    assert intake.add_all([]) == []
    assert intake.close().wait(10).ok
    found = [(event["seq"], event["event_type"], event["data"]) for event in read_lines(tmp_path)]
    assert found == [(1, "signal", {}), (2, "note", 1)]
    assert_accounted(tmp_path)
