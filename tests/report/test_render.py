"""Renderers compute nothing: CSV and JSON say the same, and a table fits its width."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrecord.read.archive import Archive
from polyrecord.read.selection import Selection
from polyrecord.report.edge import COSTS, PARTS, Amounts, EdgeGroup, EdgeReport, Shares, StrategyRate
from polyrecord.report.info import describe
from polyrecord.report.latency import LatencySummary, StageLatency, summarize
from polyrecord.report.question import Coverage, Question, Window
from polyrecord.report.render import words
from polyrecord.report.render.as_csv import to_csv
from polyrecord.report.render.as_json import to_json
from polyrecord.report.render.as_table import to_table
from polyrecord.report.trace import tell_trace
from tests.report.archives import NOON, Given, latency, write
from tests.report.test_trace import STORY, TRACE

NOWHERE = (Window(None, None), Coverage(0, 0, 0, 1.0))
text = st.text(st.characters(codec="utf-8"), max_size=12)
words_of = st.text(st.characters(codec="utf-8", exclude_characters=" "), min_size=1, max_size=12)
counts = st.integers(0, 2**63)
number = st.none() | st.floats(0, 1e9)
amount = st.decimals(-(10**20), 10**20, places=12)

stages = st.builds(
    StageLatency, text, counts, counts, counts, number, number, number, number,
    number, number, number, st.lists(words_of, max_size=3).map(tuple),
)  # fmt: skip
shares = st.builds(Shares, **dict.fromkeys((*COSTS, "net"), st.none() | amount))
groups = st.builds(
    EdgeGroup, strategy=st.none() | words_of, decision=st.none() | words_of, count=counts,
    mean=st.builds(Amounts, **dict.fromkeys(PARTS, st.none() | amount)), share_of_gross=shares,
    unreadable=counts, **dict.fromkeys(PARTS, amount),
)  # fmt: skip


def rows_of(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def as_cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return "" if value is None else str(value)


@settings(max_examples=60)
@given(st.lists(stages, max_size=5))
def test_a_latency_summary_is_the_same_as_csv_and_as_json(rows: list[StageLatency]) -> None:
    answer = LatencySummary(*NOWHERE, tuple(rows), 1, 0)

    told = json.loads(to_json(answer))["stages"]

    assert rows_of(to_csv(answer)) == [{name: as_cell(value) for name, value in row.items()} for row in told]


@settings(max_examples=60)
@given(st.lists(groups, max_size=5))
def test_an_edge_report_is_the_same_as_csv_and_as_json(rows: list[EdgeGroup]) -> None:
    answer = EdgeReport(*NOWHERE, tuple(rows), (), (), 1, 0)

    told = json.loads(to_json(answer))["groups"]

    for row, found in zip(told, rows_of(to_csv(answer)), strict=True):
        flat = {f"mean_{name}": value for name, value in row.pop("mean").items()}
        flat |= {f"{name}_of_gross": value for name, value in row.pop("share_of_gross").items()}
        assert found == {name: as_cell(value) for name, value in {**row, **flat}.items()}
        assert not any("E" in row[name] for name in PARTS)


@settings(max_examples=30)
@given(st.lists(groups, min_size=1, max_size=3), st.lists(stages, max_size=4), st.integers(1, 200))
def test_any_answer_has_a_table(rows: list[EdgeGroup], timed: list[StageLatency], width: int) -> None:
    rates = tuple(StrategyRate(row.strategy, 1, 1, 1.0) for row in rows)

    edge = to_table(EdgeReport(*NOWHERE, tuple(rows), rates, (), 1, 0), width=width, colour=False)
    summary = to_table(LatencySummary(*NOWHERE, tuple(timed), 1, 0), width=width, colour=False)

    assert all(char.isprintable() or char == "\n" for char in edge + summary)


def test_the_keys_of_json_are_those_that_scripts_rely_on(tmp_path: Path) -> None:
    write(tmp_path, STORY)
    everything = Question(Archive(tmp_path))
    latencies = Question(Archive(tmp_path), Selection(types=frozenset({"latency"})))

    summary = json.loads(to_json(summarize(latencies)))
    trace = json.loads(to_json(tell_trace(everything, TRACE)))
    info = json.loads(to_json(describe(everything)))

    assert summary.keys() >= {"window", "coverage", "stages"}
    assert summary["window"].keys() == {"since", "until"}
    assert summary["coverage"].keys() >= {"events", "lost", "unknown", "ratio"}
    assert list(summary["stages"][0]) == [
        "stage", "count", "missing", "negative", "min", "avg", "max", "p50", "p95", "p99", "p99_9",
        "exemplars",
    ]  # fmt: skip
    assert trace.keys() >= {"trace_id", "events", "stages", "edge"}
    assert info.keys() >= {"root", "coverage", "streams", "shards"}
    assert info["shards"][0].keys() >= {
        "path", "stream", "writer", "date", "sealed", "blocks", "events", "first_ts", "last_ts", "first_seq",
        "last_seq", "bytes", "content_bytes", "ratio", "types",
    }  # fmt: skip


def test_the_events_of_a_trace_are_the_recorded_lines(tmp_path: Path) -> None:
    write(tmp_path, [*STORY, Given(NOON, "odd", b'{"price":0.10,"n":123456789012345678901234567890}', TRACE)])
    report = tell_trace(Question(Archive(tmp_path)), TRACE)

    told = to_json(report)

    assert all(event.line in told for event in report.events)
    assert [event["seq"] for event in json.loads(told)["events"]] == [event.seq for event in report.events]


def test_a_bare_nan_in_a_line_leaves_the_json_valid(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, "odd", b'{"price":NaN}', TRACE)])

    told = json.loads(to_json(tell_trace(Question(Archive(tmp_path)), TRACE)))

    assert '"price":NaN' in told["events"][0]["line"]


@pytest.mark.parametrize("width", [20, 80, 100, 160])
def test_tables_fit_the_width_from_80_columns_up(width: int, tmp_path: Path) -> None:
    names = ["ws_to_book_update_ms", "book_to_signal_ms", "end_to_end_ms"]
    events = [
        latency(dict.fromkeys(names, 1234.5 + at), NOON + at, f"a1b2c3d4-0000-4000-8000-{at:012}")
        for at in range(20)
    ]
    write(tmp_path, [*STORY, *events])
    question = Question(Archive(tmp_path), Selection(types=frozenset({"latency"})))

    summary = to_table(summarize(question), width=width, colour=False)
    trace = to_table(tell_trace(Question(Archive(tmp_path)), TRACE), width=width, colour=False)

    assert max(map(len, summary.splitlines())) <= max(width, 80)
    assert max(map(len, trace.splitlines())) <= max(width, 80) + 20  # an order is told on one line
    assert "a1b2c3d4-0000-4000-8000-000000000019" in summary


def test_a_waterfall_begins_each_bar_where_the_last_one_ends(tmp_path: Path) -> None:
    write(tmp_path, [latency({"a_ms": 1.0, "b_ms": 3.0, "c_ms": -1.0, "end_to_end_ms": 4.0}, trace_id=TRACE)])

    table = to_table(tell_trace(Question(Archive(tmp_path)), TRACE), width=80, colour=False)

    bars = {
        line.split()[0]: (line.find("█"), line.count("█"))
        for line in table.splitlines()
        if "_ms" not in line and line
    }
    (a, a_length), (b, b_length), whole = bars["a"], bars["b"], bars["end_to_end"]
    assert (b, b_length) == (a + a_length, 3 * a_length)
    assert whole == (a, 4 * a_length)
    assert bars["c"] == (-1, 0)


def test_recorded_text_cannot_steer_the_terminal(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J[bold red]\r"
    write(tmp_path, [Given(NOON, evil, {evil: evil}, evil), latency({f"{evil}_ms": 1.0}, trace_id=evil)])
    question = Question(Archive(tmp_path), Selection(types=frozenset({"latency"})))
    everything = Question(Archive(tmp_path))

    tables = [
        to_table(answer, width=100, colour=False)
        for answer in (summarize(question), tell_trace(everything, evil), describe(everything))
    ]

    assert not any(char in table for table in tables for char in "\x1b\x07\r")
    assert all("[bold red]" in table for table in tables[:1])


def test_colour_is_only_there_when_asked_for() -> None:
    answer = LatencySummary(*NOWHERE, (), 0, 0)

    assert "\x1b[" in to_table(answer, width=80, colour=True)
    assert "\x1b" not in to_table(answer, width=80, colour=False)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (0.0, "0.000"), (0.0521, "0.052"), (10.5, "10.50"), (105.25, "105.2"), (12345.6, "12,346"),
     (1e30, "1.0e+30"), (0.00001, "1.0e-05"), (-3.5, "-3.500")],
)  # fmt: skip
def test_milliseconds_have_four_figures(value: float | None, shown: str) -> None:
    assert words.milliseconds(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "-"), (Decimal("1E+3"), "1000"), (Decimal("0.00000012345678"), "0.000000123457")],
)
def test_rounded_amounts_have_no_exponent(value: Decimal | None, shown: str) -> None:
    assert words.rounded(value) == shown


def test_a_summary_tells_booleans_from_numbers() -> None:
    said = words.summary({"a": 1, "b": True, "c": None, "d": [1, 2], "e": {}, "f": "x" * 40})

    assert said == f"a=1  b=true  c=null  d=[2]  e={{…}}  f={'x' * 31}…"
