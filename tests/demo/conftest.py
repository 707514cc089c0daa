"""Paper orders answer at once in these tests."""

from __future__ import annotations

import asyncio

import pytest


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of the paper execution take one turn of the loop, and no time."""
    turn = asyncio.sleep

    async def one_turn(_seconds: float) -> None:
        await turn(0)

    monkeypatch.setattr("polyrecord.demo.execution.asyncio.sleep", one_turn)
