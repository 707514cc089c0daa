"""`polyrecord runs`: which run was this, what did it run with, did it crash?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson

from polyrecord.cli.command import command
from polyrecord.cli.narrate import say
from polyrecord.cli.options import FORMATS, read_ends, read_output
from polyrecord.cli.output import wants_colour, write
from polyrecord.cli.parameters import Argument, Option
from polyrecord.cli.progress import Bar
from polyrecord.cli.width import terminal_width
from polyrecord.errors import UsageError
from polyrecord.settings.root import archive_root
from polyrecord.times import format_ts

if TYPE_CHECKING:
    from polyrecord.upkeep.runs import Run

_WIDE: Final = 130  # columns from which there is room for what it ran with
_SHORT_HASH: Final = 8
_SHOWN_FIRST: Final = (
    "kind", "host", "pid", "program", "polyrecord", "python", "git", "strategy_id", "bot_id", "config_hash",
)  # fmt: skip


@command
def runs_command(
    prefix: Annotated[
        str | None,
        Argument(metavar="WRITER", help="One run: its writer id or the beginning.", show_default=False),
    ] = None,
    root: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            show_default="the current directory",
            help="The archive; else POLYRECORD_ROOT names it.",
        ),
    ] = None,
    label: Annotated[
        str | None, Option(metavar="NAME", help="Give the run a label, by which prune can keep it.")
    ] = None,
    note: Annotated[str | None, Option(metavar="TEXT", help="Leave a line of text on the run.")] = None,
    since: Annotated[
        str | None,
        Option(metavar="TIME", help="Runs that ran at or after this: -3h, today, 2026-11-20."),
    ] = None,
    until: Annotated[str | None, Option(metavar="TIME", help="Runs that began before this.")] = None,
    state: Annotated[
        str | None,
        Option(metavar="STATE", help="running, ended, crashed, recovered or unknown ones only."),
    ] = None,
    output: Annotated[
        str,
        Option("--format", metavar="table|json|csv", help="How to write the answer.", show_default="table"),
    ] = "table",
) -> None:
    """The runs that recorded here: when, with which program and configuration, and how each ended.

    With WRITER all that is known of one. Labels and notes are kept in the archive and never take back what
    was said before. Counts are from headers: nothing is decompressed.

    Exit code 1: there is no such run.

    \b
    Examples:
      polyrecord runs --since today
      polyrecord runs --state crashed --format json
      polyrecord runs 20261120t1234 --label incident-17 --note "stuck order"

    See also: docs/retention.md.
    """
    from polyrecord.upkeep.runs import find_run, find_runs

    read_output("runs", output, FORMATS)
    place, now = archive_root(root), time.time_ns()
    if prefix is None and (label is not None or note is not None):
        raise UsageError("--label and --note need a WRITER", hint="`polyrecord runs` lists them")
    if prefix is not None:
        run = find_run(place, prefix)
        if label is not None or note is not None:
            run = _remark(place, run, label, note)
        write(_one(run, now) if output == "table" else _rendered([run], output, now))
        return
    since_ns, until_ns = read_ends(since, until, None)
    with Bar("runs") as progress:
        runs = find_runs(place, on_progress=progress)
    wanted = _checked(state)
    shown = [run for run in runs if run.touches(since_ns, until_ns) and wanted in (None, run.state)]
    write(_rendered(shown, output, now))
    if not shown:
        say(f"note: none of {len(runs):,} runs in {place} fits")


def _checked(state: str | None) -> str | None:
    from polyrecord.upkeep.runs import RunState

    if state is not None and state not in list(RunState):
        raise UsageError(f"not a state: {state[:80]!r}", hint=", ".join(RunState))
    return state


def _remark(root: Path, run: Run, label: str | None, note: str | None) -> Run:
    """Leave it, and read the run anew."""
    from polyrecord.upkeep.labels import remark
    from polyrecord.upkeep.runs import find_run

    remark(root, run.writer, label=label, note=note)
    say(f"note: {run.writer}: noted in logs/_runs")
    return find_run(root, run.writer)


def _document(run: Run, now: int) -> dict[str, Any]:
    seconds = run.seconds(now)
    return {
        "writer": run.writer,
        "state": run.state.value,
        "started": _ts(run.started_ns),
        "ended": _ts(run.ended_ns),
        "first_ts": _ts(run.first_ts),
        "last_ts": _ts(run.last_ts),
        "seconds": None if seconds is None else round(seconds, 3),
        "events": run.events,
        "dropped": run.declared,
        "pruned": run.pruned,
        "shards": run.shards,
        "open_shards": run.open_shards,
        "bytes": run.bytes,
        **{name: run.told(name) for name in _SHOWN_FIRST},
        "labels": list(run.labels),
        "notes": [remark.note for remark in run.remarks if remark.note],
    }


def _rendered(runs: list[Run], output: str, now: int) -> bytes:
    if output == "json":
        documents = [
            {**_document(run, now), "manifest": run.manifest and run.manifest.content} for run in runs
        ]
        return orjson.dumps(documents, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if output == "csv":
        from polyrecord.report.render.as_csv import table_of

        rows = [_document(run, now) for run in runs]
        names = list(rows[0]) if rows else ["writer"]
        cells = [[_plain(value) for value in row.values()] for row in rows]
        return table_of(names, cells)
    return _table(runs, now)


def _plain(value: Any) -> Any:
    """A cell: lists with semicolons between, what is nested as JSON, text that cannot move the cursor."""
    from polyrecord.report.render.words import shown

    if isinstance(value, list):
        return shown("; ".join(map(str, value)))
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    return shown(value) if isinstance(value, str) else value


def _table(runs: list[Run], now: int) -> bytes:
    from polyrecord.report.render import words
    from polyrecord.report.render.as_table import text_table

    width = terminal_width()
    is_wide = width >= _WIDE
    names = ["writer", "state", "lasted", "events"]
    names += ["dropped", "program", "git", "config", "strategy"] if is_wide else []
    rows = []
    for run in runs:
        row = [run.writer, run.state.value, _lasted(run, now), f"{run.events:,}"]
        if is_wide:
            hashes = (_hash(run.told("git")), _hash(run.told("config_hash")))
            row += [f"{run.declared:,}", _text(run.told("program")), *hashes, _text(run.told("strategy_id"))]
        rows.append([*row, " ".join(run.labels)])
    title = f"{words.count(len(runs), 'run')}\n"
    table = text_table([*names, "labels"], rows, width=width, colour=wants_colour())
    return (title + table).encode("utf-8", "replace")


def _one(run: Run, now: int) -> bytes:
    """All that is known of a run, a line for each."""
    from polyrecord.report.render import words

    lines = [f"{run.writer}: {_ending(run)}"]
    lines += [f"  {name:<12} {value}" for name, value in _lines(run, now) if value]
    for remark in run.remarks:
        said = " ".join(filter(None, [remark.label and f"[{remark.label}]", remark.note]))
        lines.append(f"  {remark.at[:16].replace('T', ' ')}  {said}")
    return "\n".join([*map(words.shown, lines), ""]).encode("utf-8", "replace")


def _lines(run: Run, now: int) -> Iterator[tuple[str, str]]:
    from polyrecord.report.render import words

    yield "started", words.moment(_ts(run.started_ns))
    yield "ended", words.moment(_ts(run.ended_ns)) if run.ended_ns else ""
    yield "last event", words.moment(_ts(run.last_ts))
    yield "lasted", _lasted(run, now)
    yield "events", f"{run.events:,} in {words.count(run.shards, 'shard')}, {words.size(run.bytes)}"
    yield "dropped", f"{run.declared:,}" if run.declared else ""
    yield "pruned", f"{run.pruned:,}" if run.pruned else ""
    for name in _SHOWN_FIRST:
        yield name.replace("_", " "), _text(run.told(name))
    yield "recovered", _recovery(run.told("recovered"))
    metadata = run.told("metadata")
    for name, value in metadata.items() if isinstance(metadata, dict) else ():
        yield str(name), value if isinstance(value, str) else _json(value)


def _recovery(told: Any) -> str:
    """When its shards were sealed, by whom, and what had to be cut off."""
    if not isinstance(told, dict):
        return ""
    torn = told.get("torn_bytes")
    cut = f", {torn:,} torn bytes cut off" if isinstance(torn, int) and torn else ""
    return f"{_text(told.get('at'))} by {_text(told.get('by'))} ({_text(told.get('reason'))}){cut}"


def _ending(run: Run) -> str:
    """How it ended, in words: what a person on call asks first."""
    from polyrecord.upkeep.runs import RunState

    seconds = None if run.manifest is None else run.manifest.flush_seconds
    missing = "what it had in memory" if seconds is None else f"up to {seconds:g} s"
    crashed = f"its process is gone and did not close; {missing} after its last event may be missing"
    return {
        RunState.RUNNING: "running",
        RunState.ENDED: "ended in order",
        RunState.CRASHED: f"crashed: {crashed}",
        RunState.RECOVERED: f"recovered: {crashed}",
        RunState.UNKNOWN: "nobody here can tell whether it runs: another host, or no manifest",
    }[run.state]


def _lasted(run: Run, now: int) -> str:
    seconds = run.seconds(now)
    if seconds is None:
        return "-"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if seconds < 60:
        return f"{seconds:.1f} s"
    if hours < 1:
        return f"{minutes} min {int(seconds % 60):02} s"
    return f"{hours} h {minutes % 60:02} min" if hours < 48 else f"{hours // 24} d {hours % 24:02} h"


def _ts(ns: int | None) -> str | None:
    try:
        return None if ns is None else format_ts(ns)
    except (OverflowError, ValueError):
        return None


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _json(value: Any) -> str:
    return "" if value is None else orjson.dumps(value).decode()


def _hash(value: Any) -> str:
    return _text(value)[:_SHORT_HASH]
