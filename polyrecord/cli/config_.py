"""`polyrecord config`: every setting, its value, and where that comes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import orjson

from polyrecord.cli.command import command
from polyrecord.cli.narrate import say
from polyrecord.cli.output import wants_colour, write
from polyrecord.cli.parameters import Argument, Option
from polyrecord.cli.width import terminal_width
from polyrecord.errors import ConfigError, NotFound, UsageError
from polyrecord.settings.files import NAME
from polyrecord.settings.load import Setting, Settings, load

_FORMATS: Final = ("table", "json")


@command
def config_command(
    key: Annotated[
        str | None, Argument(metavar="KEY", help="One setting: only its value.", show_default=False)
    ] = None,
    check: Annotated[bool, Option("--check", help="Only say whether all is well.")] = False,
    init: Annotated[
        bool, Option("--init", help=f"Write a {NAME} with every setting, at its default.")
    ] = False,
    output: Annotated[
        str | None,
        Option("--format", metavar="table|json", show_default="table", help="How to write the answer."),
    ] = None,
) -> None:
    """Every setting, its value and where it comes from.

    Options of a command win over POLYRECORD_... variables, these over polyrecord.toml (POLYRECORD_CONFIG,
    else the nearest in this directory or above), that over the defaults.

    Exit code 1: there is no such setting; 2: a setting is wrong, or unknown.

    \b
    Examples:
      polyrecord config
      polyrecord config recorder.index_keys
      POLYRECORD_RECORDER_SYNC=flush polyrecord config --format json
      polyrecord config --init

    See also: docs/configuration.md.
    """
    if (key is not None) + check + init > 1:
        raise UsageError("KEY, --check and --init exclude each other", hint="give one of them")
    if output not in (None, *_FORMATS):
        raise UsageError(f"config has no format {output[:80]!r}", hint=", ".join(_FORMATS))
    if init:
        _write_example(Path(NAME))
        return
    settings = load()
    if check:
        _check(settings)
        say(f"note: {settings.file or 'no settings file'}: all is well")
    elif key is not None:
        value = _one(settings, key).value
        write((_shown(value) if output != "json" else orjson.dumps(value).decode()).encode() + b"\n")
    elif (output or settings.model.output.format) == "json":
        write(_json(settings))
    else:
        write(_table(settings))


def _check(settings: Settings) -> None:
    """What only their users know of some settings; raises ConfigError that names the place."""
    for setting in settings:
        try:
            _CHECKS.get(setting.key, lambda _: None)(setting.value)
        except UsageError as error:
            where = settings.place(setting)
            raise ConfigError(f"{setting.key}: {error.what}", path=where, hint=error.hint) from None


def _check_keys(paths: Any) -> None:
    from polyrecord.record.keys import ValueKeys

    ValueKeys(paths)


def _check_stages(names: Any) -> None:
    from polyrecord.events.latency_data import checked_stages

    checked_stages(names or ())


def _check_format(name: Any) -> None:
    from polyrecord.foreign import FORMATS

    if name is not None and name not in FORMATS:
        raise UsageError(f"not a format of logs: {name[:80]!r}", hint=f"one of {', '.join(FORMATS)}")


_CHECKS: Final[dict[str, Callable[[Any], None]]] = {
    "recorder.index_keys": _check_keys,
    "recorder.stages": _check_stages,
    "source.from": _check_format,
}


def _one(settings: Settings, key: str) -> Setting:
    for setting in settings:
        if setting.key == key:
            return setting
    raise NotFound(f"no setting is called {key[:80]!r}", hint="`polyrecord config` lists all")


def _json(settings: Settings) -> bytes:
    rows = [{"key": s.key, "value": s.value, "origin": s.origin} for s in settings]
    answer = {"file": settings.file and str(settings.file), "settings": rows}
    return orjson.dumps(answer, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _table(settings: Settings) -> bytes:
    import io

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("setting", "value", "from"):
        table.add_column(name, overflow="fold")
    for setting in settings:
        style = "dim" if setting.origin == "default" else ""
        cells = (setting.key, _shown(setting.value), setting.origin)
        table.add_row(*(Text(_harmless(cell), style=style) for cell in cells))
    file = io.StringIO()
    colour = wants_colour()
    width = max(terminal_width(), 60)
    console = Console(file=file, width=width, force_terminal=colour, no_color=not colour)
    console.print(Text(f"settings of {settings.file or 'defaults and environment'}", style="bold"))
    console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines()).encode()


def _harmless(text: str) -> str:
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _write_example(path: Path) -> None:
    """A settings file with everything in it, commented out; raises UsageError when there is one."""
    from polyrecord.settings.example import example

    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(example())
    except FileExistsError:
        raise UsageError("there is a settings file already", path=path) from None
    say(f"note: {path} is written; every setting in it is at its default")
