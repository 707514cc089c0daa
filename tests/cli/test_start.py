"""How a command starts: an ordinary line is read without typer, as typer would; nothing idle is loaded."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyrecord.cli.command import Command
from polyrecord.cli.lazy import COMMANDS
from polyrecord.cli.parameters import OPTION, Declared, Exit
from tests.cli.conftest import Run
from tests.cli.nasty import TRACE, write_nasty
from tests.report.archives import latency, write

VALUES = [
    "", "-", "0", "7", "-3", "1.5", ".5", "1e3", "007", " 5", "1_0", "٣", "text", "a=b", "--", "-x", "9" * 20,
]  # fmt: skip
LOADED = """
import json, sys
from polyrecord.cli.app import main
code = main(sys.argv[1:])
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""
IDLE = {
    "aiofiles", "asyncio", "click", "duckdb", "importlib_metadata", "numpy", "pandas", "polars", "pyarrow",
    "pydantic", "re2", "rich", "tomllib",
}  # fmt: skip


def command_of(name: str) -> Any:
    module, function, _ = COMMANDS[name]
    return getattr(import_module(f"polyrecord.cli.{module}"), function)


COMMANDS_OF_OURS = [name for name in COMMANDS if isinstance(command_of(name), Command)]


@cache
def told(name: str) -> tuple[Command, Any, list[dict[str, Any]]]:
    """A command that only notes what it is given, that as typer has it, and the notes."""
    notes: list[dict[str, Any]] = []
    command = command_of(name)
    noting = Command(lambda **given: notes.append(given), command, command.parameters)
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command(name)(noting)
    return noting, typer.main.get_command(app), notes


def names_of(command: Command) -> list[str]:
    declared = [
        (each.name, one)
        for each in command.parameters
        for one in getattr(each.annotation, "__metadata__", ())
        if isinstance(one, Declared) and one.kind == OPTION
    ]
    return [name for own, one in declared for name in one.names or (f"--{own.replace('_', '-')}",)]


def by_typer(name: str, line: list[str]) -> dict[str, Any]:
    _, command, notes = told(name)
    notes.clear()
    command(line, prog_name=name, standalone_mode=False)
    (given,) = notes
    return given


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A command and words after it, most of them its options and values."""
    name = draw(st.sampled_from(COMMANDS_OF_OURS))
    option = st.sampled_from(names_of(told(name)[0]))
    value = st.sampled_from(VALUES)
    joined = st.builds("{}={}".format, option, value)
    pair = st.tuples(option, value)
    words = draw(st.lists(st.one_of(pair, option.map(lambda o: (o,)), value.map(lambda v: (v,)),
                                    joined.map(lambda j: (j,))), max_size=4))  # fmt: skip
    return name, [word for group in words for word in group]


@given(lines())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_read_here_typer_reads_the_same(drawn: tuple[str, list[str]]) -> None:
    name, line = drawn

    ours = told(name)[0].parse(line)

    assert ours is None or ours == by_typer(name, line)


@pytest.mark.parametrize(
    "line",
    [
        ["trace", TRACE, "--format", "json"],
        ["info", "--by=hour", "--type", "fill", "--type", "signal", "--explain"],
        ["grep", "-i", "text", "--root", "."],
        ["tail", "-n", "5", "--since", "-3h"],
        ["sql", "select 1", "--limit", "3"],
        ["import", "a.jsonl", "b.jsonl", "--from", "generic"],
        ["verify"],
    ],
)
def test_an_ordinary_line_is_read_here(line: list[str]) -> None:
    name, *rest = line

    given_to_it = told(name)[0].parse(rest)

    assert given_to_it is not None
    assert given_to_it == by_typer(name, rest)


@pytest.mark.parametrize(
    "line",
    [
        ["trace", "--help"],
        ["trace", "a", "b"],
        ["trace", "--wrong"],
        ["trace", "--explain=yes"],
        ["trace", "--since"],
        ["trace", "--", "-a"],
        ["grep"],
        ["sql", "--limit", "-1"],
        ["tail", "-n5"],
    ],
)
def test_help_and_what_is_wrong_or_unusual_are_left_to_typer(line: list[str]) -> None:
    assert told(line[0])[0].parse(line[1:]) is None


def test_an_option_that_the_environment_may_give_is_left_to_typer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYRECORD_ROOT", "elsewhere")

    assert told("import")[0].parse(["a.jsonl"]) is None
    assert by_typer("import", ["a.jsonl"])["root"] == Path("elsewhere")


def test_defaults_are_not_shared_between_calls() -> None:
    command = told("info")[0]
    first = command.parse(["--type", "fill"])

    assert first is not None
    assert first["types"] == ["fill"]
    assert command.parse([]) == by_typer("info", [])


def test_a_code_ends_a_command_on_either_way(nasty: Path, run: Run) -> None:
    plainly = run("info")
    explained = run("info", "--")  # typer reads this one

    assert issubclass(Exit, SystemExit), "what runs a command elsewhere ends as well"
    assert (plainly.code, plainly.stdout, plainly.stderr) == (
        explained.code, explained.stdout, explained.stderr,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "idle"),
    [
        (["info", "--format", "json"], IDLE | {"zoneinfo"}),
        (["info", "--format", "csv"], IDLE | {"zoneinfo"}),
        (["trace", TRACE, "--format", "json"], IDLE | {"zoneinfo"}),
        (["replay"], IDLE | {"zoneinfo"}),
        (["grep", "event_type"], IDLE - {"re2"}),
        (["tail", "-n", "2", "--format", "json"], IDLE),
        (["runs", "--format", "json"], IDLE),
        (["--help"], IDLE | {"msgspec", "orjson", "isal"}),
        (["--version"], IDLE | {"msgspec", "orjson", "isal"}),
    ],
)
def test_a_command_loads_nothing_idle(arguments: list[str], idle: set[str], tmp_path: Path) -> None:
    write_nasty(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], cwd=tmp_path, capture_output=True, check=False
    )

    code, loaded = json.loads(done.stderr.splitlines()[-1])
    assert code in {0, 3}, done.stderr
    assert idle & set(loaded) == set()


WHOLE = LOADED.replace('name.partition(".")[0]', "name")


@pytest.mark.parametrize(
    ("arguments", "idle"),
    [
        (["info"], {"msgspec", "polyrecord.read.blocks", "polyrecord.report.counts", "socket"}),
        (["trace", f"{1:032x}"], {"polyrecord.derived", "polyrecord.report.cached", "socket"}),
        (["info", "--format", "json"], {"msgspec", "polyrecord.read.blocks", "rich"}),
    ],
)
def test_of_an_archive_of_ours_a_command_loads_only_what_its_answer_needs(
    arguments: list[str], idle: set[str], tmp_path: Path
) -> None:
    write(tmp_path, [latency({"a_ms": 1.0}, trace_id=f"{1:032x}")])
    done = subprocess.run(
        [sys.executable, "-c", WHOLE, *arguments], cwd=tmp_path, capture_output=True, check=False
    )

    code, loaded = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    assert idle & set(loaded) == set()
