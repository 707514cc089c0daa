"""`polyrecord sql`: questions in SQL, one by one or at a prompt."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from polyrecord.cli.narrate import say, tell_coverage, tell_empty, tell_unreadable
from polyrecord.cli.options import Ask, existing_file
from polyrecord.cli.output import finish, is_terminal, wants_colour, write, write_lines
from polyrecord.cli.parameters import Argument, Option
from polyrecord.cli.reading import reading
from polyrecord.cli.width import terminal_width
from polyrecord.errors import DataError, UsageError

if TYPE_CHECKING:
    from polyrecord.report.rows import Row, Rows
    from polyrecord.report.session import Session
    from polyrecord.report.statements import Statement

_TABLE_ROWS: Final = 100
_PARQUET_ROWS: Final = 65_536
_COPY: Final = 1 << 20


@reading("sql", formats=("table", "json", "csv", "parquet"))
def sql_command(
    ask: Ask,
    query: Annotated[
        str | None,
        Argument(metavar="QUERY", help="One statement that reads; - reads it from stdin."),
    ] = None,
    query_file: Annotated[Path | None, Option(metavar="FILE", help="Read the statement from a file.")] = None,
    limit: Annotated[
        int | None,
        Option(
            min=0,
            metavar="N",
            help="Rows to show at most, 0 for all.",
            show_default="100 in a table, else all",
        ),
    ] = None,
    save: Annotated[
        Path | None,
        Option("--output", metavar="FILE", help="Where to write Parquet, if not to stdout."),
    ] = None,
) -> None:
    """Ask in SQL (DuckDB): the view events, and one per event type with a column per field of its data.

    Only what the query names is read, within --since, --until, --type and --where. SQL only reads, and
    reaches no file, network or extension. Without a query, statements are read from stdin, at a terminal
    with a prompt; .help there says more. --format json writes one object per line.

    \b
    Examples:
      polyrecord sql "select event_type, count(*) from events group by all"
      polyrecord sql "select sum(net_edge) from decision" --since today
      polyrecord sql "from fill" --format parquet --output fills.parquet
    """
    from polyrecord.report.session import open_session

    text = _query(query, query_file)
    _check(ask, save)
    with open_session(ask.source, ask.selection, ask.explain) as session:
        if text is not None:
            _answer(ask, session, session.statement(text), limit, save)
        elif _has_prompt():
            _at_prompt(ask, session, limit)
        else:
            for statement in session.statements(sys.stdin.read()):
                _answer(ask, session, statement, limit, save)
        _close(ask, session)


def _query(query: str | None, file: Path | None) -> str | None:
    """The text of the query; None where it is to be asked for."""
    if query is not None and file is not None:
        raise UsageError("a query and --query-file exclude each other", hint="give one of them")
    if query == "-":
        return sys.stdin.read()
    if file is None:
        return query
    try:
        return existing_file(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise UsageError(f"query cannot be read: {reason}", path=file) from None


def _has_prompt() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _check(ask: Ask, save: Path | None) -> None:
    """Raises UsageError where the answer could not be written."""
    if ask.output != "parquet":
        if save is not None:
            raise UsageError("--output is for --format parquet", hint="redirect stdout: > FILE")
        return
    try:
        import pyarrow.parquet
    except ImportError:
        raise UsageError(
            "--format parquet needs pyarrow", hint="pip install 'polyrecord[notebook]'"
        ) from None
    assert pyarrow.parquet
    if save is None and is_terminal():
        raise UsageError("Parquet is not written to a terminal", hint="--output FILE, or > FILE")
    if save is not None:
        existing_file(save)


def _at_prompt(ask: Ask, session: Session, limit: int | None) -> None:
    from polyrecord.cli.sql_prompt import Prompt

    Prompt(session, lambda statement: _answer(ask, session, statement, limit, None)).run()


def _answer(ask: Ask, session: Session, statement: Statement, limit: int | None, save: Path | None) -> None:
    """The answer to one statement, in the format asked for."""
    if ask.output == "parquet":
        _write_parquet(session, statement, limit, save)
        return
    with session.ask(statement) as rows:
        if ask.output == "table":
            _write_table(rows, statement, _TABLE_ROWS if limit is None else limit)
        else:
            _write_rows(ask, rows, limit or 0)
    _tell_unfit(session)


def _write_rows(ask: Ask, rows: Rows, limit: int) -> None:
    from polyrecord.report.render.rows import csv_lines, json_lines

    render = json_lines if ask.output == "json" else csv_lines
    shown, rest = _first(rows, limit)
    write_lines(render(rows.columns, shown), at_once=False)
    _tell_limit(rest, limit)


def _first(rows: Rows, limit: int) -> tuple[Iterable[Row], Iterator[Row]]:
    """The first rows, and the rest; of all rows where the limit is 0."""
    every = iter(rows)
    return (islice(every, limit) if limit else every), every


def _tell_limit(rest: Iterator[Row], limit: int) -> None:
    if limit and next(rest, None) is not None:
        say(f"note: these are the first {limit:,} rows; --limit 0 shows all")


def _write_table(rows: Rows, statement: Statement, limit: int) -> None:
    from polyrecord.report.render.rows import table_text
    from polyrecord.report.render.words import shown

    first, rest = _first(rows, limit)
    held = list(first)
    if statement.plan:
        lines = [shown(line) for row in held for line in str(row[-1]).splitlines()]
        write("\n".join([*lines, ""]).encode("utf-8", "replace"))
        return
    width = terminal_width()
    table = table_text(rows.columns, held, width=width, bold=wants_colour())
    write("\n".join([*table.lines, ""]).encode("utf-8", "replace"))
    _tell_limit(rest, limit)
    if table.left_out:
        names = ", ".join(table.left_out[:20]) + (", ..." if len(table.left_out) > 20 else "")
        say(f"note: columns left out, for they do not fit or have no value: {names}")
        say("  hint: name the columns you want, or --format csv")


def _write_parquet(session: Session, statement: Statement, limit: int | None, save: Path | None) -> None:
    from tempfile import TemporaryFile

    from polyrecord.report.parquet import write_parquet

    if statement.plan:
        raise UsageError("a plan is no table", hint="explain with --format table")
    with session.arrow(statement, _PARQUET_ROWS) as reader:
        if save is None:
            with TemporaryFile() as file:
                write_parquet(reader, file, limit or 0)
                file.seek(0)
                while piece := file.read(_COPY):
                    write(piece)
            return
        part = save.with_name(f".{save.name}.part")
        try:
            with part.open("wb") as whole:
                write_parquet(reader, whole, limit or 0)
            os.replace(part, save)  # noqa: PTH105  # atomic, and says so
        except OSError as error:
            raise DataError(f"cannot be written: {error.strerror}", path=save) from error
        finally:
            part.unlink(missing_ok=True)


def _tell_unfit(session: Session) -> None:
    """Values that are null in a column because its type cannot hold them; each is told once."""
    for name, count in sorted(session.views.unfit.items()):
        say(f"note: {count:,} of {name} cannot be had exactly as its type and are null; data has their text")
    session.views.unfit.clear()


def _close(ask: Ask, session: Session) -> None:
    tell_unreadable(session.views.unreadable)
    if session.views.has_read and not session.views.loaded:
        tell_empty(ask, "events")
    elif session.views.has_read:
        _tell_what_is_missing(ask)
    finish(ask, unreadable=session.views.unreadable, used=session.views.used)


def _tell_what_is_missing(ask: Ask) -> None:
    """Events that were lost or cannot be had: no answer to SQL says so itself."""
    from polyrecord.report.question import Question

    coverage = Question(ask.source, ask.selection, ask.explain).coverage()
    if coverage.lost or coverage.unknown:
        tell_coverage(coverage)
