"""`polyrecord seal` and `polyrecord recover`: what a crash left, and what damage has left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import orjson

from polyrecord.cli.command import command
from polyrecord.cli.narrate import say
from polyrecord.cli.options import read_output
from polyrecord.cli.output import wants_colour, write
from polyrecord.cli.parameters import Exit, Option
from polyrecord.cli.progress import Bar
from polyrecord.cli.verify_ import (
    FORMATS,
    Output,
    Root,
    problem_document,
    problem_lines,
    verification_document,
)
from polyrecord.cli.width import terminal_width
from polyrecord.errors import ExitCode, UsageError
from polyrecord.settings.root import archive_root

if TYPE_CHECKING:
    from collections.abc import Iterable

    from polyrecord.record.recovery import RecoveredWriter
    from polyrecord.upkeep.salvage_tally import Salvaged
    from polyrecord.upkeep.seal import Left, Sealed

_OPTIONS: Final = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
_WHY: Final = {
    "alive": "being written",
    "dead": "its process has ended",
    "other_boot": "from before a restart of this machine",
    "other_host": "written on another host",
    "no_manifest": "without a manifest",
    "import": "an import that was interrupted: import again",
}


@command
def seal_command(
    root: Root = None,
    everywhere: Annotated[
        bool,
        Option(
            "--everywhere",
            help="Also shards from before a restart, of other hosts, and without a manifest. Make sure that "
            "no other host writes them any more.",
        ),
    ] = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Say what would be done; change nothing.")] = False,
    output: Output = "table",
) -> None:
    """Seal the open shards of writers that are gone; a recorder does so when it starts.

    What stands behind the last whole block is cut off and kept in logs/_quarantine. Shards of living writers
    are not touched. Exit code 3: a shard could not be sealed, and is as it was.

    \b
    Examples:
      polyrecord seal --root archive
      polyrecord seal --everywhere --dry-run
    """
    from polyrecord.upkeep.seal import Sealed, look, seal

    read_output("seal", output, FORMATS)
    place = archive_root(root)
    sealed = Sealed((), tuple(look(place))) if dry_run else seal(place, everywhere=everywhere)
    taken = _taken(sealed, everywhere=everywhere) if dry_run else []
    write(_json(sealed, taken) if output == "json" else _table(sealed, taken))
    _narrate(place, sealed, taken)
    if sealed.failed:
        raise Exit(ExitCode.DATA)


def _taken(sealed: Sealed, *, everywhere: bool) -> list[Left]:
    states = {"dead", "other_boot", "other_host", "no_manifest"} if everywhere else {"dead"}
    return [left for left in sealed.left if left.state in states]


def _narrate(root: Path, sealed: Sealed, taken: list[Left]) -> None:
    for outcome in sealed.recovered:
        for failed in outcome.failed:
            say(f"error: {failed.reason}\n  where: {failed.path}")
        for report in outcome.quarantine:
            say(f"note: what was cut off is told in {report}")
    elsewhere = {"other_boot", "other_host", "no_manifest"}
    if any(left.state in elsewhere for left in sealed.left if left not in taken):
        say("note: shards of another boot or host are left; --everywhere seals them too")
    if not sealed.recovered and not sealed.left:
        say(f"note: nothing to seal in {root}")


def _table(sealed: Sealed, taken: list[Left]) -> bytes:
    from polyrecord.report.render.as_table import text_table

    rows = [*(_recovered_row(one) for one in sealed.recovered), *_left_rows(sealed.left, taken)]
    if not rows:
        return b""
    names = ["writer", "shards", "events", "cut off", "what"]
    width = terminal_width()
    return text_table(names, rows, width=width, colour=wants_colour()).encode("utf-8", "replace")


def _recovered_row(one: RecoveredWriter) -> list[str]:
    parts = [f"sealed: {_WHY.get(one.reason, one.reason)}"] if one.shards or one.removed else []
    parts += [f"{one.removed:,} empty removed"] if one.removed else []
    parts += [f"{len(one.failed):,} could not be sealed"] if one.failed else []
    what = "; ".join(parts)
    return [one.writer, f"{one.shards:,}", f"{one.events:,}", f"{one.torn_bytes:,} B", what]


def _left_rows(left: Iterable[Left], taken: list[Left]) -> list[list[str]]:
    return [
        [one.writer, f"{one.shards:,}", f"{one.events:,}", f"{one.torn_bytes:,} B",
         f"{'would be sealed' if one in taken else 'left'}: {_WHY[one.state]}"]
        for one in left
    ]  # fmt: skip


def _json(sealed: Sealed, taken: list[Left]) -> bytes:
    left: list[dict[str, Any]] = [
        {
            "writer": one.writer,
            "state": one.state.value,
            "shards": one.shards,
            "events": one.events,
            "torn_bytes": one.torn_bytes,
            "would_be_sealed": one in taken,
        }
        for one in sealed.left
    ]
    return orjson.dumps(
        {"sealed": [one.event_data() for one in sealed.recovered], "open": left}, option=_OPTIONS
    )


@command
def recover_command(
    root: Root = None,
    out: Annotated[
        Path | None,
        Option(
            "--out",
            metavar="DIR",
            help="The new archive; must not exist, or be empty. A name that ends in .tar makes a tar of it.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, Option("--dry-run", help="Say what would be kept and what is lost; write nothing.")
    ] = False,
    output: Output = "table",
) -> None:
    """Everything that can be read of a damaged archive, as a new one.

    Nothing is written to the damaged one. Whole shards are copied, of others the whole blocks are taken; the
    new archive is read back before it takes its place. Exit code 0: nothing was damaged. 1: there were
    findings, and nothing is lost by them. 3: data is lost, and said where; or the new archive was not good,
    and there is none.

    \b
    Examples:
      polyrecord recover --root archive --dry-run
      polyrecord recover --root archive --out saved
    """
    from polyrecord.upkeep.salvage import look, salvage

    read_output("recover", output, FORMATS)
    if (out is None) is not dry_run:
        raise UsageError("recover takes either --out or --dry-run", hint="--dry-run first: it writes nothing")
    place = archive_root(root)
    with Bar("salvaging") as progress:
        found = look(place, progress) if out is None else salvage(place, out, progress)
    write(_salvaged_json(found) if output == "json" else _salvaged_table(found))
    if found.loses:
        raise Exit(ExitCode.DATA)
    if found.count or (found.verification is not None and found.verification.count):
        raise Exit(ExitCode.FINDINGS)


def _salvaged_json(found: Salvaged) -> bytes:
    document = {
        "root": str(found.root),
        "out": None if found.out is None else str(found.out),
        "shards": found.shards,
        "copied": found.copied,
        "events": found.events,
        "rescued": found.rescued,
        "data_lost": found.loses,
        "findings": found.count,
        "losing": found.losing,
        "lost_events": found.lost_events,
        "problems": [problem_document(problem) for problem in found.problems],
        "verification": None if found.verification is None else verification_document(found.verification),
    }
    return orjson.dumps(document, option=_OPTIONS)


def _salvaged_table(found: Salvaged) -> bytes:
    return "".join(f"{line}\n" for line in _salvaged_lines(found)).encode("utf-8", "replace")


def _salvaged_lines(found: Salvaged) -> list[str]:
    from polyrecord.report.render.words import count, shown

    where = "would be kept" if found.out is None else f"kept in {shown(found.out)}"
    copied = f"{found.copied:,} of {count(found.shards, 'shard')} as they are"
    rescued = f"; {count(found.rescued, 'event')} of blocks without a header saved" if found.rescued else ""
    lines = [f"{count(found.events, 'event')} {where}, {copied}{rescued}"]
    if found.verification is not None:
        lines.append(f"read back: {count(found.verification.events, 'event')}, every byte")
    lines.append(_loss(found))
    for title, loses in (("data lost", True), ("findings", False)):
        lines += problem_lines(title, [problem for problem in found.problems if problem.loses is loses])
    problems = found.verification.problems if found.verification is not None else ()
    missing = [problem for problem in problems if problem.kind == "numbers"]
    return lines + problem_lines("in the new archive, by its numbers", missing)


def _loss(found: Salvaged) -> str:
    from polyrecord.report.render.words import count

    if found.losing:
        return f"DATA LOST in {count(found.losing, 'place')}: {count(found.lost_events, 'event')} at least"
    if found.loses:
        return "nothing is damaged; events are missing that nobody declared lost"
    return (
        f"{count(found.count, 'finding')}; nothing is lost by them" if found.count else "nothing is damaged"
    )
