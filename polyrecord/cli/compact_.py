"""`polyrecord compact`: typed Parquet and histograms beside sealed shards."""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson

from polyrecord.cli.command import command
from polyrecord.cli.narrate import say
from polyrecord.cli.options import read_output
from polyrecord.cli.output import wants_colour, write
from polyrecord.cli.parameters import Exit, Option
from polyrecord.cli.progress import Bar
from polyrecord.cli.stop import Stop
from polyrecord.cli.width import terminal_width
from polyrecord.errors import ArchiveMissing, ExitCode, UsageError
from polyrecord.format.layout import check_stream
from polyrecord.read.selection import Selection, read_window
from polyrecord.settings.root import archive_root

if TYPE_CHECKING:
    from polyrecord.upkeep.compact import Compact, Compacted

FORMATS: Final = ("table", "json")
_NICE: Final = 19
_STEP: Final = 0.2  # seconds until a signal is looked at


@command
def compact_command(
    root: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            show_default="the current directory",
            help="The archive; else POLYRECORD_ROOT names it.",
        ),
    ] = None,
    streams: Annotated[
        list[str] | None,
        Option("--stream", metavar="STREAM", help="This stream only; may be given several times."),
    ] = None,
    since: Annotated[
        str | None, Option(metavar="TIME", help="Shards of dates from this moment on: -3d, today.")
    ] = None,
    until: Annotated[str | None, Option(metavar="TIME", help="Shards of dates up to this moment.")] = None,
    watch: Annotated[
        float | None,
        Option(
            metavar="SECONDS", min=1, help="Go on at low priority: look for new sealed shards that often."
        ),
    ] = None,
    nice: Annotated[
        bool, Option("--nice", help="At low priority, as --watch is: everybody else goes first.")
    ] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what would be made.")] = False,
    output: Annotated[
        str,
        Option("--format", metavar="table|json", help="How to write the answer.", show_default="table"),
    ] = "table",
) -> None:
    """Make typed Parquet and histograms beside sealed shards: statistics are then answered from them.

    They lie in _derived folders beside the shards and are a cache: whoever deletes them changes no answer,
    only the time it takes. What belongs to no shard any more is removed. May run while the archive is
    recorded and read, and several times at once; a second run finds nothing to do. Open shards are not
    touched.

    Exit code 1: of some shards there can be no tables, lines are read for them; 3: the disk is full.

    \b
    Examples:
      polyrecord compact
      polyrecord compact --stream logs/metrics --since -7d
      polyrecord compact --watch 60
    """
    read_output("compact", output, FORMATS)
    if watch is not None and dry_run:
        raise UsageError("--watch and --dry-run exclude each other", hint="give one of them")
    place = archive_root(root)
    since_ns, until_ns = read_window(since, until, time.time_ns())
    wanted = frozenset(check_stream(stream) for stream in streams or [])
    selection = Selection(since_ns, until_ns, streams=wanted)
    if nice or watch is not None:
        os.nice(_NICE)
    if watch is not None:
        _watch(place, selection, watch, output)
        return
    from polyrecord.upkeep.compact import compact

    with Bar("compacting") as progress:
        answer = compact(place, selection, dry_run=dry_run, on_progress=progress)
    write(_json(answer) if output == "json" else _table(answer))
    for left in answer.left:
        say(f"note: {place / left.name.path}: no tables: {left.reason}")
    if answer.left:
        raise Exit(ExitCode.FINDINGS)


def _watch(place: Path, selection: Selection, seconds: float, output: str) -> None:
    """Compact now and again until a signal comes; what is being made is finished first."""
    from polyrecord.upkeep.compact import compact

    told: set[str] = set()
    with Stop.caught() as stop:
        while True:
            with suppress(ArchiveMissing):  # nothing is recorded yet
                answer = compact(place, selection, on_shard=stop.end_if_asked, known=told)
                if answer.shards or answer.removed:
                    write(_json(answer, indent=False) if output == "json" else _line(answer))
                for left in answer.left:
                    say(f"note: {place / left.name.path}: no tables: {left.reason}")
            _wait(seconds, stop)


def _wait(seconds: float, stop: Stop) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        stop.end_if_asked()
        time.sleep(min(left, _STEP))
    stop.end_if_asked()


def _json(answer: Compact, *, indent: bool = True) -> bytes:
    document: dict[str, Any] = {
        "root": str(answer.root),
        "dry_run": answer.dry_run,
        "looked": answer.looked,
        "before": answer.before,
        "after": answer.after,
        "shards": [
            {"path": str(shard.name.path), "before": shard.before, "made": shard.made}
            for shard in answer.shards
        ],
        "removed": [str(path.relative_to(answer.root)) for path in answer.removed],
        "left": [{"path": str(left.name.path), "reason": left.reason} for left in answer.left],
    }
    option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if indent else 0)
    return orjson.dumps(document, option=option)


def _line(answer: Compact) -> bytes:
    """What was done, in one line."""
    from polyrecord.report.render import words

    would = "dry run, nothing was touched: " if answer.dry_run else ""
    done = f"{len(answer.shards):,} of {words.count(answer.looked, 'sealed shard')} compacted"
    sizes = f", {words.size(answer.before)} of gzip" if answer.shards else ""
    sizes += f" and {words.size(answer.after)} beside them" if answer.after else ""
    stale = f", {words.count(len(answer.removed), 'stale file')} removed" if answer.removed else ""
    return f"{words.shown(answer.root)}: {would}{done}{sizes}{stale}\n".encode("utf-8", "replace")


def _table(answer: Compact) -> bytes:
    from polyrecord.report.render.as_table import text_table

    text = _line(answer)
    if not answer.shards or answer.dry_run:
        return text
    width = terminal_width()
    names = ["stream", "shards", "gzip", "kind", "files", "size"]
    table = text_table(names, _rows(answer), width=width, colour=wants_colour())
    return text + b"\n" + table.encode("utf-8", "replace")


def _rows(answer: Compact) -> Iterator[list[str]]:
    """A row for each stream and kind of file."""
    from polyrecord.report.render import words

    streams: dict[str, list[Compacted]] = defaultdict(list)
    for shard in answer.shards:
        streams[shard.name.stream].append(shard)
    for stream, theirs in streams.items():
        first = [stream, f"{len(theirs):,}", words.size(sum(shard.before for shard in theirs))]
        files: Counter[str] = Counter()
        sizes: Counter[str] = Counter()
        for shard in theirs:
            files.update(shard.made.keys())
            sizes.update(shard.made)
        for kind in sorted(files):
            yield [*first, kind, f"{files[kind]:,}", words.size(sizes[kind])]
            first = ["", "", ""]
