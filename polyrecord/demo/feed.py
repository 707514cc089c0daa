"""What arrives from a venue, and in which rhythm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from itertools import islice


@dataclass(frozen=True, slots=True)
class Frame:
    """One message as the socket gave it.

    `received_ns` is nanoseconds since 1970-01-01T00:00:00Z, or None where the source does not say;
    `about` is what the message itself leaves out (the URL it answers, the connection it came by).
    """

    payload: bytes
    source: str
    received_ns: int | None = None
    about: str = ""


async def in_steps(frames: Iterable[Frame], ticks: int) -> AsyncIterator[Frame]:
    """The first `ticks` frames; other tasks get their turn between two of them."""
    for frame in islice(frames, ticks):
        yield frame
        await asyncio.sleep(0)


async def first(feed: AsyncIterator[Frame], ticks: int) -> AsyncIterator[Frame]:
    """At most `ticks` frames of a feed."""
    if ticks < 1:
        return
    left = ticks
    async for frame in feed:
        yield frame
        left -= 1
        if left == 0:
            return


async def paced(feed: AsyncIterator[Frame]) -> AsyncIterator[Frame]:
    """The same frames at the moments they were received; time that goes back is not waited for."""
    loop = asyncio.get_running_loop()
    origin: float | None = None
    async for frame in feed:
        if frame.received_ns is not None:
            due = frame.received_ns / 1e9
            if origin is None:
                origin = loop.time() - due
            await asyncio.sleep(max(0.0, origin + due - loop.time()))
        yield frame
