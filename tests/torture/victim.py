"""The program that is tortured: records numbered events and tells in a journal what it was promised.

`python -m tests.torture.victim '{"root": ..., "journal": ..., "who": ...}'`, see plan.py for the rest.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from polyrecord.record.outcomes import FlushOutcome
from polyrecord.record.recorder import EventRecorder
from tests.torture.events import TYPES, data_of
from tests.torture.journal import JournalWriter
from tests.torture.plan import Plan, recorder_of

T = TypeVar("T")
_LEAST_SLEEP: Final = 0.002  # seconds: rather a few events together than a sleep each


class Work:
    """The threads of one victim: some record, one flushes and acknowledges."""

    def __init__(self, plan: Plan, recorder: EventRecorder) -> None:
        """Nothing runs before `start`."""
        interval = plan.recorder.get("flush_interval", 1.0)
        path = Path(plan.journal) / f"{plan.who}.journal"
        self.journal = insist(partial(JournalWriter, path, plan.threads, interval, recorder.writer))
        self.over = threading.Event()
        self._go = threading.Event()
        self._plan, self._recorder = plan, recorder
        self._threads = [
            threading.Thread(target=self._record, args=(number,), daemon=True)
            for number in range(plan.threads)
        ]
        self._acker = threading.Thread(target=self._acknowledge, daemon=True)

    def start(self) -> None:
        """Start all threads."""
        for thread in (*self._threads, self._acker):
            thread.start()
        self._go.set()  # the recorder starts threads too, and where there are few, ours come first

    def join(self) -> None:
        """Wait until the recording threads are done, and tell the acker to stop."""
        for thread in self._threads:
            thread.join()
        self.over.set()
        self._acker.join()

    def stop(self) -> None:
        """Let all threads end soon."""
        self.over.set()
        self.join()

    def _record(self, thread: int) -> None:
        plan, yes, no = self._plan, 0, 0
        kind = TYPES[thread % len(TYPES)]
        self._go.wait()
        begun = time.perf_counter()
        while not self.over.is_set() and not self._is_done(yes + no, begun):
            number = yes + no + 1
            if self._recorder.record(kind, data_of(plan.who, thread, number, plan.padding)):
                yes += 1
            elif self._recorder.closed:  # what comes after the close is refused, and is nobody's loss
                return
            else:
                no += 1
            self.journal.count(thread, yes, no)
            ahead = number / plan.rate - (time.perf_counter() - begun)
            if ahead > _LEAST_SLEEP:
                time.sleep(ahead)

    def _is_done(self, count: int, begun: float) -> bool:
        plan = self._plan
        if plan.events:
            return count >= plan.events
        return plan.seconds > 0 and time.perf_counter() - begun >= plan.seconds

    def _acknowledge(self) -> None:
        chance = random.Random(self._plan.who)
        while not self.over.wait(chance.uniform(0, 2 * self._plan.flush_every)):
            numbers = self.journal.numbers()
            with suppress(TimeoutError):
                outcome = self._recorder.flush().wait(30)
                if outcome.ok and not self._recorder.closed:
                    self.journal.acknowledge(numbers, durable=outcome.durable)

    def finish(self, outcome: FlushOutcome) -> None:
        """Tell how the close went."""
        if outcome.ok:
            self.journal.acknowledge(self.journal.numbers(), durable=outcome.durable)
            self.journal.finish()


def insist(action: Callable[[], T]) -> T:
    """The faults that strace and libfiu make are not picky: what is not the recorder's tries again."""
    while True:
        with suppress(OSError):
            return action()


def tell_pid(path: Path) -> None:
    """Make a file with the number of this process, whole."""
    path.with_suffix(".new").write_text(str(os.getpid()))
    path.with_suffix(".new").replace(path)


def tell(recorder: EventRecorder, outcome: FlushOutcome | None = None) -> None:
    """Print the recorder's counters, for whoever looks into a breach."""
    stats = asdict(recorder.stats())
    about = {"stats": stats, "outcome": None if outcome is None else asdict(outcome)}
    line = json.dumps({"pid": os.getpid(), **about}) + "\n"
    insist(lambda: os.write(1, line.encode()))


