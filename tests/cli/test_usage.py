"""A wrong call ends with exit code 2 and says what is wrong and what would be right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.nasty import TRACE

READING = ["summarize", "edge", "info", "replay", "trace"]


def call(name: str) -> list[str]:
    return [name, TRACE] if name == "trace" else [name]


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("window", ["0", "-5", "-0.0", "abc", "nan", "inf", "1e300", ""])
def test_a_window_is_a_number_above_0(name: str, window: str, nasty: Path, run: Run) -> None:
    done = run(*call(name), "--window", window)

    assert (done.code, done.stdout) == (2, b"")
    assert done.stderr == (
        f"error: not a window: {window!r}\n"
        "  hint: a number of seconds above 0, such as 300 for five minutes\n"
    )


@pytest.mark.parametrize("name", READING)
def test_a_window_has_one_beginning(name: str, nasty: Path, run: Run) -> None:
    done = run(*call(name), "--window", "5", "--since", "-3h")

    assert (done.code, done.stdout) == (2, b"")
    assert done.stderr.startswith("error: --since and --window exclude each other\n  hint: ")


@pytest.mark.parametrize("name", READING)
def test_without_an_archive_it_is_said_how_to_name_one(name: str, tmp_path: Path, run: Run) -> None:
    for root, what in (
        (tmp_path / "no", "no such directory"),
        (tmp_path, "no recorded events in this directory"),
    ):
        done = run(*call(name), "--root", root)

        assert (done.code, done.stdout) == (2, b"")
        assert done.stderr.startswith(
            f"error: {what}\n  where: {root}\n"
            "  hint: name the directory that holds data/ and logs/ with --root or POLYRECORD_ROOT\n"
        )
        ways = ("EventRecorder(", "polyrecord record", "polyrecord.demo", "--file bot.jsonl")
        assert all((way in done.stderr) is root.exists() for way in ways), "only where there is nothing yet"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["summarize", "--format", "xml"],
            "error: summarize has no format 'xml'\n  hint: table, json, csv\n",
        ),
        (["replay", "--format", "table"], "error: replay has no format 'table'\n  hint: json\n"),
        (["replay", "--format", "csv"], "error: replay has no format 'csv'\n  hint: json\n"),
        (["summarize", "--csv", "--format", "json"], "error: --csv and --format json exclude each other\n"),
        (["replay", "--speed", "fast"], "error: not a speed: 'fast'\n"),
        (["replay", "--speed", "0"], "error: not a speed: 0.0\n"),
        (["replay", "--speed", "-1"], "error: not a speed: -1.0\n"),
        (["replay", "--speed", "nan"], "error: not a speed: nan\n"),
        (["edge", "--since", "soon"], "error: not a time: 'soon'\n  hint: 2026-11-20T12:34:56Z"),
        (["edge", "--since", "2026-11-21", "--until", "2026-11-20"], "error: window is empty"),
        (["edge", "--until", "0001-02-01", "--window", "9e9"], "error: window is beyond the calendar\n"),
        (["trace", ""], "error: trace id is empty\n"),
        (["replay", "--trace", ""], "error: trace id is empty\n"),
        (["trace"], "error: trace takes an ID or --key FIELD=VALUE\n  hint: polyrecord trace 4f1c\n"),
        (["nothing"], "error: No such command 'nothing'.\n  hint: polyrecord --help\n"),
        (["info", "--wrong"], "error: No such option: --wrong"),
        (["summarize", "--file", "missing"], "error: no such file\n  where: missing\n"),
        (["summarize", "--file", "data"], "error: a directory, not a file\n  where: data\n  hint: "),
    ],
)
def test_what_is_wrong_is_said(arguments: list[str], message: str, nasty: Path, run: Run) -> None:
    done = run(*arguments)

    assert (done.code, done.stdout) == (2, b"")
    assert done.stderr.startswith(message)
    assert "  hint: " in done.stderr


def test_no_command_shows_the_commands(run: Run) -> None:
    done = run()

    assert done.code == 2
    assert done.stderr.startswith("Usage: polyrecord")
    assert all(f"\n  {name}" in done.stderr for name in [*READING, "import"])


def test_the_version_is_told(run: Run) -> None:
    from polyrecord.version import __version__

    assert run("--version").stdout.decode() == f"polyrecord {__version__}\n"


@pytest.mark.parametrize("name", READING)
def test_help_has_an_example_and_says_what_each_option_does(name: str, run: Run) -> None:
    done = run(name, "--help")
    words = " ".join(done.stdout.decode().split())

    assert done.code == 0
    assert re.search(f"Examples?: polyrecord {name}", words)
    for option in ("--root", "--since", "--until", "--window", "--type", "--format", "--explain", "--strict"):
        assert f"{option} " in words
