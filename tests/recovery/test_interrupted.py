"""Recovery that is killed at any step is brought to its end by the next one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polyrecord.record.recovery import RecoveredWriter, recover_dead
from tests.recovery import crashed
from tests.recovery.crashed import open_shards, tree

CALLS = ("write", "fsync", "ftruncate", "rename", "replace", "unlink", "rmdir", "mkdir", "open")


class Killed(BaseException):
    """The process ends here: nothing of ours catches this."""


class FaultPoint:
    """Counts calls to the system that change something, and ends the process before, or inside, one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.count = 0
        self._at = at
        for name in CALLS:
            monkeypatch.setattr(os, name, self._counted(name, getattr(os, name)))

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            if name == "open" and not arguments[1] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                return real(*arguments, **options)
            self.count += 1
            if self.count == self._at:
                if name == "write":  # a part of it was written
                    real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                raise Killed
            return real(*arguments, **options)

        return call


def crash(root: Path) -> None:
    """Three open shards: torn, whole, and empty; and sealed ones."""
    crashed.record(root, 40, shard_events=8, types=("signal", "orderbook_snapshot", "latency"))
    torn, _, empty = open_shards(root)
    torn.write_bytes(torn.read_bytes()[:-30])
    empty.write_bytes(b"")


def settled(root: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """What is there when all is done: files, and what the manifest tells but for times."""
    files = {name: data for name, data in tree(root).items() if not name.endswith(".json")}
    told = crashed.manifest(root)["recovered"]
    return files, {name: value for name, value in told.items() if name != "at"}


def test_a_recovery_killed_at_any_step_is_ended_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "expected")
    expected_outcome = _rename(list(recover_dead(tmp_path / "expected")), "expected")
    expected = settled(tmp_path / "expected")
    steps = 0
    for at in range(1, 1000):
        root = tmp_path / f"killed-{at}"
        shutil.copytree(tmp_path / "whole", root)
        with monkeypatch.context() as patch:
            fault = FaultPoint(patch, at)
            try:
                first = list(recover_dead(root))
            except Killed:
                first = []
        again = list(recover_dead(root))

        assert settled(root) == expected, f"killed at step {at}"
        assert open_shards(root) == []
        assert list(recover_dead(root)) == []
        if again:
            assert _rename(again, root.name) == expected_outcome
        if fault.count < at:
            assert _rename(first, root.name) == expected_outcome
            break
        steps += 1
        shutil.rmtree(root)
    assert steps > 20


def _rename(outcomes: list[RecoveredWriter], name: str) -> list[dict[str, Any]]:
    return [outcome.event_data() for outcome in outcomes]


def test_a_disk_error_at_any_step_is_told_and_the_next_run_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error, not a kill: nothing is raised, and the other shards are done."""
    crash(tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "expected")
    list(recover_dead(tmp_path / "expected"))
    expected = settled(tmp_path / "expected")
    for name in ("write", "fsync", "ftruncate", "rename", "replace", "unlink"):
        root = tmp_path / name
        shutil.copytree(tmp_path / "whole", root)
        with monkeypatch.context() as patch:
            patch.setattr(os, name, _fails)
            (outcome,) = recover_dead(root)

        assert outcome.failed
        list(recover_dead(root))
        assert settled(root) == expected, name


def _fails(*arguments: object, **options: object) -> None:
    raise OSError(5, "Input/output error")
