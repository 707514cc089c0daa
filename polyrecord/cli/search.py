"""`polyrecord grep`: events by their text."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Annotated, Final

from polyrecord.cli.narrate import say
from polyrecord.cli.options import Ask
from polyrecord.cli.output import finish, is_terminal, wants_colour, write, write_lines
from polyrecord.cli.parameters import Argument, Exit, Option
from polyrecord.cli.reading import reading
from polyrecord.errors import ExitCode
from polyrecord.read.replay import Replay
from polyrecord.read.text import TextQuery

_MATCH, _APART, _PLAIN = b"\x1b[1;31m", b"\x1b[36m--\x1b[0m", b"\x1b[0m"
_BETWEEN: Final = b"--"


@reading("grep", formats=("json",))
def grep_command(
    ask: Ask,
    pattern: Annotated[str, Argument(metavar="PATTERN", help="A regular expression (RE2 syntax).")],
    fixed: Annotated[bool, Option("--fixed", "-F", help="PATTERN is plain text.")] = False,
    ignore_case: Annotated[
        bool, Option("--ignore-case", "-i", help="Upper and lower case are the same.")
    ] = False,
    count: Annotated[bool, Option("--count", "-c", help="Only how many events match.")] = False,
    most: Annotated[
        int | None, Option("--max-count", "-m", min=1, metavar="N", help="Stop after N matches.")
    ] = None,
    after: Annotated[
        int, Option("--after", "-A", min=0, metavar="N", help="And the N events after each match.")
    ] = 0,
    before: Annotated[
        int, Option("--before", "-B", min=0, metavar="N", help="And the N events before each match.")
    ] = 0,
    context: Annotated[
        int, Option("--context", "-C", min=0, metavar="N", help="Both.", show_default=False)
    ] = 0,
    trace: Annotated[
        str | None, Option(metavar="ID", help="Events of this trace only: its id or its beginning.")
    ] = None,
) -> None:
    """The events whose recorded line holds a text, in recorded order, byte for byte.

    Time, type, trace, and conditions on declared keys rule out blocks first; only what is left is searched.
    Events before and after a match are those of the same selection. Exit code 1: nothing matches.

    \b
    Examples:
      polyrecord grep -F '"side":"BUY"' --type fill --since -1h
      polyrecord grep -i 'timeout|reset' -C 3
      polyrecord grep -c REJECT --type decision --where strategy=atomic
    """
    query = TextQuery(pattern, fixed=fixed, ignore_case=ignore_case)
    ask = replace(ask, selection=replace(ask.selection, trace=trace))
    around = (max(before, context), max(after, context))
    found = 0 if count else _write(ask, query, around, most)
    if count:
        found = sum(1 for _ in islice(_matches(ask, query), most))
        write(b"%d\n" % found)
    if not found:
        say("note: no event matches")
    finish(ask)
    if not found:
        raise Exit(ExitCode.FINDINGS)


def _matches(ask: Ask, query: TextQuery) -> Iterator[bytes]:
    return Replay(ask.source, replace(ask.selection, text=query), explain=ask.explain).lines()


def _write(ask: Ask, query: TextQuery, around: tuple[int, int], most: int | None) -> int:
    """Write the matches, coloured for a terminal; how many there were."""
    colour = wants_colour()
    if not any(around):
        found = islice(_matches(ask, query), most)
        return write_lines(
            (highlighted(line, query) if colour else line for line in found), at_once=is_terminal()
        )
    passages = Passages(query, *around, most=most)
    selected = Replay(ask.source, ask.selection, explain=ask.explain).lines()
    write_lines((_shown(line, query, colour=colour) for line in passages.of(selected)), at_once=is_terminal())
    return passages.found


def _shown(line: bytes | None, query: TextQuery, *, colour: bool) -> bytes:
    if line is None:
        return _APART if colour else _BETWEEN
    return highlighted(line, query) if colour else line


def highlighted(line: bytes, query: TextQuery) -> bytes:
    """The line with its matches in bold red."""
    parts: list[bytes] = []
    at = 0
    for start, end in query.spans(line):
        parts += (line[at:start], _MATCH, line[start:end], _PLAIN)
        at = end
    return b"".join([*parts, line[at:]])


class Passages:
    """Matches with the lines before and after each, and None between passages that do not touch."""

    def __init__(self, query: TextQuery, before: int, after: int, *, most: int | None = None) -> None:
        self.found = 0
        self._query, self._before, self._after, self._most = query, before, after, most

    def of(self, lines: Iterable[bytes]) -> Iterator[bytes | None]:
        """The passages of these lines; `found` counts the matches in them."""
        held: deque[bytes] = deque(maxlen=self._before)
        due = skipped = 0
        for line in lines:
            is_match = self.found != self._most and self._query.matches(line)
            if is_match:
                if self.found and skipped > len(held):
                    yield None
                yield from held
                held.clear()
                self.found, due, skipped = self.found + 1, self._after, 0
                yield line
            elif due:
                due -= 1
                yield line
            elif self.found == self._most:
                return
            else:
                held.append(line)
                skipped += 1
