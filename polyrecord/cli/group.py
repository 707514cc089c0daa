"""All commands as typer has them, for what it explains: help, completion, and what is wrong with a line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import Parameter as Place
from inspect import Signature
from typing import Annotated, Any, cast, get_args, get_origin

import typer
from typer.core import TyperGroup

from polyrecord.cli.command import REQUIRED, Parameter
from polyrecord.cli.completion import matching, with_completion
from polyrecord.cli.lazy import COMMANDS, load
from polyrecord.cli.parameters import OPTION, Declared
from polyrecord.version import __version__


class Commands(TyperGroup):
    """The group of all commands, and what a shell offers for their words; listing them loads none."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, loaded now; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = with_completion(load(cmd_name))
        return self.commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The names and short helps of the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help) for name, (_, _, short_help) in COMMANDS.items()])

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The names that go on so, from the table: no command is loaded for its short help."""
        if incomplete.startswith("-"):
            return list(super().shell_complete(ctx, incomplete))
        return list(matching(((name, row[2]) for name, row in COMMANDS.items()), incomplete))


# Without markup typer needs no rich, which a command that writes JSON has no use for.
app = typer.Typer(
    name="polyrecord",
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
# What every wrong command line raises is a ClickException; versions of typer differ in where they keep it.
WrongUsage = cast(type[Exception], typer.BadParameter.__mro__[2])
Abort = typer.Abort


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


def signature_of(parameters: Iterable[Parameter]) -> Signature:
    """The signature that typer reads a command's parameters from."""
    return Signature([_place(parameter) for parameter in parameters])


def _place(parameter: Parameter) -> Place:
    default = Place.empty if parameter.default is REQUIRED else parameter.default
    return Place(
        parameter.name,
        Place.KEYWORD_ONLY,
        default=default,
        annotation=_in_words_of_typer(parameter.annotation),
    )


def _in_words_of_typer(annotation: Any) -> Any:
    """The annotation with what we declare of it as typer declares it; one that is typer's own as it is."""
    if get_origin(annotation) is not Annotated:
        return annotation
    plain, *more = get_args(annotation)
    words = [_typers(one) if isinstance(one, Declared) else one for one in more]
    return Annotated[plain, *words]


def _typers(declared: Declared) -> Any:
    make: Callable[..., Any] = typer.Option if declared.kind == OPTION else typer.Argument
    return make(*declared.names, **declared.words)
