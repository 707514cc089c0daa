"""Every way a program ends that is not kill -9: nothing is lost."""

from __future__ import annotations

import signal
import time
from typing import Any

from tests.torture.bench import Bench, Victim
from tests.torture.checker import Promise
from tests.torture.journal import Journal
from tests.torture.registry import scenario

_ENDED = Promise(ended=True)


def _run(bench: Bench, *, codes: set[int], number: int | None = None, **plan: Any) -> None:
    """One victim that ends by itself, or by a signal; `codes` are the exit codes it may have."""
    root = bench.place()
    options = {"flush_interval": bench.chance.choice([0.1, 1.0, 30.0])}
    victim = bench.start(root, recorder=options, flush_every=5.0, **plan)
    if number is not None:
        victim.until_recorded(200)
        time.sleep(bench.chance.uniform(0.0, 0.2))
        victim.send(number)
    begun = time.monotonic()
    code = victim.wait()
    took = time.monotonic() - begun
    bench.expect(code in codes, f"exit code {code}, not one of {sorted(codes)}: {victim.said()[-1500:]}")
    bench.expect(took < 15, f"the end took {took:.1f} s")
    everybody: list[tuple[Victim | Journal, Promise]] = [
        (victim, _ENDED),
        *((journal, _ENDED) for journal in bench.children(victim)),
    ]
    bench.judge(root, everybody)


def _signal(bench: Bench, size: int, number: int, end: str, codes: set[int]) -> None:
    for _ in range(size):
        _run(bench, codes=codes, number=number, end=end)


@scenario("SIGTERM", quick=3, full=20)
def sigterm(bench: Bench, size: int) -> None:
    """A bot without a handler is told to end while it records"""
    _signal(bench, size, signal.SIGTERM, "wait", {-signal.SIGTERM})


@scenario("SIGTERM, own handler", quick=2, full=10)
def sigterm_with_handler(bench: Bench, size: int) -> None:
    """A bot with a handler of its own, which closes"""
    _signal(bench, size, signal.SIGTERM, "handle", {0})


@scenario("SIGINT", quick=2, full=10)
def sigint(bench: Bench, size: int) -> None:
    """Ctrl-C: an exception in the main thread, then the interpreter exits"""
    _signal(bench, size, signal.SIGINT, "interrupt", {0})


@scenario("SIGHUP", quick=1, full=10)
def sighup(bench: Bench, size: int) -> None:
    """The terminal goes away"""
    _signal(bench, size, signal.SIGHUP, "wait", {-signal.SIGHUP})


@scenario("interpreter exit", quick=1, full=10)
def leaving(bench: Bench, size: int) -> None:
    """The main thread returns and nobody closes; it raises; a thread calls sys.exit"""
    for _ in range(size):
        for end, codes in (("leave", {0}), ("fail", {1}), ("exit_thread", {0})):
            _run(bench, codes=codes, end=end, events=500)


@scenario("closed loop", quick=1, full=10)
def closed_loop(bench: Bench, size: int) -> None:
    """The event loop is closed while a flush and a close are under way in it"""
    for _ in range(size):
        _run(bench, codes={0}, end="close_loop", events=500)


@scenario("fork", quick=3, full=40)
def forks(bench: Bench, size: int) -> None:
    """Children forked while all threads record, or import what they need, go on as writers of their own"""
    for at in range(size):
        # Without compiled modules imports take long, and a fork in the middle of one happens.
        env = {"PYTHONPYCACHEPREFIX": str(bench.place("cold"))} if at % 2 else {}
        after = bench.chance.uniform(0.0, 0.1)
        _run(bench, codes={0}, end="close", events=400, children=3, fork_after=after, env=env)
        bench.say(f"{at + 1} of {size}")


@scenario("multiprocessing", quick=2, full=20)
def pools(bench: Bench, size: int) -> None:
    """Workers of multiprocessing that record and never close"""
    for at in range(size):
        _run(bench, codes={0}, end="pool", events=400, children=3)
        bench.say(f"{at + 1} of {size}")
