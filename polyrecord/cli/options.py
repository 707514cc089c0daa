"""What every reading command is asked by its shared options, checked."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from polyrecord.errors import UsageError
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection, read_window
from polyrecord.read.source import Source
from polyrecord.times import SECOND, format_ts

FORMATS: Final = ("table", "json", "csv")


@dataclass(frozen=True, slots=True)
class Ask:
    """What a command was asked, checked: where, when, which events, and how to answer.

    `place` are the words of the command line that name the source, `arguments` those that narrow it apart
    from the window: what a hint that repeats the question must repeat.
    """

    command: str
    source: Source
    selection: Selection
    explain: Explain
    output: str
    show_explain: bool
    window_seconds: float | None
    place: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()


_Ends: TypeAlias = tuple[int | None, int | None]


def read_output(command: str, output: str, formats: tuple[str, ...]) -> str:
    """The output format; raises UsageError when the command has none of that name."""
    if output not in formats:
        raise UsageError(f"{command} has no format {output[:80]!r}", hint=", ".join(formats))
    return output


def read_ends(since: str | None, until: str | None, seconds: float | None) -> _Ends:
    """Both ends of a window in ns; raises UsageError."""
    if seconds is not None and since is not None:
        raise UsageError("--since and --window exclude each other", hint="a window ends at --until, or now")
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


def read_seconds(text: str | None) -> float | None:
    """The length of a window in seconds; raises UsageError."""
    if text is None:
        return None
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


def existing_file(path: Path) -> Path:
    """The path of a file; raises UsageError for a directory."""
    if path.is_dir():
        raise UsageError("a directory, not a file", path=path, hint=f"--root {path}")
    return path
