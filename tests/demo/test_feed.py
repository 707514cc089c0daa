"""The rhythm of a feed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from polyrecord.demo.feed import Frame, in_steps, paced


async def feed(*seconds: float | None) -> AsyncIterator[Frame]:
    for moment in seconds:
        yield Frame(b"{}", "s", None if moment is None else int(moment * 1e9))


async def test_a_paced_feed_waits_as_long_as_the_venue_did_and_never_for_time_that_goes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, waits = 1_000.0, []

    async def sleep(seconds: float) -> None:
        nonlocal now
        waits.append(round(seconds, 6))
        now += seconds

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "time", lambda: now)
    monkeypatch.setattr("polyrecord.demo.feed.asyncio.sleep", sleep)
    assert len([frame async for frame in paced(feed(50, 50.25, None, 49, 51))]) == 5
    assert waits == [0, 0.25, 0, 0.75]


async def test_other_tasks_run_between_two_frames() -> None:
    order: list[str] = []

    async def other() -> None:
        for _ in range(2):
            order.append("other")
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    async for _ in in_steps([Frame(b"1", "s"), Frame(b"2", "s"), Frame(b"3", "s")], 2):
        order.append("frame")
    await task
    assert order == ["frame", "other", "frame", "other"]
