"""Writing answers to stdout, and ending a command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from polyrecord.cli.narrate import say, tell_coverage, tell_reading
from polyrecord.cli.options import Ask
from polyrecord.cli.parameters import Exit, PipeClosed
from polyrecord.errors import ExitCode
from polyrecord.settings.files import settings_file, variables

if TYPE_CHECKING:
    from polyrecord.report.used import Used

_MOST_UNFIT: Final = 20
_MANY_LINES: Final = 1 << 16  # bytes gathered before they are written


def write(data: bytes) -> None:
    """Bytes to stdout as they are; raises PipeClosed."""
    if sys.stdout is None:  # the process was started without one
        raise PipeClosed
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise PipeClosed from None


def write_lines(lines: Iterable[bytes], *, at_once: bool) -> int:
    """Lines to stdout, each with a line feed; how many there were. With `at_once` none waits for the next."""
    count = held = 0
    pending: list[bytes] = []
    for line in lines:
        pending += (line, b"\n")
        held += len(line)
        count += 1
        if at_once or held >= _MANY_LINES:
            write(b"".join(pending))
            pending.clear()
            held = 0
    write(b"".join(pending))
    return count


def answer_with(ask: Ask, answer: Any) -> None:
    """The answer in the format asked for; its coverage on stderr where CSV has no place for it."""
    write(_RENDERERS[ask.output](answer))
    if ask.output == "csv":
        tell_coverage(getattr(answer, "report", answer).coverage)


def finish(ask: Ask, *, unreadable: int = 0, used: Used | None = None) -> None:
    """Narrate what reading met, and what derived files were used; raises Exit 3 where data is damaged."""
    tell_reading(ask, None if used is None else used.counts)
    for path in () if used is None or not ask.show_explain else used.unfit[:_MOST_UNFIT]:
        say(f"note: {path}: not as it was made, and not used; polyrecord compact makes it anew")
    if ask.explain.damage or unreadable:
        raise Exit(ExitCode.DATA)
    if ask.explain.rejected:
        raise Exit(ExitCode.FINDINGS)


# Who renders answers that the renderers do not know by themselves.
_TEACHERS: Final = {
    "EventCounts": "groups",
    "LatencyByGroup": "groups",
    "EdgeByGroup": "groups",
    "Validation": "checks",
    "Observed": "checks",
}


def _teach(answer: Any) -> None:
    """Load what knows how to render this answer."""
    module = _TEACHERS.get(type(answer).__name__)
    if module is not None:
        import_module(f"polyrecord.report.render.{module}")


def _table(answer: Any) -> bytes:
    _teach(answer)
    from polyrecord.cli.width import terminal_width
    from polyrecord.report.render.as_table import to_table

    width = terminal_width()
    return to_table(answer, width=width, colour=wants_colour()).encode("utf-8", "replace")


def is_terminal() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def wants_colour() -> bool:
    """Whether stdout is to have colours: by the settings, else on a terminal (https://no-color.org)."""
    wish = _wish()
    if os.environ.get("NO_COLOR") or wish == "never":
        return False
    return wish == "always" or (is_terminal() and os.environ.get("TERM") != "dumb")


def _wish() -> str:
    if settings_file() is None and not variables():
        return "auto"
    from polyrecord.settings.load import load

    return load().model.output.colour


def _json(answer: Any) -> bytes:
    from polyrecord.report.render.as_json import to_json

    if type(answer).__name__ == "EdgeByGroup":  # by its name: its module needs not be loaded to say no
        from polyrecord.report.render.groups import edge_document

        return edge_document(answer, to_json(answer.report))
    return to_json(answer)


def _csv(answer: Any) -> bytes:
    _teach(answer)
    from polyrecord.report.render.as_csv import to_csv

    return to_csv(answer)


_RENDERERS: Final[dict[str, Callable[[Any], bytes]]] = {"table": _table, "json": _json, "csv": _csv}
