"""`polyrecord tail`: the last events, and those to come."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

from polyrecord.cli.command import Command
from polyrecord.cli.narrate import say, tell_empty, tell_reading
from polyrecord.cli.options import Ask
from polyrecord.cli.output import finish, is_terminal, wants_colour, write
from polyrecord.cli.parameters import Option, PipeClosed
from polyrecord.cli.reading import reading
from polyrecord.cli.stop import Stop
from polyrecord.cli.tail_line import TailLine
from polyrecord.cli.width import terminal_width
from polyrecord.errors import ArchiveMissing, UsageError
from polyrecord.read.archive import Archive
from polyrecord.read.replay import Replay
from polyrecord.read.tail.cursor import Cursor, cursor_path
from polyrecord.read.tail.deliver import Delivery, Output, Sink, open_output
from polyrecord.read.tail.feed import Feed
from polyrecord.read.tail.iterate import POLL_SECONDS
from polyrecord.read.tail.last import last_lines

_USUAL: Final = 10
_ALL: Final = sys.maxsize
_AT_ONCE: Final = 4096  # lines


@dataclass(frozen=True, slots=True)
class _Wish:
    """What was asked for beyond the shared options; `count` is None where it was left open."""

    count: int | None
    follow: bool
    cursor: Path | None
    output: Path | None


def _waiting_for_an_archive(command: Command) -> Command:
    """With --follow a directory without an archive is waited for; all that comes is then new."""

    def run(**given: Any) -> None:
        try:
            command(**given)
        except ArchiveMissing:
            if not given["follow"] or given["files"] or given["format_name"]:
                raise
            _wait_for(Archive(given["root"]))
            # It may have come just now; where it is something else that is missing, that is said again.
            command(**{**given, "lines": "all"})

    return Command(run, command, command.parameters)


def _wait_for(archive: Archive) -> None:
    if archive.has_shards():
        return
    say(f"note: no archive in {archive.root} yet; waiting for one")
    with Stop.caught():
        while not archive.has_shards():
            time.sleep(POLL_SECONDS)


@_waiting_for_an_archive
@reading("tail", formats=("auto", "json", "table"))
def tail_command(
    ask: Ask,
    lines: Annotated[
        str | None,
        Option(
            "--lines", "-n", metavar="N|all", help="How many of the last events.", show_default=str(_USUAL)
        ),
    ] = None,
    follow: Annotated[bool, Option("--follow", "-f", help="Go on with events as they are recorded.")] = False,
    trace: Annotated[
        str | None, Option(metavar="ID", help="Events of this trace only: its id or its beginning.")
    ] = None,
    cursor: Annotated[
        str | None,
        Option(
            metavar="NAME",
            help="Go on where the reader of this name stopped; kept in the archive. The first time it "
            "starts now, or as -n says.",
        ),
    ] = None,
    cursor_file: Annotated[Path | None, Option(metavar="PATH", help="The same, kept in this file.")] = None,
    from_start: Annotated[
        bool, Option("--from-start", help="A new cursor starts with the first event: -n all.")
    ] = False,
    to_file: Annotated[
        Path | None, Option("--output", metavar="FILE", help="Add to this file instead of stdout.")
    ] = None,
) -> None:
    """The last events in recorded order, and with --follow those to come, as they are flushed.

    On a terminal an event is a line to read; elsewhere, and with --format json, the recorded line byte for
    byte. With a cursor nothing is delivered twice or left out; after a crash of the reader that holds where
    the lines go to a regular file, and a pipe gets the batch under way again.

    \b
    Examples:
      polyrecord tail -n 20 --type fill
      polyrecord tail -f --since -5m --where strategy=atomic
      polyrecord tail -f --cursor shipper --output shipped.jsonl
    """
    count = _ALL if from_start else _count(lines)
    place = _cursor_place(ask, cursor, cursor_file)
    wish = _Wish(count, follow, place, to_file)
    _check(ask, wish)
    if trace is not None:
        selection = replace(ask.selection, trace=trace)
        ask = replace(ask, selection=selection, arguments=(*ask.arguments, "--trace", trace))
    output = _open(to_file)
    with Stop.caught(output, is_endless=follow) as stop:
        try:
            _run(ask, wish, output, stop)
        except BrokenPipeError:
            raise PipeClosed from None


def _count(text: str | None) -> int | None:
    """How many events; raises UsageError."""
    if text is None:
        return None
    if text == "all":
        return _ALL
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise UsageError(f"not a number of events: {text[:80]!r}", hint="-n 20, -n 0 or -n all")
    return int(text)


def _cursor_place(ask: Ask, name: str | None, path: Path | None) -> Path | None:
    if name is None:
        return path
    if path is not None:
        raise UsageError("--cursor and --cursor-file exclude each other", hint="give one of them")
    return cursor_path(ask.source.root, name)


def _check(ask: Ask, wish: _Wish) -> None:
    """Raises UsageError where options make no sense together."""
    if not (wish.follow or wish.cursor):
        return
    if not isinstance(ask.source, Archive):
        raise UsageError(
            "only archives are followed, not single files or logs of other systems",
            path=ask.source.root,
            hint="leave -f and --cursor out; or pipe what grows into `polyrecord record`",
        )
    if ask.selection.until_ns is not None:
        raise UsageError("--until and --window end before what is to come", hint="--since -5m")


def _open(path: Path | None) -> Sink:
    if path is not None:
        return open_output(path)
    if sys.stdout is None:  # the process was started without one
        raise PipeClosed
    sys.stdout.flush()
    try:
        return Output(sys.stdout.fileno())
    except OSError:  # somebody put a stream of their own in its place
        return _Stream()


class _Stream:
    """A stdout without a descriptor, as notebooks have it."""

    is_file = False
    is_busy = is_writing = False
    place = None

    def read_at(self, _offset: int, _length: int) -> None:
        """Nothing of it can be looked at."""

    def write(self, data: bytes) -> None:
        """All of the data; raises PipeClosed."""
        write(data)

    def sync(self) -> None:
        """There is no disk behind it."""


def _run(ask: Ask, wish: _Wish, output: Sink, stop: Stop) -> None:
    render = _renderer(ask, wish)
    if wish.cursor is None:
        delivery = Delivery(output, None, render)
        if wish.follow:
            _follow(ask, delivery, _start(ask, wish, delivery), stop)
        else:
            _tell_last(ask, wish, delivery, stop)
        finish(ask)
        return
    cursor = Cursor(wish.cursor)
    try:
        delivery = Delivery(output, cursor, render)
        _recover(delivery)
        feed = Feed(ask.source.root, ask.selection, ask.explain, cursor.positions)
        if cursor.is_new:
            feed = _start(ask, wish, delivery, cursor)
        if wish.follow:
            _follow(ask, delivery, feed, stop)
        else:
            _catch_up(delivery, feed, stop)
    finally:
        cursor.close()
    finish(ask)


def _renderer(ask: Ask, wish: _Wish) -> TailLine | None:
    if ask.output == "json" or (ask.output == "auto" and (wish.output or not is_terminal())):
        return None
    return TailLine(terminal_width(), colour=wish.output is None and wants_colour())


def _tell_last(ask: Ask, wish: _Wish, delivery: Delivery, stop: Stop) -> None:
    count = _USUAL if wish.count is None else wish.count
    if count == _ALL:
        lines = Replay(ask.source, ask.selection, explain=ask.explain, whole_id_wins=False).lines()
    else:
        lines = iter(last_lines(ask.source, ask.selection, count, ask.explain))
    written = 0
    while some := list(islice(lines, _AT_ONCE)):
        delivery.write(some, {})
        written += len(some)
        stop.end_if_asked()
    if not written and count:
        tell_empty(ask, "such events")


def _recover(delivery: Delivery) -> None:
    recovered = delivery.recover()
    if recovered.repeated:
        say(
            f"note: the last reader ended while it delivered {recovered.lines:,} events; "
            "they are delivered again, and some may have come before"
        )


def _start(ask: Ask, wish: _Wish, delivery: Delivery, cursor: Cursor | None = None) -> Feed:
    """A feed for a reader that comes for the first time, once it has what it asked for of the past."""
    usual = 0 if cursor is not None else _USUAL
    if ask.selection.since_ns is not None:
        usual = _ALL
    count = usual if wish.count is None else wish.count
    feed = Feed(ask.source.root, ask.selection, ask.explain)
    if count == _ALL:
        return feed
    feed.skip(exactly=cursor is not None)
    shards = [info for info in feed.baseline if info.may_hold(ask.selection)]
    through = feed.positions
    delivery.write(
        last_lines(ask.source, ask.selection, count, ask.explain, shards=shards, through=through), through
    )
    if cursor is not None:
        cursor.save()
        if not count:
            say(f"note: the cursor is new and starts now: {cursor.path}")
    return feed


def _catch_up(delivery: Delivery, feed: Feed, stop: Stop) -> None:
    for batch in feed.poll(at_once=True):
        delivery.deliver(batch)
        stop.end_if_asked()


def _follow(ask: Ask, delivery: Delivery, feed: Feed, stop: Stop) -> None:
    """Deliver what comes until somebody asks to stop; damage is told once."""
    try:
        while True:
            stop.end_if_asked()
            for batch in feed.poll():
                delivery.deliver(batch)
                stop.end_if_asked()
            _tell_damage(ask)
            time.sleep(POLL_SECONDS)
    finally:
        if ask.show_explain:
            tell_reading(ask)


def _tell_damage(ask: Ask) -> None:
    if ask.explain.damage:
        tell_reading(replace(ask, show_explain=False))
        ask.explain.damage.clear()
