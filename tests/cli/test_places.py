"""Which archive or log a command reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.report.archives import NOON, Given, write


def test_a_file_may_be_named_although_a_variable_names_an_archive(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shard,) = write(tmp_path / "a", [Given(NOON, "fill")])
    write(tmp_path / "b", [Given(NOON + at, "signal") for at in range(5)])
    monkeypatch.setenv("POLYRECORD_ROOT", str(tmp_path / "b"))

    assert len(run("replay").stdout.splitlines()) == 5
    assert len(run("replay", "--file", shard).stdout.splitlines()) == 1
    assert run("replay", "--file", shard, "--root", tmp_path / "b").code == 2


def test_the_module_ends_with_the_code_of_its_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "polyrecord", "info", "--root", tmp_path / "no"],
        capture_output=True,
        check=False,
    )

    assert done.returncode == 2
