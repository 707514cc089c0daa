"""What a bot's own code, and a disk in trouble for long, cannot do to a recorder."""

from __future__ import annotations

import errno
import gc
import json
import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polyrecord.format.layout import ShardName
from polyrecord.record.buffer import Buffer
from polyrecord.record.health import HealthState
from polyrecord.record.identity import new_writer_id
from polyrecord.record.item import Item
from polyrecord.record.outcomes import FlushOutcome, FlushTicket, LossNotice
from polyrecord.record.policy import Overload, RetryPolicy, RotatePolicy, SyncPolicy
from polyrecord.record.recorder import EventRecorder
from polyrecord.record.recovery import find_dead
from polyrecord.record.sampling import Sampler
from polyrecord.record.shard_file import ShardFile
from polyrecord.record.shards import ShardSet
from polyrecord.record.trouble import TroubleFile
from polyrecord.record.writer import Tick
from polyrecord.testing import read_lines
from tests.format.samples import block
from tests.record.archives import assert_accounted, of_type
from tests.record.test_fork import in_child

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

QUICK = RetryPolicy(first=0.005, ceiling=0.02, at_close=0.2)
DONE = FlushOutcome(0, 0, durable=False)
SMALL = 5_000  # bytes of a buffer


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def event(number: int = 0, event_type: str = "signal", stream: str | None = None) -> Item:
    return number, event_type, None, b"{}}\n", None, stream


@pytest.mark.parametrize("overload", ["drop_oldest", "priority"])
def test_lost_events_whose_type_is_no_utf8_are_declared(tmp_path: Path, overload: str) -> None:
    with EventRecorder(tmp_path, buffer_bytes=SMALL, overload=overload) as recorder:
        for number in range(300):
            recorder.record("\ud800odd", {"n": number})
        assert recorder.flush().wait(10).ok
    lost = sum(e["data"]["count"] for e in of_type(read_lines(tmp_path), "loss"))
    assert lost == recorder.stats().dropped > 0
    assert_accounted(tmp_path)


def test_a_hook_that_hangs_or_flushes_or_ends_its_thread_holds_nothing_up(tmp_path: Path) -> None:
    release, called = threading.Event(), threading.Event()

    def hook(_: LossNotice) -> None:
        called.set()
        recorder.flush().wait(20)
        release.wait(20)
        sys.exit("the bot ends its thread")

    recorder = EventRecorder(tmp_path, on_loss=hook)
    recorder.record("signal", {}, stream="nowhere")
    recorder.record("signal", {})
    assert called.wait(10)
    for number in range(100):
        recorder.record("signal", {"n": number})
    assert recorder.flush().wait(10).ok
    release.set()
    assert recorder.close().wait(10).ok
    assert len(of_type(read_lines(tmp_path), "signal")) == 101


def test_a_callback_of_a_flush_that_raises_does_not_end_the_recording(tmp_path: Path) -> None:
    def callback(_: FlushOutcome) -> None:
        raise RuntimeError("the bot's own trouble")

    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {})
        ticket = recorder.flush()
        ticket.when_done(callback)
        assert ticket.wait(10).ok
        recorder.record("signal", {})
        assert recorder.flush().wait(10).ok


def test_an_error_of_the_disk_and_then_a_block_that_cannot_be_packed_leave_nothing_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, errors = ShardSet.write, deque([OSError(errno.EIO, "EIO"), ValueError("cannot be packed")])

    def write(self: ShardSet, block: Any) -> None:
        if errors:
            raise errors.popleft()
        real(self, block)

    monkeypatch.setattr(ShardSet, "write", write)
    with EventRecorder(tmp_path, retry=QUICK) as recorder:
        recorder.record("signal", {"n": 0})
        recorder.flush()
        wait_until(lambda: recorder.stats().dropped == 1)
        recorder.record("signal", {"n": 1})
        wait_until(lambda: recorder.stats().written > 0)
    assert [e["data"]["n"] for e in of_type(read_lines(tmp_path), "signal")] == [1]
    assert_accounted(tmp_path)


class Nested:
    def __init__(self, buffer: Buffer) -> None:
        self._buffer = buffer

    def __str__(self) -> str:
        self._buffer.drop(event(1, "inner"), "buffer_full")
        return "outer"


def test_a_type_whose_text_drops_an_event_itself_is_counted_with_it() -> None:
    buffer = Buffer(SMALL, Overload.DROP_NEWEST)
    buffer.open()
    buffer.drop(event(2, Nested(buffer)), "buffer_full")  # type: ignore[arg-type]
    loss = buffer.drops.take()
    assert loss is not None
    assert loss.events == {("inner", None): 1, ("outer", None): 1}
    assert buffer.drops.total == loss.count == 2


