"""What commands say on stderr: damage, torn tails, counters, and where to look when a window is empty."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from polyrecord.errors import PolyrecordError
from polyrecord.times import SECOND, format_ts

if TYPE_CHECKING:
    from polyrecord.cli.options import Ask
    from polyrecord.read.explain import Explain, Finding
    from polyrecord.report.question import Coverage

_USUAL_WINDOW = 300.0
_MOST_FINDINGS = 20
_MOST_REJECTS = 5


def say(line: str) -> None:
    """One line of narration; control characters of data or arguments do not reach the terminal."""
    clean = "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in line)
    print(clean, file=sys.stderr)  # noqa: T201  # narration is printed, on stderr


def tell_error(error: PolyrecordError) -> None:
    """What went wrong, where, and what to do."""
    say(f"error: {error}")


def tell_reading(ask: Ask, more: Mapping[str, int] | None = None) -> None:
    """What reading met, and with --explain what it cost; `more` are further counters."""
    explain = ask.explain
    for finding in explain.damage[:_MOST_FINDINGS]:
        say(f"warning: {_finding(finding)}")
    if len(explain.damage) > _MOST_FINDINGS:
        say(f"warning: {len(explain.damage) - _MOST_FINDINGS:,} more places are damaged")
    for finding in explain.rejects[:_MOST_REJECTS]:
        say(f"warning: {_finding(finding)}")
    if explain.rejected > _MOST_REJECTS:
        say(f"warning: {explain.rejected - _MOST_REJECTS:,} more lines are no events and were left out")
    if explain.torn_bytes:
        tail = f"the last {explain.torn_bytes:,} bytes of files being written"
        say(f"note: {tail} are not whole yet and were left out")
    if ask.show_explain:
        counts = {**counters(explain), **(more or {})}
        say(_as_json(counts) if ask.output == "json" else _in_words(counts))


def counters(explain: Explain) -> dict[str, int]:
    """The counters of a reading; damage as a number of places."""
    names = [
        name for name in type(explain).__slots__ if name not in {"strict", "damage", "rejects", "blocks_held"}
    ]
    return {**{name: getattr(explain, name) for name in names}, "damage": len(explain.damage)}


def _as_json(counts: dict[str, int]) -> str:
    import orjson

    return orjson.dumps(counts).decode()


def _in_words(counts: dict[str, int]) -> str:
    told = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in counts.items())
    return f"explain: {told}"


def _finding(finding: Finding) -> str:
    if finding.line is not None:
        return f"{finding.path}:{finding.line}: {finding.reason}"
    events = "events unknown" if finding.events is None else f"{finding.events:,} events"
    where = f"{finding.path} at byte {finding.offset:,}"
    return f"{where}: {finding.reason} ({finding.bytes:,} bytes, {events})"


def tell_coverage(coverage: Coverage) -> None:
    """How complete the answer is, where the answer's format has no place for it."""
    from polyrecord.report.render.whole import coverage_line

    for line in coverage_line(coverage).splitlines():
        say(line.replace("coverage ", "coverage: ", 1) if line.startswith("coverage ") else line)


def tell_unreadable(count: int) -> None:
    """Lines that the engine could not read as events."""
    if count:
        say(f"warning: {count:,} lines are no events and were left out")


def tell_empty(ask: Ask, what: str) -> None:
    """Nothing was found: when the newest event of that kind was, and the command that shows it."""
    import shlex

    what = f"{what} of which the conditions hold" if ask.selection.where else what
    newest = _newest(ask)
    if newest is None:
        say(f"note: no {what} in {ask.source.root}")
        say(f"  hint: {shlex.join(['polyrecord', 'info', *_place(ask)])}")
        return
    say(f"note: no {what} in this window; the newest is of {format_ts(newest)}")
    say(f"  hint: {shlex.join(_command(ask, newest))}")


def _newest(ask: Ask) -> int | None:
    """When the newest such event was, outside the window too; without a window all was looked at already."""
    from dataclasses import replace

    from polyrecord.read.explain import Explain
    from polyrecord.read.newest import newest_event

    everything = replace(ask.selection, since_ns=None, until_ns=None)
    if everything == ask.selection:
        return None
    explain = Explain(strict=ask.explain.strict)
    newest = newest_event(ask.source, everything, explain)
    ask.explain.absorb(explain)
    return newest


def _command(ask: Ask, newest: int) -> Iterator[str]:
    """The same question, its window moved to end with the newest event."""
    yield from ("polyrecord", ask.command, *ask.arguments, *_place(ask))
    yield from ("--until", format_ts(newest + 1), "--window", f"{_length(ask):.15g}")
    if ask.output != "table" and ask.command != "replay":
        yield from ("--format", ask.output)


def _place(ask: Ask) -> tuple[str, ...]:
    """The words that name the source: those given, else the directory it was found in."""
    return (
        ask.place if {"--file", "--root"} & set(ask.place) else (*ask.place, "--root", str(ask.source.root))
    )


def _length(ask: Ask) -> float:
    """Seconds of the window that was asked for; of one without a beginning or end, five minutes."""
    since, until = ask.selection.since_ns, ask.selection.until_ns
    if ask.window_seconds is not None:
        return ask.window_seconds
    if since is None or until is None:
        return _USUAL_WINDOW
    return (until - since) / SECOND
