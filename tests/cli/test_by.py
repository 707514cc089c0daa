"""Answers by a field: each group is what an answer over its events alone would be."""

from __future__ import annotations

import json
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from polyrecord.read.archive import Archive
from polyrecord.read.selection import Selection
from polyrecord.read.where import parse_condition
from polyrecord.report.edge import break_down_by
from polyrecord.report.grouping import MOST_GROUPS
from polyrecord.report.latency import summarize_by
from polyrecord.report.question import Question
from tests.cli.conftest import Run
from tests.report.archives import NOON, Given, decision, latency, read, write

SECOND = 10**9
FIELDS = ["strategy", "data.strategy", "minute", "hour", "date", "trace_id", "event_type", "a/b~c", "q\"u'o"]


def measured(root: Path, *, strategy: bool = True) -> list[dict[str, Any]]:
    """Latency events of three strategies over a quarter of an hour, and a signal for each trace."""
    random = Random(5)
    events = []
    for at in range(400):
        data: dict[str, Any] = {"risk_to_send_ms": round(random.lognormvariate(1, 0.7), 4)}
        name = f"s{at % 3}"
        if strategy and at % 10:
            data |= {"strategy": name, "a/b~c": at % 2, "q\"u'o": f"x{at % 4}"}
        trace = f"{at:08x}"
        events.append(Given(NOON + at * 2 * SECOND, "signal", {"strategy": name}, trace))
        events.append(latency(data, NOON + at * 2 * SECOND + 1, trace))
    write(root, events)
    return read(root)


def key(event: dict[str, Any], field: str) -> str | None:
    if field in ("minute", "hour", "date"):
        return str(event["ts"][: {"minute": 16, "hour": 13, "date": 10}[field]])
    value = event["data"].get(field.removeprefix("data."), event.get(field))
    return None if value is None else str(value)


@pytest.mark.parametrize("field", FIELDS)
def test_percentiles_of_each_group_are_those_numpy_gives(tmp_path: Path, field: str) -> None:
    expected: dict[str | None, list[float]] = defaultdict(list)
    for event in measured(tmp_path):
        if event["event_type"] == "latency":
            expected[key(event, field)].append(event["data"]["risk_to_send_ms"])

    answer = summarize_by(Question(Archive(tmp_path), Selection(types=frozenset({"latency"}))), field)

    assert {group.value: group.events for group in answer.groups} == {k: len(v) for k, v in expected.items()}
    for group in answer.groups:
        (row,) = group.stages
        values = np.array(expected[group.value])
        assert row.count == len(values)
        assert (row.p50, row.p99) == pytest.approx(tuple(np.quantile(values, [0.5, 0.99])))
        assert (row.min, row.max) == (values.min(), values.max())
    assert not answer.by_trace


def test_groups_come_in_the_order_of_their_values_those_without_last(tmp_path: Path) -> None:
    measured(tmp_path)
    question = Question(Archive(tmp_path), Selection(types=frozenset({"latency"})))

    assert [group.value for group in summarize_by(question, "strategy").groups] == ["s0", "s1", "s2", None]


def test_a_field_that_no_latency_event_has_is_taken_from_its_trace(tmp_path: Path, run: Run) -> None:
    events = measured(tmp_path, strategy=False)
    named = {
        event["trace_id"]: event["data"]["strategy"] for event in events if event["event_type"] == "signal"
    }
    expected: dict[str, list[float]] = defaultdict(list)
    for event in events:
        if event["event_type"] == "latency":
            expected[named[event["trace_id"]]].append(event["data"]["risk_to_send_ms"])

    done = run("summarize", "--root", tmp_path, "--by", "strategy", "--format", "json")

    answer = json.loads(done.stdout)
    assert "no latency event has strategy: it was taken from other events of the same traces" in done.stderr
    assert {group["value"]: group["stages"][0]["count"] for group in answer["groups"]} == {
        name: len(values) for name, values in expected.items()
    }
    assert {group["value"]: group["stages"][0]["max"] for group in answer["groups"]} == {
        name: max(values) for name, values in expected.items()
    }


def decided(root: Path) -> list[dict[str, Any]]:
    random = Random(6)
    write(root, [
        decision(
            random.choice(["ACCEPT", "REJECT"]), f"s{at % 2}", NOON + at * 20 * SECOND,
            token_id=f"t{at % 3}", gross_edge=f"{random.random():.6f}", net_edge=f"{random.random():.6f}",
        )
        for at in range(300)
    ])  # fmt: skip
    return read(root)


