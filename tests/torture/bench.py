"""What a scenario works with: places to record in, victims to torture, a tally, randomness from a seed."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.torture.checker import Promise, Tally, check
from tests.torture.journal import Journal

REPO: Final = Path(__file__).resolve().parents[2]
_PATIENCE = 60.0
FLUSH = 0.2
"""Seconds: the flush interval of victims, unless a scenario says otherwise."""
SLACK = 1.5
"""Seconds that a loaded machine may let threads wait beyond the flush interval."""


class Victim:
    """A process that records, and its journal."""

    def __init__(self, process: subprocess.Popen[bytes], journals: Path, who: str, root: Path) -> None:
        self.process = process
        self.who = who
        self.root = root
        self.killed_ns: int | None = None
        self._journals = journals

    @property
    def pid(self) -> int:
        """The recording process; where a tool runs it, not the tool's."""
        told = self._journals / f"{self.who}.pid"
        until(told.exists, "the victim starts", self)
        return int(told.read_text())

    def journal(self, who: str | None = None) -> Journal:
        """What it told until now, or what a child of it did."""
        path = self._journals / f"{who or self.who}.journal"
        return Journal.read(path) if path.exists() else Journal(self.who, "", 0, False, ())

    def recorded(self) -> int:
        """How many calls to `record()` have returned."""
        return self.journal().recorded

    def acknowledged(self) -> int:
        """Up to what flushes were acknowledged, of all threads together."""
        return sum(thread.acknowledged for thread in self.journal().threads)

    def until_recorded(self, count: int) -> None:
        """Wait until it has recorded so many events more."""
        goal = self.recorded() + count
        until(lambda: self.recorded() >= goal, f"{count} events more", self)

    def until_acknowledged(self, count: int = 1) -> None:
        """Wait until so many more events were acknowledged."""
        goal = self.acknowledged() + count
        until(lambda: self.acknowledged() >= goal, "a flush is acknowledged", self)

    def kill(self) -> None:
        """SIGKILL, to the group: also to a tool that runs it, and to its children."""
        self.killed_ns = time.monotonic_ns()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def send(self, number: int) -> None:
        """Send the recording process a signal."""
        os.kill(self.pid, number)

    def wait(self, seconds: float = _PATIENCE) -> int:
        """Its exit code; a victim that does not end is killed and -99."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return -99
        self.killed_ns = self.killed_ns or time.monotonic_ns()
        return code

    def said(self) -> str:
        """What it printed, with a traceback if there was one."""
        return (self._journals / f"{self.who}.out").read_text(errors="replace")


class Bench:
    """Made anew for each scenario."""

    def __init__(
        self, scratch: Path, seed: int, say: Callable[[str], None] = lambda _: None, keep: Path | None = None
    ) -> None:
        """`scratch` is emptied by whoever made it; `say` shows progress; broken archives go to `keep`."""
        self.chance = random.Random(seed)
        self.tally = Tally()
        self.say = say
        self._scratch = scratch
        self._keep = keep
        self._numbers = itertools.count(1)
        self._victims: list[Victim] = []
        self.journals = scratch / "journals"
        self.journals.mkdir(parents=True, exist_ok=True)

    def place(self, name: str = "archive") -> Path:
        """A folder of its own that is there and empty."""
        path = self._scratch / f"{name}{next(self._numbers)}"
        path.mkdir()
        return path

    def start(
        self,
        root: Path,
        *,
        recorder: Mapping[str, Any] | None = None,
        prefix: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        **plan: Any,
    ) -> Victim:
        """Start a victim that records into `root`; `prefix` is a command line that runs it."""
        who = f"v{next(self._numbers)}"
        options = {"flush_interval": FLUSH, **(recorder or {})}
        arguments = {
            "root": str(root), "journal": str(self.journals), "who": who, "recorder": options, **plan
        }  # fmt: skip
        command = [*prefix, sys.executable, "-m", "tests.torture.victim", json.dumps(arguments)]
        with (self.journals / f"{who}.out").open("wb") as out:
            process = subprocess.Popen(
                command, cwd=REPO, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
            )  # fmt: skip
        victim = Victim(process, self.journals, who, root)
        self._victims.append(victim)
        return victim

    def children(self, victim: Victim) -> list[Journal]:
        """The journals of a victim's children."""
        paths = sorted(self.journals.glob(f"{victim.who}[cp]*.journal"))
        return [Journal.read(path) for path in paths]

    def judge(
        self, root: Path, victims: Sequence[tuple[Victim | Journal, Promise]], *, keep: bool = False
    ) -> Tally:
        """Check an archive whose victims are gone, add it to the tally, and remove it if all is well."""
        told = [(each.journal() if isinstance(each, Victim) else each, promise) for each, promise in victims]
        tally = check(root, told)
        if not tally.ok:
            said = [each.said()[-2000:] for each, _ in victims if isinstance(each, Victim)]
            tally.breaches += [f"  said: {text}" for text in said if "Traceback" in text]
        self.tally.add(tally)
        if not tally.ok and self._keep is not None:
            shutil.copytree(root, self._keep / root.name, dirs_exist_ok=True)
            shutil.copytree(self.journals, self._keep / f"{root.name}-journals", dirs_exist_ok=True)
        if not keep:
            shutil.rmtree(root, ignore_errors=True)
        return tally

    def crashed(self, victim: Victim, *, failing: bool = False) -> Promise:
        """What a victim that was killed may rely on."""
        interval = victim.journal().flush_interval_ns / 1e9
        return Promise(died_ns=victim.killed_ns, tail_seconds=interval + SLACK, failing=failing)

    def expect(self, condition: bool, breach: str) -> None:
        """A promise beside those about events."""
        if not condition:
            self.tally.breach(breach)

    def end(self) -> None:
        """Leave no process behind."""
        for victim in self._victims:
            if victim.process.poll() is None:
                victim.kill()


def until(condition: Callable[[], bool], what: str, victim: Victim | None = None) -> None:
    """Wait for something that must happen; raises TimeoutError if it does not, or the victim is gone."""
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        gone = victim is not None and victim.process.poll() is not None and not condition()
        if gone or time.monotonic() > deadline:
            said = "" if victim is None else victim.said()[-3000:]
            raise TimeoutError(
                f"waited in vain until {what}{': the victim has ended' if gone else ''}\n{said}"
            )
        time.sleep(0.005)


@contextlib.contextmanager
def scratch_folder(prefix: str = "polyrecord-torture-") -> Iterator[Path]:
    """A temporary folder; what is mounted in it must be unmounted by whoever did it."""
    path = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
