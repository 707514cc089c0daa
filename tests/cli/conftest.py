"""Running commands in this process, and the archive that has a bit of everything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from polyrecord.cli.app import main
from tests.cli.nasty import write_nasty


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    stdout: bytes
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("edge", "--root", path)` runs a command at a terminal of 100 columns without colours."""
    monkeypatch.setenv("COLUMNS", "100")

    def call(*arguments: object) -> Done:
        capsysbinary.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capsysbinary.readouterr()
        return Done(code, out, err.decode())

    return call


@pytest.fixture
def nasty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The archive that has a bit of everything; it is the current directory."""
    root = tmp_path / "nasty"
    write_nasty(root)
    monkeypatch.chdir(root)
    return root
