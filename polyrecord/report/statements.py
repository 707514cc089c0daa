"""What may be asked in SQL: one statement that reads. And what DuckDB says of it, in one or two lines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from polyrecord.errors import DataError, PolyrecordError, UsageError
from polyrecord.events.names import EventType

_READING: Final = "select, with, from, values, describe, show, summarize or explain"
_INCOMPLETE: Final = re.compile(r"unterminated|at end of input", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that reads; `plan` is true for `explain`, whose result is the text of a plan."""

    text: str
    plan: bool


def one_statement(connection: Any, text: str) -> Statement:
    """The statement of a text; raises UsageError when there is none, several, or one that does not read."""
    found = statements(connection, text)
    if len(found) != 1:
        what = "several statements at once" if found else "no statement"
        raise UsageError(what, hint="polyrecord sql 'select event_type, count(*) from events group by all'")
    return found[0]


def statements(connection: Any, text: str) -> list[Statement]:
    """The statements of a text, none of which has run; raises UsageError when one of them does not read."""
    import duckdb

    try:
        parsed = [(each.query, each.type.name) for each in connection.extract_statements(text)]
    except duckdb.Error as error:
        raise explained(error) from None
    except ValueError:  # of a kind for which the Python module has no name
        raise _refused("") from None
    for _, kind in parsed:
        if kind not in ("SELECT", "EXPLAIN"):
            raise _refused(f" {kind.lower().replace('_', ' ')}" if kind != "MULTI" else " pivot")
    return [Statement(_without_end(connection, query), kind == "EXPLAIN") for query, kind in parsed]


def _without_end(connection: Any, query: str) -> str:
    """A statement without its semicolon and what follows, so that it can stand in brackets."""
    at = query.find(";")
    while at >= 0:
        if _count(connection, query[:at]) == 1 and _count(connection, query[at + 1 :]) == 0:
            return query[:at]
        at = query.find(";", at + 1)
    return query


def _count(connection: Any, text: str) -> int | None:
    """How many statements a text is; None where it is none whole."""
    import duckdb

    try:
        return len(connection.extract_statements(text))
    except (duckdb.Error, ValueError):
        return None


def _refused(kind: str) -> UsageError:
    return UsageError(f"the{kind} statement is refused: SQL only reads", hint=_READING)


def is_complete(connection: Any, text: str) -> bool:
    """Whether a text ends with a semicolon that ends a statement, rather than one in a text or comment."""
    import duckdb

    if not text.rstrip().endswith(";"):
        return False
    try:
        connection.extract_statements(text)
    except duckdb.Error as error:
        return _INCOMPLETE.search(str(error)) is None
    except ValueError:
        return True
    return True


def names_in(connection: Any, statement: Statement) -> frozenset[str] | None:
    """The views that a statement may need, by its syntax alone; None where only running it would tell."""
    text = _EXPLAIN.sub("", statement.text) if statement.plan else statement.text
    ((tree,),) = connection.execute("select json_serialize_sql($text::varchar)", {"text": text}).fetchall()
    found = _Names()
    if not found.walk(orjson.loads(tree)):
        return None
    # A name given by `with` may still mean a view inside of what it is given to.
    return frozenset(found.tables - found.given) | (found.tables & found.given & _CATALOGUE)


_EXPLAIN: Final = re.compile(r"\s*explain\s+(?:analyze\s+)?", re.IGNORECASE)
_CATALOGUE: Final = frozenset(member.value for member in EventType) | {"events"}


class _Names:
    """The names in the tree of a statement."""

    def __init__(self) -> None:
        self.tables: set[str] = set()
        self.given: set[str] = set()

    def walk(self, node: Any) -> bool:
        """Gather the names below a node; False where there may be more than can be seen."""
        if isinstance(node, list):
            return all(self.walk(inner) for inner in node)
        if not isinstance(node, dict):
            return True
        return self._take(node) and all(self.walk(inner) for inner in node.values())

    def _take(self, node: dict[str, Any]) -> bool:
        kind, name = node.get("type"), node.get("table_name")
        if kind == "BASE_TABLE" and node.get("schema_name") in ("", "main"):
            self.tables.add(str(name))
        elif kind == "SHOW_REF" and name:  # "tables" and __show_tables_expanded list what there is
            self.tables.add(name)
            return not name.startswith(('"', "__"))
        elif kind == "TABLE_FUNCTION":  # these two run a text
            return node["function"].get("function_name") not in ("query", "query_table")
        self.given |= {entry["key"] for entry in node.get("cte_map", {}).get("map", ())}
        return not node.get("error")


def explained(error: Exception, views: Iterable[str] = ()) -> PolyrecordError:
    """DuckDB's message as ours: its first line, and as a hint its second one or the views there are."""
    import duckdb

    lines = [line.strip() for line in str(error).partition("\nLINE ")[0].splitlines() if line.strip()]
    what = lines[0][:_LONGEST] if lines else type(error).__name__
    if isinstance(error, duckdb.OutOfMemoryException | duckdb.InternalException | duckdb.IOException):
        return DataError(what)
    return UsageError(what, hint=_hint(lines, sorted(views)))


_LONGEST: Final = 300
_MOST_VIEWS: Final = 30


def _hint(lines: list[str], views: list[str]) -> str:
    if len(lines) > 1 and lines[1].startswith("Candidate bindings"):
        return lines[1][:_LONGEST]
    if lines and lines[0].startswith(("Permission", "Transaction")):
        return "SQL only reads, and only the views"
    if views:
        more = [f"and {len(views) - _MOST_VIEWS} more"] if len(views) > _MOST_VIEWS else []
        return f"views: {', '.join(['events', *views[:_MOST_VIEWS], *more])}"
    return "select * from events limit 5"
