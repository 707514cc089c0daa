"""What reading loads: nothing of the analysis stack, and the event loop only for async replay."""

from __future__ import annotations

import subprocess
import sys

from polyrecord.read.archive import Archive
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from tests.read.archives import ArchiveMaker

HEAVY = {"asyncio", "aiofiles", "duckdb", "pyarrow", "pandas", "typer", "rich", "pydantic"}


def test_replay_and_trace_load_nothing_heavy(archive: ArchiveMaker) -> None:
    archive.signals(3)
    script = (
        "import sys\n"
        "from polyrecord.read import coverage, newest, replay, traces\n"
        f"print(len(list(replay.replay({str(archive.root)!r}))), *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    count, *modules = done.stdout.split()
    assert int(count) == 3
    assert not HEAVY & set(modules)


async def test_async_replay_reads_blocks_through_aiofiles(archive: ArchiveMaker) -> None:
    archive.signals(3)
    assert len([event async for event in Replay(Archive(archive.root), Selection())]) == 3
    assert "aiofiles" in sys.modules
