"""Readers beside a living recorder: what was flushed is there, once and in order, whatever is sealed."""

from __future__ import annotations

import threading
from pathlib import Path

from polyrecord import EventRecorder, replay
from polyrecord.read.archive import Archive
from polyrecord.read.coverage import coverage
from polyrecord.read.traces import find_trace
from polyrecord.record.policy import RotatePolicy

ROUNDS = 60
PER_ROUND = 50


def numbers(root: Path) -> list[int]:
    return [event.data["n"] for event in replay(root, types=["signal"])]


def test_a_flushed_event_is_replayed_once_and_in_order_while_shards_are_sealed(tmp_path: Path) -> None:
    with EventRecorder(tmp_path, rotate=RotatePolicy(max_events=70)) as recorder:
        for at in range(ROUNDS):
            for number in range(at * PER_ROUND, (at + 1) * PER_ROUND):
                recorder.record("signal", {"n": number}, f"{number:08x}")
            recorder.flush().wait(10)
            assert numbers(tmp_path) == list(range((at + 1) * PER_ROUND))
    assert numbers(tmp_path) == list(range(ROUNDS * PER_ROUND))


def test_readers_in_other_threads_never_see_damage_or_a_gap(tmp_path: Path) -> None:
    """They see a growing beginning of the session: never less than before, never an event twice."""
    done = threading.Event()
    seen: list[str] = []

    def read() -> None:
        last = 0
        while not done.is_set():
            again = replay(tmp_path, types=["signal"])
            got = [event.data["n"] for event in again]
            if got != list(range(len(got))) or len(got) < last or again.explain.damage:
                seen.append(f"{len(got)} after {last}, damage {again.explain.damage}")
            last = len(got)

    with EventRecorder(tmp_path, buffer_size=20, rotate=RotatePolicy(max_events=100)) as recorder:
        recorder.record("signal", {"n": 0})
        recorder.flush().wait(10)
        readers = [threading.Thread(target=read) for _ in range(2)]
        for reader in readers:
            reader.start()
        for number in range(1, 4_000):
            recorder.record("signal", {"n": number}, f"{number:08x}")
            if number % 100 == 0:
                recorder.flush().wait(10)
        done.set()
        for reader in readers:
            reader.join()
    assert seen == []
    assert find_trace(Archive(tmp_path), f"{1234:08x}").events[0].data == {"n": 1234}
    told = coverage(Archive(tmp_path))
    assert (told.events, told.lost, told.unknown, told.unclean) == (4_000, 0, 0, ())