@pytest.mark.parametrize("overload", list(Overload))
def test_a_signal_handler_may_record_and_close_wherever_it_interrupts(
    tmp_path: Path, overload: Overload
) -> None:
    """Overloaded, the interrupted thread is often between taking a lock and giving it back."""
    closed: list[FlushOutcome] = []
    recorder = EventRecorder(tmp_path, buffer_bytes=SMALL, overload=overload, signals=False)
    rounds = 0

    def handler(_: int, __: object) -> None:
        nonlocal rounds
        rounds += 1
        for _ in range(50):
            recorder.record("fill", {"n": rounds})
        if rounds % 10 == 0:
            recorder.flush().wait(30)
        if rounds == 150:
            closed.append(recorder.close().wait(30))
        signal.setitimer(signal.ITIMER_REAL, 0.0005 if rounds < 150 else 0)

    before: Any = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005)
    try:
        while not closed:
            recorder.record("orderbook_delta", {"n": 1})
            recorder.record("fill", {"n": 0})
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert closed[0].ok
    assert_accounted(tmp_path)


def test_what_is_collected_inside_a_drop_may_drop_an_event_too() -> None:
    """As an event that nobody waited for does, when its cycle is collected."""
    buffer = Buffer(SMALL, Overload.DROP_OLDEST)
    buffer.open()

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            buffer.drop(event(0, "collected"), "not_awaited")

    before = gc.get_threshold()
    gc.set_threshold(1)
    try:
        for number in range(2_000):
            Cycle()
            buffer.put(event(number, f"t{number % 300}"), 250)
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert buffer.drops.by_reason["not_awaited"] == 2_000
    loss = buffer.drops.take()
    assert loss is not None
    assert loss.count == buffer.drops.total == sum(loss.events.values())


@pytest.mark.parametrize("overload", [Overload.DROP_OLDEST, Overload.PRIORITY])
def test_flushes_that_wait_do_not_make_drops_slower_and_answered_ones_are_forgotten(
    overload: Overload,
) -> None:
    buffer = Buffer(SMALL, overload)
    buffer.open()
    waiting = [FlushTicket() for _ in range(2_000)]
    for number, ticket in enumerate(waiting):
        buffer.put(event(number), 250)
        buffer.items.append(ticket)
        if number % 2:
            ticket.resolve(DONE)
    for number in range(2_000, 2_100):
        buffer.put(event(number), 250)
    moved = sum(map(len, (buffer.items, *buffer._survivors[:-1])))
    assert moved < 100
    taken = buffer.take(10_000)
    assert [item for item in taken if isinstance(item, FlushTicket)] == waiting[::2]
    numbers = [item[0] for item in taken if not isinstance(item, FlushTicket)]
    assert numbers == list(range(2_100 - len(numbers), 2_100))


def test_while_the_circuit_is_open_flushes_are_answered_at_once_and_do_not_pile_up(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    root.write_text("in the way")
    with EventRecorder(root, retry=RetryPolicy(first=0.001, ceiling=60, trip_after=3)) as recorder:
        recorder.record("signal", {})
        assert not recorder.flush().wait(10).ok
        waiting = len(recorder._buffer.items)
        for _ in range(1_000):
            ticket = recorder.flush()
            assert ticket.done
            assert not ticket.wait(0).ok
        assert len(recorder._buffer.items) == waiting
        root.unlink()


def test_ticks_do_not_pile_up_behind_a_disk_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    real = ShardSet.write

    def write(self: ShardSet, block: Any) -> None:
        release.wait(20)
        real(self, block)

    monkeypatch.setattr(ShardSet, "write", write)
    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {})
        recorder.flush()
        writer = recorder._session._writer
        for _ in range(1_000):
            writer.order(Tick(0))
        assert writer._orders.qsize() <= 3
        release.set()


