"""What a TraceContext makes of ids, spans and the `traceparent` header."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from polyrecord import TraceContext, bind, stage
from polyrecord.errors import UsageError
from polyrecord.record.current import Scope

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class ListRecorder:
    """Keeps latency events in a list."""

    def __init__(self) -> None:
        self.latencies: list[tuple[str | None, dict[str, float]]] = []

    def record_latency(self, trace_id: str | None = None, **stages_ms: float) -> None:
        """Keeps what it is given."""
        self.latencies.append((trace_id, stages_ms))


class BrokenRecorder:
    """Breaks the promise never to raise."""

    def record_latency(self, trace_id: str | None = None, **stages_ms: float) -> None:
        """Fails."""
        raise OSError(28, "no space left on device")


def test_the_id_given_is_active_inside_and_gone_outside() -> None:
    with TraceContext("t-1") as trace:
        inside = (TraceContext.current_trace_id(), TraceContext.current())

    assert inside == ("t-1", trace)
    assert (TraceContext.current_trace_id(), TraceContext.current()) == (None, None)


async def test_it_is_an_async_context_manager_too() -> None:
    async with TraceContext("t-1") as trace:
        assert TraceContext.current() is trace

    assert TraceContext.current() is None


def test_without_an_id_a_uuid4_is_made() -> None:
    with TraceContext() as trace:
        assert uuid.UUID(trace.trace_id).version == 4


def test_without_an_id_the_active_trace_is_inherited() -> None:
    with TraceContext("outer"), TraceContext() as inner:
        assert inner.trace_id == "outer"


def test_an_empty_id_is_none() -> None:
    with TraceContext("outer"), TraceContext("") as inner:
        assert inner.trace_id == "outer"


def test_a_uuid_object_is_taken_as_its_text() -> None:
    given = uuid.uuid4()

    with TraceContext(given) as trace:  # type: ignore[arg-type]
        assert trace.trace_id == str(given)


def test_a_root_has_no_span_until_somebody_needs_one() -> None:
    with TraceContext("root") as root:
        spans = [root.span_id]
        with TraceContext() as child:
            spans.append(root.span_id)

    assert spans == [None, child.parent_span_id]
    assert root.parent_span_id is None


def test_a_context_of_the_same_trace_is_a_child_span() -> None:
    with TraceContext("t") as root, TraceContext("t") as child, TraceContext() as grandchild:
        assert child.parent_span_id == root.span_id
        assert grandchild.parent_span_id == child.span_id
        assert len({root.span_id, child.span_id, grandchild.span_id}) == 3


def test_dashed_and_bare_spellings_are_one_trace() -> None:
    given = uuid.uuid4()

    with TraceContext(str(given)) as root, TraceContext(given.hex.upper()) as child:
        assert child.parent_span_id == root.span_id


def test_a_context_of_another_trace_is_a_root_and_comes_back_to_the_outer_one() -> None:
    with TraceContext("a") as outer:
        with TraceContext("b") as other:
            assert other.parent_span_id is None
            with TraceContext("a") as again:
                assert again.parent_span_id == outer.span_id
        assert TraceContext.current() is outer


def test_siblings_share_the_parent_and_not_the_span() -> None:
    with TraceContext("t") as root:
        with TraceContext() as first:
            pass
        with TraceContext() as second:
            pass

    assert first.parent_span_id == second.parent_span_id == root.span_id
    assert first.span_id != second.span_id


def test_the_context_is_left_when_the_block_raises() -> None:
    with pytest.raises(ValueError, match="mine"), TraceContext("t"):
        raise ValueError("mine")

    assert TraceContext.current() is None


def test_entering_twice_is_refused_clearly() -> None:
    trace = TraceContext("t-7")

    with trace, pytest.raises(UsageError, match="trace t-7 was entered before"), trace:
        pass
    with pytest.raises(UsageError, match="make a new TraceContext"), trace:
        pass
    assert TraceContext.current() is None


class TestTraceparent:
    def test_it_continues_the_callers_trace_as_its_child(self) -> None:
        with TraceContext(traceparent=CALLER) as trace:
            assert trace.trace_id == "0af7651916cd43dd8448eb211c80319c"
            assert trace.parent_span_id == "b7ad6b7169203331"
            assert re.fullmatch("[0-9a-f]{16}", trace.span_id or "")
            assert trace.span_id != trace.parent_span_id

    def test_it_goes_before_an_id(self) -> None:
        assert TraceContext("mine", traceparent=CALLER).trace_id == "0af7651916cd43dd8448eb211c80319c"

    def test_the_callers_span_is_the_parent_inside_the_same_trace_too(self) -> None:
        outer = TraceContext("0af76519-16cd-43dd-8448-eb211c80319c")
        with outer, TraceContext(traceparent=CALLER) as trace:
            assert trace.parent_span_id == "b7ad6b7169203331"

    def test_what_goes_out_comes_in(self) -> None:
        with TraceContext() as here:
            header = here.traceparent
        with TraceContext(traceparent=header) as there:
            assert there.trace_id == here.trace_id.replace("-", "")
            assert there.parent_span_id == here.span_id

    def test_it_stays_the_same_within_a_span(self) -> None:
        with TraceContext() as trace:
            assert trace.traceparent == trace.traceparent

    def test_an_id_that_is_not_32_hex_digits_has_none(self) -> None:
        with TraceContext("order-17") as trace:
            assert trace.traceparent is None

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "nonsense",
            CALLER[:-1],
            "ff" + CALLER[2:],
            CALLER.replace("b7ad6b7169203331", "0" * 16),
            CALLER + "-x",
        ],
    )
    def test_an_invalid_one_starts_a_new_trace(self, header: str) -> None:
        with TraceContext("outer"), TraceContext(traceparent=header) as trace:
            assert trace.trace_id != "outer"
            assert uuid.UUID(trace.trace_id).version == 4
            assert trace.parent_span_id is None

    def test_an_invalid_one_leaves_the_id_given(self) -> None:
        assert TraceContext("mine", traceparent="nonsense").trace_id == "mine"

    def test_bytes_are_an_invalid_one(self) -> None:
        TraceContext(traceparent=CALLER.encode())  # type: ignore[arg-type]  # does not raise


class TestTasks:
    async def test_a_task_belongs_to_the_trace_it_was_started_in(self) -> None:
        async def child() -> str | None:
            await asyncio.sleep(0)
            return TraceContext.current_trace_id()

        async with TraceContext("t"):
            task = asyncio.create_task(child())

        assert await task == "t"

    async def test_tasks_do_not_see_each_others_traces(self) -> None:
        async def work(name: str) -> tuple[str | None, str | None]:
            async with TraceContext(name):
                await asyncio.sleep(0)
                inside = TraceContext.current_trace_id()
            return inside, TraceContext.current_trace_id()

        results = await asyncio.gather(*map(work, "ab"))

        assert results == [("a", None), ("b", None)]

    async def test_children_opened_in_parallel_have_the_same_parent(self) -> None:
        async def child() -> str | None:
            async with TraceContext() as span:
                await asyncio.sleep(0)
                return span.parent_span_id

        async with TraceContext("t") as root:
            parents = await asyncio.gather(*(child() for _ in range(10)))

        assert set(parents) == {root.span_id}

    async def test_closing_an_async_generator_elsewhere_does_not_raise(self) -> None:
        async def ticks() -> AsyncIterator[int]:
            async with TraceContext("t"):
                yield 1
                yield 2

        generator = ticks()
        await asyncio.create_task(anext(generator))  # type: ignore[arg-type]
        await generator.aclose()  # type: ignore[attr-defined]

        assert TraceContext.current() is None

    async def test_a_chain_of_tasks_keeps_no_trace_alive(self) -> None:
        """A bot that starts each round from the one before would otherwise grow for ever."""
        depths: list[int] = []

        async def round_of(number: int) -> None:
            async with TraceContext(f"t-{number}") as trace:
                depths.append(_depth(trace))
                following = asyncio.create_task(round_of(number + 1)) if number < 20 else None
            if following is not None:
                await following

        await round_of(0)
        assert depths == [1] + [2] * 20


def _depth(scope: Scope | None) -> int:
    return 0 if scope is None else 1 + _depth(scope.parent)


class TestThreads:
    def test_a_plain_thread_is_outside_and_a_bound_one_inside(self) -> None:
        seen: list[str | None] = []

        def work() -> None:
            seen.append(TraceContext.current_trace_id())

        with TraceContext("t"):
            for target in (work, bind(work)):
                thread = threading.Thread(target=target)
                thread.start()
                thread.join()

        assert seen == [None, "t"]

    def test_one_bound_function_runs_in_many_threads_at_once(self) -> None:
        together = threading.Barrier(4)

        def work(number: int) -> tuple[int, str | None]:
            together.wait(10)
            return number, TraceContext.current_trace_id()

        with TraceContext("t"):
            bound = bind(work)
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(bound, range(4))) == [(number, "t") for number in range(4)]

    def test_what_a_bound_function_does_to_the_context_stays_inside(self) -> None:
        with TraceContext("t"):
            bound = bind(lambda: TraceContext("inner").__enter__())
            bound()
            assert TraceContext.current_trace_id() == "t"

    def test_a_bound_function_keeps_its_name_and_passes_arguments_and_errors(self) -> None:
        def divide(a: int, *, by: int) -> float:
            return a / by

        bound = bind(divide)

        assert bound.__name__ == "divide"
        assert bound(6, by=3) == 2
        with pytest.raises(ZeroDivisionError):
            bound(6, by=0)

    def test_threads_that_ask_for_a_span_at_once_get_the_same(self) -> None:
        for _ in range(50):
            trace, together = TraceContext("t"), threading.Barrier(4)
            spans: list[str] = []

            def ask(
                trace: TraceContext = trace, together: threading.Barrier = together, spans: list[str] = spans
            ) -> None:
                together.wait(10)
                spans.append(trace.ensure_span())

            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

            assert len(set(spans)) == 1


class TestLatencyEvent:
    def test_the_outermost_exit_sends_one(self) -> None:
        recorder = ListRecorder()

        with TraceContext("t", recorder=recorder), TraceContext():
            with stage("a"):
                pass
            assert recorder.latencies == []

        [(trace_id, stages)] = recorder.latencies
        assert trace_id == "t"
        assert list(stages) == ["a_ms"]

    def test_it_is_sent_when_the_block_raises(self) -> None:
        recorder = ListRecorder()

        with pytest.raises(ValueError, match="mine"), TraceContext("t", recorder=recorder), stage("a"):
            raise ValueError("mine")

        assert [trace_id for trace_id, _ in recorder.latencies] == ["t"]

    def test_nothing_timed_sends_nothing(self) -> None:
        recorder = ListRecorder()

        with TraceContext(recorder=recorder):
            pass

        assert recorder.latencies == []

    def test_each_trace_has_its_own(self) -> None:
        recorder = ListRecorder()

        outer, inner = TraceContext("a", recorder=recorder), TraceContext("b", recorder=recorder)
        with outer, stage("one"), inner, stage("two"):
            pass

        assert [(trace_id, list(stages)) for trace_id, stages in recorder.latencies] == [
            ("b", ["two_ms"]),
            ("a", ["one_ms"]),
        ]

    def test_a_failing_recorder_is_logged_and_never_raises(self, caplog: pytest.LogCaptureFixture) -> None:
        broken = TraceContext("t", recorder=BrokenRecorder())
        with caplog.at_level(logging.ERROR, "polyrecord"), broken, stage("a"):
            pass

        assert "latency of a_ms was not recorded" in caplog.text
        assert TraceContext.current() is None

    async def test_a_stage_that_outlives_its_trace_is_sent_by_itself(self) -> None:
        recorder = ListRecorder()

        async def slow() -> None:
            with stage("late"):
                await asyncio.sleep(0.001)

        async with TraceContext("t", recorder=recorder):
            task = asyncio.create_task(slow())
            with stage("a"):
                pass
        await task

        assert [(trace_id, list(stages)) for trace_id, stages in recorder.latencies] == [
            ("t", ["a_ms"]),
            ("t", ["late_ms"]),
        ]

    async def test_a_context_opened_after_its_trace_is_over_sends_its_own(self) -> None:
        recorder = ListRecorder()
        over = asyncio.Event()

        async def late() -> tuple[str | None, str | None]:
            await over.wait()
            async with TraceContext(recorder=recorder) as span:
                with stage("b"):
                    pass
                with stage("c"):
                    pass
            return span.trace_id, span.parent_span_id

        async with TraceContext("t", recorder=recorder) as root:
            task = asyncio.create_task(late())
        over.set()

        assert await task == ("t", root.span_id)
        assert [(trace_id, list(stages)) for trace_id, stages in recorder.latencies] == [
            ("t", ["b_ms", "c_ms"])
        ]
