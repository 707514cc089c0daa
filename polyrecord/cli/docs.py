"""COMMANDS AND SETTINGS -> PAGES: the reference in docs/, written from what the program itself says."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any, Final, TypeAlias

from polyrecord.cli.lazy import COMMANDS, load
from polyrecord.errors import ExitCode

Parameter: TypeAlias = Any  # of typer, or of the click it stands on: versions differ

_MEANINGS: Final = {
    ExitCode.OK: "all is well",
    ExitCode.FINDINGS: "something was not found, rejected or does not fit its schema",
    ExitCode.USAGE: "the command or a setting is wrong, or there is no archive; nothing was done",
    ExitCode.DATA: "data is lost, damaged or cannot be read",
    ExitCode.SERVICE: "a service that is needed does not answer",
}
_HEAD: Final = """\
# Commands

<!-- Written by scripts/docs from the commands themselves: change those. -->

`polyrecord COMMAND --help` says the same at a terminal. Data goes to stdout and everything else to stderr, so
answers can be piped; a reader that closes the pipe early is no error.
"""
_COMPLETION: Final = """\
## Shell completion

`polyrecord --install-completion` installs it for the bash, zsh or fish it is called from: commands, options,
event types, formats and settings. Where the shell is not found out (in an image, for a package), write the
script yourself:

```text
_POLYRECORD_COMPLETE=source_bash polyrecord > /etc/bash_completion.d/polyrecord
_POLYRECORD_COMPLETE=source_zsh polyrecord > ~/.zfunc/_polyrecord
_POLYRECORD_COMPLETE=source_fish polyrecord > ~/.config/fish/completions/polyrecord.fish
```
"""
_SHARED_BY: Final = 5  # commands; an option of so many is told once


def generated() -> dict[PurePosixPath, str]:
    """The text of every page made here, by its place in the repository."""
    return {PurePosixPath("docs/commands.md"): commands_page()}


def commands_page() -> str:
    """The reference of all commands."""
    commands = {name: load(name) for name in COMMANDS}
    counts = Counter(_row(each) for command in commands.values() for each in command.params)
    shared = [row for row, count in counts.items() if count >= _SHARED_BY]
    parts = [_HEAD, _overview(), _exit_codes(), _COMPLETION, _shared(shared)]
    parts += [_section(name, command, shared) for name, command in commands.items()]
    return "\n".join(parts)


def settings_table() -> str:
    """Every setting with its default and meaning, as docs/configuration.md has it."""
    from polyrecord.settings.load import Settings
    from polyrecord.settings.model import Model

    rows = [
        (f"`{setting.key}`", _value(setting.value), setting.description)
        for setting in Settings(Model(), None, {})
        if setting.key != "root"
    ]
    rows.insert(0, ("`root`", "the current directory", "the archive; relative to the file it is in"))
    return _table(("setting", "default", "meaning"), rows)


def _overview() -> str:
    rows = [(f"[`{name}`](#{name})", short_help) for name, (_, _, short_help) in COMMANDS.items()]
    return _table(("command", "answers"), rows)


def _exit_codes() -> str:
    rows = [(str(code.value), meaning) for code, meaning in _MEANINGS.items()]
    return f"## Exit codes\n\n{_table(('code', 'meaning'), rows)}"


def _shared(rows: Iterable[tuple[str, str]]) -> str:
    about = "The commands that read take these too; where one means something of its own by them it says so."
    return f"## Options of commands that read\n\n{about}\n\n{_table(('option', 'meaning'), rows)}"


def _section(name: str, command: Any, shared: list[tuple[str, str]]) -> str:
    usage = command.make_context(f"polyrecord {name}", [], resilient_parsing=True).get_usage()
    parts = [f"## {name}\n", f"```text\n{_one_line(usage.removeprefix('Usage: '))}\n```\n"]
    parts += [f"{paragraph}\n" for paragraph in _paragraphs(command.help or "")]
    rows = [_row(each) for each in command.params]
    if own := [row for row in rows if row not in shared]:
        parts.append(_table(("option", "meaning"), own))
    if len(own) < len(rows):
        parts.append("And the [options of commands that read](#options-of-commands-that-read).\n")
    return "\n".join(parts)


def _paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a help text; those that keep their lines become blocks."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        kept = re.match(
            r"\x08\n(?P<title>[^\n]+)\n(?P<lines>.+)|(?P<one>Example:) (?P<line>.+)", paragraph, re.DOTALL
        )
        if kept is None:
            yield _one_line(paragraph)
            continue
        block = "\n".join(line.strip() for line in (kept["lines"] or _one_line(kept["line"])).splitlines())
        yield f"{kept['title'] or kept['one']}\n\n```text\n{block}\n```"


def _row(parameter: Parameter) -> tuple[str, str]:
    names = parameter.opts if parameter.opts[0].startswith("-") else []
    metavar = parameter.metavar or ("" if names else parameter.name)
    words = " ".join([*names[:1], metavar]).strip() or parameter.name
    shown = ", ".join([f"`{words}`", *(f"`{other}`" for other in names[1:])])
    return shown, _one_line(f"{parameter.help or ''}{_default(parameter)}")


def _default(parameter: Parameter) -> str:
    """What is taken when nothing is given, where that says something."""
    told = getattr(parameter, "show_default", None)
    default = told if isinstance(told, str) else parameter.default
    is_plain = isinstance(default, str | int | float) and not isinstance(default, bool)
    return f" Default: {default}." if is_plain else ""


def _value(value: Any) -> str:
    return "" if value is None else f"`{json.dumps(value)}`"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    cells = [head, tuple("---" for _ in head), *rows]
    lines = ("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells)
    return "\n".join([*lines, ""])
