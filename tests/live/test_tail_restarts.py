"""Recorders and a reader are killed and started again: the reader's file has every event once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from polyrecord import replay
from polyrecord.events.routes import stream_of
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.tail.feed import Feed
from tests.read.archives import ArchiveMaker

POLYRECORD = [sys.executable, "-c", "import sys; from polyrecord.cli.app import main; sys.exit(main())"]
RECORD = """
import random, sys, threading, time
from polyrecord import EventRecorder
from polyrecord.record.policy import RotatePolicy

def work(recorder, number):
    for n in range(1_000_000):
        kind = random.choice(["signal", "latency", "book_delta", "span"])
        recorder.record(kind, {"thread": number, "n": n, "text": "x" * random.randrange(200)}, f"{n:032x}")
        time.sleep(0.0005)

recorder = EventRecorder(
    sys.argv[1], buffer_size=50, flush_interval=0.05, block_bytes=2_000, rotate=RotatePolicy(max_blocks=3)
)
for number in range(3):
    threading.Thread(target=work, args=(recorder, number), daemon=True).start()
time.sleep(60)
"""
ROUNDS = 10


class Killable:
    """A process that is killed and started again."""

    def __init__(self, command: list[str]) -> None:
        self._command = command
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, stderr=subprocess.PIPE)

    def kill(self) -> None:
        self._process.kill()
        _, told = self._process.communicate()
        assert self._process.returncode == -9
        assert b"error" not in told
        assert b"Traceback" not in told

    def restart(self) -> None:
        self.kill()
        self._process = self._start()


def wait_to_grow(path: Path, beyond: int) -> int:
    """The size of a file once it is larger than that."""
    deadline = time.monotonic() + 30
    while not path.exists() or path.stat().st_size <= beyond:
        assert time.monotonic() < deadline, f"{path} does not grow"
        time.sleep(0.01)
    return path.stat().st_size


def tail(root: Path, out: Path) -> list[str]:
    place = ["--root", str(root), "--cursor", "reader", "--output", str(out)]
    return [*POLYRECORD, "tail", "--from-start", *place]


def test_every_event_comes_once_over_ten_restarts_of_readers_and_writers(tmp_path: Path) -> None:
    root, out = tmp_path / "archive", tmp_path / "out.jsonl"
    root.mkdir()
    writers = [Killable([sys.executable, "-c", RECORD, str(root)]) for _ in range(2)]
    reader = Killable([*tail(root, out), "-f"])
    try:
        size = 0
        for at in range(ROUNDS):
            size = wait_to_grow(out, size)
            time.sleep(random.uniform(0, 0.2))
            reader.restart()
            writers[at % 2].restart()
        time.sleep(0.3)
    finally:
        for process in (*writers, reader):
            process.kill()
    subprocess.run(tail(root, out), check=True, capture_output=True)
    assert_complete(root, out)


def assert_complete(root: Path, out: Path) -> None:
    """The file has the lines of a final replay, each once, in order within each writer and stream."""
    recorded = list(replay(root))
    delivered = out.read_bytes().splitlines()
    assert Counter(delivered) == Counter(event.line for event in recorded)
    place = {event.line: (event.writer, stream_of(event.event_type), event.seq) for event in recorded}
    assert len(place) == len(recorded)
    last: dict[tuple[str, str], int] = {}
    for line in delivered:
        writer, stream, seq = place[line]
        assert seq > last.get((writer, stream), 0)
        last[writer, stream] = seq
    assert len({writer for writer, _ in last}) >= 2
    assert len(recorded) > 1_000


def test_a_reader_beside_a_living_recorder_sees_each_writer_in_its_order(tmp_path: Path) -> None:
    """Streams of a writer are flushed one after the other; they still come by seq."""
    writer = Killable([sys.executable, "-c", RECORD, str(tmp_path)])
    feed = Feed(tmp_path, Selection(), Explain())
    seqs: list[int] = []
    deadline = time.monotonic() + 20
    try:
        while len(seqs) < 1_500 and time.monotonic() < deadline:
            seqs += [seq for batch in feed.poll() for seq in batch.seqs]
            time.sleep(0.01)
    finally:
        writer.kill()
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(seqs) >= 1_500


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_ends_the_reader_and_the_next_one_goes_on(tmp_path: Path) -> None:
    archive = ArchiveMaker(tmp_path / "archive")
    archive.signals(50)
    place = ["--root", str(archive.root), "--cursor", "reader", "--from-start"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*POLYRECORD, "tail", *place], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (3, b"error: No space left on device\n")
    again = subprocess.run([*POLYRECORD, "tail", *place], capture_output=True, check=True)
    assert again.stdout.splitlines() == archive.read()
    assert b"delivered again" in again.stderr
