"""The command `polyrecord`: which command is called, and what becomes of its errors."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from polyrecord.cli.command import Command
from polyrecord.cli.lazy import COMMANDS
from polyrecord.cli.narrate import say, tell_error
from polyrecord.cli.parameters import Exit, PipeClosed
from polyrecord.errors import DataError, ExitCode, PolyrecordError

INTERRUPTED = 130
_COMPLETING = "_POLYRECORD_COMPLETE"
# Made from one search for garbage to the next: after every 700 a short command searches for 10 ms.
_NEW_OBJECTS = 50_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Errors are told on stderr, without a traceback."""
    gc.set_threshold(_NEW_OBJECTS)
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except PolyrecordError as error:
        tell_error(error)
        return error.exit_code
    except Exit as end:
        return end.code if isinstance(end.code, int) else ExitCode.OK
    except PipeClosed:
        _drop_stdout()
        return ExitCode.OK
    except OSError as error:
        tell_error(DataError(error.strerror or str(error), path=error.filename))
        _drop_stdout()
        return ExitCode.DATA
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(arguments: list[str]) -> int:
    called = _plainly_called(arguments)
    if called is None:
        return _run_explained(arguments)
    command, given = called
    command(**given)
    return ExitCode.OK


def _plainly_called(arguments: list[str]) -> tuple[Command, dict[str, Any]] | None:
    """The command and its parameters, where nothing has to be explained."""
    if not arguments or arguments[0] not in COMMANDS or _COMPLETING in os.environ:
        return None
    module, function, _ = COMMANDS[arguments[0]]
    command = getattr(import_module(f"polyrecord.cli.{module}"), function)
    given = command.parse(arguments[1:]) if isinstance(command, Command) else None
    return None if given is None else (command, given)


def _run_explained(arguments: list[str]) -> int:
    from polyrecord.cli.group import Abort, WrongUsage, app

    try:
        code = app(arguments, prog_name="polyrecord", standalone_mode=False)
    except WrongUsage as error:
        _tell_usage(error)
        return ExitCode.USAGE
    except Abort:
        return INTERRUPTED
    return code if isinstance(code, int) else ExitCode.OK


def _tell_usage(error: Any) -> None:
    """What is wrong with a command line, and the command that explains the right one."""
    context, message = getattr(error, "ctx", None), error.format_message()
    if message.startswith("Usage:"):  # no command was given: this is the help already
        say(message)
        return
    say(f"error: {message}")
    say(f"  hint: {'polyrecord' if context is None else context.command_path} --help")


def _drop_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not complain."""
    if sys.stdout is None:
        return
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
