"""Lines from a descriptor become recorded events: what `polyrecord record` runs.

One thread reads, parses and numbers; the writer's thread compresses and writes. See decision 3 for why not
the live recorder behind a pipe. Whenever anything cannot keep up (the disk, whoever reads the passed-on
bytes) reading stops, the pipe fills, and the program at its other end waits.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn

from polyrecord.clock import Clock
from polyrecord.record.intake import Intake
from polyrecord.record.outcomes import FlushTicket
from polyrecord.record.passing import PassOn
from polyrecord.record.rejects import RejectsFile
from polyrecord.record.splitting import LONGEST_LINE, LineSplitter, RawLine, TooLong
from polyrecord.record.wire import BadLine, WireEvent, WireReader
from polyrecord.times import SECOND

_CHUNK: Final = 1 << 18
_MAX_REJECTS: Final = 4 << 20  # bytes of rejects that wait to be written before reading stops
_PAUSE: Final = 0.005  # seconds before a full backlog is looked at again
_TROUBLED_PAUSE: Final = 0.1  # the same while writing fails
_LOOK_SECONDS: Final = 0.1
_REJECTS_NS: Final = SECOND // 4  # rejects are written so often
_SILENCE_NS: Final = SECOND // 5  # after a stop, input that is silent so long has ended
_LAST_WORDS_NS: Final = SECOND  # after a stop, how long input is read at most


@dataclass(slots=True)
class Counts:
    """What came in so far: lines with an end or the last one, events of them, blank ones, rejected ones."""

    lines: int = 0
    events: int = 0
    blank: int = 0
    rejected: int = 0
    rewritten: int = 0  # values that JSON cannot carry, kept as strings
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended: what could not be written; why reading, writing or passing on failed."""

    unwritten: int
    unwritten_rejects: int
    read_error: str | None
    write_error: str | None
    pass_on_error: str | None

    @property
    def whole(self) -> bool:
        """Whether all that was read is where it belongs."""
        lost = self.unwritten or self.unwritten_rejects
        return not (lost or self.read_error or self.write_error or self.pass_on_error)


