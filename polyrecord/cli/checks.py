"""`polyrecord validate` and `polyrecord schema`: events against what they should be."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import Annotated, Any

import orjson

from polyrecord.cli.narrate import say, tell_empty
from polyrecord.cli.options import Ask
from polyrecord.cli.output import answer_with, finish, wants_colour, write
from polyrecord.cli.parameters import Argument, Exit, Option
from polyrecord.cli.reading import reading
from polyrecord.cli.width import terminal_width
from polyrecord.errors import ExitCode, NotFound, UsageError
from polyrecord.report.question import Question


@reading("validate")
def validate_command(
    ask: Ask,
    limit: Annotated[
        int, Option(min=0, metavar="N", help="Findings to list in JSON and CSV; all are counted.")
    ] = 1000,
) -> None:
    """Every event against the catalogue of event types, and every line against the format.

    A finding has the file, the number of the event, the field and the reason. Types that the catalogue does
    not know are counted, and are no finding. Exit code 1: there are findings; 3: data is damaged.

    \b
    Examples:
      polyrecord validate --since today
      polyrecord validate --type decision --format csv
    """
    from polyrecord.cli.progress import Bar
    from polyrecord.report.validate import validate

    with Bar("events checked") as progress:
        answer = validate(Question(ask.source, ask.selection, ask.explain), limit, progress)
    answer_with(ask, answer)
    if answer.found > len(answer.findings) and ask.output != "table":
        say(f"note: {answer.found - len(answer.findings):,} more findings: --limit lists more")
    if not answer.events:
        tell_empty(ask, "such events")
    finish(ask)
    if answer.found:
        raise Exit(ExitCode.FINDINGS)


@reading("schema", only_with="observed")
def schema_command(
    ask: Ask,
    event_type: Annotated[
        str | None, Argument(metavar="TYPE", help="An event type.", show_default=False)
    ] = None,
    observed: Annotated[
        bool, Option("--observed", help="What recorded events hold, not what the catalogue says.")
    ] = False,
) -> None:
    """The event types of the catalogue; of one, its fields, and with --format json its JSON Schema.

    With --observed the fields that events of TYPE hold in an archive or in logs, how often, and between what:
    for types the catalogue does not know, and for logs of other systems. Only then the other options count.

    \b
    Examples:
      polyrecord schema
      polyrecord schema decision
      polyrecord schema signal --observed --since today
    """
    if observed:
        _observe(ask, event_type)
    elif event_type is None:
        _write_rows(ask, ["type", "version", "stream", "what it says"], _types())
    elif ask.output == "json":
        write(_schema(event_type))
    else:
        _write_rows(ask, ["field", "type", "required", "meaning"], _fields(event_type))


def _observe(ask: Ask, event_type: str | None) -> None:
    from polyrecord.report.observed import observe

    if event_type is None:
        raise UsageError(
            "--observed takes a TYPE", hint="`polyrecord info --by event_type` lists those there are"
        )
    types = frozenset({event_type})
    ask = replace(ask, selection=replace(ask.selection, types=types, streams=ask.source.streams_of(types)))
    answer = observe(Question(ask.source, ask.selection, ask.explain), event_type)
    answer_with(ask, answer)
    if not answer.events:
        tell_empty(ask, f"{event_type} events")
    finish(ask)


def _types() -> list[list[str]]:
    from polyrecord.events.catalogue import CATALOGUE

    return [[name, str(spec.version), spec.stream, spec.summary] for name, spec in CATALOGUE.items()]


def _fields(event_type: str) -> list[list[str]]:
    from polyrecord.events.catalogue import json_schema
    from polyrecord.events.shape import shape

    fields = shape(json_schema(_known(event_type)))
    return [[path, one.type, "yes" if one.required else "no", one.meaning] for path, one in fields.items()]


def _schema(event_type: str) -> bytes:
    from polyrecord.events.catalogue import json_schema

    schema = json_schema(_known(event_type))
    return orjson.dumps(schema, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _known(event_type: str) -> str:
    """A type of the catalogue; raises NotFound with those most like it."""
    from polyrecord.events.catalogue import CATALOGUE

    if event_type in CATALOGUE:
        return event_type
    close = get_close_matches(event_type, list(CATALOGUE), n=3, cutoff=0.4)
    hint = f"{' or '.join(close)}, perhaps" if close else "`polyrecord schema` lists them"
    hint += "; what is recorded: --observed"
    raise NotFound(f"no event type of the catalogue is called {event_type[:80]!r}", hint=hint)


def _write_rows(ask: Ask, names: list[str], rows: list[list[str]]) -> None:
    """Rows of text as a table, JSON or CSV."""
    if ask.output == "json":
        keys = [name.replace(" ", "_") for name in names]
        documents: list[Any] = [dict(zip(keys, row, strict=True)) for row in rows]
        write(orjson.dumps(documents, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        return
    if ask.output == "csv":
        from polyrecord.report.render.as_csv import table_of

        write(table_of(names, rows))
        return
    from polyrecord.report.render.as_table import text_table

    width = terminal_width()
    write(text_table(names, rows, width=width, colour=wants_colour()).encode("utf-8", "replace"))
