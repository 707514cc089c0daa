"""The options that every reading command shares, and what they come to."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from polyrecord.errors import UsageError
from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection, read_window
from polyrecord.times import SECOND, format_ts

FORMATS: Final = ("table", "json", "csv")

Root: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--root",
        envvar="POLYRECORD_ROOT",
        metavar="DIR",
        show_default="the current directory",
        help="The archive: the directory that holds data/ and logs/.",
    ),
]
Since: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="From this moment on, inclusive: 2026-11-20T12:00:00Z, 2026-11-20, -3h, today, yesterday.",
    ),
]
Until: TypeAlias = Annotated[
    str | None, typer.Option(metavar="TIME", help="Up to this moment, exclusive; written like --since.")
]
WindowSeconds: TypeAlias = Annotated[
    str | None,
    typer.Option("--window", metavar="SECONDS", help="So many seconds up to --until, or up to now."),
]
Types: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="Events of this type only; may be given several times."),
]
Output: TypeAlias = Annotated[
    str, typer.Option("--format", metavar="|".join(FORMATS), help="How to write the answer.")
]
ShowExplain: TypeAlias = Annotated[
    bool, typer.Option("--explain", help="Say on stderr what was opened, decompressed and skipped.")
]
Strict: TypeAlias = Annotated[
    bool, typer.Option("--strict", help="Stop at the first damage instead of reading around it.")
]


@dataclass(frozen=True, slots=True)
class Ask:
    """What a command was asked, checked: where, when, which types, and how to answer."""

    command: str
    archive: Archive
    selection: Selection
    explain: Explain
    output: str
    show_explain: bool
    window_seconds: float | None
    arguments: tuple[str, ...] = ()


def read_options(
    command: str,
    root: Path,
    since: str | None,
    until: str | None,
    window: str | None,
    types: list[str] | None,
    output: str,
    *,
    explain: bool,
    strict: bool,
    formats: tuple[str, ...] = FORMATS,
    arguments: tuple[str, ...] = (),
) -> Ask:
    """The options checked; raises UsageError. `arguments` are what else a hint must repeat."""
    if output not in formats:
        raise UsageError(f"{command} has no format {output[:80]!r}", hint=", ".join(formats))
    seconds = None if window is None else _seconds(window)
    if seconds is not None and since is not None:
        raise UsageError("--since and --window exclude each other", hint="a window ends at --until, or now")
    since_ns, until_ns = _window(since, until, seconds)
    selection = Selection(since_ns, until_ns, frozenset(types or ()))
    return Ask(command, Archive(root), selection, Explain(strict=strict), output, explain, seconds, arguments)


_Ends: TypeAlias = tuple[int | None, int | None]


def _window(since: str | None, until: str | None, seconds: float | None) -> _Ends:
    """Both ends in ns; raises UsageError."""
    now = time.time_ns()
    ends = read_window(since, until, now)
    if seconds is not None:
        end = now if ends[1] is None else ends[1]
        ends = end - round(seconds * SECOND), end
    try:
        for end_ns in ends:
            format_ts(end_ns or 0)
    except (OverflowError, ValueError):
        raise UsageError("window is beyond the calendar", hint="years 1 to 9999") from None
    return ends


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and 0 < seconds <= _LONGEST):
        raise UsageError(
            f"not a window: {text[:80]!r}", hint="a number of seconds above 0, such as 300 for five minutes"
        )
    return seconds


_LONGEST: Final = 1e10  # 317 years
