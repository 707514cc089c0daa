"""The one engine of statistics: DuckDB over recorded lines, in a box that reaches nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any, TypeAlias

from polyrecord.errors import DataError
from polyrecord.report.feed import LineFile
from polyrecord.report.rows import MACROS
from polyrecord.report.sandbox import open_box

Row: TypeAlias = tuple[Any, ...]


class Engine:
    """Asks the questions of `sql/` about the lines it was opened with."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def ask(self, question: str, **parameters: object) -> list[Row]:
        """The rows that `sql/<question>.sql` gives, its values bound; raises DataError."""
        return self.run(question, question_text(question), **parameters)

    def run(self, question: str, text: str, **parameters: object) -> list[Row]:
        """The rows that a text of SQL gives, its values bound; raises DataError."""
        import duckdb

        try:
            rows: list[Row] = self._connection.execute(text, parameters or None).fetchall()
        except duckdb.InterruptException:
            raise KeyboardInterrupt from None
        except duckdb.Error as error:
            raise DataError(f"{question} cannot be answered: {error}") from error
        return rows

    @property
    def counts(self) -> tuple[int, int]:
        """Lines that are events, and lines that could not be read as one."""
        events, unreadable = self.ask("counts")[0]
        return events, unreadable


@contextmanager
def open_engine(
    paths: Iterable[Path] = (), *, threads: int | None = None
) -> Iterator[tuple[Engine, LineFile]]:
    """An engine without any table, which can read these files, and the file that lines come through.

    It works with so many threads, by default with one for each processor.
    It can read no other file, reach no network and change none of its settings: no line can make it.
    """
    settings = {} if threads is None else {"threads": threads}
    with open_box(paths, preserve_insertion_order=False, **settings) as box:
        box.connection.execute(MACROS)
        yield Engine(box.connection), box.lines


@contextmanager
def engine_over(chunks: Iterable[bytes], paths: Iterable[Path] = ()) -> Iterator[Engine]:
    """An engine with a table of these lines, each ended by a line feed, and of the events in typed tables."""
    tables = list(paths)
    with open_engine(tables) as (engine, lines):
        for chunk in chunks:
            lines.add(chunk)
        engine.ask("lines", path=lines.path, longest=lines.longest)
        lines.clear()
        for path in tables:
            engine.ask("lines_of_table", path=str(path))
        yield engine


def question_text(question: str) -> str:
    """The SQL of a question; its first comment says what it asks."""
    return resources.files("polyrecord.report").joinpath("sql", f"{question}.sql").read_text(encoding="utf-8")
