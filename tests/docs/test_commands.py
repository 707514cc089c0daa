"""Every command of the command line explains itself, and a page shows it in use."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from polyrecord.cli import lazy

REPO = Path(__file__).resolve().parents[2]
PAGES = "\n".join(
    page.read_text(encoding="utf-8") for page in (REPO / "README.md", *sorted((REPO / "docs").rglob("*.md")))
)


COMMANDS: dict[str, Any] = {f"polyrecord {name}": lazy.load(name) for name in lazy.COMMANDS}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(name: str) -> None:
    assert (COMMANDS[name].help or "").strip()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_says_what_it_does(name: str) -> None:
    silent = [
        option.name for option in COMMANDS[name].params if not (getattr(option, "help", None) or "").strip()
    ]
    assert silent == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_shown_on_a_page(name: str) -> None:
    assert re.search(rf"{re.escape(name)}\b", PAGES)


def test_the_commands_of_the_main_job_are_there() -> None:
    names = {name.removeprefix("polyrecord ") for name in COMMANDS}
    assert names >= {"summarize", "edge", "trace", "replay", "info", "import"}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_examples_that_name_it(name: str) -> None:
    text = COMMANDS[name].help or ""
    assert re.search(rf"Examples?:\s.*{re.escape(name)}\b", text, re.DOTALL)
