"""A table is as wide as shutil says the terminal is."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from polyrecord.cli.width import terminal_width


@pytest.mark.parametrize("columns", ["", "0", "-3", "wide", "97", None])
@pytest.mark.parametrize("terminal", [0, 132, None])
def test_the_width_is_the_one_of_shutil(
    columns: str | None, terminal: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def size(descriptor: int) -> os.terminal_size:
        if terminal is None:
            raise OSError
        return os.terminal_size((terminal, 24))

    monkeypatch.setattr(os, "get_terminal_size", size)
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)

    with Path(os.devnull).open(encoding="utf-8") as null:
        monkeypatch.setattr(sys, "__stdout__", null)
        assert terminal_width() == shutil.get_terminal_size().columns
