"""What the awaitable helpers return can be awaited, scheduled or forgotten."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Coroutine

import pytest

from polyrecord.record.recorded import DROPPED, RECORDED, Recorded


def test_it_is_true_when_the_event_was_kept() -> None:
    assert RECORDED
    assert not DROPPED


async def test_awaiting_gives_a_bool_as_often_as_one_likes() -> None:
    assert [await RECORDED, await DROPPED, await RECORDED] == [True, False, True]


async def test_it_can_be_a_task() -> None:
    tasks = [asyncio.create_task(RECORDED), asyncio.create_task(RECORDED), asyncio.create_task(DROPPED)]

    assert [await task for task in tasks] == [True, True, False]


async def test_it_can_be_gathered_timed_and_grouped() -> None:
    assert await asyncio.gather(*[RECORDED, DROPPED, RECORDED]) == [True, False, True]
    assert await asyncio.wait_for(RECORDED, 1) is True
    async with asyncio.TaskGroup() as group:
        task = group.create_task(RECORDED)
    assert task.result() is True


def test_it_can_be_run() -> None:
    assert asyncio.run(RECORDED) is True


async def test_its_task_can_be_shown_and_cancelled() -> None:
    task = asyncio.create_task(RECORDED)
    assert "Recorded" in repr(task)

    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert await RECORDED is True


def test_a_forgotten_await_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fresh = Recorded(True)
        del fresh
        gc.collect()


@pytest.mark.parametrize("error", [KeyError("k"), KeyError])
def test_what_is_thrown_in_comes_out(error: BaseException | type[BaseException]) -> None:
    with pytest.raises(KeyError):
        RECORDED.throw(error)


def test_closing_it_changes_nothing() -> None:
    RECORDED.close()
    assert bool(RECORDED) is True
    assert isinstance(RECORDED, Coroutine)
