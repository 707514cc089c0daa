"""`polyrecord record`: JSON lines on standard input become recorded events."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from polyrecord.cli.narrate import say
from polyrecord.cli.output import write
from polyrecord.errors import ExitCode, RecorderError, UsageError
from polyrecord.settings.recorder import recorder_settings
from polyrecord.settings.root import archive_root

if TYPE_CHECKING:
    from polyrecord.record.stdin import Ending, StdinRecorder
    from polyrecord.record.wire import BadLine

_STDIN, _STDOUT = 0, 1
_NAMED_REJECTS = 10
_QUIET_SECONDS = 1.0  # what takes longer shows its progress on a terminal
_REDRAW_SECONDS = 0.25


def record_command(
    root: Annotated[
        Path | None,
        typer.Option(
            "--root",
            envvar="POLYRECORD_ROOT",
            metavar="DIR",
            show_default="the current directory",
            help="The archive; made if there is none.",
        ),
    ] = None,
    stream: Annotated[
        str | None,
        typer.Option(
            metavar="STREAM", help="Record all into this stream, data/NAME or logs/NAME, whatever the type."
        ),
    ] = None,
    bot_id: Annotated[
        str | None, typer.Option(metavar="ID", help="The bot_id of events that bring none.")
    ] = None,
    index_keys: Annotated[
        list[str] | None,
        typer.Option(
            "--index-key", metavar="PATH", help="A path such as data.market whose values find their trace."
        ),
    ] = None,
    flush_interval: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            show_default="1.0",
            help="So long after it came an event is on disk, for all to read.",
        ),
    ] = None,
    tee: Annotated[bool, typer.Option("--tee", help="Pass the input on to standard output.")] = False,
    output: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="table|json",
            help="How to report at the end: text on stderr or JSON on stdout (with --tee on stderr).",
        ),
    ] = "table",
) -> None:
    """Record the JSON lines of standard input, so that a bot in any language pipes in.

    A line is {"event_type":"signal","data":{...},"trace_id":"..."}, or one flat object with an event_type,
    or the type, a tab, and any JSON value. A line that is none of these goes to logs/_rejects and stops
    nothing. When the disk cannot keep up the pipe fills and its writer waits: nothing is dropped.

    Ends with its input, or cleanly on SIGINT and SIGTERM. Exit code 0: every line was recorded; 1: some
    were rejected; 3: something that was read could not be written.

    What no option says is taken from polyrecord.toml: root, bot_id, index_keys and flush_interval.

    \b
    Examples:
      ./bot | polyrecord record --root rec --bot-id maker-1
      ./bot | polyrecord record --index-key data.market --tee | jq .

    See also: docs/any-language.md.
    """
    if output not in ("table", "json"):
        raise UsageError(f"not an output format: {output[:80]!r}", hint="table or json")
    told = recorder_settings()
    seconds = told.get("flush_interval", 1.0) if flush_interval is None else flush_interval
    bot_id = told.get("bot_id") if bot_id is None else bot_id
    index_keys = index_keys or list(told.get("index_keys", ()))
    if not (math.isfinite(seconds) and seconds > 0):
        raise UsageError("--flush-interval must be above 0", hint="seconds, such as 0.5")
    session = _Session(archive_root(root), stream, bot_id, index_keys, seconds, tee=tee)
    code = session.run(as_json=output == "json")
    if code:
        raise typer.Exit(code)


class _Session:
    """One run of the command: the recorder, and what is told of it."""

    def __init__(
        self,
        root: Path,
        stream: str | None,
        bot_id: str | None,
        index_keys: list[str],
        flush_interval: float,
        *,
        tee: bool,
    ) -> None:
        from polyrecord.clock import SystemClock
        from polyrecord.foreign.repair import repair
        from polyrecord.record.intake import Intake
        from polyrecord.record.passing import PassOn
        from polyrecord.record.rejects import RejectsFile
        from polyrecord.record.stdin import StdinRecorder
        from polyrecord.record.wire import WireReader

        _check_stdin()
        clock = SystemClock()
        intake = Intake(
            root, clock, flush_seconds=flush_interval, stream=stream, bot_id=bot_id, index_keys=index_keys,
            manifest={"input": "stdin"},
        )  # fmt: skip
        _make_root(root)
        self._tee = tee
        self._narrator = _Narrator()
        self._recorder = StdinRecorder(
            _STDIN, intake, WireReader(repair), RejectsFile(root, intake.writer), clock,
            pass_on=PassOn(_STDOUT) if tee else None,
            on_reject=self._narrator.reject, on_look=lambda: self._narrator.look(self._recorder),
        )  # fmt: skip

    def run(self, *, as_json: bool) -> ExitCode:
        """Record until the end, then report."""
        started = time.monotonic()
        with _stopped_by_signals(self._recorder):
            ending = self._recorder.run()
        seconds = time.monotonic() - started
        self._narrator.close()
        _tell_ending(self._recorder, ending)
        if as_json:
            report = orjson.dumps(_report(self._recorder, ending, seconds), option=orjson.OPT_INDENT_2)
            if self._tee:
                _tell(report.decode())
            else:
                write(report + b"\n")
        else:
            _tell_summary(self._recorder, seconds)
        if not ending.whole:
            return ExitCode.DATA
        return ExitCode.FINDINGS if self._recorder.counts.rejected else ExitCode.OK


def _tell(line: str) -> None:
    """Says it if anybody listens: a stderr that is closed must not end a recording."""
    if sys.stderr is not None:
        with suppress(OSError):
            say(line)


def _check_stdin() -> None:
    try:
        os.fstat(_STDIN)
    except OSError:
        raise UsageError("standard input is closed", hint="bot | polyrecord record") from None
    if os.isatty(_STDIN):
        _tell("note: reading events from the terminal; Ctrl-D ends")


def _make_root(root: Path) -> None:
    from polyrecord.record.files import make_directory
    from polyrecord.record.stdin import describe

    try:
        make_directory(root)
    except OSError as error:
        raise RecorderError(f"cannot make the archive: {describe(error)}", path=root) from None


@contextmanager
def _stopped_by_signals(recorder: StdinRecorder) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP stop the recorder, not the process; what is ignored stays ignored."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    caught = [number for number in numbers if before[number] is not signal.SIG_IGN]
    for number in caught:
        signal.signal(number, lambda *_: recorder.stop())
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, before[number])


class _Narrator:
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
        _tell(line)


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


def _tell_ending(recorder: StdinRecorder, ending: Ending) -> None:
    """What failed, if anything."""
    if ending.read_error:
        _tell(f"error: cannot read standard input: {ending.read_error}")
    if ending.pass_on_error:
        _tell(f"error: cannot pass the input on: {ending.pass_on_error}; it was recorded all the same")
    if ending.write_error:
        _tell(f"error: {ending.write_error}")
    if ending.unwritten or ending.unwritten_rejects:
        lost = f"{ending.unwritten:,} events and {ending.unwritten_rejects:,} rejected lines"
        _tell(f"error: {lost} that were read are not on disk")
        _tell(f"  hint: make room for {recorder.rejects.path.parents[2]}, and send them again")


def _tell_summary(recorder: StdinRecorder, seconds: float) -> None:
    counts, intake = recorder.counts, recorder.intake
    rate = f" ({counts.events / seconds:,.0f}/s)" if seconds >= _QUIET_SECONDS else ""
    _tell(
        f"{counts.events:,} events of {counts.lines:,} lines in {seconds:.1f} s{rate}, writer {intake.writer}"
    )
    if counts.rejected:
        reasons = ", ".join(f"{name} {count:,}" for name, count in counts.reasons.most_common())
        _tell(f"  rejected: {reasons}; see {recorder.rejects.path}")
    if counts.blank:
        _tell(f"  blank lines: {counts.blank:,}")
    if counts.rewritten:
        _tell(f"  kept as strings: {counts.rewritten:,} values that JSON cannot carry")


def _report(recorder: StdinRecorder, ending: Ending, seconds: float) -> dict[str, Any]:
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
