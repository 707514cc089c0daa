"""What notebooks and programs ask for, as a source and a selection; and what they are warned of."""

from __future__ import annotations

import inspect
import time
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

from polyrecord.errors import UsageError
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection, read_window
from polyrecord.read.where import parse_condition
from polyrecord.report.views import Views


def selection_of(
    since: str | int | None,
    until: str | int | None,
    types: Iterable[str] | None,
    where: Iterable[str],
    trace: str | None = None,
) -> Selection:
    """The selection of these words; raises UsageError."""
    for name, given in (("types", types), ("where", where)):
        if isinstance(given, str):
            raise UsageError(f"{name} is a text: {given[:80]!r}", hint=f"{name}=[{given[:80]!r}]")
    since_ns, until_ns = read_window(since, until, time.time_ns())
    conditions = tuple(parse_condition(text) for text in where)
    return Selection(since_ns, until_ns, frozenset(types or ()), trace, where=conditions)


def paths_of(files: Sequence[Path | str]) -> list[Path]:
    """The files as paths; raises UsageError for a single text."""
    if isinstance(files, str):
        raise UsageError(f"files is a text: {files[:80]!r}", hint=f"files=[{files[:80]!r}]")
    return [Path(file) for file in files]


def warn_of(explain: Explain, views: Views) -> None:
    """Warn of damage, of lines that are no events, and of values that are null because nothing fits them."""
    told = [
        (len(explain.damage), "places are damaged and were read around"),
        (views.unreadable + explain.rejected, "lines are no events and were left out"),
        *(
            (count, f"of {name} cannot be had exactly as its type and are null; data has their text")
            for name, count in sorted(views.unfit.items())
        ),
    ]
    for count, what in told:
        if count:
            warnings.warn(f"{count:,} {what}", UserWarning, stacklevel=_level_of_caller())


def _level_of_caller() -> int:
    """How far up the code is that is not ours: a warning should name its line."""
    level, frame = 1, inspect.currentframe()
    frame = frame.f_back if frame else None
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("polyrecord."):
        level, frame = level + 1, frame.f_back
    return level
