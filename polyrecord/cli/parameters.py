"""What a command takes, declared without the library that explains it: an ordinary call loads none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final


class Exit(SystemExit):
    """The end of a command with an exit code, all having been said."""


class PipeClosed(Exception):
    """Whoever read our stdout has gone: there is nothing left to do, and nothing wrong."""


@dataclass(frozen=True, slots=True)
class Declared:
    """One option or argument as its command declares it; `words` are what typer is told of it."""

    kind: str
    names: tuple[str, ...]
    words: dict[str, Any]


def Option(  # noqa: N802  # a declaration reads as typer's does
    *names: str,
    help: str,  # noqa: A002
    metavar: str | None = None,
    show_default: bool | str = True,
    min: int | None = None,  # noqa: A002
    envvar: str | None = None,
) -> Declared:
    """An option; without names it is called as its parameter is."""
    words = {"help": help, "metavar": metavar, "show_default": show_default, "min": min, "envvar": envvar}
    return Declared(OPTION, names, words)


def Argument(*, help: str, metavar: str, show_default: bool = True) -> Declared:  # noqa: N802, A002
    """An argument, told apart by its place."""
    return Declared(ARGUMENT, (), {"help": help, "metavar": metavar, "show_default": show_default})


OPTION: Final = "option"
ARGUMENT: Final = "argument"
