"""The prompt of `polyrecord sql`: statements until a semicolon, a few commands with a dot, a history."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from polyrecord.cli.narrate import say, tell_error
from polyrecord.cli.output import is_terminal, write
from polyrecord.errors import PolyrecordError, UsageError
from polyrecord.report.render.words import shown

if TYPE_CHECKING:
    from polyrecord.report.session import Session
    from polyrecord.report.statements import Statement

_HELP: Final = """\
statements end with a semicolon, and may go over several lines
.views          the event types there are, each a view; events has all of them
.schema TYPE    the columns of a view
.help           this
.quit           leave; so does Ctrl-D. Ctrl-C stops a query
"""
_FIRST, _MORE = "polyrecord> ", "       ...> "
_MOST_HISTORY: Final = 1000


class Prompt:
    """Reads from a terminal, and answers until there is no more."""

    def __init__(self, session: Session, answer: Callable[[Statement], None]) -> None:
        self._session, self._answer = session, answer
        self._typed: list[str] = []

    def run(self) -> None:
        """Returns at .quit or the end of input."""
        say("SQL over recorded events; .help says more")
        with _history():
            while True:
                try:
                    line = _read(_MORE if self._typed else _FIRST)
                    if line is None or not self.take(line):
                        return
                except KeyboardInterrupt:
                    self._typed.clear()
                    say("")

    def take(self, line: str) -> bool:
        """One line as it was typed; False when it asks to leave."""
        if not self._typed and line.lstrip().startswith("."):
            return self._command(line.split())
        if line.strip() or self._typed:
            self._typed.append(line)
        text = "\n".join(self._typed)
        if self._session.is_complete(text):
            self._typed.clear()
            self._run(text)
        return True

    def _run(self, text: str) -> None:
        try:
            for statement in self._session.statements(text):
                self._answer(statement)
        except PolyrecordError as error:
            tell_error(error)
        except KeyboardInterrupt:
            say("stopped")

    def _command(self, words: list[str]) -> bool:
        name, *rest = words
        if name in (".quit", ".exit") and not rest:
            return False
        try:
            write("".join(f"{line}\n" for line in self._told(name, rest)).encode("utf-8", "replace"))
        except PolyrecordError as error:
            tell_error(error)
        return True

    def _told(self, name: str, rest: list[str]) -> Iterator[str]:
        if name == ".help":
            yield from _HELP.splitlines()
        elif name == ".views":
            yield from ("events", *map(shown, sorted(self._session.views.known)))
        elif name == ".schema" and rest:
            columns = self._session.schema(" ".join(rest).rstrip(";").strip('"'))
            widest = max(len(column) for column, _ in columns)
            yield from (f"{shown(column):{widest}}  {shown(kind)}" for column, kind in columns)
        else:
            raise UsageError(f"no command {name[:80]!r}", hint=".views, .schema TYPE, .help, .quit")


def _read(prompt: str) -> str | None:
    """One line from the terminal, None at the end. The prompt never becomes part of the answer."""
    if is_terminal():
        try:
            return input(prompt)
        except EOFError:
            return None
    sys.stderr.write(prompt)
    sys.stderr.flush()
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None


@contextmanager
def _history() -> Iterator[None]:
    """Lines typed before, with the arrow keys, where the system can; kept in the user's state directory."""
    try:
        import readline
    except ImportError:
        yield
        return
    path = _history_path()
    readline.set_history_length(_MOST_HISTORY)
    with suppress(OSError):
        readline.read_history_file(path)
    try:
        yield
    finally:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            readline.write_history_file(path)


def _history_path() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "polyrecord" / "sql_history"