def close(work: Work, recorder: EventRecorder) -> None:
    """An orderly end."""
    work.join()
    outcome = recorder.close().wait(60)
    work.finish(outcome)
    tell(recorder, outcome)


def wait(work: Work, recorder: EventRecorder) -> None:
    """Somebody else ends it."""
    while True:
        time.sleep(60)


def leave(work: Work, recorder: EventRecorder) -> None:
    """The main thread returns, and nobody closes."""
    work.join()


def fail(work: Work, recorder: EventRecorder) -> None:
    """The main thread dies of an exception."""
    work.join()
    raise RuntimeError("the strategy has a bug")


def exit_thread(work: Work, recorder: EventRecorder) -> None:
    """A thread calls sys.exit, which ends that thread only; the main thread then returns."""
    work.join()
    thread = threading.Thread(target=sys.exit, args=(3,))
    thread.start()
    thread.join()


def close_loop(work: Work, recorder: EventRecorder) -> None:
    """The recorder is used in an event loop that is closed while flushes are under way."""
    work.join()

    async def main() -> None:
        asyncio.ensure_future(recorder.flush())  # noqa: RUF006 - forgotten on purpose
        asyncio.ensure_future(recorder.close())  # noqa: RUF006

    asyncio.run(main())


def handle(work: Work, recorder: EventRecorder) -> None:
    """The bot has a SIGTERM handler of its own, which closes."""
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    while not asked.wait(0.05):
        pass
    work.stop()
    outcome = recorder.close().wait(60)
    work.finish(outcome)


def interrupt(work: Work, recorder: EventRecorder) -> None:
    """Ctrl-C in a bot without handlers: KeyboardInterrupt in the main thread, then the interpreter exits."""
    try:
        while True:
            time.sleep(0.05)
    except KeyboardInterrupt:
        work.stop()


def grow(work: Work, recorder: EventRecorder) -> None:
    """Take more and more memory."""
    taken = []
    while True:
        taken.append(os.urandom(1 << 20))
        time.sleep(0.02)


ENDS: Final[dict[str, Callable[[Work, EventRecorder], None]]] = {
    "close": close, "wait": wait, "leave": leave, "fail": fail, "exit_thread": exit_thread,
    "close_loop": close_loop, "handle": handle, "interrupt": interrupt, "grow": grow,
}  # fmt: skip


def child(plan: Plan, recorder: EventRecorder) -> None:
    """What a forked child does with the recorder it inherited: record on, as itself."""
    work = Work(plan, recorder)
    work.start()
    work.join()


def fork_children(plan: Plan, recorder: EventRecorder) -> list[int]:
    """Fork while the parent records; children end like programs that know nothing of the recorder."""
    pids = []
    for number in range(plan.children):
        pid = os.fork()
        if pid == 0:
            theirs = replace(plan, who=f"{plan.who}c{number}", children=0)
            code = 1
            try:
                child(theirs, recorder)
                recorder.close().wait(30)
                code = 0
            finally:
                os._exit(code)
        pids.append(pid)
    return pids


def pool_children(plan: Plan, recorder: EventRecorder) -> None:
    """A multiprocessing pool whose workers record and close nothing themselves."""
    context = multiprocessing.get_context("fork")
    plans = [replace(plan, who=f"{plan.who}p{number}", children=0) for number in range(plan.children)]
    processes = [context.Process(target=child, args=(each, recorder)) for each in plans]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0


def main(arguments: list[str]) -> None:
    """Do what a plan says."""
    faulthandler.register(signal.SIGUSR1)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs in the background
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    plan = Plan(**json.loads(arguments[0]))
    insist(partial(tell_pid, Path(plan.journal) / f"{plan.who}.pid"))
    recorder = recorder_of(plan)
    work = Work(plan, recorder)
    work.start()
    pids: list[int] = []
    if plan.children and plan.end == "pool":
        pool_children(plan, recorder)
    elif plan.children:
        time.sleep(plan.fork_after)
        pids = fork_children(plan, recorder)
    ENDS["close" if plan.end == "pool" else plan.end](work, recorder)
    for pid in pids:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main(sys.argv[1:])
