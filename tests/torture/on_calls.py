"""System calls that fail or kill: the n-th, by strace; at random, by libfiu."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.torture import by_hand
from tests.torture.bench import Bench, Victim
from tests.torture.checker import Promise
from tests.torture.registry import FIU, STRACE, scenario

_RETRY: Final = {"first": 0.005, "ceiling": 0.05, "at_close": 10.0}
_RECORDER: Final = {
    "retry": _RETRY,
    "flush_interval": 0.02,
    "rotate": {"max_events": 60},
    "block_bytes": 2_000,
}
_CALLS: Final = {"write": 70, "fsync": 16, "fdatasync": 10, "rename": 16, "mkdir": 12, "ftruncate": 12,
  "unlink": 2, "rmdir": 10, "flock": 10}  # fmt: skip
"""What a victim of 150 events per thread calls, and about how often."""
_ERRORS: Final = {"write": ["ENOSPC", "EIO", "EDQUOT"], "fsync": ["EIO"], "fdatasync": ["EIO", "ENOSPC"],
  "rename": ["ENOSPC", "EIO"], "mkdir": ["ENOSPC", "EROFS"], "ftruncate": ["EIO"], "rmdir": ["EIO"],
  "flock": ["ENOLCK"]}  # fmt: skip


def _traced(call: str, inject: str, trace: Path) -> list[str]:
    return ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={call}", "-e", f"inject={call}:{inject}"]


def _start(bench: Bench, root: Path, prefix: Sequence[str], **recorder: Any) -> Victim:
    options = {**_RECORDER, "sync": {"mode": bench.chance.choice(["interval", "flush"]), "seconds": 0.05}}
    return bench.start(root, recorder={**options, **recorder}, prefix=prefix, events=150, rate=1_000)


def _points(bench: Bench, size: int) -> list[tuple[str, int]]:
    """Which call to hit: `size` of them by chance, or all there are if it is larger."""
    every = [(call, number) for call, most in _CALLS.items() for number in range(1, most + 1)]
    return every if size >= len(every) else bench.chance.sample(every, size)


@scenario("kill at syscall n", STRACE, quick=6, full=158)
def kill_at_call(bench: Bench, size: int) -> None:
    """Killed at the n-th write, fsync, rename, mkdir ..., for every n; then another recorder starts"""
    points = _points(bench, size)
    for at, (call, number) in enumerate(points):
        root = bench.place()
        trace = bench.journals / f"kill-{call}-{number}"
        victim = _start(bench, root, _traced(call, f"signal=KILL:when={number}", trace))
        code = victim.wait()
        killed = code == -signal.SIGKILL
        bench.expect(killed or code == 0, f"{call} {number}: exit code {code}, {victim.said()[-1000:]}")
        promise = bench.crashed(victim) if killed else Promise(ended=True)
        after = bench.start(root, events=50, threads=1)
        bench.expect(after.wait() == 0, f"after {call} {number}: {after.said()[-1000:]}")
        bench.judge(root, [(victim, promise), (after, Promise(ended=True))])
        bench.say(f"{at + 1} of {len(points)}")


@scenario("syscall n fails", STRACE, quick=6, full=148)
def fail_at_call(bench: Bench, size: int) -> None:
    """The n-th write, fsync, rename, mkdir ... fails, once, some times in a row or every few times"""
    points = [point for point in _points(bench, size) if point[0] in _ERRORS]
    for at, (call, number) in enumerate(points):
        root = bench.place()
        often = bench.chance.choice([f"{number}", f"{number}..{number + 5}", f"{number}+7"])
        inject = f"error={bench.chance.choice(_ERRORS[call])}:when={often}"
        victim = _start(bench, root, _traced(call, inject, bench.journals / f"fail-{call}-{number}"))
        code = victim.wait()
        ended = code == 0 and victim.journal().finished
        bench.expect(ended, f"{call} {inject}: no orderly end, {code}, {victim.said()[-1000:]}")
        tally = bench.judge(root, [(victim, Promise(ended=True))])
        if not tally.ok:
            bench.tally.breach(f"  that was {call} {inject}")
        bench.say(f"{at + 1} of {len(points)}")


@scenario("torn blocks", STRACE, FIU, quick=4, full=60)
def torn_blocks(bench: Bench, size: int) -> None:
    """Killed between the two halves of a short write; the next start cuts the torn end off, and keeps it"""
    torn = 0
    for at in range(size):
        root = bench.place()
        number = bench.chance.randrange(12, 60)
        prefix = _traced("write", f"signal=KILL:when={number}", bench.journals / f"torn-{at}")
        prefix += [
            "fiu-run",
            "-x",
            "-f",
            "",
            "-c",
            "enable_random name=posix/io/rw/write/reduce,probability=0.7",
        ]
        victim = _start(bench, root, prefix)
        code = victim.wait()
        torn += sum(1 for shard in by_hand.read(root) if shard.tail)
        after = bench.start(root, events=50, threads=1)
        bench.expect(after.wait() == 0, f"after {number}: {after.said()[-1000:]}")
        left = [shard.path for shard in by_hand.read(root) if shard.tail]
        bench.expect(not left, f"torn ends are left after another start: {left}")
        promise = Promise(ended=True) if code == 0 else bench.crashed(victim)
        bench.judge(root, [(victim, promise), (after, Promise(ended=True))])
        bench.say(f"{at + 1} of {size}")
    bench.tally.torn_tails += torn
    bench.tally.notes.append(f"{torn} torn ends cut off")


_RANDOM: Final = {
    "posix/io/rw/write": "28", "posix/io/sync/fsync": "5", "posix/io/sync/fdatasync": "5",
    "posix/io/dir/rename": "28", "posix/io/rw/write/reduce": "0", "posix/io/rw/ftruncate": "5",
    "posix/io/rw/pwrite": "5",
}  # fmt: skip


@scenario("random faults", FIU, quick=2, full=40)
def random_faults(bench: Bench, size: int) -> None:
    """One in ten or one in three of all writes, syncs, renames fails or is short"""
    for at in range(size):
        root = bench.place()
        chosen = bench.chance.sample(sorted(_RANDOM), bench.chance.randrange(1, len(_RANDOM) + 1))
        odds = bench.chance.choice([0.05, 0.1, 0.3])
        prefix = ["fiu-run", "-x", "-f", ""]
        for name in chosen:
            prefix += ["-c", f"enable_random name={name},probability={odds},failinfo={_RANDOM[name]}"]
        victim = _start(bench, root, prefix)
        code = victim.wait()
        ended = (
            victim.journal().finished
        )  # the interpreter's own last writes may fail, and its exit code then
        bench.expect(ended, f"{odds} of {chosen}: no orderly end, {code}, {victim.said()[-1000:]}")
        bench.judge(root, [(victim, Promise(ended=True))])
        bench.say(f"{at + 1} of {size}")
