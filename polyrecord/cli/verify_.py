"""`polyrecord verify`: is the archive whole?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson

from polyrecord.cli.command import command
from polyrecord.cli.options import read_output
from polyrecord.cli.output import write
from polyrecord.cli.parameters import Exit, Option
from polyrecord.cli.progress import Bar
from polyrecord.errors import ExitCode
from polyrecord.settings.root import archive_root

if TYPE_CHECKING:
    from polyrecord.upkeep.problems import Problem
    from polyrecord.upkeep.verify import Verification

FORMATS: Final = ("table", "json")
_MOST_SHOWN: Final = 50

Root = Annotated[
    Path | None,
    Option(
        "--root",
        metavar="DIR",
        show_default="the current directory",
        help="The archive; else POLYRECORD_ROOT names it.",
    ),
]
Output = Annotated[
    str, Option("--format", metavar="table|json", help="How to write the answer.", show_default="table")
]


@command
def verify_command(root: Root = None, output: Output = "table") -> None:
    """Every byte of every shard, and every number of every writer: is the archive whole?

    Names, headers, checksums, contents, directories, indexes; ordinals and seqs without a gap that nobody
    declared; manifests. Writers may be writing. Exit code 0: it is sound. 1: there are findings, and nothing
    is lost by them. 3: data is lost, damaged or cannot be read.

    \b
    Examples:
      polyrecord verify
      polyrecord verify --root archive --format json
    """
    from polyrecord.upkeep.verify import verify

    read_output("verify", output, FORMATS)
    with Bar("verifying") as progress:
        found = verify(archive_root(root), progress)
    write(_json(found) if output == "json" else _table(found))
    if found.loses:
        raise Exit(ExitCode.DATA)
    if found.count:
        raise Exit(ExitCode.FINDINGS)


def verification_document(found: Verification) -> dict[str, Any]:
    """A verification as JSON has it."""
    return {
        "root": str(found.root),
        "sound": not found.count,
        "data_lost": found.loses,
        "coverage": _coverage(found),
        "writers": found.writers,
        "shards": found.shards,
        "open_shards": found.open_shards,
        "blocks": found.blocks,
        "bytes": found.bytes,
        "findings": found.count,
        "losing": found.losing,
        "lost_events": found.lost_events,
        "lost_bytes": found.lost_bytes,
        "problems": [problem_document(problem) for problem in found.problems],
    }


def _coverage(found: Verification) -> dict[str, Any]:
    """The same words as in answers; which stream lacks what is among the problems."""
    from polyrecord.report.render.whole import in_words

    told = asdict(in_words(found.coverage))
    del told["streams"]
    return told


def problem_document(problem: Problem) -> dict[str, Any]:
    """A problem as JSON has it; `events` null where nobody can tell how many are lost."""
    return {
        "path": str(problem.path),
        "offset": problem.offset,
        "bytes": problem.bytes,
        "events": problem.events,
        "loses_data": problem.loses,
        "what": problem.what,
        "hint": problem.hint,
    }


def _json(found: Verification) -> bytes:
    return orjson.dumps(verification_document(found), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _table(found: Verification) -> bytes:
    return "".join(f"{line}\n" for line in _lines(found)).encode("utf-8", "replace")


def _lines(found: Verification) -> list[str]:
    from polyrecord.report.render.whole import coverage_line, in_words
    from polyrecord.report.render.words import count, shown, size

    what = [count(found.writers, "writer"), count(found.shards, "shard"), count(found.blocks, "block")]
    opened = f" ({found.open_shards:,} open)" if found.open_shards else ""
    lines = [
        f"archive {shown(found.root)}",
        f"{what[0]}, {what[1]}{opened}, {what[2]}, {size(found.bytes)}",
        coverage_line(in_words(found.coverage)),
        _verdict(found),
    ]
    for title, loses in (("data lost", True), ("findings", False)):
        problems = [problem for problem in found.problems if problem.loses is loses]
        lines += problem_lines(title, problems)
    return lines


def _verdict(found: Verification) -> str:
    from polyrecord.report.render.words import count

    if not found.count:
        return "sound: nothing is wrong"
    if not found.losing:
        return f"{count(found.count, 'finding')}; nothing is lost by them"
    events = f"{count(found.lost_events, 'event')} at least"
    return f"DATA LOST in {count(found.losing, 'place')}: {events}; {count(found.count, 'finding')} in all"


def problem_lines(title: str, problems: list[Problem]) -> list[str]:
    """Problems for a terminal, each with its place on a line of its own."""
    from polyrecord.report.render.words import shown

    lines = ["", title] if problems else []
    for problem in problems[:_MOST_SHOWN]:
        at = "" if problem.offset is None else f" at byte {problem.offset:,}"
        lines += [f"  {shown(problem.path)}{at}", f"    {shown(problem.what)}{_cost(problem)}"]
        lines += [f"    hint: {problem.hint}"] if problem.hint else []
    if len(problems) > _MOST_SHOWN:
        lines.append(f"  and {len(problems) - _MOST_SHOWN:,} more: --format json lists them")
    return lines


def _cost(problem: Problem) -> str:
    from polyrecord.report.render.words import count

    parts = [count(problem.bytes, "byte")] if problem.bytes else []
    if problem.loses:
        parts.append("events unknown" if problem.events is None else f"{count(problem.events, 'event')} lost")
    return f" ({', '.join(parts)})" if parts else ""
