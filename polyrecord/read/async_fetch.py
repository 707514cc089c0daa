"""Blocks for an event loop: read in a thread through aiofiles, as a Fetcher reads them."""

from __future__ import annotations

import asyncio

from aiofiles.os import wrap

from polyrecord.read.fetch import Fetcher
from polyrecord.read.plan import PlannedBlock


class AsyncFetcher:
    """Reads blocks one after the other."""

    def __init__(self) -> None:
        self._fetcher = Fetcher()
        self._fetch = wrap(self._fetcher.fetch)
        self._reading: asyncio.Future[bytes] | None = None

    async def fetch(self, block: PlannedBlock) -> bytes:
        """The bytes of a block; raises OSError."""
        self._reading = asyncio.ensure_future(self._fetch(block))
        return await asyncio.shield(self._reading)

    async def close(self) -> None:
        """Close the files, after what a thread is still reading for an iteration that was cancelled."""
        if self._reading is not None:
            await asyncio.wait([self._reading])
        self._fetcher.close()
