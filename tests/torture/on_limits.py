"""What the system refuses: descriptors, threads, memory."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from tests.torture.bench import Bench, Victim, until
from tests.torture.checker import Promise
from tests.torture.on_room import end, suffer
from tests.torture.registry import PRLIMIT, ROOT, Need, scenario

_GROUPS: Final = Path("/sys/fs/cgroup")
PIDS: Final = Need("pids cgroup", (_GROUPS / "pids").is_dir, "mount cgroup v1 with its pids controller")
MEMORY: Final = Need(
    "memory cgroup", (_GROUPS / "memory").is_dir, "mount cgroup v1 with its memory controller"
)


@scenario("no descriptors", PRLIMIT, quick=1, full=10)
def no_descriptors(bench: Bench, size: int) -> None:
    """No file can be opened for a second, while shards are sealed and opened"""
    for at in range(size):

        def hurt(victim: Victim) -> Callable[[], object]:
            used = len(list(Path(f"/proc/{victim.pid}/fd").iterdir()))
            _descriptors(victim, bench.chance.randrange(3, used + 1))
            return lambda: _descriptors(victim, 1024)

        rotate = {"max_seconds": bench.chance.choice([0.1, 0.3])}
        suffer(bench, bench.place() / "archive", hurt, rotate=rotate, flush_interval=0.05)
        bench.say(f"{at + 1} of {size}")


def _descriptors(victim: Victim, count: int) -> None:
    subprocess.run(["prlimit", "--pid", str(victim.pid), f"--nofile={count}:"], check=True)


@contextlib.contextmanager
def _group(controller: str, limits: dict[str, str]) -> Iterator[Path]:
    group = _GROUPS / controller / f"polyrecord-torture-{os.getpid()}"
    group.mkdir()
    try:
        for name, value in limits.items():
            (group / name).write_text(value)
        yield group
    finally:
        until(lambda: not (group / "cgroup.procs").read_text(), "the group is empty")
        group.rmdir()


def _inside(group: Path) -> list[str]:
    return ["sh", "-c", f'echo $$ >{group}/cgroup.procs; exec "$@"', "sh"]


@scenario("no threads", ROOT, PIDS, quick=1, full=5)
def no_threads(bench: Bench, size: int) -> None:
    """The recorder's threads cannot start at the first event; they do when the system allows it"""
    for at in range(size):
        root = bench.place()
        own = 4  # main, two that record, one that flushes
        with _group("pids", {"pids.max": str(own)}) as group:
            victim = bench.start(root, prefix=_inside(group), end="handle", rate=500)
            victim.until_recorded(200)
            kept = sum(thread.yes for thread in victim.journal().threads)
            bench.expect(kept == 0, f"without threads {kept} events were taken")
            (group / "pids.max").write_text("max")
            victim.until_acknowledged()
            end(bench, victim)
        bench.judge(root, [(victim, Promise(ended=True))])
        bench.say(f"{at + 1} of {size}")


@scenario("out of memory", ROOT, MEMORY, quick=1, full=10)
def out_of_memory(bench: Bench, size: int) -> None:
    """The bot takes more and more memory until the kernel kills it"""
    for at in range(size):
        root = bench.place()
        with _group("memory", {"memory.limit_in_bytes": "80M"}) as group:
            victim = bench.start(root, prefix=_inside(group), end="grow")
            begun = time.monotonic()
            code = victim.wait()
            bench.expect(
                code == -9, f"exit code {code} after {time.monotonic() - begun:.1f} s: {victim.said()}"
            )
        bench.judge(root, [(victim, bench.crashed(victim))])
        bench.say(f"{at + 1} of {size}")
