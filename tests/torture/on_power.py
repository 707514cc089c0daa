"""Power cuts: what a durable flush promised is on the disk, and a sealed shard is whole."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.torture import by_hand
from tests.torture.bench import SLACK, Bench, Victim
from tests.torture.checker import Promise
from tests.torture.disks import Disk, loop
from tests.torture.registry import EXT4, ROOT, XFS, scenario

_SYNC_SECONDS = 0.3


def _options(bench: Bench) -> dict[str, Any]:
    """A sync at every flush that somebody waits for, or now and then; shards that are sealed often."""
    chance = bench.chance
    return {
        "flush_interval": chance.choice([0.02, 0.1]),
        "sync": {"mode": chance.choice(["flush", "flush", "interval"]), "seconds": _SYNC_SECONDS},
        "rotate": {"max_events": chance.choice([100, 1_000, 100_000])},
    }


def _cut_once(bench: Bench, disk: Disk) -> None:
    """The archive lies in a folder of the disk that is new: its entry must survive too."""
    root = disk.mount / f"archive{bench.chance.randrange(10**9)}"
    victim = bench.start(root, recorder=_options(bench), rate=bench.chance.choice([500, 5_000]), end="wait")
    victim.until_acknowledged()
    time.sleep(bench.chance.uniform(0.0, 0.8))
    disk.cut_power()
    cut_ns = time.monotonic_ns()
    at_cut = victim.journal()  # a flush that returned before the cut; one acknowledged later promises nothing
    victim.kill()
    disk.restart()
    interval = at_cut.flush_interval_ns / 1e9
    tail = interval + _SYNC_SECONDS + SLACK
    bench.judge(root, [(at_cut, Promise(died_ns=cut_ns, tail_seconds=tail, durable=True))])


def _cut_often(bench: Bench, size: int, kind: str) -> None:
    with loop(bench.place("disk"), kind) as disk:
        for at in range(size):
            _cut_once(bench, disk)
            bench.say(f"{at + 1} of {size} cuts")


@scenario("power cut, ext4", ROOT, EXT4, quick=4, full=40)
def cut_ext4(bench: Bench, size: int) -> None:
    """The disk stops at once, journal and all, and is mounted again; only durable flushes count"""
    _cut_often(bench, size, "ext4")


@scenario("power cut, xfs", ROOT, XFS, quick=2, full=20)
def cut_xfs(bench: Bench, size: int) -> None:
    """The same on xfs"""
    _cut_often(bench, size, "xfs")


def _sealed(root: Path) -> set[str]:
    return {shard.path for shard in by_hand.read(root) if shard.sealed}


@scenario("power cut after a close", ROOT, EXT4, quick=2, full=15)
def cut_after_close(bench: Bench, size: int) -> None:
    """Closed in order, then cut: everything is there, sealed, and the manifest says it ended"""
    with loop(bench.place("disk")) as disk:
        for _ in range(size):
            root = disk.mount / f"archive{bench.chance.randrange(10**9)}"
            victim = bench.start(root, recorder=_options(bench), events=300)
            _until_closed(bench, victim)
            before = _sealed(root)
            disk.cut_power()
            disk.restart()
            bench.expect(_sealed(root) == before, f"sealed shards are gone: {before - _sealed(root)}")
            bench.judge(root, [(victim, Promise(ended=True))])


def _until_closed(bench: Bench, victim: Victim) -> None:
    code = victim.wait()
    bench.expect(code == 0 and victim.journal().finished, f"exit code {code}: {victim.said()[-1000:]}")
