"""`--help`: what a command does, its options, examples that would run; the same on docs/commands.md."""

from __future__ import annotations

import re
import shlex
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from polyrecord.cli.docs import generated, settings_table
from polyrecord.cli.lazy import COMMANDS, load
from tests.cli.conftest import Run

REPO = Path(__file__).resolve().parents[2]
HELPS = ["", *COMMANDS]
_EXAMPLES = re.compile(
    r"^ *Examples:\n(?P<lines>(?: +.+\n?)+)|^ *Example: (?P<line>(?:.+\n?)+)", re.MULTILINE
)
_ASSIGNMENT = re.compile(r"[A-Z_]+=")


def parts_of(line: str) -> list[list[str]]:
    """The commands of a pipe, each as words, without the variables set for it."""
    words = shlex.split(line)
    pipe: list[list[str]] = [[]]
    for word in words:
        if word == "|":
            pipe.append([])
        elif pipe[-1] or not _ASSIGNMENT.match(word):
            pipe[-1].append(word)
    return pipe


def examples_of(text: str) -> list[list[str]]:
    """The polyrecord command lines among the examples of a help text, without the program's name."""
    found = _EXAMPLES.search(text)
    assert found is not None, "no examples"
    lines = found["lines"].splitlines() if found["lines"] else [" ".join(found["line"].split())]
    return [part[1:] for line in lines for part in parts_of(line) if part[0] == "polyrecord"]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_a_command_are_right_command_lines_of_it(name: str) -> None:
    command = load(name)
    examples = examples_of(command.help or "")

    assert examples, "at least one"
    for example in examples:
        assert example[0] == name
        context = command.make_context(name, list(example[1:]), resilient_parsing=False)
        assert context.args == []


def test_an_example_with_a_wrong_option_would_be_seen() -> None:
    command = load("config")
    with pytest.raises(Exception, match="No such option"):
        command.make_context("config", ["--chek"])


@pytest.mark.parametrize("name", HELPS)
def test_a_help_fits_80_columns(name: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    done = run(*([name] if name else []), "--help")
    lines = done.stdout.decode().splitlines()

    assert done.code == 0
    assert [line for line in lines if len(line) > 80] == []
    assert lines[0].startswith(f"Usage: polyrecord {name}".rstrip())


@pytest.mark.parametrize("name", HELPS)
def test_examples_keep_their_lines(name: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = run(*([name] if name else []), "--help").stdout.decode()

    assert "\\b" not in shown
    if "Examples:" in shown:
        assert re.search(r"^  Examples:\n    \S", shown, re.MULTILINE)


def test_the_help_of_the_whole_names_every_command(run: Run) -> None:
    shown = run("--help").stdout.decode()

    for name, (_, _, short_help) in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(short_help)}$", shown, re.MULTILINE)


class TestPages:
    def test_the_reference_has_every_command_option_and_example(self) -> None:
        ((place, page),) = generated().items()

        assert place == PurePosixPath("docs/commands.md")
        for name in COMMANDS:
            command: Any = load(name)
            assert f"\n## {name}\n" in page
            for option in command.params:
                if option.opts[0].startswith("-"):
                    assert f"`{option.opts[0]}" in page
            for example in examples_of(command.help or ""):
                assert example[0] in page

    def test_its_tables_have_as_many_cells_in_every_row(self) -> None:
        (page,) = generated().values()
        rows = [line for line in page.splitlines() if line.startswith("|")]

        assert rows
        assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {3}

    def test_the_page_of_settings_has_them_all_as_they_are(self) -> None:
        assert settings_table() in (REPO / "docs" / "configuration.md").read_text(encoding="utf-8")
