"""`polyrecord repack`: small blocks of sealed shards become large ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson

from polyrecord.cli.command import command
from polyrecord.cli.narrate import say
from polyrecord.cli.options import read_output
from polyrecord.cli.output import wants_colour, write
from polyrecord.cli.parameters import Exit, Option
from polyrecord.cli.progress import Bar
from polyrecord.cli.width import terminal_width
from polyrecord.errors import ExitCode, UsageError
from polyrecord.format.layout import check_stream
from polyrecord.settings.root import archive_root
from polyrecord.settings.units import read_size

if TYPE_CHECKING:
    from polyrecord.upkeep.repack import Repack, Repacked

FORMATS: Final = ("table", "json")


@command
def repack_command(
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
    min_block: Annotated[
        str,
        Option(metavar="SIZE", help="Shards whose blocks hold less than this on average are rewritten."),
    ] = "64KiB",
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what would be rewritten.")] = False,
    output: Annotated[
        str,
        Option("--format", metavar="table|json", help="How to write the answer.", show_default="table"),
    ] = "table",
) -> None:
    """Rewrite sealed shards of small blocks into large ones: same lines, a fraction of the bytes.

    A bot that records little flushes blocks of a few lines, which compress badly. Lines, numbers, names and
    keys stay as they are; each new file is compared with the old one before it takes its place. May run while
    the archive is recorded and read; a second run finds nothing to do. Open shards are not touched.

    Exit code 3: a shard is damaged, or could not be rewritten; it was left as it is.

    \b
    Examples:
      polyrecord repack --dry-run
      polyrecord repack --stream data/events --min-block 32KiB
    """
    from polyrecord.upkeep.repack import repack

    read_output("repack", output, FORMATS)
    place = archive_root(root)
    wanted = [check_stream(stream) for stream in streams or []]
    with Bar("repacking") as progress:
        answer = repack(place, wanted, min_block=_bytes(min_block), dry_run=dry_run, on_progress=progress)
    write(_json(answer) if output == "json" else _table(answer))
    for left in answer.left:
        say(f"warning: {place / left.name.path}: {left.reason}")
    if answer.left:
        say("  hint: polyrecord verify says what is wrong with a shard")
        raise Exit(ExitCode.DATA)


def _bytes(text: str) -> int:
    try:
        return read_size(int(text) if text.isdecimal() else text)
    except ValueError as error:
        raise UsageError(f"not {error}", hint="a number of bytes, or 64KiB") from None


def _json(answer: Repack) -> bytes:
    document: dict[str, Any] = {
        "root": str(answer.root),
        "dry_run": answer.dry_run,
        "looked": answer.looked,
        "before": answer.before,
        "after": answer.after,
        "shards": [
            {
                "path": str(shard.name.path),
                "events": shard.events,
                "before": shard.before,
                "after": shard.after,
                "blocks_before": shard.blocks_before,
                "blocks_after": shard.blocks_after,
            }
            for shard in answer.shards
        ],
        "left": [{"path": str(left.name.path), "reason": left.reason} for left in answer.left],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _table(answer: Repack) -> bytes:
    from polyrecord.report.render import words
    from polyrecord.report.render.as_table import text_table

    would = "dry run, nothing was touched: " if answer.dry_run else ""
    done = f"{len(answer.shards):,} of {words.count(answer.looked, 'sealed shard')} rewritten"
    saved = f", {words.size(answer.before)} to {words.size(answer.after)}" if answer.shards else ""
    lines = [f"{words.shown(answer.root)}: {would}{done}{saved}"]
    if answer.shards:
        names = ["stream", "shards", "events", "blocks", "then", "size", "then"]
        width = terminal_width()
        lines += ["", text_table(names, _rows(answer), width=width, colour=wants_colour()).rstrip("\n")]
    return "\n".join([*lines, ""]).encode("utf-8", "replace")


def _rows(answer: Repack) -> Iterator[list[str]]:
    """A row for each stream."""
    from polyrecord.report.render import words

    streams: dict[str, list[Repacked]] = defaultdict(list)
    for shard in answer.shards:
        streams[shard.name.stream].append(shard)
    for stream, theirs in streams.items():
        yield [
            stream, f"{len(theirs):,}", f"{sum(shard.events for shard in theirs):,}",
            f"{sum(shard.blocks_before for shard in theirs):,}",
            f"{sum(shard.blocks_after for shard in theirs):,}",
            words.size(sum(shard.before for shard in theirs)),
            words.size(sum(shard.after for shard in theirs)),
        ]  # fmt: skip
