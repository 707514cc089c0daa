"""Blocks for an event loop: read in a thread through aiofiles, as a Fetcher reads them."""

from __future__ import annotations

import asyncio

from aiofiles.os import wrap

from polyrecord.read.fetch import Fetcher, Following
from polyrecord.read.load import Fetched
from polyrecord.read.plan import PlannedBlock


class AsyncFetcher:
    """Reads blocks one after the other; one in several costs the way to a thread and back."""

    def __init__(self) -> None:
        self._fetcher = Fetcher()
        self._fetch = wrap(self._fetcher.fetch)
        self._reading: asyncio.Future[Fetched] | None = None

    async def fetch(self, block: PlannedBlock, following: Following) -> Fetched:
        """The bytes of a block; raises OSError."""
        if self._fetcher.is_at_hand(block):
            return self._fetcher.fetch(block, following)
        self._reading = asyncio.ensure_future(self._fetch(block, following))
        return await asyncio.shield(self._reading)

    async def close(self) -> None:
        """Close the files, after what a thread is still reading for an iteration that was cancelled."""
        if self._reading is not None:
            await asyncio.wait([self._reading])
        self._fetcher.close()
