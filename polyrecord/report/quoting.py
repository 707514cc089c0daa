"""Names and texts from files as parts of SQL: the only way they get there where nothing can be bound."""

from __future__ import annotations

from collections.abc import Iterable


def can_be_named(name: str) -> bool:
    """Whether SQL can have a column or view of this name: not of an empty one, or one with a NUL in it."""
    return bool(name) and "\0" not in name


def identifier(name: str) -> str:
    """The name of a column or view, quoted; raises ValueError where SQL cannot have it."""
    if not can_be_named(name):
        raise ValueError(f"no name of a column or view: {name!r}")
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text, quoted; raises ValueError for one with a NUL in it."""
    if "\0" in text:
        raise ValueError("a text of SQL has no NUL")
    return "'" + text.replace("'", "''") + "'"


def pointer(*names: str) -> str:
    """The JSON pointer (RFC 6901) to a member of an object, through as many objects as there are names."""
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)


def literals(texts: Iterable[str]) -> str:
    """A list of texts, quoted."""
    return "[" + ", ".join(map(literal, texts)) + "]"


def distinct_names(wanted: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """The names with `_2`, `_3` at those that are there already; upper and lower case are the same to SQL."""
    used = {name.lower() for name in taken}
    given = []
    for name in wanted:
        number, free = 1, name
        while free.lower() in used:
            number += 1
            free = f"{name}_{number}"
        used.add(free.lower())
        given.append(free)
    return given
