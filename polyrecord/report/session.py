"""Questions in SQL: parsed, refused unless they read, what they name loaded, then answered in the box."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from polyrecord.errors import UsageError
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source
from polyrecord.report.cached import table_paths
from polyrecord.report.patience import Patience
from polyrecord.report.rows import MACROS, Column, Rows, as_texts, as_values
from polyrecord.report.sandbox import open_box
from polyrecord.report.statements import (
    Statement,
    explained,
    is_complete,
    names_in,
    one_statement,
    statements,
)
from polyrecord.report.views import Views


class Session:
    """A box with the views of a source."""

    def __init__(self, connection: Any, views: Views, patience: Patience) -> None:
        self._connection, self.views, self._patience = connection, views, patience

    def statement(self, text: str) -> Statement:
        """The one statement of a text, checked; raises UsageError."""
        return one_statement(self._connection, text)

    def statements(self, text: str) -> list[Statement]:
        """All statements of a text, checked; raises UsageError."""
        return statements(self._connection, text)

    def is_complete(self, text: str) -> bool:
        """Whether a text that is being typed ends with a whole statement."""
        return is_complete(self._connection, text)

    @contextmanager
    def ask(self, statement: Statement) -> Iterator[Rows]:
        """The rows of a statement, to be read inside the context; raises UsageError and DataError."""
        with self._reading(statement):
            text, columns = self._prepared(statement)
            cursor = self._patience.wait(lambda: self._connection.execute(text))
            yield Rows(columns, lambda most: self._patience.wait(lambda: cursor.fetchmany(most)))

    def _prepared(self, statement: Statement) -> tuple[str, list[Column]]:
        """The SQL to run, and the columns it will give."""
        if statement.plan:
            return statement.text, [Column("explain_key", "text"), Column("explain_value", "text")]
        relation = self._connection.sql(statement.text)
        return as_texts(statement.text, relation.columns, relation.types)

    @contextmanager
    def arrow(self, statement: Statement, rows: int) -> Iterator[Any]:
        """The rows of a statement as a pyarrow.RecordBatchReader, times as nanoseconds."""
        with self._reading(statement):
            relation = self._connection.sql(statement.text)
            text = as_values(statement.text, relation.columns, relation.types)
            with self._connection.sql(text).to_arrow_reader(
                rows
            ) as reader:  # open, it would bar the rollback
                yield reader

    @contextmanager
    def _reading(self, statement: Statement) -> Iterator[None]:
        """Load what a statement names, and let it see nothing that it could change."""
        import duckdb

        self._load(statement)
        try:
            # Even a select can write: with x as (insert ... returning *) select * from x.
            self._connection.execute("begin transaction read only")
            yield
        except duckdb.InterruptException:
            raise KeyboardInterrupt from None
        except duckdb.Error as error:
            raise explained(error, self._names(error)) from None
        finally:
            self._connection.execute("rollback")

    def _load(self, statement: Statement) -> None:
        names = names_in(self._connection, statement)
        if names is None:
            self.views.need_all()
        else:
            self.views.need(names)

    def _names(self, error: Exception) -> frozenset[str]:
        """The views to name in a hint: none where the message is about something else."""
        return self.views.known if "Table with name" in str(error) else frozenset()

    def schema(self, name: str) -> list[tuple[str, str]]:
        """The columns of a view and their types; raises UsageError when there is no such view."""
        self.views.need([name])
        rows: list[tuple[str, str]] = self._connection.execute(
            "select column_name, data_type from duckdb_columns() "
            "where schema_name = 'main' and lower(table_name) = lower($name) and not internal "
            "order by column_index",
            {"name": name},
        ).fetchall()
        if not rows:
            raise UsageError(f"no view {name[:80]!r}", hint=f"views: {', '.join(sorted(self.views.known))}")
        return rows


@contextmanager
def open_session(source: Source, selection: Selection, explain: Explain) -> Iterator[Session]:
    """A session over what is selected of a source; nothing is read before the first question."""
    with open_box(table_paths(source, selection)) as box:
        views = Views(box.connection, box.lines, source, selection, explain)
        box.connection.execute(MACROS)
        patience = Patience(box.connection)
        try:
            yield Session(box.connection, views, patience)
        finally:
            patience.close()