@pytest.mark.parametrize("field", ["token_id", "hour", "decision"])
def test_sums_of_each_group_are_exact(tmp_path: Path, field: str) -> None:
    expected: dict[Any, Decimal] = defaultdict(Decimal)
    for event in decided(tmp_path):
        expected[key(event, field), event["data"]["decision"]] += Decimal(event["data"]["net_edge"])

    answer = break_down_by(Question(Archive(tmp_path)), field)

    assert {(group.strategy, group.decision): group.net for group in answer.report.groups} == expected


def test_beyond_a_thousand_groups_the_largest_are_shown_and_the_rest_is_counted(tmp_path: Path) -> None:
    write(tmp_path, [latency({"n": str(min(at, 1_200)), "a_ms": 1.0}, NOON + at) for at in range(1_250)])

    answer = summarize_by(Question(Archive(tmp_path)), "n")

    assert (len(answer.groups), answer.left_out) == (MOST_GROUPS, 1_250 - 50 - (MOST_GROUPS - 1))
    assert next(group.events for group in answer.groups if group.value == "1200") == 50


@pytest.mark.parametrize(
    ("conditions", "count"),
    [
        (["data.strategy=s1"], 120), (["strategy!=s1"], 280), (["risk_to_send_ms>0"], 400),
        (["strategy=s1", "risk_to_send_ms>2"], 84), (["nothing=1"], 0), (["bot_id=null"], 400),
    ],
)  # fmt: skip
def test_conditions_narrow_what_is_summarized(
    conditions: list[str], count: int, tmp_path: Path, run: Run
) -> None:
    held = [
        event for event in measured(tmp_path)
        if event["event_type"] == "latency" and all(parse_condition(c).holds(event) for c in conditions)
    ]  # fmt: skip
    words = [word for condition in conditions for word in ("--where", condition)]

    done = run("summarize", "--root", tmp_path, *words, "--format", "json")

    assert json.loads(done.stdout)["events"] == len(held)
    assert len(held) == count
    assert ("of which the conditions hold" in done.stderr) is (not held)


def test_tables_json_and_csv_name_the_field(tmp_path: Path, run: Run) -> None:
    decided(tmp_path)

    table = run("edge", "--root", tmp_path, "--by", "token_id").stdout.decode()
    rows = json.loads(run("edge", "--root", tmp_path, "--by", "token_id", "--format", "json").stdout)
    csv = run("edge", "--root", tmp_path, "--by", "token_id", "--format", "csv").stdout.decode()
    counts = run("info", "--root", tmp_path, "--by", "token_id", "--format", "csv").stdout.decode()

    assert table.startswith("by token_id\nedge of 300 decisions\n")
    assert rows["by"] == "token_id"
    assert {row["group"] for row in rows["groups"]} == {"t0", "t1", "t2"}
    assert csv.startswith("token_id,decision,count,")
    assert counts.splitlines()[0] == "token_id,events,share,first_ts,last_ts"
    assert {line.split(",")[0] for line in counts.splitlines()[1:]} == {"t0", "t1", "t2"}


def test_events_that_decide_nothing_are_no_decisions(tmp_path: Path, run: Run) -> None:
    measured(tmp_path)

    done = run("edge", "--root", tmp_path, "--type", "latency")

    assert done.stdout.startswith(b"edge of 0 decisions")
    assert "note: 400 events have neither a decision nor an amount" in done.stderr


@pytest.mark.parametrize(
    "trace", ["trace-7", "Sess/ion 7", "4F1C-09aa", "4f1c09aa-0000-4000-8000-00000000000A"]
)
def test_any_trace_id_joins_its_events_however_it_is_spelled(tmp_path: Path, trace: str) -> None:
    write(
        tmp_path,
        [Given(NOON, "signal", {"strategy": "s"}, trace), latency({"a_ms": 1.0}, NOON + 1, trace.upper())],
    )

    answer = summarize_by(Question(Archive(tmp_path), Selection(types=frozenset({"latency"}))), "strategy")

    assert [(group.value, group.events) for group in answer.groups] == [("s", 1)]