def test_while_syncs_fail_only_so_much_is_written_and_held_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fdatasync

    def failing(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", failing)
    sync = SyncPolicy(most_bytes=3_000)
    with EventRecorder(tmp_path, retry=QUICK, sync=sync, buffer_size=1) as recorder:
        for number in range(100):
            recorder.record("signal", {"n": number})
            recorder.flush().wait(10)
        wait_until(lambda: recorder.health().state is HealthState.FAILING)
        shards = recorder._session._shards._open.values()
        held = sum(len(member) for shard in shards for _, member in shard._retained)
        assert 3_000 <= held < 4_000
        assert recorder.health().error == "Input/output error"
        monkeypatch.setattr(os, "fdatasync", real)
        wait_until(lambda: recorder.stats().written == 100)
        wait_until(lambda: recorder.health().ok)
    assert [e["data"]["n"] for e in read_lines(tmp_path)] == list(range(100))
    assert_accounted(tmp_path)


def test_two_threads_may_tell_of_trouble_at_once(tmp_path: Path) -> None:
    trouble = TroubleFile(tmp_path, "w", time.time_ns)

    def tell(who: int) -> None:
        for number in range(100):
            trouble.tell(f"{who}-{number}")

    threads = [threading.Thread(target=tell, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told = [json.loads(line)["what"] for line in trouble.path.read_text().splitlines()]
    assert sorted(told) == sorted(f"{who}-{number}" for who in range(4) for number in range(100))


def test_telling_of_trouble_raises_nothing_whatever_the_text_and_the_logging(tmp_path: Path) -> None:
    def raising(_: logging.LogRecord) -> bool:
        raise RuntimeError("the bot's own filter")

    log = logging.getLogger("polyrecord")
    log.addFilter(raising)
    try:
        trouble = TroubleFile(tmp_path, "w", time.time_ns)
        trouble.tell("write fails", error="File exists: /data/\udcff")
    finally:
        log.removeFilter(raising)
    (line,) = trouble.path.read_text().splitlines()
    assert json.loads(line)["error"] == "File exists: /data/\\udcff"


def test_a_close_that_could_not_seal_says_so_and_leaves_the_rest_to_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync
    recorder = EventRecorder(tmp_path, retry=QUICK)
    recorder.record("signal", {"n": 0})
    assert recorder.flush().wait(10).ok

    def failing(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", failing)
    assert not recorder.close().wait(10).ok
    monkeypatch.setattr(os, "fsync", real)
    assert not recorder.health().ok
    assert [writer.writer for writer in find_dead(tmp_path)] == [recorder.writer]
    with EventRecorder(tmp_path) as second:
        second.record("signal", {"n": 1})
        wait_until(lambda: not find_dead(tmp_path))
    assert sorted(e["data"]["n"] for e in of_type(read_lines(tmp_path), "signal")) == [0, 1]


def test_a_sealed_file_whose_close_fails_is_sealed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a network's file system; once more, and it would be another file's number."""
    with EventRecorder(tmp_path, rotate=RotatePolicy(max_events=1), retry=QUICK) as recorder:
        recorder.record("signal", {"n": 0})
        assert recorder.flush().wait(10).ok
        real = os.close

        def close(descriptor: int) -> None:
            real(descriptor)
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with monkeypatch.context() as patched:
            patched.setattr("polyrecord.record.shards.sync_directory", lambda _: None)
            patched.setattr(os, "close", close)
            recorder.record("signal", {"n": 1})
            assert recorder.flush().wait(10).ok
    assert [e["data"]["n"] for e in read_lines(tmp_path)] == [0, 1]
    assert_accounted(tmp_path)


def test_recorders_of_one_process_and_second_have_names_of_their_own() -> None:
    assert len({new_writer_id(0) for _ in range(5_000)}) == 5_000


def test_types_made_up_at_run_time_do_not_fill_the_sampler() -> None:
    sampler = Sampler({"*": 0.5})
    for number in range(10_000):
        sampler.takes(f"type{number}", None)
    assert len(sampler._owed) <= 1_000


def test_a_recorder_that_was_closed_unused_holds_nothing(tmp_path: Path) -> None:
    recorder = EventRecorder(tmp_path)
    recorder.close()
    assert recorder.stats().buffered_bytes == 0


def test_a_sealed_shard_that_a_forked_child_lets_go_of_takes_nobody_elses_descriptor(tmp_path: Path) -> None:
    """The fork may come between the end of a seal and the set of shards hearing of it."""
    shard = ShardFile(tmp_path, ShardName("data/events", "w", 1, "2026-11-20", sealed=False), 0)
    descriptor = shard._descriptor
    shard.append(block(1, 1))
    shard.seal(clean=False)
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    os.dup2(other, descriptor)
    shard.abandon()
    os.fstat(descriptor)
    os.close(descriptor)
    if other != descriptor:
        os.close(other)


def test_a_recorder_that_cannot_begin_anew_keeps_no_other_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    first, second = EventRecorder(tmp_path / "1"), EventRecorder(tmp_path / "2")
    for recorder in (first, second):
        recorder.record("signal", {})
        assert recorder.flush().wait(10).ok
        monkeypatch.setattr(recorder._session, "abandon", fails)

    def child() -> None:
        assert not first._started
        assert not second._started

    assert in_child(child) == 0
    for recorder in (first, second):
        assert recorder.close().wait(10).ok
