"""No room: a full disk, no inodes, a file size limit. Recording resumes by itself, and tells what it lost."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.torture.bench import Bench, Victim
from tests.torture.checker import Promise
from tests.torture.disks import Disk, loop, tmpfs
from tests.torture.registry import EXT4, PRLIMIT, ROOT, scenario

_QUICK: Final = {"first": 0.01, "ceiling": 0.1, "at_close": 5.0}
_SMALL: Final = 200_000  # bytes of buffer, so that an outage of a second overflows it


def suffer(
    bench: Bench,
    root: Path,
    hurt: Callable[[Victim], Callable[[], object]],
    *,
    seconds: float = 1.0,
    victim_options: Mapping[str, Any] | None = None,
    **recorder: Any,
) -> Victim:
    """A victim records; something goes wrong for some seconds, is mended, and the victim ends in order.

    `hurt` breaks something and returns how to mend it. Everything must be there or declared lost.
    """
    options = {"retry": _QUICK, "min_free": 0, **recorder}
    victim = bench.start(root, recorder=options, end="handle", **(victim_options or {}))
    victim.until_acknowledged()
    mend = hurt(victim)
    time.sleep(seconds)
    mend()
    victim.until_acknowledged()
    end(bench, victim)
    bench.judge(root, [(victim, Promise(ended=True))])
    return victim


def end(bench: Bench, victim: Victim) -> None:
    """Let it close, which must work now."""
    victim.send(15)
    code = victim.wait()
    told = victim.journal()
    bench.expect(code == 0 and told.finished, f"no orderly end: exit code {code}, {victim.said()[-2000:]}")


def _policy(bench: Bench) -> dict[str, Any]:
    chance = bench.chance
    return {
        "overload": chance.choice(["drop_oldest", "drop_newest", "priority", "wait"]),
        "buffer_bytes": chance.choice([_SMALL, 64 << 20]),
        "sync": {"mode": chance.choice(["never", "interval", "flush"]), "seconds": 0.2},
        "rotate": {"max_events": chance.choice([500, 100_000])},
    }


def _fill(disk: Disk) -> Callable[[Victim], Callable[[], object]]:
    return lambda _: disk.fill().unlink


@scenario("full tmpfs", ROOT, quick=3, full=20)
def full_tmpfs(bench: Bench, size: int) -> None:
    """Every write fails with ENOSPC for a second, then there is room again"""
    for at in range(size):
        with tmpfs(bench.place("disk"), "8m") as disk:
            suffer(bench, disk.mount / "archive", _fill(disk), **_policy(bench))
        bench.say(f"{at + 1} of {size}")


@scenario("full ext4", ROOT, EXT4, quick=1, full=10)
def full_ext4(bench: Bench, size: int) -> None:
    """The same on a real file system, where a sync may fail later than its write"""
    for at in range(size):
        with loop(bench.place("disk"), size=16 << 20) as disk:
            suffer(bench, disk.mount / "archive", _fill(disk), **_policy(bench))
        bench.say(f"{at + 1} of {size}")


@scenario("disk fills up", ROOT, quick=1, full=10)
def filling_up(bench: Bench, size: int) -> None:
    """The recorder fills the disk itself, to the last byte, and is killed there"""
    for at in range(size):
        with tmpfs(bench.place("disk"), "512k") as disk:
            root = disk.mount / "archive"
            options = {"retry": _QUICK, "min_free": 0, **_policy(bench)}
            victim = bench.start(root, recorder=options, padding=200, end="wait", rate=5_000)
            victim.until_recorded(8_000)
            time.sleep(0.3)
            victim.kill()
            bench.judge(root, [(victim, bench.crashed(victim, failing=True))])
        bench.say(f"{at + 1} of {size}")


@scenario("min_free", ROOT, quick=1, full=10)
def min_free(bench: Bench, size: int) -> None:
    """Stops before the disk is full, seals with the room it kept, resumes when there is more"""
    for _ in range(size):
        with tmpfs(bench.place("disk"), "8m") as disk:

            def hurt(victim: Victim, disk: Disk = disk) -> Callable[[], object]:
                filler = disk.fill(leave=(2 << 20) - 4096)
                time.sleep(1.0)
                shards = list((disk.mount / "archive").rglob("_open/*.gz"))
                bench.expect(not shards, f"open shards below min_free: {shards}; {victim.said()}")
                return filler.unlink

            options = {**_policy(bench), "min_free": 2 << 20}
            suffer(bench, disk.mount / "archive", hurt, seconds=0.5, **options)


@scenario("no inodes", ROOT, quick=1, full=10)
def no_inodes(bench: Bench, size: int) -> None:
    """No file can be made, while shards are rotated"""
    for at in range(size):
        with tmpfs(bench.place("disk"), "8m", inodes=200) as disk:

            def hurt(_: Victim, disk: Disk = disk) -> Callable[[], object]:
                made = disk.use_up_inodes()
                return partial(_remove_all, made)

            options = {**_policy(bench), "rotate": {"max_events": 100_000, "max_seconds": 0.3}}
            suffer(bench, disk.mount / "archive", hurt, **options)
        bench.say(f"{at + 1} of {size}")


def _remove_all(paths: list[Path]) -> None:
    for path in paths:
        path.unlink()


@scenario("file size limit", PRLIMIT, quick=2, full=20)
def file_size_limit(bench: Bench, size: int) -> None:
    """RLIMIT_FSIZE lets the kernel write a part of a block and refuse the rest; lifted after a second"""
    for at in range(size):

        def hurt(victim: Victim) -> Callable[[], object]:
            largest = max((path.stat().st_size for path in victim.root.rglob("*.gz")), default=0)
            _limit(victim, str(largest + bench.chance.randrange(10, 3_000)))
            return lambda: _limit(victim, "unlimited")

        options = {**_policy(bench), "rotate": {"max_bytes": 256 << 20}}
        suffer(bench, bench.place() / "archive", hurt, victim_options={"padding": 100}, **options)
        bench.say(f"{at + 1} of {size}")


def _limit(victim: Victim, size: str) -> None:
    subprocess.run(["prlimit", "--pid", str(victim.pid), f"--fsize={size}:"], check=True)


@scenario("archive removed", quick=2, full=20)
def archive_removed(bench: Bench, size: int) -> None:
    """rm -rf of a date folder, or of all, while it is written: the open shards are made anew, whole"""
    for at in range(size):

        def hurt(victim: Victim) -> Callable[[], object]:
            time.sleep(bench.chance.uniform(0.0, 0.4))
            _remove(bench, victim.root)
            return lambda: None

        suffer(bench, bench.place() / "archive", hurt, flush_interval=bench.chance.choice([0.05, 0.5]))
        bench.say(f"{at + 1} of {size}")


def _remove(bench: Bench, root: Path) -> None:
    """As a careless operator does. Nothing is sealed yet, so nothing may be missing."""
    targets = [root, *sorted(root.glob("data/*/date=*")), *sorted(root.glob("data/*/date=*/_open"))]
    subprocess.run(["rm", "-rf", str(bench.chance.choice(targets))], check=False)
