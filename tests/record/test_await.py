"""Tickets and answers in asyncio: awaited, scheduled, timed out, gathered, from any loop, or not at all."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path

import pytest

from polyrecord.record.outcomes import FlushOutcome, FlushTicket
from polyrecord.record.recorder import EventRecorder
from polyrecord.testing import read_lines

DONE = FlushOutcome(events=3, bytes=30, durable=True)


async def test_a_flush_can_be_awaited(tmp_path: Path) -> None:
    async with EventRecorder(tmp_path) as recorder:
        assert await recorder.record_trade("t", "0.5", "1", "BUY")
        outcome = await recorder.flush()
        assert (outcome.ok, outcome.events) == (True, 1)
        assert len(read_lines(tmp_path)) == 1


async def test_a_flush_can_be_a_task_gathered_and_timed(tmp_path: Path) -> None:
    async with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {})
        outcomes = [
            await asyncio.create_task(recorder.flush()),
            await asyncio.wait_for(recorder.flush(), 5),
            *await asyncio.gather(recorder.flush(), recorder.flush()),
        ]
        assert [outcome.events for outcome in outcomes] == [1, 1, 1, 1]


async def test_one_ticket_may_be_waited_for_by_many_tasks() -> None:
    ticket = FlushTicket()
    tasks = [asyncio.create_task(ticket) for _ in range(3)]
    waiting = asyncio.ensure_future(asyncio.wait_for(ticket, 5))
    await asyncio.sleep(0)
    ticket.resolve(DONE)
    assert await asyncio.gather(*tasks, waiting) == [DONE] * 4
    assert await ticket == await asyncio.wait_for(ticket, 5) == ticket.wait() == DONE


async def test_a_wait_that_timed_out_may_be_repeated() -> None:
    ticket = FlushTicket()
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ticket, 0.01)
    ticket.resolve(DONE)
    assert await asyncio.wait_for(ticket, 5) == DONE


async def test_a_task_that_waits_can_be_cancelled_and_the_flush_goes_on(tmp_path: Path) -> None:
    async with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {})
        ticket = recorder.flush()
        task = asyncio.create_task(ticket)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await ticket).events == 1


def test_a_wait_without_a_loop_can_time_out() -> None:
    with pytest.raises(TimeoutError, match="not flushed within"):
        FlushTicket().wait(0.01)


def test_tickets_of_several_loops_are_resolved_in_their_own(tmp_path: Path) -> None:
    found: list[int] = []

    async def work() -> None:
        recorder.record("signal", {})
        found.append((await recorder.flush()).events)

    with EventRecorder(tmp_path) as recorder:
        threads = [threading.Thread(target=asyncio.run, args=(work(),)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert max(found) == 4


def test_a_loop_that_is_closed_does_not_disturb_the_flush() -> None:
    ticket = FlushTicket()

    async def give_up() -> None:
        task = asyncio.create_task(ticket)
        await asyncio.sleep(0)
        task.cancel()

    asyncio.run(give_up())
    ticket.resolve(DONE)
    assert ticket.wait(0) == DONE


def test_asyncio_run_takes_a_flush_itself(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {})
        assert asyncio.run(recorder.flush()).events == 1


@pytest.mark.filterwarnings("error")
def test_a_forgotten_await_loses_nothing_and_warns_of_nothing(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        recorder.record_trade("t", "0.5", "1", "BUY")
        recorder.log_event("made_up", {})
        recorder.flush()
        gc.collect()
    assert len(read_lines(tmp_path)) == 2


async def test_a_task_may_close_the_recorder_twice_at_once(tmp_path: Path) -> None:
    recorder = EventRecorder(tmp_path)
    recorder.record("signal", {})
    first, second = await asyncio.gather(
        asyncio.create_task(recorder.close()), asyncio.create_task(recorder.close())
    )
    assert first == second
    assert first.events == 1


async def test_recording_does_not_hold_up_the_loop_while_the_disk_fails(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    root.write_text("in the way")
    recorder = EventRecorder(root)
    recorder.record("signal", {})
    ticket = recorder.flush()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(ticket, 0.1)
    root.unlink()
    assert (await recorder.close()).ok
    assert (await ticket).events == 1
