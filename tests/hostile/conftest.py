"""A process that runs commands, one for all tests of this folder."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


@dataclass(frozen=True)
class Done:
    """What a command did; `mib` is the memory it took."""

    code: int
    out: str
    err: str
    mib: float

    @property
    def said(self) -> str:
        """Everything it wrote."""
        return self.out + self.err


Ask = Callable[..., Done]


@pytest.fixture(scope="session")
def ask() -> Iterator[Ask]:
    """`ask("info", "--root", path)` runs a command in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.runner"], cwd=ROOT, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    ) as runner:  # fmt: skip
        assert runner.stdin is not None
        assert runner.stdout is not None
        stdin, stdout = runner.stdin, runner.stdout

        def call(*arguments: object) -> Done:
            stdin.write(json.dumps([str(argument) for argument in arguments]) + "\n")
            stdin.flush()
            return Done(**json.loads(stdout.readline()))

        yield call
        stdin.close()
