"""Disks that do not answer, answer late, or turn read-only; processes that are stopped."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import Any, Final

from tests.torture.bench import SLACK, Bench, Victim
from tests.torture.checker import Promise
from tests.torture.disks import Disk, loop
from tests.torture.on_room import end, suffer
from tests.torture.registry import EXT4, FREEZE, ROOT, STRACE, scenario

_SYNC: Final = {"mode": "flush"}


@scenario("hung disk", ROOT, EXT4, FREEZE, quick=1, full=10)
def hung(bench: Bench, size: int) -> None:
    """Frozen for three seconds while a small buffer overflows, then thawed"""
    for at in range(size):
        with loop(bench.place("disk")) as disk:

            def hurt(_: Victim, disk: Disk = disk) -> Callable[[], object]:
                disk.freeze()
                return disk.thaw

            policy = bench.chance.choice(["drop_oldest", "drop_newest", "priority"])
            size_of = bench.chance.choice([200_000, 64 << 20])
            options: dict[str, Any] = {"overload": policy, "buffer_bytes": size_of, "sync": _SYNC}
            suffer(bench, disk.mount / "archive", hurt, seconds=3.0, **options)
        bench.say(f"{at + 1} of {size}")


@scenario("hung disk, kill -9", ROOT, EXT4, FREEZE, quick=1, full=10)
def hung_and_killed(bench: Bench, size: int) -> None:
    """Killed while its disk is frozen"""
    for at in range(size):
        with loop(bench.place("disk")) as disk:
            root = disk.mount / "archive"
            victim = bench.start(root, end="wait", recorder={"sync": _SYNC})
            victim.until_acknowledged()
            disk.freeze()
            try:
                time.sleep(bench.chance.uniform(0.1, 1.0))
                victim.send(signal.SIGKILL)
            finally:
                disk.thaw()
            victim.kill()
            bench.judge(root, [(victim, bench.crashed(victim, failing=True))])
        bench.say(f"{at + 1} of {size}")


@scenario("slow disk", STRACE, quick=1, full=5)
def slow(bench: Bench, size: int) -> None:
    """Each write takes a tenth of a second, each sync half a second"""
    for at in range(size):
        slowly = ["-e", "inject=write:delay_enter=100000", "-e", "inject=fsync,fdatasync:delay_enter=500000"]
        prefix = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=write,fsync,fdatasync", *slowly]
        options: dict[str, Any] = {"buffer_bytes": 100_000, "flush_interval": 0.05}
        root = bench.place()
        victim = bench.start(root, recorder=options, prefix=prefix, seconds=3.0, rate=5_000)
        code = victim.wait()
        bench.expect(code == 0, f"exit code {code}: {victim.said()[-1000:]}")
        bench.judge(root, [(victim, Promise(ended=True))])
        bench.say(f"{at + 1} of {size}")


@scenario("disk turns read-only", ROOT, EXT4, quick=1, full=10)
def read_only(bench: Bench, size: int) -> None:
    """EROFS under open files: the bot goes on and ends; what was durable is there at the next mount"""
    for at in range(size):
        with loop(bench.place("disk")) as disk:
            root = disk.mount / "archive"
            retry = {"first": 0.01, "ceiling": 0.1, "at_close": 0.5}
            victim = bench.start(root, end="handle", recorder={"sync": _SYNC, "retry": retry})
            victim.until_acknowledged()
            time.sleep(bench.chance.uniform(0.0, 0.5))
            disk.abort()
            aborted_ns = time.monotonic_ns()
            told = victim.journal()
            victim.until_recorded(2_000)
            victim.send(signal.SIGTERM)
            code = victim.wait()
            bench.expect(code == 0, f"the bot did not end: {code}, {victim.said()[-1000:]}")
            bench.expect(not victim.journal().finished, "a close on a read-only disk claims success")
            disk.restart()
            tail = told.flush_interval_ns / 1e9 + SLACK
            bench.judge(root, [(told, Promise(died_ns=aborted_ns, tail_seconds=tail, durable=True))])
        bench.say(f"{at + 1} of {size}")


@scenario("SIGSTOP", quick=1, full=10)
def stopped(bench: Bench, size: int) -> None:
    """Stopped for seconds and continued, then ended in order"""
    for at in range(size):

        def hurt(victim: Victim) -> Callable[[], object]:
            victim.send(signal.SIGSTOP)
            return lambda: victim.send(signal.SIGCONT)

        suffer(bench, bench.place(), hurt, seconds=bench.chance.uniform(0.5, 3.0))
        bench.say(f"{at + 1} of {size}")


@scenario("SIGSTOP, kill -9", quick=1, full=10)
def stopped_and_killed(bench: Bench, size: int) -> None:
    """Stopped, and killed while it is; a second recorder works beside it meanwhile"""
    for at in range(size):
        root = bench.place()
        victim = bench.start(root, end="wait")
        victim.until_acknowledged()
        victim.send(signal.SIGSTOP)
        stopped_ns = time.monotonic_ns()
        other = bench.start(root, end="handle")  # must not take the stopped one for dead
        other.until_acknowledged()
        opened = list(root.rglob(f"_open/*{victim.journal().writer}*"))
        bench.expect(bool(opened), "the shards of a stopped writer were taken from it")
        victim.kill()
        end(bench, other)
        tail = victim.journal().flush_interval_ns / 1e9 + SLACK
        crashed = Promise(died_ns=stopped_ns, tail_seconds=tail)
        bench.judge(root, [(victim, crashed), (other, Promise(ended=True))])
        bench.say(f"{at + 1} of {size}")
