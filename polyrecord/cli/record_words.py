"""What `polyrecord record` says: while it goes on, at its end, and as a report."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from polyrecord.cli.narrate import say

if TYPE_CHECKING:
    from polyrecord.record.stdin import Ending, StdinRecorder
    from polyrecord.record.wire import BadLine

_NAMED_REJECTS: Final = 10
_QUIET_SECONDS: Final = 1.0  # what takes longer shows its progress on a terminal
_REDRAW_SECONDS: Final = 0.25


def tell(line: str) -> None:
    """Says it if anybody listens: a stderr that is closed must not end a recording."""
    if sys.stderr is not None:
        with suppress(OSError):
            say(line)


class Narrator:
    """Says on stderr what a person has to know while recording goes on."""

    def __init__(self) -> None:
        self._rejects = 0
        self._trouble: str | None = None
        self._counter = _Counter() if sys.stderr is not None and sys.stderr.isatty() else None

    def reject(self, number: int, bad: BadLine) -> None:
        """The first bad lines are named."""
        self._rejects += 1
        if self._rejects <= _NAMED_REJECTS:
            self._say(f"line {number}: {bad}")
        if self._rejects == _NAMED_REJECTS:
            self._say("further bad lines are counted, not named")

    def look(self, recorder: StdinRecorder) -> None:
        """Tells when writing begins or ceases to fail, and counts on a terminal."""
        trouble = recorder.trouble
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble is None:
                self._say("writing works again; nothing was dropped")
            else:
                self._say(f"error: cannot write: {trouble}; trying again, nothing is dropped")
        if self._counter is not None:
            self._counter.show(recorder.counts.events)

    def close(self) -> None:
        """Takes the counter away."""
        if self._counter is not None:
            self._counter.clear()

    def _say(self, line: str) -> None:
        self.close()
        tell(line)


class _Counter:
    """Events and their rate on a line of the terminal that is written over."""

    def __init__(self) -> None:
        self._since = self._drawn = time.monotonic()
        self._counted = 0
        self._shown = False

    def show(self, events: int) -> None:
        """Draws the line anew where it is time."""
        now = time.monotonic()
        if now - self._since < _QUIET_SECONDS or now - self._drawn < _REDRAW_SECONDS:
            return
        rate = (events - self._counted) / (now - self._drawn)
        self._drawn, self._counted, self._shown = now, events, True
        self._draw(f"{events:,} events, {rate:,.0f}/s")

    def clear(self) -> None:
        """Takes the line away."""
        if self._shown:
            self._shown = False
            self._draw("")

    @staticmethod
    def _draw(text: str) -> None:
        with suppress(OSError):  # the terminal has gone
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()


def tell_ending(recorder: StdinRecorder, ending: Ending) -> None:
    """What failed, if anything."""
    if ending.read_error:
        tell(f"error: cannot read standard input: {ending.read_error}")
    if ending.pass_on_error:
        tell(f"error: cannot pass the input on: {ending.pass_on_error}; it was recorded all the same")
    if ending.write_error:
        tell(f"error: {ending.write_error}")
    if ending.unwritten or ending.unwritten_rejects:
        lost = f"{ending.unwritten:,} events and {ending.unwritten_rejects:,} rejected lines"
        tell(f"error: {lost} that were read are not on disk")
        tell(f"  hint: make room for {recorder.rejects.path.parents[2]}, and send them again")


def tell_summary(recorder: StdinRecorder, seconds: float) -> None:
    """What became of the input."""
    counts, intake = recorder.counts, recorder.intake
    rate = f" ({counts.events / seconds:,.0f}/s)" if seconds >= _QUIET_SECONDS else ""
    tell(
        f"{counts.events:,} events of {counts.lines:,} lines in {seconds:.1f} s{rate}, writer {intake.writer}"
    )
    if counts.rejected:
        reasons = ", ".join(f"{name} {count:,}" for name, count in counts.reasons.most_common())
        tell(f"  rejected: {reasons}; see {recorder.rejects.path}")
    if counts.blank:
        tell(f"  blank lines: {counts.blank:,}")
    if counts.rewritten:
        tell(f"  kept as strings: {counts.rewritten:,} values that JSON cannot carry")


def report_of(recorder: StdinRecorder, ending: Ending, seconds: float) -> dict[str, Any]:
    """The same as plain values."""
    counts, intake = recorder.counts, recorder.intake
    return {
        "writer": intake.writer,
        "lines": counts.lines,
        "events": counts.events,
        "rejected": counts.rejected,
        "blank": counts.blank,
        "rewritten": counts.rewritten,
        "reasons": dict(counts.reasons.most_common()),
        "rejects": str(recorder.rejects.path) if counts.rejected else None,
        "shards": [str(path) for path in intake.shards],
        "bytes": intake.stored_bytes,
        "seconds": round(seconds, 3),
        "unwritten": ending.unwritten,
        "unwritten_rejects": ending.unwritten_rejects,
        "error": ending.write_error or ending.read_error or ending.pass_on_error,
    }
