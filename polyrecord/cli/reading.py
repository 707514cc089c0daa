"""The options that every reading command shares, added to each by one decorator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from polyrecord.cli.command import Command, Parameter, parameters_of
from polyrecord.cli.narrate import say
from polyrecord.cli.options import FORMATS, Ask, read_ends, read_output, read_seconds
from polyrecord.cli.parameters import Option
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source
from polyrecord.read.sources import How, Listed, open_source
from polyrecord.read.where import parse_condition
from polyrecord.settings.files import settings_file, variables

if TYPE_CHECKING:
    from polyrecord.settings.load import Settings


def _shared(
    root: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            show_default="the current directory",
            help="The archive, or a directory with logs of another system; else POLYRECORD_ROOT names it.",
        ),
    ] = None,
    files: Annotated[
        list[Path] | None,
        Option(
            "--file",
            metavar="FILE",
            help="One shard or log, plain or gzip, in place of a directory; may be given several times.",
        ),
    ] = None,
    format_name: Annotated[
        str | None,
        Option("--from", metavar="FORMAT", help="What wrote the logs, where that is not found out."),
    ] = None,
    ts: Annotated[
        str | None,
        Option(
            metavar="FIELD[:UNIT]", help="Other logs: where the time is; unit s, ms, us, ns, iso or auto."
        ),
    ] = None,
    type_field: Annotated[
        str | None, Option(metavar="FIELD", help="Other logs: where the event type is.")
    ] = None,
    trace_field: Annotated[
        str | None, Option(metavar="FIELD", help="Other logs: where the trace id is.")
    ] = None,
    since: Annotated[
        str | None,
        Option(
            metavar="TIME",
            help="From this moment on, inclusive: 2026-11-20T12:00:00Z, 2026-11-20, -3h, today, yesterday.",
        ),
    ] = None,
    until: Annotated[
        str | None, Option(metavar="TIME", help="Up to this moment, exclusive; written like --since.")
    ] = None,
    window: Annotated[
        str | None, Option(metavar="SECONDS", help="So many seconds up to --until, or up to now.")
    ] = None,
    types: Annotated[
        list[str] | None,
        Option("--type", metavar="TYPE", help="Events of this type only; may be given several times."),
    ] = None,
    where: Annotated[
        list[str] | None,
        Option(
            metavar="CONDITION",
            help="Events this holds of only: data.strategy=atomic, 'net_edge>0.5', level!=info; "
            "may be given several times.",
        ),
    ] = None,
    explain: Annotated[
        bool, Option("--explain", help="Say on stderr what was opened, decompressed and skipped.")
    ] = False,
    strict: Annotated[
        bool, Option("--strict", help="Stop at the first damage instead of reading around it.")
    ] = False,
) -> None:
    """Hold the shared options; never called."""


_SHARED: Final = parameters_of(_shared)
_NAMES: Final = {"files": "--file", "format_name": "--from", "types": "--type"}
_PLACE: Final = ("root", "files", "format_name", "ts", "type_field", "trace_field")
_NARROWING: Final = ("types", "where")


def reading(
    command: str,
    *,
    formats: tuple[str, ...] = FORMATS,
    output: str | None = None,
    only_with: str | None = None,
) -> Callable[[Callable[..., None]], Command]:
    """Make a command of a function that takes an `Ask` first and its own options by keyword.

    The shared options are added to its own, and `--format`, by default the first of `formats`, or `output`.
    Nothing is opened, and `source` is an empty list of files, unless the option `only_with` is given.
    """
    default = output or formats[0]
    told = Option(
        "--format", metavar="|".join(formats), help="How to write the answer.", show_default=default
    )

    def decorate(function: Callable[..., None]) -> Command:
        def run(**given: Any) -> None:
            shared = {one.name: given.pop(one.name) for one in _SHARED}
            chosen = _output(given.pop("output"), formats, default)
            opens = only_with is None or bool(given[only_with])
            ask = _ask(command, read_output(command, chosen, formats), opens=opens, **shared)
            function(ask, **given)

        own = [one for one in parameters_of(function) if one.name != "ask"]
        last = Parameter("output", Annotated[str | None, told], None)
        return Command(run, function, [*own, *_SHARED, last])

    return decorate


def _ask(command: str, output: str, *, opens: bool, **given: Any) -> Ask:
    seconds = read_seconds(given["window"])
    since_ns, until_ns = read_ends(given["since"], given["until"], seconds)
    conditions = tuple(parse_condition(text) for text in given["where"] or ())
    selection = Selection(since_ns, until_ns, frozenset(given["types"] or ()), where=conditions)
    how = How(given["format_name"], given["ts"], given["type_field"], given["trace_field"])
    source: Source = Listed(Path(), ())
    if opens:
        source = open_source(given["root"], given["files"] or (), how, usual=_usual())
    for note in source.notes:
        say(f"note: {note}")
    return Ask(
        command, source, selection, Explain(strict=given["strict"]), output, given["explain"], seconds,
        _words(given, _PLACE), _words(given, _NARROWING),
    )  # fmt: skip


def _settings() -> Settings | None:
    """The settings where there are any: without, nothing is loaded to find out."""
    if settings_file() is None and not variables():
        return None
    from polyrecord.settings.load import load

    return load()


def _usual() -> How:
    """How logs are read that are not ours, where no option says so."""
    settings = _settings()
    if settings is None:
        return How()
    source = settings.model.source
    return How(source.format_name, source.ts, source.type_field, source.trace_field)


def _output(given: str | None, formats: tuple[str, ...], default: str) -> str:
    """The format given, else the usual one where the command has it, else its default."""
    settings = _settings() if given is None else None
    usual = None if settings is None else settings.model.output.format
    return given or (usual if usual in formats else None) or default


def _words(given: dict[str, Any], names: tuple[str, ...]) -> tuple[str, ...]:
    """The command-line words that gave these options."""
    words: list[str] = []
    for name in names:
        value = given[name]
        for one in value if isinstance(value, list | tuple) else [value] if value is not None else []:
            words += (_NAMES.get(name, f"--{name.replace('_', '-')}"), str(one))
    return tuple(words)
