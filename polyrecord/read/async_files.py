"""Bytes of shard files by offset, for an event loop: through aiofiles."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import aiofiles

from polyrecord.read.archive import ShardInfo
from polyrecord.read.files import open_shard_file

if TYPE_CHECKING:
    from aiofiles.threadpool.binary import AsyncBufferedReader

_MOST_OPEN = 64


class AsyncFiles:
    """The shard files an async merge reads from by turns; those not used for longest are closed."""

    def __init__(self) -> None:
        self._files: dict[ShardInfo, AsyncBufferedReader] = {}

    async def read_at(self, info: ShardInfo, offset: int, length: int) -> bytes:
        """Bytes of a shard; raises OSError."""
        file = self._files.pop(info, None) or await _open(info)
        self._files[info] = file  # moved to the end: used last
        if len(self._files) > _MOST_OPEN:
            await self._files.pop(next(iter(self._files))).close()
        size = os.fstat(file.fileno()).st_size
        await file.seek(min(offset, size))
        return bytes(await file.read(min(length, max(size - offset, 0))))

    async def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            await file.close()
        self._files.clear()


async def _open(info: ShardInfo) -> AsyncBufferedReader:
    return await aiofiles.open(info.path, "rb", opener=lambda *_: open_shard_file(info))
