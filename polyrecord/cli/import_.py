"""`polyrecord import`: foreign logs and frames into an archive."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import orjson
import typer

from polyrecord.errors import DataError, ExitCode, UsageError
from polyrecord.foreign import FORMATS

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from polyrecord.foreign.formats import Format
    from polyrecord.foreign.outcome import Reject
    from polyrecord.importers.run import FileReport

NAMED_REJECTS = 10  # per file; the rest is counted
_QUIET_SECONDS = 1.0  # what takes longer shows its progress


def import_command(
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE...", help="Plain or gzip; - is standard input.", show_default=False),
    ],
    source: Annotated[str, typer.Option("--from", metavar="FORMAT", help=f"One of {', '.join(FORMATS)}.")],
    root: Annotated[
        Path, typer.Option("--root", envvar="POLYRECORD_ROOT", help="The archive; made if there is none.")
    ] = Path(),
    ts: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD[:UNIT]",
            help="generic: where the time is; unit s, ms, us, ns, iso or auto. A dot goes into an object. "
            "Without it the usual names are tried.",
        ),
    ] = None,
    event_type: Annotated[
        str | None,
        typer.Option(
            "--type", metavar="FIELD", help="generic: where the event type is; else it is 'imported'."
        ),
    ] = None,
    trace: Annotated[
        str | None, typer.Option(metavar="FIELD", help="generic: where the trace id is.")
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "--format", metavar="table|json", help="How to report: text on stderr or JSON on stdout."
        ),
    ] = "table",
) -> None:
    """Import logs and recorded frames. What was imported before is not imported again.

    Exit code 0: every line was kept; 1: some were rejected; 3: a file could not be read to its end.
    """
    from polyrecord.foreign.formats import choose_format

    if output not in ("table", "json"):
        raise UsageError(f"not an output format: {output[:80]!r}", hint="table or json")
    chosen = choose_format(source, ts=ts, event_type=event_type, trace=trace)
    reports = [_import(root, name, chosen) for name in files]
    if output == "json":
        typer.echo(orjson.dumps({"files": reports}, option=orjson.OPT_INDENT_2))
    code = _exit_code(reports)
    if code:
        raise typer.Exit(code)


def _import(root: Path, name: str, chosen: Format) -> dict[str, Any]:
    """One file's report as plain values; what happened is told on stderr."""
    from polyrecord.importers.run import import_file

    rejects = _Rejects(name)
    try:
        with _Progress(name) as progress:
            report = import_file(root, name, chosen, on_reject=rejects, on_progress=progress)
    except DataError as error:
        _tell(f"error: {error}")
        return {"file": name, "format": chosen.name, "error": error.what}
    rejects.close()
    for line in _describe(report):
        _tell(line)
    return report.as_json()


def _exit_code(reports: list[dict[str, Any]]) -> ExitCode:
    if any("error" in report or "damage" in report for report in reports):
        return ExitCode.DATA
    return ExitCode.FINDINGS if any(report["rejected"] for report in reports) else ExitCode.OK


def _describe(report: FileReport) -> list[str]:
    tally = report.tally
    share = f"{tally.kept:,} of {tally.read:,} lines kept, {tally.rejected:,} rejected"
    lines = [f"{_printable(report.file)}: {share}, {report.added:,} added{_history(report)}"]
    counts = [f"{_printable(name)} {count:,}" for name, count in tally.events_by_type.most_common()]
    reasons = [f"{name} {count:,}" for name, count in tally.reasons.most_common()]
    details = {
        "types": counts[:20] + ([f"and {len(counts) - 20:,} more types"] if len(counts) > 20 else []),
        "rejected": reasons,
        "blank lines": [f"{tally.blank:,}"] if tally.blank else [],
        "kept as strings": [f"{tally.rewritten:,} values that JSON cannot carry"] if tally.rewritten else [],
        "not read to its end": [report.damage] if report.damage else [],
    }
    return lines + [f"  {label}: {', '.join(items)}" for label, items in details.items() if items]


def _history(report: FileReport) -> str:
    if not report.start:
        return ""
    return " since the last import" if report.added else ": it was imported before"


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)


def _tell(line: str) -> None:
    typer.echo(line, err=True)


class _Rejects:
    """Names the first rejected lines of a file as they come, and counts the others."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0

    def __call__(self, line: int, reject: Reject) -> None:
        self._count += 1
        if self._count <= NAMED_REJECTS:
            _tell(f"{_printable(self._name)}:{line}: {reject}")

    def close(self) -> None:
        """Says how many were not named."""
        if self._count > NAMED_REJECTS:
            _tell(f"{_printable(self._name)}: {self._count - NAMED_REJECTS:,} more lines rejected")


class _Progress:
    """A bar on a terminal's stderr, for what takes longer than a second."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._since = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, step: str, done: int, total: int) -> None:
        if self._bar is None:
            if time.monotonic() - self._since < _QUIET_SECONDS or not sys.stderr.isatty():
                return
            self._start()
        if self._bar is not None and self._task is not None:
            self._bar.update(
                self._task, description=f"{step} {_printable(self._name)}", completed=done, total=total
            )

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self._bar = Progress(console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task("")
        self._bar.start()
