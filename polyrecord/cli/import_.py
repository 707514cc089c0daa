"""`polyrecord import`: foreign logs and frames into an archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson

from polyrecord.cli.command import command
from polyrecord.cli.narrate import say
from polyrecord.cli.output import write
from polyrecord.cli.parameters import Argument, Exit, Option
from polyrecord.cli.progress import Bar
from polyrecord.errors import DataError, ExitCode, UsageError
from polyrecord.foreign import FORMATS
from polyrecord.settings.root import archive_root

if TYPE_CHECKING:
    from polyrecord.foreign.outcome import Reject
    from polyrecord.importers.run import FileReport
    from polyrecord.importers.sources import Job

NAMED_REJECTS = 10  # per file; the rest is counted


@command
def import_command(
    files: Annotated[
        list[str],
        Argument(
            metavar="FILE|DIR...",
            help="Logs, plain or gzip, or directories with logs; - is standard input.",
            show_default=False,
        ),
    ],
    source: Annotated[
        str | None,
        Option("--from", metavar="FORMAT", help=f"Where it is not found out: one of {', '.join(FORMATS)}."),
    ] = None,
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
    ts: Annotated[
        str | None,
        Option(
            metavar="FIELD[:UNIT]",
            help="generic, csv: where the time is; unit s, ms, us, ns, iso or auto. A dot goes into an "
            "object. Without it the usual names are tried.",
        ),
    ] = None,
    event_type: Annotated[
        str | None,
        Option("--type", "--type-field", metavar="FIELD", help="generic, csv: where the type is."),
    ] = None,
    trace: Annotated[
        str | None,
        Option("--trace", "--trace-field", metavar="FIELD", help="generic, csv: where the trace is."),
    ] = None,
    again: Annotated[
        bool,
        Option("--again", help="Remove what earlier imports of the same files left, and import anew."),
    ] = False,
    output: Annotated[
        str,
        Option("--format", metavar="table|json", help="How to report: text on stderr or JSON on stdout."),
    ] = "table",
) -> None:
    """Import logs and recorded frames of other systems. What was imported before is not imported again.

    A file that grew is imported from where the last import ended; one that was interrupted is made anew.
    Lines that are no events are kept in logs/_rejects, with their number and the reason. Logs can also be
    read where they lie: see --file and --root of the commands that answer.

    Exit code 0: every line was kept; 1: some were rejected; 3: a file could not be read to its end.

    \b
    Examples:
      polyrecord import bot/logs/metrics.jsonl --root archive
      polyrecord import bot --root archive
      polyrecord import ticks.jsonl --from generic --ts meta.time:ms --type kind
      zcat old/*.jsonl.gz | polyrecord import - --root archive
    """
    from polyrecord.importers.sources import jobs

    if output not in ("table", "json"):
        raise UsageError(f"not an output format: {output[:80]!r}", hint="table or json")
    todo = list(jobs(files, source, ts=ts, event_type=event_type, trace=trace, tell=say))
    answers = [_import(archive_root(root), job, again=again) for job in todo]
    if output == "json":
        reports = [report for report, _ in answers]
        write(orjson.dumps({"files": reports}, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    code = max(code for _, code in answers)
    if code:
        raise Exit(code)


def _import(root: Path, job: Job, *, again: bool) -> tuple[dict[str, Any], ExitCode]:
    """One file's report as plain values, and what it means; what happened is told on stderr."""
    from polyrecord.importers.run import import_file

    rejects, shown = _Rejects(job.name), _printable(job.name)
    try:
        with Bar(shown) as bar:

            def progress(step: str, done: int, total: int) -> None:
                bar(done, total, f"{step} {shown}")

            report = import_file(
                root, job.name, job.choose, on_reject=rejects, on_progress=progress, again=again
            )
    except (DataError, UsageError) as error:  # of this file: the others are none the worse for it
        say(f"error: {error}")
        return {"file": job.name, "error": error.what}, error.exit_code
    rejects.close()
    for line in _describe(report):
        say(line)
    return report.as_json(), _meaning(report)


def _meaning(report: FileReport) -> ExitCode:
    if report.damage:
        return ExitCode.DATA
    return ExitCode.FINDINGS if report.tally.rejected else ExitCode.OK


def _describe(report: FileReport) -> list[str]:
    tally = report.tally
    share = f"{tally.kept:,} of {tally.read:,} lines kept, {tally.rejected:,} rejected"
    what = f"{report.file} ({report.format.summary})"
    lines = [f"{what}: {share}, {report.added:,} events added{_history(report)}"]
    counts = [f"{name} {count:,}" for name, count in tally.events_by_type.most_common()]
    reasons = [f"{name} {count:,}" for name, count in tally.reasons.most_common()]
    details = {
        "types": counts[:20] + ([f"and {len(counts) - 20:,} more types"] if len(counts) > 20 else []),
        "rejected": reasons,
        "blank lines": [f"{tally.blank:,}"] if tally.blank else [],
        "kept as strings": [f"{tally.rewritten:,} values that JSON cannot carry"] if tally.rewritten else [],
        "rejects kept in": [str(report.rejects)] if report.rejects else [],
        "not read to its end": [report.damage] if report.damage else [],
        "imported anew": [f"{report.missing:,} events of earlier imports were gone from the archive"]
        if report.missing
        else [],
    }
    return lines + [f"  {label}: {', '.join(items)}" for label, items in details.items() if items]


def _history(report: FileReport) -> str:
    if not report.start:
        return ""
    return " since the last import" if report.added else ": it was imported before"


def _printable(text: str) -> str:
    return text if text.isprintable() else ascii(text)


class _Rejects:
    """Names the first rejected lines of a file as they come, and counts the others."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0

    def __call__(self, line: int, reject: Reject) -> None:
        self._count += 1
        if self._count <= NAMED_REJECTS:
            say(f"{self._name}:{line}: {reject}")

    def close(self) -> None:
        """Says how many were not named."""
        if self._count > NAMED_REJECTS:
            say(f"{self._name}: {self._count - NAMED_REJECTS:,} more lines rejected")
