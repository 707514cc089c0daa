"""Every command on every log: what it counts, and what another tool counts in the very files."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from tests.foreign.days import metastacker_day, polyarb_day, polytraders_day, trace_of

COMMANDS = ("info", "replay", "grep", "sql", "summarize", "edge", "trace", "import")
NOTHING = "-"


@dataclass(frozen=True)
class Case:
    """A log, how it is named on the command line, and shell commands that count in it without our help.

    `events` prints the number of events, `text` is what is searched for and `found` prints how many lines
    have it; `stage` is a stage of latency and `measured` prints its values; `decisions` prints the net edge
    of each decision, `trace` a trace id and `traced` the number of its events. Without, a column is empty.
    """

    name: str
    place: tuple[str, ...]
    events: str
    text: str
    found: str
    stage: str = ""
    measured: str = ""
    decisions: str = ""
    decision_type: str = "decision"
    trace: str = ""
    traced: str = ""


@dataclass(frozen=True)
class Cell:
    """What a command counted, and what the other tool did; None where there is nothing to count."""

    ours: Any = None
    theirs: Any = None

    @property
    def differs(self) -> bool:
        return bool(self.ours != self.theirs)

    def __str__(self) -> str:
        if self.ours is None and self.theirs is None:
            return NOTHING
        shown = f"{self.ours:,}" if isinstance(self.ours, int) else str(self.ours)
        return f"{shown} ≠ {self.theirs}" if self.differs else shown


@dataclass(frozen=True)
class Row:
    """One log and its cells by command."""

    name: str
    found_as: str
    cells: list[Cell] = field(default_factory=list)


def generated_cases(folder: Path) -> Iterator[Case]:
    """A day of each system whose layout is known."""
    arb, bandit, traders = folder / "polyarb", folder / "metastacker", folder / "polytraders"
    polyarb_day(arb)
    metastacker_day(bandit)
    polytraders_day(traders)
    metrics = f"find {arb}/logs -name 'metrics*' | sort | xargs zcat -f"
    yield Case(
        "PolyArb-X, a generated day", ("--root", str(arb)), f"{_all_of(arb)} | wc -l",
        "atomic", f"{_all_of(arb)} | grep -c -F atomic",
        "risk_to_send_ms", f"{metrics} | jq '.risk_to_send_ms | values'",
        f"zcat -f {arb}/logs/telemetry.jsonl | jq -r 'select(.event_type == \"risk_passed\").data.net_edge'",
        "risk_passed", trace_of(7), f"{_all_of(arb)} | grep -c {trace_of(7)}",
    )  # fmt: skip
    yield Case(
        "MetaStackerBandit, a generated day", ("--root", str(bandit)), f"{_all_of(bandit)} | wc -l",
        "HOLD", f"{_all_of(bandit)} | grep -c -F HOLD",
    )  # fmt: skip
    yield Case(
        "Polytraders, a generated day", ("--root", str(traders)), f"{_all_of(traders)} | wc -l",
        "WARN", f"{_all_of(traders)} | grep -c -F WARN",
        decisions=f"{_all_of(traders)} | jq -r 'select(.decision).decision | \"null\"'",
        trace=trace_of(9), traced=f"{_all_of(traders)} | grep -c {trace_of(9).replace('-', '')}",
    )  # fmt: skip


def cases_of(data: Path) -> Iterator[Case]:
    """The recordings of a folder that are logs: each file, as far as it is there."""
    for place, text, count in _RECORDINGS:
        for path in sorted(data.glob(place)):
            found = f"zcat -f {path} | grep -c -F {text}" if text else ""
            name = f"{path.parent.name}/{path.name}"
            yield Case(name, ("--file", str(path)), f"zcat -f {path} | {count}", text, found)


_OTLP: Final = (
    "jq '[.resourceSpans[]?.scopeSpans[]?.spans[]?, .resourceLogs[]?.scopeLogs[]?.logRecords[]?,"
    " .resourceMetrics[]?.scopeMetrics[]?.metrics[]?] | length' | jq -s add"
)
# where, a text to look for unless a line may be several events, and what counts the events
_RECORDINGS: Final = (
    ("pm_bot_0xcyda/*.jsonl", "btc-updown-5m-1776550200", "jq -s length"),
    ("pm_tickscope/*.gz", "LAST_TRADE", "jq -s length"),
    ("hftbacktest_raw/*.gz", "trade", "wc -l"),
    ("cryptofeed_raw/*.gz", "trade", "wc -l"),
    ("ccapi_gemini/*.csv.gz", "2279.63", "tail -n +2 | grep -c ^"),
    ("otlp/*.jsonl.gz", "", _OTLP),
)


def _all_of(root: Path) -> str:
    return f"find {root} -type f | sort | xargs zcat -f"


def rows_of(cases: Iterable[Case], tell: Callable[[str], None] = lambda _: None) -> list[Row]:
    """A row for each case."""
    rows = []
    for case in cases:
        tell(case.name)
        rows.append(Row(case.name, _found_as(case), list(_cells(case))))
    return rows


def to_markdown(rows: Sequence[Row]) -> str:
    """The rows as a table."""
    lines = [f"| log | found to be | {' | '.join(COMMANDS)} |", "|---|---|" + "--:|" * len(COMMANDS)]
    lines += [f"| {row.name} | {row.found_as} | {' | '.join(map(str, row.cells))} |" for row in rows]
    return "\n".join(lines)


def ours(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    """A command of ours as a process of its own; one that fails stops the check."""
    done = subprocess.run([sys.executable, "-m", "polyrecord", *arguments], capture_output=True, check=False)
    if check and done.returncode:
        sys.exit(f"polyrecord {' '.join(arguments)} failed: {done.stderr.decode()}")
    return done


def shell(command: str) -> str:
    """What another tool prints."""
    bash = shutil.which("bash") or "bash"
    done = subprocess.run([bash, "-c", f"set -o pipefail; {command}"], capture_output=True, check=False)
    if done.returncode not in (0, 1):  # grep says 1 when it finds nothing
        sys.exit(f"{command} failed: {done.stderr.decode()}")
    return done.stdout.decode()


def _found_as(case: Case) -> str:
    """What the log was taken for, as said on stderr."""
    told = ours("info", *case.place).stderr.decode().splitlines()
    note = next((line for line in told if line.startswith("note: reading ")), "")
    return (
        note.rpartition(" as ")[2]
        if " as " in note
        else note.removeprefix("note: reading ").partition(" in ")[0]
    )


def _cells(case: Case) -> Iterator[Cell]:
    events = int(shell(case.events))
    info = json.loads(ours("info", *case.place, "--format", "json").stdout)
    yield Cell(sum(row["events"] for row in info["shards"]), events)
    in_place = ours("replay", *case.place).stdout
    yield Cell(in_place.count(b"\n"), events)
    yield _grep(case)
    yield Cell(
        int(ours("sql", "select count(*) from events", *case.place, "--format", "csv").stdout.split()[-1]),
        events,
    )
    yield _latency(case)
    yield _edge(case)
    yield _trace(case)
    yield _imported(case, in_place)


def _grep(case: Case) -> Cell:
    if not case.text:
        return Cell()
    counted = ours("grep", "-c", "-F", case.text, *case.place, check=False).stdout
    return Cell(int(counted), int(shell(case.found)))


def _latency(case: Case) -> Cell:
    """The 99th percentile of a stage, interpolated linearly."""
    if not case.stage:
        return Cell()
    answer = json.loads(ours("summarize", *case.place, "--format", "json").stdout)
    (row,) = [row for row in answer["stages"] if row["stage"] == case.stage]
    values = np.array(shell(case.measured).split(), dtype=float)
    return Cell(
        f"{row['count']:,}, p99 {row['p99']:.6g}", f"{len(values):,}, p99 {np.quantile(values, 0.99):.6g}"
    )


def _edge(case: Case) -> Cell:
    """Decisions and the exact sum of their net edge."""
    if not case.decisions:
        return Cell()
    from decimal import Decimal

    answer = json.loads(ours("edge", *case.place, "--type", case.decision_type, "--format", "json").stdout)
    groups = answer["groups"]
    net = sum((Decimal(group["net"]) for group in groups), Decimal(0))
    amounts = shell(case.decisions).split()
    known = sum((Decimal(text) for text in amounts if text != "null"), Decimal(0))
    mine, theirs = (sum(group["count"] for group in groups), net), (len(amounts), known)
    return Cell(*(f"{count:,}, net {total.normalize():f}" for count, total in (mine, theirs)))


def _trace(case: Case) -> Cell:
    if not case.trace:
        return Cell()
    answer = json.loads(ours("trace", case.trace, *case.place, "--format", "json").stdout)
    return Cell(len(answer["events"]), int(shell(case.traced)))


def _imported(case: Case, in_place: bytes) -> Cell:
    """Whether the archive an import makes replays as the log does in place: a number of equal events."""
    with TemporaryDirectory() as root:
        files = [word for word in case.place if not word.startswith("--")]
        ours("import", *files, "--root", root)
        replayed = ours("replay", "--root", root).stdout
    if len(files) == 1 and "--file" in case.place:
        return (
            Cell(_digest(replayed), _digest(in_place))
            if replayed != in_place
            else Cell(in_place.count(b"\n"), replayed.count(b"\n"))
        )
    mine, theirs = _without_seq(replayed), _without_seq(in_place)
    return Cell(len(mine), len(theirs)) if mine == theirs else Cell("other events", len(theirs))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _without_seq(lines: bytes) -> list[str]:
    """The events whatever their numbers: each log that is imported is a writer of its own."""
    events = [json.loads(line) for line in lines.splitlines()]
    return sorted(json.dumps({**event, "seq": 0}, sort_keys=True) for event in events)
