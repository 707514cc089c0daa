"""`polyrecord record`: JSON lines on standard input become recorded events."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson

from polyrecord.cli.command import command
from polyrecord.cli.output import write
from polyrecord.cli.parameters import Exit, Option
from polyrecord.cli.record_words import Narrator, report_of, tell, tell_ending, tell_summary
from polyrecord.errors import ExitCode, RecorderError, UsageError
from polyrecord.settings.recorder import recorder_settings
from polyrecord.settings.root import archive_root

if TYPE_CHECKING:
    from polyrecord.record.stdin import StdinRecorder

_STDIN, _STDOUT = 0, 1


@command
def record_command(
    root: Annotated[
        Path | None,
        Option(
            "--root",
            envvar="POLYRECORD_ROOT",
            metavar="DIR",
            show_default="the current directory",
            help="The archive; made if there is none.",
        ),
    ] = None,
    stream: Annotated[
        str | None,
        Option(
            metavar="STREAM", help="Record all into this stream, data/NAME or logs/NAME, whatever the type."
        ),
    ] = None,
    bot_id: Annotated[str | None, Option(metavar="ID", help="The bot_id of events that bring none.")] = None,
    index_keys: Annotated[
        list[str] | None,
        Option(
            "--index-key", metavar="PATH", help="A path such as data.market whose values find their trace."
        ),
    ] = None,
    flush_interval: Annotated[
        float | None,
        Option(
            metavar="SECONDS",
            show_default="1.0",
            help="So long after it came an event is on disk, for all to read.",
        ),
    ] = None,
    tee: Annotated[bool, Option("--tee", help="Pass the input on to standard output.")] = False,
    output: Annotated[
        str,
        Option(
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
        raise Exit(code)


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
        from polyrecord.record.options import Options
        from polyrecord.record.passing import PassOn
        from polyrecord.record.policy import DiskPolicy, Recover
        from polyrecord.record.privacy import Privacy
        from polyrecord.record.rejects import RejectsFile
        from polyrecord.record.stdin import StdinRecorder
        from polyrecord.record.wire import WireReader

        _check_stdin()
        clock = SystemClock()
        options = Options.of(recorder_settings())
        privacy = Privacy.of(options)
        intake = Intake(
            root, clock, flush_seconds=flush_interval, stream=stream, bot_id=bot_id, index_keys=index_keys,
            rotate=options.rotate, sync=options.sync, disk=DiskPolicy(options.min_free), privacy=privacy,
            recover=Recover(options.recover),
            manifest={"input": "stdin"},
        )  # fmt: skip
        _make_root(root)
        self._tee = tee
        self._narrator = Narrator()
        self._recorder = StdinRecorder(
            _STDIN, intake, WireReader(repair), RejectsFile(root, intake.writer, privacy.text), clock,
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
        tell_ending(self._recorder, ending)
        if as_json:
            report = orjson.dumps(report_of(self._recorder, ending, seconds), option=orjson.OPT_INDENT_2)
            if self._tee:
                tell(report.decode())
            else:
                write(report + b"\n")
        else:
            tell_summary(self._recorder, seconds)
        if not ending.whole:
            return ExitCode.DATA
        return ExitCode.FINDINGS if self._recorder.counts.rejected else ExitCode.OK


def _check_stdin() -> None:
    try:
        os.fstat(_STDIN)
    except OSError:
        raise UsageError("standard input is closed", hint="bot | polyrecord record") from None
    if os.isatty(_STDIN):
        tell("note: reading events from the terminal; Ctrl-D ends")


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
