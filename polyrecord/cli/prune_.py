"""`polyrecord prune`: what retention does not keep goes, and is told."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import orjson

from polyrecord.cli.command import command
from polyrecord.cli.narrate import say
from polyrecord.cli.options import read_output
from polyrecord.cli.output import wants_colour, write
from polyrecord.cli.parameters import Exit, Option
from polyrecord.cli.progress import Bar
from polyrecord.cli.width import terminal_width
from polyrecord.errors import ExitCode, UsageError
from polyrecord.settings.files import settings_file, variables
from polyrecord.settings.root import archive_root
from polyrecord.settings.units import read_age, read_size
from polyrecord.times import format_ts

if TYPE_CHECKING:
    from polyrecord.settings.model import StreamRetention
    from polyrecord.upkeep.prune import Pruned
    from polyrecord.upkeep.retention import Leaving, Policy, Retention

_Number = TypeVar("_Number", int, float)

FORMATS: Final = ("table", "json")
_MOST_SHOWN: Final = 20


@command
def prune_command(
    root: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            show_default="the current directory",
            help="The archive; else POLYRECORD_ROOT names it.",
        ),
    ] = None,
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what would go, and why.")] = False,
    streams: Annotated[
        list[str] | None,
        Option("--stream", metavar="STREAM", help="This stream only; may be given several times."),
    ] = None,
    max_age: Annotated[
        str | None,
        Option(metavar="AGE", help="Shards whose newest event is older go: 30d, 12h, 7y."),
    ] = None,
    max_shards: Annotated[
        int | None, Option(min=1, metavar="N", help="The newest N shards of a stream stay.")
    ] = None,
    max_bytes: Annotated[
        str | None,
        Option(metavar="SIZE", help="The newest shards of a stream stay, up to so much: 50GB, 512MiB."),
    ] = None,
    archive_to: Annotated[
        Path | None,
        Option(metavar="DIR", help="Move what has to go to this archive instead of deleting it."),
    ] = None,
    keep: Annotated[
        list[str] | None,
        Option(
            metavar="RUN",
            help="Keep these runs whatever: a label, or the beginning of a writer id; several times.",
        ),
    ] = None,
    force: Annotated[
        bool,
        Option("--force", help="Apply ages although even the newest event is too old by this clock."),
    ] = False,
    output: Annotated[
        str,
        Option("--format", metavar="table|json", help="How to write the answer.", show_default="table"),
    ] = "table",
) -> None:
    """Delete or move the sealed shards that retention does not keep, and record it.

    What is kept is said by [retention] of polyrecord.toml; limits given here take the place of all of those,
    for --stream or for all streams. Age is that of the newest event in a shard. Open shards, runs to be kept,
    and a stream's newest shard (unless it is too old) stay. `coverage` goes on telling deleted from lost.

    Exit code 1: an age was not applied because the clock seems wrong, or no run fits a name in keep; 2:
    nothing says what to keep; 3: something could not be moved or deleted.

    \b
    Examples:
      polyrecord prune --dry-run
      polyrecord prune --stream data/books --max-age 7d --max-bytes 50GB
      polyrecord prune --max-age 30d --archive-to /mnt/cold --keep incident-17

    See also: docs/retention.md.
    """
    from polyrecord.upkeep.prune import prune

    read_output("prune", output, FORMATS)
    place = archive_root(root)
    retention = _retention(streams or [], max_age, max_shards, max_bytes, archive_to, tuple(keep or ()))
    with Bar("pruning") as progress:
        answer = prune(place, retention, time.time_ns(), dry_run=dry_run, force=force, on_progress=progress)
    write(_json(answer) if output == "json" else _table(answer))
    _narrate(answer)
    if answer.failed:
        raise Exit(ExitCode.DATA)
    if answer.withheld or answer.unknown:
        raise Exit(ExitCode.FINDINGS)


def _retention(
    streams: list[str],
    max_age: str | None,
    max_shards: int | None,
    max_bytes: str | None,
    archive_to: Path | None,
    keep: tuple[str, ...],
) -> Retention:
    """What is kept: the settings, or what the command line says in their place. Raises UsageError."""
    from polyrecord.upkeep.retention import ALL, Retention, policy_of

    policies, settled = _settled()
    keep = (*settled, *keep)
    seconds = None if max_age is None else _read(read_age, max_age)
    size = None if max_bytes is None else _read(_size, max_bytes)
    given = policy_of(seconds, max_shards, size, archive_to)
    if given.limits:
        return Retention(dict.fromkeys(streams or [ALL], given), keep)
    if archive_to is not None:
        raise UsageError("--archive-to moves what has to go", hint="--max-age, --max-shards or --max-bytes")
    settled_only = Retention(policies, keep)
    if streams:
        told = {stream: settled_only.policy(stream) for stream in streams}
        settled_only = Retention({stream: one for stream, one in told.items() if one is not None}, keep)
    if not any(policy.limits for policy in settled_only.policies.values()):
        raise UsageError(
            "nothing says how long to keep what", hint="--max-age 30d, or [retention] in polyrecord.toml"
        )
    return settled_only


def _size(text: str) -> int:
    return read_size(int(text) if text.isdecimal() else text)


def _read(read: Callable[[str], _Number], text: str) -> _Number:
    try:
        return read(text)
    except ValueError as error:
        what, _, examples = str(error).partition(": ")
        raise UsageError(f"not {what}: {text[:80]!r}", hint=examples) from None


def _settled() -> tuple[dict[str, Policy], tuple[str, ...]]:
    """The policies and the runs to be kept of the settings."""
    if settings_file() is None and not variables():
        return {}, ()
    from polyrecord.settings.load import load

    settings = load()
    section = settings.model.retention
    base = Path() if settings.file is None else settings.file.parent
    return {name: _policy(told, base) for name, told in section.streams.items()}, section.keep


def _policy(told: StreamRetention, base: Path) -> Policy:
    from polyrecord.upkeep.retention import policy_of

    age = None if told.max_age is None else read_age(told.max_age)
    size = None if told.max_bytes is None else read_size(told.max_bytes)
    to = None if told.archive_to is None else base / Path(told.archive_to).expanduser()
    return policy_of(age, told.max_shards, size, to)


def _narrate(answer: Pruned) -> None:
    for stream in answer.withheld:
        say(f"warning: {stream}: its age was not applied: by this clock even the newest event is too old")
    if answer.withheld:
        say("  hint: date; if the clock is right and nothing was recorded for so long, --force")
    for name in answer.unknown:
        say(f"warning: no run is called {name!r}, which is to be kept: `polyrecord runs` lists them")
    for failure in answer.failed:
        say(f"warning: {failure.path}: {failure.reason}")


def _json(answer: Pruned) -> bytes:
    document: dict[str, Any] = {
        "root": str(answer.root),
        "dry_run": answer.dry_run,
        "freed": answer.freed,
        "shards": [_shard(one) for one in answer.shards],
        "files": [{"path": file.place, "bytes": file.bytes, "reason": file.reason} for file in answer.files],
        "held": [str(shard.name.path) for shard in answer.held],
        "withheld": list(answer.withheld),
        "unknown": list(answer.unknown),
        "failed": [{"path": str(one.path), "reason": one.reason} for one in answer.failed],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _shard(one: Leaving) -> dict[str, Any]:
    shard = one.shard
    return {
        "path": str(shard.name.path),
        "stream": shard.name.stream,
        "writer": shard.name.writer,
        "bytes": shard.bytes,
        "events": shard.events,
        "first_ts": format_ts(shard.min_ts),
        "last_ts": format_ts(shard.max_ts),
        "reason": one.reason,
        "to": None if one.to is None else str(one.to),
    }


def _table(answer: Pruned) -> bytes:
    from polyrecord.report.render import words
    from polyrecord.report.render.as_table import text_table

    lines = [_headline(answer)]
    if answer.shards:
        names = ["stream", "shards", "events", "size", "from", "to", "why"]
        width = terminal_width()
        lines += ["", text_table(names, _rows(answer), width=width, colour=wants_colour()).rstrip("\n"), ""]
    places = dict.fromkeys(str(one.to) for one in answer.shards if one.to is not None)
    lines += [f"moved to {words.shown(place)}" for place in places]
    lines += [f"  {words.shown(one.shard.name.path)}" for one in answer.shards[:_MOST_SHOWN]]
    lines += [f"  {words.shown(file.place)}: {file.reason}" for file in answer.files[:_MOST_SHOWN]]
    hidden = max(len(answer.shards) - _MOST_SHOWN, 0) + max(len(answer.files) - _MOST_SHOWN, 0)
    lines += [f"and {hidden:,} more: --format json lists all"] if hidden else []
    return "\n".join([*lines, ""]).encode("utf-8", "replace")


def _headline(answer: Pruned) -> str:
    from polyrecord.report.render import words

    moved = sum(one.to is not None for one in answer.shards)
    deleted = len(answer.shards) - moved
    parts = [f"{words.count(deleted, 'shard')} deleted"] if deleted or not moved else []
    parts += [f"{words.count(moved, 'shard')} moved"] if moved else []
    parts += [f"{words.count(len(answer.files), 'other file')} deleted"] if answer.files else []
    parts += [f"{words.size(answer.freed)} freed"]
    if answer.held:
        parts += [f"{words.count(len(answer.held), 'shard')} too old but kept"]
    would = "dry run, nothing was touched: " if answer.dry_run else ""
    return f"{words.shown(answer.root)}: {would}{', '.join(parts)}"


def _rows(answer: Pruned) -> Iterator[list[str]]:
    """A row for each stream and reason."""
    from polyrecord.report.render import words

    groups: dict[tuple[str, str], list[Leaving]] = defaultdict(list)
    for one in answer.shards:
        why = one.reason if one.to is None else f"{one.reason}: moved"
        groups[one.shard.name.stream, why].append(one)
    for (stream, why), theirs in groups.items():
        yield [
            stream, f"{len(theirs):,}", f"{sum(one.shard.events for one in theirs):,}",
            words.size(sum(one.shard.bytes for one in theirs)),
            words.minute(format_ts(min(one.shard.min_ts for one in theirs)))[:10],
            words.minute(format_ts(max(one.shard.max_ts for one in theirs)))[:10],
            why,
        ]  # fmt: skip
