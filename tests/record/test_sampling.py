"""Sampling keeps whole traces or none of them, the same ones everywhere."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import ConfigError
from polyrecord.record.recorder import EventRecorder
from polyrecord.record.sampling import Sampler
from polyrecord.testing import read_lines

rates = st.floats(0, 1)
trace_ids = st.one_of(st.uuids().map(str), st.text(min_size=1))


def ids(count: int, seed: int = 7) -> list[str]:
    random = Random(seed)
    return [str(UUID(int=random.getrandbits(128), version=4)) for _ in range(count)]


@given(trace_ids, rates, rates)
def test_what_a_low_rate_keeps_a_higher_one_keeps_too(trace_id: str, one: float, other: float) -> None:
    low, high = sorted((one, other))
    if Sampler({"tick": low}).takes("tick", trace_id):
        assert Sampler({"tick": high}).takes("tick", trace_id)


@given(st.uuids(), rates)
def test_a_trace_is_one_however_its_id_is_written(trace_id: UUID, rate: float) -> None:
    sampler = Sampler({"tick": rate})
    assert (
        len({sampler.takes("tick", text) for text in (str(trace_id), trace_id.hex, str(trace_id).upper())})
        == 1
    )


@given(st.lists(trace_ids, max_size=30), rates)
def test_the_decision_depends_on_the_id_alone(traces: list[str], rate: float) -> None:
    forwards, backwards = Sampler({"a": rate, "b": rate}), Sampler({"*": rate})
    kept = [forwards.takes("a", trace) for trace in traces]
    assert kept == [forwards.takes("b", trace) for trace in traces]
    assert kept == [backwards.takes("c", trace) for trace in reversed(traces)][::-1]


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.1, 0.5, 0.9])
def test_the_part_that_is_kept_is_the_rate(rate: float) -> None:
    sampler, count = Sampler({"tick": rate}), 20_000
    kept = sum(sampler.takes("tick", trace_id) for trace_id in ids(count))
    assert abs(kept - rate * count) < 4.5 * math.sqrt(count * rate * (1 - rate))


def test_ids_that_count_up_are_spread_evenly_too() -> None:
    sampler = Sampler({"tick": 0.25})
    kept = [sampler.takes("tick", f"order-{number}") for number in range(20_000)]
    for start in range(0, 20_000, 5_000):
        assert abs(sum(kept[start : start + 5_000]) - 1_250) < 4.5 * math.sqrt(5_000 * 0.25 * 0.75)


@pytest.mark.parametrize(("rate", "every"), [(0.5, 2), (0.1, 10), (0.01, 100)])
def test_of_events_without_a_trace_every_nth_is_kept(rate: float, every: int) -> None:
    sampler = Sampler({"tick": rate})
    kept = [at for at in range(1_000) if sampler.takes("tick", None)]
    assert len(kept) == 1_000 // every
    assert {after - before for before, after in pairwise(kept)} == {every}


def test_types_take_turns_on_their_own() -> None:
    sampler = Sampler({"*": 0.5})
    taken = [(name, sampler.takes(name, None)) for _ in range(10) for name in ("a", "b")]
    assert (
        sum(kept for name, kept in taken if name == "a")
        == sum(kept for name, kept in taken if name == "b")
        == 5
    )


def test_a_rate_of_zero_keeps_nothing_and_one_keeps_all() -> None:
    none, every = Sampler({"*": 0}), Sampler({"*": 1})
    assert not any(none.takes("tick", trace_id) for trace_id in (*ids(100), None))
    assert all(every.takes("tick", trace_id) for trace_id in (*ids(100), None))


@pytest.mark.parametrize("event_type", ["loss", "gap", "stale", "clock_step", "reconnect", "recovered"])
def test_the_ledger_is_sampled_only_by_name(event_type: str) -> None:
    assert Sampler({"*": 0}).takes(event_type, None)
    assert not Sampler({event_type: 0}).takes(event_type, None)


@pytest.mark.parametrize("rate", [-0.1, 1.1, math.nan, math.inf, "0.5", None])
def test_a_rate_that_is_none_is_refused(rate: object) -> None:
    with pytest.raises(ConfigError):
        Sampler({"tick": rate})  # type: ignore[dict-item]


def test_an_archive_holds_whole_traces_and_says_the_rate(tmp_path: Path) -> None:
    traces = ids(400)
    with EventRecorder(tmp_path, sample={"signal": 0.25, "tick": 0.25}) as recorder:
        for trace_id in traces:
            recorder.record("signal", {}, trace_id)
            recorder.record("tick", {}, trace_id)
            recorder.record("fill", {}, trace_id)
        writer = recorder.writer

    lines = read_lines(tmp_path)
    of = {
        name: {line["trace_id"] for line in lines if line["event_type"] == name}
        for name in ("signal", "tick", "fill")
    }
    assert of["fill"] == set(traces)
    assert of["signal"] == of["tick"]
    assert 60 < len(of["tick"]) < 140
    assert [line["seq"] for line in lines] == list(range(1, len(lines) + 1)), (
        "what is not kept leaves no hole"
    )
    assert '"signal": 0.25' in next(tmp_path.glob(f"logs/_writers/{writer}*")).read_text()
