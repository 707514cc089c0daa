"""`polyrecord cut` and `polyrecord merge`: archives out of archives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson

from polyrecord.cli.command import command
from polyrecord.cli.narrate import say, tell_empty, tell_reading
from polyrecord.cli.options import Ask, read_output
from polyrecord.cli.output import finish, write
from polyrecord.cli.parameters import Argument, Exit, Option
from polyrecord.cli.progress import Bar
from polyrecord.cli.reading import reading
from polyrecord.errors import ExitCode, NotFound, UsageError
from polyrecord.format.layout import check_stream
from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.times import SECOND

if TYPE_CHECKING:
    from polyrecord.transfer.cut import Written
    from polyrecord.transfer.union import Conflict

_FORMATS: Final = ("table", "json")
_LONGEST: Final = 1e9  # seconds

_Out = Annotated[
    Path,
    Option(
        "--out",
        metavar="DIR",
        help="The new archive; must not exist, or be empty. A name that ends in .tar makes a tar of it.",
        show_default=False,
    ),
]


@reading("cut", formats=_FORMATS)
def cut_command(
    ask: Ask,
    out: _Out,
    traces: Annotated[
        list[str] | None,
        Option(
            "--trace",
            metavar="ID",
            help="Events of this trace only: its id or its beginning; may be given several times.",
        ),
    ] = None,
    streams: Annotated[
        list[str] | None,
        Option("--stream", metavar="STREAM", help="This stream only; may be given several times."),
    ] = None,
    context: Annotated[
        str | None,
        Option(
            metavar="SECONDS",
            help="And everything from so long before the first of these events to so long after the last.",
        ),
    ] = None,
) -> None:
    """A selection as a small archive of its own, to be sent to somebody.

    Lines are byte for byte as recorded, under the same writers, numbers, streams and dates. What was declared
    lost in the window goes along. Exit code 1: there is no such event, and nothing was written.

    \b
    Examples:
      polyrecord cut --trace 4f1c --context 5 --out case-17.tar
      polyrecord cut --since -1h --type decision --where 'net_edge>0.5' --out cut
    """
    from polyrecord.transfer.cut import Wanted, cut

    ask = _asked(ask, traces or [], streams or [], context)
    wanted = Wanted(ask.selection, tuple(traces or ()), _context_ns(context), ask.arguments)
    try:
        with Bar("cutting") as progress:
            written = cut(ask.source, wanted, out, ask.explain, progress)
    except NotFound:
        _tell_nothing(replace(ask, arguments=(*ask.arguments, "--out", str(out))), traces or [])
        finish(ask)
        raise Exit(ExitCode.FINDINGS) from None
    _tell(written)
    if written.ledger:
        say(f"note: {written.ledger:,} of them were not asked for: they say what was lost meanwhile")
    if ask.output == "json":
        _write_json(_plain(written))
    finish(ask)


def _asked(ask: Ask, traces: Sequence[str], streams: Sequence[str], context: str | None) -> Ask:
    """The question with the streams asked for, and all the words that narrow it."""
    words = [word for trace in traces for word in ("--trace", trace)]
    words += [word for stream in streams for word in ("--stream", stream)]
    words += [] if context is None else ["--context", context]
    selection = replace(ask.selection, streams=frozenset(map(check_stream, streams)))
    return replace(ask, selection=selection, arguments=(*ask.arguments, *words))


def _context_ns(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= _LONGEST:
        raise UsageError(f"not a context: {text[:80]!r}", hint="a number of seconds, such as 5")
    return round(seconds * SECOND)


def _tell_nothing(ask: Ask, traces: Sequence[str]) -> None:
    if traces:
        say(f"note: no such events in {ask.source.root}; nothing was written")
    else:
        tell_empty(ask, "such events")


@command
def merge_command(
    sources: Annotated[
        list[Path],
        Argument(metavar="SOURCE...", help="Archives, or cuts of archives.", show_default=False),
    ],
    out: _Out,
    output: Annotated[
        str,
        Option("--format", metavar="table|json", help="How to report: text, or JSON on stdout."),
    ] = "table",
) -> None:
    """Several archives as one; an event that several have is there once.

    Exit code 3: a source is damaged, or two have different lines under one writer and number. All that can be
    read is kept: of such lines that of the source named first, the others in logs/_rejects/conflicts.jsonl.

    \b
    Examples:
      polyrecord merge host-a/archive host-b/archive --out all
      polyrecord merge monday tuesday --out days.tar
    """
    from polyrecord.transfer.merge import merge

    read_output("merge", output, _FORMATS)
    explain = Explain()
    with Bar("merging") as progress:
        merged = merge(sources, out, explain, progress)
    _tell(merged.written)
    for conflict in merged.named:
        say(f"warning: {_conflict(conflict)}")
    if merged.conflicts > len(merged.named):
        say(f"warning: {merged.conflicts - len(merged.named):,} more lines differ")
    if output == "json":
        _write_json({**_plain(merged.written), "copied": merged.copied, "conflicts": merged.conflicts})
    tell_reading(Ask("merge", Archive(sources[0]), Selection(), explain, output, False, None))
    if explain.damage or merged.conflicts:
        raise Exit(ExitCode.DATA)


def _conflict(conflict: Conflict) -> str:
    name = f"{conflict.writer} {conflict.seq} of {conflict.stream}"
    return f"{name}: two lines differ; one was kept, the other is in logs/_rejects/conflicts.jsonl"


def _tell(written: Written) -> None:
    events, writers, shards = written.events, written.writers, written.shards
    what = f"{_many(events, 'event')} of {_many(writers, 'writer')} in {_many(shards, 'shard')}"
    say(f"{written.path}: {what}, {written.bytes:,} bytes")


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def _plain(written: Written) -> dict[str, Any]:
    return {
        "out": str(written.path),
        "events": written.events,
        "ledger": written.ledger,
        "writers": written.writers,
        "shards": written.shards,
        "bytes": written.bytes,
    }


def _write_json(answer: dict[str, Any]) -> None:
    write(orjson.dumps(answer, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
