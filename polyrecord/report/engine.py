"""The one engine of statistics: DuckDB over recorded lines, in a box that reaches nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import resources
from typing import Any, TypeAlias

from polyrecord.errors import DataError
from polyrecord.report.sandbox import open_box

Row: TypeAlias = tuple[Any, ...]


class Engine:
    """Asks the questions of `sql/` about the lines it was opened with."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def ask(self, question: str, **parameters: object) -> list[Row]:
        """The rows that `sql/<question>.sql` gives, its values bound; raises DataError."""
        import duckdb

        try:
            rows: list[Row] = self._connection.execute(question_text(question), parameters or None).fetchall()
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
def engine_over(chunks: Iterable[bytes]) -> Iterator[Engine]:
    """An engine with a table of these lines, each ended by a line feed.

    Once open it can read no file, reach no network and change none of its settings: no line can make it.
    """
    with open_box() as box:
        for chunk in chunks:
            box.lines.add(chunk)
        engine = Engine(box.connection)
        engine.ask("lines", path=box.lines.path, longest=box.lines.longest)
        box.lines.clear()
        yield engine


def question_text(question: str) -> str:
    """The SQL of a question; its first comment says what it asks."""
    return resources.files("polyrecord.report").joinpath("sql", f"{question}.sql").read_text(encoding="utf-8")
