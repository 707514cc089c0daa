"""The latency summary: its numbers are numpy's, and a bad value costs nothing but itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrecord.events.stages import DEFAULT_STAGES, END_TO_END
from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.report.latency import StageLatency, in_order, latency_of, summarize
from polyrecord.report.question import Question
from polyrecord.times import SECOND
from tests.report.archives import NOON, Given, latency, lines, read, write

STAGE = "book_to_signal_ms"


def stage_of(events: list[Given], name: str = STAGE) -> StageLatency:
    (found,) = [row for row in latency_of([lines(events)])[2] if row.stage == name]
    return found


def expected(values: list[float]) -> list[float]:
    counted = np.array([value for value in values if value >= 0])
    return [
        counted.min(), counted.mean(), counted.max(), *np.percentile(counted, [50, 95, 99, 99.9])
    ]  # fmt: skip


def test_the_numbers_are_those_of_numpy_on_the_recorded_lines(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    values = np.round(random.lognormal(1, 1, (400, 4)), 6).tolist()
    write(
        tmp_path,
        [latency(dict(zip(DEFAULT_STAGES, row, strict=True)), NOON + at) for at, row in enumerate(values)],
    )

    found = summarize(Question(Archive(tmp_path), Selection(types=frozenset({"latency"}))))

    recorded = [event["data"] for event in read(tmp_path)]
    assert [row.stage for row in found.stages] == list(DEFAULT_STAGES)
    for row in found.stages:
        numbers = [row.min, row.avg, row.max, row.p50, row.p95, row.p99, row.p99_9]
        assert numbers == pytest.approx(expected([data[row.stage] for data in recorded]), abs=1e-9)
        assert (row.count, row.missing, row.negative) == (400, 0, 0)
    assert (found.events, found.unreadable, found.coverage.events) == (400, 0, 400)


@settings(max_examples=25)
@given(st.lists(st.floats(-1e6, 1e6).map(lambda value: round(value, 6)), min_size=1, max_size=60))
def test_counted_negative_and_missing_are_told_apart(values: list[float]) -> None:
    row = stage_of([latency({STAGE: value}) for value in values] + [latency({STAGE: None}), latency({})])

    counted = [value for value in values if value >= 0]
    assert (row.count, row.negative, row.missing) == (len(counted), len(values) - len(counted), 2)
    if counted:
        numbers = [row.min, row.avg, row.max, row.p50, row.p95, row.p99, row.p99_9]
        assert numbers == pytest.approx(expected(values), abs=1e-6)
    else:
        assert (row.min, row.avg, row.max, row.p50, row.p99_9) == (None,) * 5


BAD = [b'"x"', b'"2.5"', b"null", b"true", b"{}", b"[1]", b"NaN", b"Infinity", b"-Infinity", b"1e999"]


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_value_is_missing_and_costs_only_itself(bad: bytes) -> None:
    events = [
        Given(NOON, "latency", b'{"book_to_signal_ms":%b,"risk_to_send_ms":7.5}' % bad),
        latency({STAGE: 2.0, "risk_to_send_ms": 8.5}),
    ]

    assert (stage_of(events).count, stage_of(events).missing, stage_of(events).max) == (1, 1, 2.0)
    other = stage_of(events, "risk_to_send_ms")
    assert (other.count, other.missing, other.min) == (2, 0, 7.5)


@pytest.mark.parametrize("data", [b"null", b"[1]", b'"text"', b"3"])
def test_data_that_is_no_object_is_an_event_without_stages(data: bytes) -> None:
    row = stage_of([Given(NOON, "latency", data), latency({STAGE: 1.0})])

    assert (row.count, row.missing) == (1, 1)


def test_a_line_that_is_no_json_is_counted_and_left_out() -> None:
    chunk = lines([latency({STAGE: 1.0})]) + b"no json\n" + lines([latency({STAGE: 3.0})])

    events, unreadable, (row,) = latency_of([chunk])

    assert (events, unreadable, row.count, row.avg) == (2, 1, 2, 2.0)


def test_half_a_surrogate_pair_costs_no_line() -> None:
    bad = Given(NOON, "latency", b'{"book_to_signal_ms":1.5,"note":"\\ud800"}')

    assert stage_of([bad, latency({STAGE: 2.5})]).count == 2


@pytest.mark.parametrize(
    "name", ["a/b~1~0_ms", 'quo"te_ms', "x' or 1=1 --_ms", "$.a[0]_ms", "日本_ms", "_ms"]
)
def test_a_stage_may_have_any_name(name: str) -> None:
    assert stage_of([latency({name: 4.0})], name).max == 4.0


def test_members_that_are_no_stages_are_not_listed() -> None:
    rows = latency_of([lines([latency({STAGE: 1.0, "note": 3, "size": 2.0})])])[2]

    assert [row.stage for row in rows] == [STAGE]


def test_declared_stages_come_first_then_others_by_name_then_the_end_to_end() -> None:
    found = [END_TO_END, "z_ms", "a_ms", *reversed(DEFAULT_STAGES)]

    assert in_order(found, DEFAULT_STAGES) == [*DEFAULT_STAGES, "a_ms", "z_ms", END_TO_END]


def test_the_order_is_the_one_the_writer_declared(tmp_path: Path) -> None:
    from polyrecord import EventRecorder

    with EventRecorder(tmp_path, stages=("send", "decode")) as recorder:
        recorder.record_latency(decode_ms=1.0, send_ms=2.0, a_ms=3.0)

    found = summarize(Question(Archive(tmp_path), Selection(types=frozenset({"latency"}))))

    assert [row.stage for row in found.stages] == ["send_ms", "decode_ms", "a_ms", END_TO_END]


def test_exemplars_are_the_worst_traces_the_earlier_first_among_equals() -> None:
    values = {"b": 5.0, "c": 9.0, "a": 5.0, "d": 1.0, "f": 5.0}
    events = [latency({STAGE: value}, NOON + at, trace) for at, (trace, value) in enumerate(values.items())]

    row = stage_of([latency({STAGE: 100.0}), *reversed(events)])

    assert row.exemplars == ("c", "b", "a")
    assert row.max == 100.0  # the worst of all has no trace to show


def test_a_trace_is_an_exemplar_once() -> None:
    events = [latency({STAGE: float(at)}, NOON + at, "same") for at in range(5)]

    assert stage_of(events).exemplars == ("same",)


def test_nothing_gives_no_stages() -> None:
    assert latency_of([]) == (0, 0, ())


def test_only_blocks_of_the_window_are_decompressed(tmp_path: Path) -> None:
    write(tmp_path, [latency({STAGE: 1.0}, NOON + at * SECOND) for at in range(1000)])
    explain = Explain()
    window = Selection(NOON + 400 * SECOND, NOON + 500 * SECOND, types=frozenset({"latency"}))

    found = summarize(Question(Archive(tmp_path), window, explain))

    assert found.stages[0].count == 100
    assert found.window.since == "2026-11-20T12:06:40.000000000Z"
    touched = explain.blocks_found * 0.15
    assert 0 < explain.blocks_read <= touched
    assert explain.blocks_read + explain.skipped_by_time == explain.blocks_found


def test_an_event_of_ten_megabytes_is_read(tmp_path: Path) -> None:
    data: dict[str, Any] = {STAGE: 3.0, "note": "x" * 10_000_000}
    write(tmp_path, [latency(data), latency({STAGE: 1.0}, NOON + 1)])

    found = summarize(Question(Archive(tmp_path), Selection(types=frozenset({"latency"}))))

    assert (found.stages[0].count, found.stages[0].avg) == (2, 2.0)


def test_a_line_longer_than_the_engines_default_is_read() -> None:
    long = latency({STAGE: 3.0, "note": "x" * (17 << 20)})

    assert stage_of([long, latency({STAGE: 1.0})]).count == 2