class StdinRecorder:
    """Records the lines of a descriptor until it ends or `stop` is called, from a signal handler if need be.

    `on_reject(number, bad)` is told of each bad line. `on_look()` is called after each read and, unless input
    and time are quiet, some times a second: `counts`, `trouble` and `intake` say how things stand.
    """

    def __init__(
        self,
        descriptor: int,
        intake: Intake,
        reader: WireReader,
        rejects: RejectsFile,
        clock: Clock,
        *,
        pass_on: PassOn | None = None,
        on_reject: Callable[[int, BadLine], None],
        on_look: Callable[[], None],
    ) -> None:
        self.intake = intake
        self.rejects = rejects
        self.counts = Counts()
        self._descriptor = descriptor
        self._reader = reader
        self._clock = clock
        self._pass_on = pass_on
        self._on_reject = on_reject
        self._on_look = on_look
        self._splitter = LineSplitter()
        self._read_error: str | None = None
        self._rejects_error: str | None = None
        self._flushed_ns = clock.mono_ns()
        self._heard_ns = 0  # monotonic time of the last bytes
        self._stopped_ns = 0  # monotonic time of the first stop; 0: none
        self._at_end = False
        self._impatient = False
        self._wake_in, self._wake_out = os.pipe()

    @property
    def trouble(self) -> str | None:
        """Why something cannot be written at the moment."""
        return self.intake.trouble or self._rejects_error

    def stop(self) -> None:
        """End soon: read what is on its way. A second call waits neither for that nor for a failing disk."""
        if self._stopped_ns:
            self._at_end = self._impatient = True
        self._stopped_ns = self._stopped_ns or self._clock.mono_ns()
        with contextlib.suppress(OSError):  # it has ended already
            os.write(self._wake_out, b"!")

    def run(self) -> Ending:
        """Record until the end, then seal."""
        try:
            while not self._over():
                self._step()
            self._take_rest()
            return self._close()
        finally:
            os.close(self._wake_in)
            os.close(self._wake_out)
            self._wake_out = -1

    def _over(self) -> bool:
        sending = self._pass_on is not None and self._pass_on.waiting
        if not self._stopped_ns:
            return self._at_end and not sending
        now = self._clock.mono_ns()
        silent = now - max(self._heard_ns, self._stopped_ns) >= _SILENCE_NS
        late = now - self._stopped_ns >= _LAST_WORDS_NS
        return late or ((silent or self._at_end) and not sending)

    def _step(self) -> None:
        """Wait for something to do, and do it."""
        until = self.intake.keep_time()
        self._flush_rejects()
        self._on_look()
        sink = self._pass_on.descriptor if self._pass_on is not None and self._pass_on.waiting else None
        readable = [self._wake_in]
        if sink is None and not self._at_end and not self._full():
            readable.append(self._descriptor)
        ready, sinks, _ = select.select(readable, [] if sink is None else [sink], [], self._patience(until))
        if self._wake_in in ready:
            os.read(self._wake_in, 64)
        if sinks and self._pass_on is not None:
            self._pass_on.send()
        if self._descriptor in ready:
            self._read()

    def _full(self) -> bool:
        return self.intake.full or self.rejects.waiting >= _MAX_REJECTS

    def _patience(self, seconds: float) -> float:
        """How long to wait for input at most."""
        if self._full():
            return _PAUSE if self.trouble is None else _TROUBLED_PAUSE
        if self._stopped_ns or self.rejects.waiting or self.trouble is not None:
            return max(min(seconds, _TROUBLED_PAUSE), 0.0)
        return max(seconds, 0.0)

    def _read(self) -> None:
        try:
            chunk = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:  # whoever shares the pipe has made it non-blocking
            return
        except OSError as error:
            self._read_error = describe(error)
            chunk = b""
        if not chunk:
            self._at_end = True
            self._take_rest()
            return
        self._heard_ns = self._clock.mono_ns()
        self.intake.arrive()
        self._take(self._splitter.feed(chunk), self._reader.read)
        if self._pass_on is not None:
            self._pass_on.put(chunk)

    def _take_rest(self) -> None:
        """The last line, where it has no line feed."""
        rest = self._splitter.rest()
        if rest is not None:
            self.intake.arrive()
            self._take([rest], self._reader.read_last)

    def _take(self, lines: list[RawLine], read: Callable[[bytes], WireEvent | None]) -> None:
        """Parse all, then number what is an event at once."""
        first = self.counts.lines + 1
        self.counts.lines += len(lines)
        events: list[tuple[int, WireEvent]] = []
        for number, line in enumerate(lines, first):
            try:
                event = read(line if type(line) is bytes else _refuse(line))
            except BadLine as bad:
                self._reject(number, line, bad)
            except Exception as error:  # noqa: BLE001 - one line must not stop the rest
                self._reject(number, line, BadLine("unrecordable", type(error).__name__))
            else:
                if event is None:
                    self.counts.blank += 1
                else:
                    events.append((number, event))
        self._record(events, lines, first)

    def _record(self, events: list[tuple[int, WireEvent]], lines: list[RawLine], first: int) -> None:
        refused = self.intake.add_all(event[:4] for _, event in events)
        self.counts.rewritten += sum(event[4] for _, event in events)
        for at in refused:
            number, (*_, rewritten) = events[at]
            self.counts.rewritten -= rewritten
            self._reject(number, lines[number - first], BadLine("unrecordable"))
        self.counts.events += len(events) - len(refused)

    def _reject(self, number: int, line: RawLine, bad: BadLine) -> None:
        self.counts.rejected += 1
        self.counts.reasons[bad.reason] += 1
        text = line.start if isinstance(line, TooLong) else line
        self.rejects.add(number, bad.reason, bad.detail, text)
        self._on_reject(number, bad)

    def _flush_rejects(self) -> None:
        now = self._clock.mono_ns()
        if not self.rejects.waiting or now - self._flushed_ns < _REJECTS_NS:
            return
        self._flushed_ns = now
        try:
            self.rejects.flush()
            self._rejects_error = None
        except OSError as error:
            self._rejects_error = describe(error)

    def _close(self) -> Ending:
        write_error = self._wait_for(self.intake.close())
        try:
            self.rejects.close()
            self._rejects_error = None
        except OSError as error:
            write_error = write_error or f"rejected lines could not be written: {describe(error)}"
        self._on_look()
        pass_on_error = None if self._pass_on is None else self._pass_on.error
        return Ending(
            self.intake.waiting, self.rejects.waiting_lines, self._read_error, write_error, pass_on_error
        )

    def _wait_for(self, ticket: FlushTicket) -> str | None:
        """What keeps the shards from being written and sealed, once that is clear."""
        while True:
            try:
                return ticket.wait(_LOOK_SECONDS).error
            except TimeoutError:
                self._on_look()
            if self._impatient and self.intake.trouble is not None:
                return f"{self.intake.waiting} events could not be written: {self.intake.trouble}"


def _refuse(line: RawLine) -> NoReturn:
    size = line.size if isinstance(line, TooLong) else len(line)
    raise BadLine("too long", f"{size:,} bytes; at most {LONGEST_LINE:,} are taken")


def describe(error: OSError) -> str:
    """`No space left on device: /archive/...`."""
    reason = error.strerror or str(error)
    return f"{reason}: {error.filename}" if error.filename else reason
