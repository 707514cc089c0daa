"""A short slice of what scripts/torture does: real processes, killed and starved, and what they leave."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.torture.__main__ import run_one
from tests.torture.registry import load

SLICES = {
    "kill -9": 20,
    "kill -9 of a family": 1,
    "SIGTERM": 1,
    "fork": 1,
    "power cut, ext4": 1,
    "power cut after a close": 1,
    "full tmpfs": 1,
    "file size limit": 1,
    "archive removed": 1,
    "kill at syscall n": 3,
    "syscall n fails": 3,
    "random faults": 1,
    "no threads": 1,
    "clock steps": 1,
    "many writers": 1,
}
"""Scenarios and how large they are here."""


@pytest.mark.parametrize("name", SLICES)
def test_nothing_is_lost_in_silence(name: str, tmp_path: Path) -> None:
    scenario = load()[name]
    missing = [f"{need.name} is missing: {need.hint}" for need in scenario.missing()]
    if missing and os.environ.get("CI") == "true":
        pytest.fail("; ".join(missing))
    if missing:
        pytest.skip("; ".join(missing))
    seed = 1 if os.environ.get("CI") == "true" else random.randrange(10**6)
    outcome = run_one(scenario, SLICES[name], seed, keep=tmp_path / "kept")
    told = "\n".join(outcome.tally.breaches[:10])
    assert outcome.tally.ok, f'scripts/torture --only "{name}" --seed {seed}; {tmp_path}/kept:\n{told}'
    assert outcome.tally.lost == 0
    assert outcome.tally.read_back > 0
