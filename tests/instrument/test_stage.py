"""What `stage` times and where the time goes."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import count

import pytest

from polyrecord import TraceContext, bind, stage
from polyrecord.errors import ConfigError, UsageError
from polyrecord.instrument import stage as stage_module
from polyrecord.record.current import FOLD_AT, Stages


class ListRecorder:
    """Keeps latency events in a list."""

    def __init__(self) -> None:
        self.latencies: list[tuple[str | None, dict[str, float]]] = []

    def record_latency(self, trace_id: str | None = None, **stages_ms: float) -> None:
        """Keeps what it is given."""
        self.latencies.append((trace_id, stages_ms))


@pytest.fixture
def recorder() -> ListRecorder:
    return ListRecorder()


@pytest.fixture
def _one_millisecond_per_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every reading of the clock is a millisecond after the one before."""
    readings: Iterator[int] = count(0, 1_000_000)
    monkeypatch.setattr(stage_module, "perf_counter_ns", lambda: next(readings))


pytestmark = pytest.mark.usefixtures("_one_millisecond_per_look")


def test_the_time_between_entry_and_exit_is_in_milliseconds(recorder: ListRecorder) -> None:
    with TraceContext("t", recorder=recorder), stage("book_to_signal_ms"):
        pass

    assert recorder.latencies == [("t", {"book_to_signal_ms": 1.0})]


def test_the_unit_is_appended_where_it_is_missing(recorder: ListRecorder) -> None:
    with TraceContext("t", recorder=recorder), stage("book_to_signal"):
        pass

    assert recorder.latencies == [("t", {"book_to_signal_ms": 1.0})]


def test_the_same_stage_adds_up(recorder: ListRecorder) -> None:
    with TraceContext("t", recorder=recorder):
        for _ in range(3):
            with stage("a"):
                pass
        with stage("b"):
            pass

    assert recorder.latencies == [("t", {"a_ms": 3.0, "b_ms": 1.0})]


def test_a_stage_inside_another_counts_in_both(recorder: ListRecorder) -> None:
    with TraceContext("t", recorder=recorder), stage("outer"), stage("inner"):
        pass

    assert recorder.latencies == [("t", {"inner_ms": 1.0, "outer_ms": 3.0})]


def test_it_counts_when_the_block_raises(recorder: ListRecorder) -> None:
    with TraceContext("t", recorder=recorder), pytest.raises(ValueError, match="mine"), stage("a"):
        raise ValueError("mine")

    assert recorder.latencies == [("t", {"a_ms": 1.0})]


async def test_async_with_is_the_same(recorder: ListRecorder) -> None:
    async with TraceContext("t", recorder=recorder), stage("a"):
        await asyncio.sleep(0)

    assert recorder.latencies == [("t", {"a_ms": 1.0})]


def test_a_decorated_function_is_timed_at_each_call(recorder: ListRecorder) -> None:
    @stage("decide")
    def decide(price: int, *, limit: int) -> bool:
        return price < limit

    with TraceContext("t", recorder=recorder):
        assert decide(1, limit=2)
        assert not decide(3, limit=2)

    assert decide.__name__ == "decide"
    assert recorder.latencies == [("t", {"decide_ms": 2.0})]


def test_a_decorated_function_may_call_itself(recorder: ListRecorder) -> None:
    @stage("descend")
    def descend(depth: int) -> int:
        return depth and descend(depth - 1)

    with TraceContext("t", recorder=recorder):
        descend(2)

    # The calls are from 0 to 5, from 1 to 4 and from 2 to 3.
    assert recorder.latencies == [("t", {"descend_ms": 5.0 + 3.0 + 1.0})]


async def test_a_decorated_coroutine_function_is_timed_as_it_runs(recorder: ListRecorder) -> None:
    @stage("send")
    async def send(order: str) -> str:
        await asyncio.sleep(0)
        return order

    async with TraceContext("t", recorder=recorder):
        assert await asyncio.gather(*map(send, "ab")) == ["a", "b"]

    assert inspect.iscoroutinefunction(send)
    # a from 0 to 2, b from 1 to 3: both ran at the same time.
    assert recorder.latencies == [("t", {"send_ms": 4.0})]


async def test_tasks_add_to_the_stages_of_their_trace(recorder: ListRecorder) -> None:
    async def leg() -> None:
        async with TraceContext():
            with stage("leg"):
                pass

    async with TraceContext("t", recorder=recorder):
        await asyncio.gather(*(leg() for _ in range(5)))

    assert recorder.latencies == [("t", {"leg_ms": 5.0})]


def test_threads_add_to_the_stages_of_their_trace(recorder: ListRecorder) -> None:
    def work() -> None:
        with stage("a"):
            pass

    with TraceContext("t", recorder=recorder):
        for _ in range(3):
            thread = threading.Thread(target=bind(work))
            thread.start()
            thread.join()

    assert recorder.latencies == [("t", {"a_ms": 3.0})]


class Interrupted(deque[tuple[str, float]]):
    """Timings that another thread's `close()` comes in between, at the moment that is named."""

    def __init__(self, stages: Stages, moment: str) -> None:
        self.closed_with: dict[str, float] | None = None
        self._stages = stages
        self._moment = moment

    def _pass(self, moment: str) -> None:
        if moment == self._moment and self.closed_with is None:
            self.closed_with = self._stages.close()

    def append(self, timing: tuple[str, float]) -> None:
        """Adds one, with a gap before and after."""
        self._pass("before append")
        super().append(timing)
        self._pass("after append")

    def extend(self, timings: Iterable[tuple[str, float]]) -> None:
        """Adds the sums back, with a gap before and after."""
        self._pass("before extend")
        super().extend(timings)
        self._pass("after extend")


@pytest.mark.parametrize("moment", ["before append", "after append", "before extend", "after extend"])
def test_what_is_added_while_the_trace_ends_is_taken_exactly_once(moment: str) -> None:
    stages = Stages()
    timings = stages._timings = Interrupted(stages, moment)

    late = [stages.add("a_ms", 1.0) for _ in range(FOLD_AT + 10)]

    shares = [timings.closed_with, *late]
    assert timings.closed_with is not None
    assert sum(share.get("a_ms", 0.0) for share in shares if share) == FOLD_AT + 10


def test_a_trace_as_long_as_the_bot_lives_stays_small() -> None:
    stages = Stages()

    for number in range(10_000):
        stages.add(f"stage_{number % 3}_ms", 1.0)

    assert len(stages._timings) <= FOLD_AT
    assert stages.close() == {"stage_0_ms": 3334.0, "stage_1_ms": 3333.0, "stage_2_ms": 3333.0}


def test_one_stopwatch_may_be_used_again_but_not_inside_itself(recorder: ListRecorder) -> None:
    watch = stage("a")

    with TraceContext("t", recorder=recorder):
        with watch, pytest.raises(UsageError, match="stage a_ms is running already"), watch:
            pass
        with watch:
            pass

    assert recorder.latencies == [("t", {"a_ms": 2.0})]


@pytest.mark.parametrize("name", ["", "_ms", None, 5])
def test_a_name_that_is_none_is_refused_where_it_stands(name: object) -> None:
    with pytest.raises(ConfigError, match="not the name of a stage"):
        stage(name)  # type: ignore[arg-type]
