"""The command `polyrecord`: its commands, and what becomes of their errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, cast

import typer

from polyrecord.cli.completion import matching, with_completion
from polyrecord.cli.lazy import COMMANDS, LazyGroup
from polyrecord.cli.narrate import say, tell_error
from polyrecord.cli.output import PipeClosed
from polyrecord.errors import DataError, ExitCode, PolyrecordError
from polyrecord.version import __version__

INTERRUPTED = 130


class _Commands(LazyGroup):
    """All commands; what a shell offers for their words included."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, loaded now; None where there is none of that name."""
        command = super().get_command(ctx, cmd_name)
        return command if command is None else with_completion(command)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The names that go on so, from the table: no command is loaded for its short help."""
        if incomplete.startswith("-"):
            return list(super().shell_complete(ctx, incomplete))
        return list(matching(((name, row[2]) for name, row in COMMANDS.items()), incomplete))


# Without markup typer needs no rich, which a command that writes JSON has no use for.
app = typer.Typer(
    name="polyrecord",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"polyrecord {__version__}")
        raise typer.Exit


@app.callback()
def polyrecord(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Record what a trading bot sees, decides and does; then ask where latency and edge went.

    What is asked is the archive in the current directory, or the one named by --root, POLYRECORD_ROOT or
    polyrecord.toml; logs of other systems are read where they lie.

    Exit codes: 0 all is well, 1 something was not found or rejected, 2 the command or a setting was wrong,
    3 data is lost or damaged, 4 a service that is needed does not answer.

    \b
    Examples:
      python -m polyrecord.demo --root demo
      polyrecord summarize --root demo
      polyrecord info --file logs/metrics.jsonl
      polyrecord trace --help

    See also: docs/commands.md, docs/configuration.md.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Errors are told on stderr, without a traceback."""
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except PolyrecordError as error:
        tell_error(error)
        return error.exit_code
    except PipeClosed:
        _drop_stdout()
        return ExitCode.OK
    except OSError as error:
        tell_error(DataError(error.strerror or str(error), path=error.filename))
        _drop_stdout()
        return ExitCode.DATA
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED


def _run(arguments: list[str]) -> int:
    try:
        code = app(arguments, prog_name="polyrecord", standalone_mode=False)
    except _WRONG_USAGE as error:
        _tell_usage(error)
        return ExitCode.USAGE
    return code if isinstance(code, int) else ExitCode.OK


# What every wrong command line raises is a ClickException; versions of typer differ in where they keep it.
_WRONG_USAGE = cast(type[Exception], typer.BadParameter.__mro__[2])


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
