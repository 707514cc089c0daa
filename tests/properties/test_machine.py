"""Any order of recording, flushing, rotating, crashing, failing disks, clock steps, restarts and pruning.

The invariant: what a flush acknowledged is read back, in order, once, and every missing seq is accounted for.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
import time
import zlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from polyrecord.read.archive import Archive
from polyrecord.read.coverage import coverage
from polyrecord.read.pruned import pruned_shards
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.record import files, joining, shard_file
from polyrecord.record.policy import RetryPolicy, RotatePolicy
from polyrecord.record.recorder import EventRecorder
from polyrecord.record.recovery import recover_dead
from polyrecord.testing import FrozenClock, shard_files
from polyrecord.times import SECOND
from polyrecord.upkeep.prune import prune
from polyrecord.upkeep.retention import Policy, Retention

TYPES = ("signal", "trade", "latency", "order_request", "event_received")
RETRY = RetryPolicy(first=0.001, ceiling=0.004, at_close=5.0)
_WAIT = 30


@dataclass
class Writer:
    """What the machine knows of one recorder session."""

    acknowledged: list[int] = field(default_factory=list)
    pending: list[int] = field(default_factory=list)
    crashed: bool = False


class Disk:
    """Lets writes of shards fail after any number of their bytes."""

    def __init__(self) -> None:
        self.failures: list[int] = []
        self._real = files.write_all

    def write_all(self, descriptor: int, data: bytes) -> None:
        if self.failures:
            self._real(descriptor, data[: self.failures.pop(0) % (len(data) + 1)])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._real(descriptor, data)


@contextmanager
def faulty(disk: Disk) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        for module in (files, joining, shard_file):
            patched.setattr(module, "write_all", disk.write_all)
        yield


class Recording(RuleBasedStateMachine):
    """One archive, one recorder at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="machine"))
        self._generation = 0
        self._clock = FrozenClock("2026-11-20T23:59:00Z")
        self._disk = Disk()
        self._number = 0
        self._writers: dict[str, Writer] = defaultdict(Writer)
        self._recorder: EventRecorder | None = None
        self._checked = True

    @property
    def _root(self) -> Path:
        return self._folder / str(self._generation)

    @property
    def _writer(self) -> Writer:
        return self._writers[self._open().writer]

    def _open(self) -> EventRecorder:
        if self._recorder is None:
            self._recorder = EventRecorder(
                self._root, clock=self._clock, flush_interval=1e6, buffer_size=10**6, retry=RETRY,
                rotate=RotatePolicy(max_events=12), signals=False, min_free=0, recover="never",
            )  # fmt: skip
        return self._recorder

    @initialize()
    def start(self) -> None:
        self._root.mkdir()

    @rule(types=st.lists(st.sampled_from(TYPES), min_size=1, max_size=12))
    def record(self, types: list[str]) -> None:
        recorder = self._open()
        for event_type in types:
            self._number += 1
            assert recorder.record(event_type, {"n": self._number}, f"{self._number:08x}")
            self._writer.pending.append(self._number)

    @rule(stream=st.sampled_from(["nowhere", "../up", "data/UPPER"]))
    def record_where_it_cannot_go(self, stream: str) -> None:
        """A loss that has to be declared."""
        assert not self._open().record("signal", {"n": -1}, stream=stream)

    @rule()
    def flush(self) -> None:
        with faulty(self._disk):
            while not self._open().flush().wait(_WAIT).ok:
                pass  # told, not kept waiting; the events are written all the same
        self._acknowledge()

    @rule(points=st.lists(st.integers(0, 4000), min_size=1, max_size=6))
    def let_writes_fail(self, points: list[int]) -> None:
        self._disk.failures += points

    @rule(seconds=st.sampled_from([-3600, -1, 0.05, 2, 7200]))
    def step_the_clock(self, seconds: float) -> None:
        self._clock.step(seconds)

    @rule(seconds=st.sampled_from([0.001, 30, 90]))
    def let_time_pass(self, seconds: float) -> None:
        self._clock.advance(seconds)
        if self._recorder is not None and self._recorder.stats().recorded:
            session = self._recorder._session
            while self._clock.mono - session._drain._ticked_ns >= SECOND or session._writer._ticking:
                time.sleep(0.001)  # else what time asks for is done while the files are looked at

    @precondition(lambda self: self._recorder is not None)
    @rule()
    def restart(self) -> None:
        with faulty(self._disk):
            outcome = self._open().close().wait(_WAIT)
        assert outcome.ok
        self._acknowledge()
        self._recorder = None

    @precondition(lambda self: self._recorder is not None)
    @rule(cut=st.integers(0, 1 << 30), torn=st.sampled_from(["nothing", "cut", "zeros"]))
    def crash(self, cut: int, torn: str) -> None:
        """While the next flush writes: of what it was writing there may be anything up to any byte."""
        self._disk.failures.clear()
        before = {path.name: path.stat().st_size for path in shard_files(self._root)}
        self._open().flush().wait(_WAIT)
        after = self._folder / str(self._generation + 1)
        shutil.copytree(self._root, after)
        self._open().close().wait(_WAIT)  # in the archive that is left behind
        self._writer.crashed = True
        self._writer.pending.clear()
        self._recorder = None
        self._generation += 1
        self._tear(before, cut, torn)

    @rule()
    def recover(self) -> None:
        """Seal what crashed writers left open; the one that lives is not touched."""
        self._settle()
        mine = self._recorder.writer if self._recorder is not None else None
        for found in recover_dead(self._root, skip=mine):
            assert self._writers[found.writer].crashed
        left = [path for path in shard_files(self._root) if path.parent.name == "_open"]
        assert {path.name.split("-")[1] for path in left} <= {mine}
        self._checked = False

    @rule(shards=st.integers(1, 4), stream=st.sampled_from(["data/events", "data/books", "*"]))
    def prune(self, shards: int, stream: str) -> None:
        """Keep the last shards of a stream; what went is in the ledger, and coverage knows."""
        self._settle()
        if not shard_files(self._root):
            return
        prune(self._root, Retention({stream: Policy(max_shards=shards)}), self._clock.wall_ns())
        self._checked = False

    def _settle(self) -> None:
        """Nothing is on its way to the disk: the files may be looked at, in the midst of a session too."""
        if self._recorder is not None:
            self.flush()

    def _tear(self, before: dict[str, int], cut: int, torn: str) -> None:
        grown = [
            path
            for path in shard_files(self._root)
            if path.parent.name == "_open" and path.stat().st_size > before.get(path.name, 0)
        ]
        if not grown or torn == "nothing":
            return
        path = grown[cut % len(grown)]
        least, size = before.get(path.name, 0), path.stat().st_size
        at = least + cut % (size - least)
        os.truncate(path, at)
        if torn == "zeros":
            os.truncate(path, size)

    def _acknowledge(self) -> None:
        self._writer.acknowledged += self._writer.pending
        self._writer.pending.clear()
        self._checked = False

    @invariant()
    def what_was_acknowledged_is_there_once_in_order_and_what_is_not_there_is_accounted_for(self) -> None:
        if self._checked:
            return
        self._checked = True
        lines = _independently(self._root)
        for name, writer in self._writers.items():
            found = lines.get(name, [])
            self._check(name, writer, found)
        if not shard_files(self._root):
            return
        replayed = [
            event.data["n"] for event in Replay(Archive(self._root), Selection()) if "n" in event.data
        ]
        assert sorted(replayed) == sorted(n for found in lines.values() for n in _numbers(found))

    def _check(self, name: str, writer: Writer, found: list[dict[str, Any]]) -> None:
        gone = [shard for shard in pruned_shards(self._root) if shard.name.writer == name]
        if gone:
            self._check_pruned(writer, found, sum(shard.events for shard in gone))
            return
        seqs = [event["seq"] for event in found]
        assert seqs == sorted(set(seqs)), name
        assert [event["ts"] for event in found] == sorted(event["ts"] for event in found)
        numbers = _numbers(found)
        kept = set(writer.acknowledged)
        assert [n for n in numbers if n in kept] == writer.acknowledged
        assert numbers == sorted(set(numbers))
        if not writer.crashed:
            declared = {
                seq
                for event in found
                if event["event_type"] == "loss"
                for seq in range(event["data"]["first_seq"], event["data"]["last_seq"] + 1)
            }
            highest = max(seqs, default=0)
            assert set(range(1, highest + 1)) == set(seqs) | {seq for seq in declared if seq <= highest}

    @staticmethod
    def _check_pruned(writer: Writer, found: list[dict[str, Any]], gone: int) -> None:
        """Of a writer whose old shards were deleted: as many are missing as the ledger says, no more."""
        numbers = _numbers(found)
        assert numbers == sorted(set(numbers))
        assert set(writer.acknowledged) >= {n for n in numbers if n not in writer.pending} or writer.crashed
        assert len(set(writer.acknowledged) - set(numbers)) <= gone

    def teardown(self) -> None:
        try:
            if self._recorder is not None:
                self.restart()
            self.what_was_acknowledged_is_there_once_in_order_and_what_is_not_there_is_accounted_for()
            self._check_coverage()
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _check_coverage(self) -> None:
        """Headers alone say the same: nothing unknown but of those that crashed."""
        if not shard_files(self._root):
            return
        told = coverage(Archive(self._root))
        crashed = {name for name, writer in self._writers.items() if writer.crashed}
        assert {name.split()[0] for name in _names(told.unclean)} <= crashed
        if not crashed:
            assert told.unknown == 0


def _names(unclean: Any) -> list[str]:
    return [str(getattr(one, "writer", one)) for one in unclean]


def _independently(root: Path) -> dict[str, list[dict[str, Any]]]:
    """All lines by writer and seq, with zlib and json alone: those of whole members before a torn one."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in shard_files(root):
        lines = b"".join(_members(path.read_bytes())).splitlines()
        found[path.name.split("-")[1]] += [json.loads(line) for line in lines]
    return {name: sorted(events, key=lambda event: event["seq"]) for name, events in found.items()}


def _members(data: bytes) -> Iterator[bytes]:
    while data:
        member = zlib.decompressobj(wbits=31)
        try:
            content = member.decompress(data)
        except zlib.error:
            return
        if not member.eof:
            return
        yield content
        data = member.unused_data


def _numbers(events: list[dict[str, Any]]) -> list[int]:
    return [event["data"]["n"] for event in events if "n" in event["data"]]


TestRecording = Recording.TestCase
TestRecording.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
