"""How cost grows: with the window, and with the archive around it.

Whole processes, files in the page cache, taking turns. `summarize --window` of a sixteenth to a half of a
day, less what a window of one second costs; and `trace ID` on archives of one density and growing length.
"""

from __future__ import annotations

import archives
from find import FEWEST, OURS
from find import command as find_command
from plot import Line
from row import Check, Result, Row, Scale, Table
from timing import alternate, process
from window import command

from polyrecord.times import SECOND

PARTS = (16, 8, 4, 2)
NO_TIME = "a window of 1 second"
PER_SECOND = SECOND * len(archives.BOTS) / archives.TICK_NS  # latency events


def measure(scale: Scale) -> Result:
    """Windows of a day, and a trace in every size."""
    root = archives.archive("day", scale.day)
    start, end = archives.span(scale.day)
    seconds = {part: max(2, (end - start) // SECOND // part) for part in PARTS}
    events = {part: f"{seconds[part] * PER_SECOND:,.0f} events in the window" for part in PARTS}
    windows = {NO_TIME: process(command(root, 1))}
    windows |= {events[part]: process(command(root, seconds[part])) for part in PARTS}
    traces = {}
    for size in scale.sizes:
        place = archives.archive("day", size)
        trace = archives.traces(place, size, 1)[0]
        found = process(find_command(OURS, place, trace), lambda output: output.count('"seq"') >= FEWEST)
        traces[f"trace, {size:,} events"] = found
    figures = alternate(windows | traces, scale.rounds)
    return _result(scale, figures, {seconds[part] * PER_SECOND: figures[events[part]] for part in PARTS})


def _result(scale: Scale, figures: dict[str, float], by_events: dict[float, float]) -> Result:
    nothing = figures[NO_TIME]
    costs = [value - nothing for value in by_events.values()]
    largest = figures[f"trace, {scale.sizes[-1]:,} events"] / figures[f"trace, {scale.sizes[0]:,} events"]
    checks = (
        Check(
            costs[-1] / max(costs[0], 1e-9),
            8 * 1.3,
            "times the cost of an eighth of it",
            "half a day's window",
        ),
        Check(largest, 1.5, f"times that among {scale.sizes[0]:,}", f"a trace among {scale.sizes[-1]:,}"),
    )
    facts = {"us": 1e6 * costs[-1] / max(by_events), "nothing": nothing}
    return Result(checks, (Table("as work grows", "s", figures),), facts)


def lines(result: Result, scale: Scale) -> tuple[Line, Line]:
    """What is plotted: seconds by events in the window, and seconds of a trace by events of the archive."""
    figures = result.tables[0].figures
    window = [
        (float(name.split()[0].replace(",", "")), value)
        for name, value in figures.items()
        if "in the" in name
    ]
    trace = [(float(size), figures[f"trace, {size:,} events"]) for size in scale.sizes]
    return (
        Line("summarize --window", "latency events in the window", [(x, y or 0.0) for x, y in window]),
        Line("trace ID", "events in the archive", [(x, y or 0.0) for x, y in trace]),
    )


ROW = Row(
    "growth",
    "Cost as work grows",
    __doc__ or "",
    """{nothing:.2f} s is the start of Python and DuckDB; each latency event in the window adds {us:.2f}
us, the events of other times and streams nothing: their blocks stay closed. A trace costs the same in
every archive, but for the directories of its shards, which grow with them.""",
    measure,
    "polyrecord summarize --window 300 --explain",
)

if __name__ == "__main__":
    from goals import main

    main(["--only", ROW.name])
