"""What a victim did, in shared memory outside the tortured disk: it outlives the victim, whatever kills it.

Per thread: how many `record()` said True and False, up to which number a returned flush covered events, and
up to which a durable one; and marks, (monotonic ns, number) pairs some milliseconds apart, from which the
checker knows how old an event was when its process died.
"""

from __future__ import annotations

import mmap
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_HEAD: Final = 256  # threads, flush interval (ns), finished; from 64 on the writer id
_THREAD: Final = 48  # yes, no, acknowledged, durable, marks
_MARKS: Final = 20_000
_MARK: Final = 16
_EVERY_NS: Final = 10_000_000
_REGION: Final = _THREAD + _MARKS * _MARK
_U64: Final = struct.Struct("=Q")
_PAIR: Final = struct.Struct("=QQ")
MAX_THREADS: Final = 3


class JournalWriter:
    """The victim's side. Counters of a thread are written by that thread only, flushes by the acker."""

    def __init__(self, path: Path, threads: int, flush_interval: float, writer: str) -> None:
        """Make the file; nothing of it is ever flushed, for the page cache outlives the process."""
        size = _HEAD + threads * _REGION
        with path.open("w+b") as file:
            file.truncate(size)
            self._memory = mmap.mmap(file.fileno(), size)
        self.threads = threads
        self._marked = [0] * threads
        self._marks = [0] * threads
        self._put(8, round(flush_interval * 1e9))
        self._memory[64 : 64 + len(writer)] = writer.encode()
        self._put(0, threads)

    def _put(self, at: int, value: int) -> None:
        _U64.pack_into(self._memory, at, value)

    def count(self, thread: int, yes: int, no: int) -> None:
        """A call to `record()` has returned."""
        at = _HEAD + thread * _REGION
        self._put(at + (0 if no == 0 else 8), yes if no == 0 else no)
        if no:
            self._put(at, yes)
        now = time.monotonic_ns()
        if now - self._marked[thread] >= _EVERY_NS and self._marks[thread] < _MARKS:
            self._marked[thread] = now
            _PAIR.pack_into(self._memory, at + _THREAD + self._marks[thread] * _MARK, now, yes + no)
            self._marks[thread] += 1
            self._put(at + 32, self._marks[thread])

    def numbers(self) -> list[int]:
        """How many calls each thread has made."""
        found = []
        for thread in range(self.threads):
            yes, no = _PAIR.unpack_from(self._memory, _HEAD + thread * _REGION)
            found.append(yes + no)
        return found

    def acknowledge(self, numbers: list[int], *, durable: bool) -> None:
        """A flush has returned: everything up to these numbers is written."""
        for thread, number in enumerate(numbers):
            at = _HEAD + thread * _REGION + 16
            self._put(at, number)
            if durable:
                self._put(at + 8, number)

    def finish(self) -> None:
        """The recorder was closed, and said that all is well."""
        self._put(16, 1)


@dataclass(frozen=True, slots=True)
class Told:
    """What one thread told."""

    yes: int
    no: int
    acknowledged: int
    durable: int
    marks: tuple[tuple[int, int], ...]

    @property
    def calls(self) -> int:
        """Calls to `record()` that returned."""
        return self.yes + self.no

    def before(self, moment_ns: int) -> int:
        """Up to which number events had been recorded at a moment, as far as marks tell."""
        return max((number for at, number in self.marks if at <= moment_ns), default=0)


@dataclass(frozen=True, slots=True)
class Journal:
    """All that a victim told."""

    who: str
    writer: str
    flush_interval_ns: int
    finished: bool
    threads: tuple[Told, ...]

    @classmethod
    def read(cls, path: Path) -> Journal:
        """Read a journal; one of a victim that died while it made it has no threads."""
        raw = path.read_bytes()
        count = _U64.unpack_from(raw, 0)[0] if len(raw) >= _HEAD else 0
        threads = tuple(_told(raw, _HEAD + number * _REGION) for number in range(count))
        interval = _U64.unpack_from(raw, 8)[0] if count else 0
        writer = raw[64:_HEAD].rstrip(b"\0").decode()
        return cls(path.stem, writer, interval, bool(count and raw[16]), threads)

    @property
    def recorded(self) -> int:
        """Calls to `record()` that returned, by all threads."""
        return sum(thread.calls for thread in self.threads)


def _told(raw: bytes, at: int) -> Told:
    yes, no, acknowledged, durable, marks = struct.unpack_from("=QQQQQ", raw, at)
    start = at + _THREAD
    pairs = tuple(_PAIR.iter_unpack(raw[start : start + marks * _MARK]))
    return Told(yes, no, acknowledged, durable, pairs)
