"""The command as a process: what it loads, how it ends, what it writes where."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polyrecord.times import SECOND
from tests.cli.nasty import TRACE, write_nasty
from tests.report.archives import NOON, Given, write

POLYRECORD = [sys.executable, "-c", "import sys; from polyrecord.cli.app import main; sys.exit(main())"]
LOADED = """
import json, sys
from polyrecord.cli.app import main
code = main(sys.argv[1:])
print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""
HEAVY = {"aiofiles", "duckdb", "numpy", "pandas", "polars", "pyarrow", "rich"}  # typer itself takes pydantic


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_nasty(tmp_path)
    return tmp_path


def run(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*POLYRECORD, *arguments, "--root", str(root)],
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["info", "--format", "json"], set()),
        (["info", "--format", "csv"], set()),
        (["info"], {"rich"}),
        (["trace", TRACE, "--format", "json"], set()),
        (["trace", TRACE], {"rich"}),
        (["replay"], set()),
        (["summarize", "--format", "json"], {"duckdb"}),
        (["--help"], set()),
    ],
)
def test_a_command_loads_only_what_it_needs(arguments: list[str], allowed: set[str], root: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments],
        cwd=root,
        capture_output=True,
        check=True,
    )

    code, loaded = json.loads(done.stderr.splitlines()[-1])
    assert code == 0
    assert HEAVY & set(loaded) == allowed


def test_a_reader_that_goes_away_early_is_no_error(tmp_path: Path) -> None:
    write(
        tmp_path,
        [Given(NOON + at, "signal", {"text": "x" * 500}) for at in range(3_000)],
        block_bytes=100_000,
    )
    with subprocess.Popen(
        [*POLYRECORD, "replay", "--root", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b'{"ts":')
        process.stdout.close()
        told = process.stderr.read()

    assert (process.returncode, told) == (0, b"")


def test_control_c_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, "signal"), Given(NOON + 3600 * SECOND, "signal")])
    with subprocess.Popen(
        [*POLYRECORD, "replay", "--speed", "1", "--root", str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()  # at a pace each line is written when it is due
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        told = process.stderr.read()

    assert first.startswith(b'{"ts":"2026-11-20T12:00:00')
    assert (process.returncode, told) == (130, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_told(root: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*POLYRECORD, "replay", "--root", str(root)], stdout=full, stderr=subprocess.PIPE, check=False
        )

    assert (done.returncode, done.stderr) == (3, b"error: No space left on device\n")


def test_what_is_no_terminal_gets_no_colour(root: Path) -> None:
    assert b"\x1b" not in run(root, "summarize", TERM="xterm-256color").stdout


@pytest.mark.parametrize(
    ("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_a_terminal_gets_colour_unless_it_is_told_not_to(
    environment: dict[str, str], coloured: bool, root: Path
) -> None:
    import pty

    clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [*POLYRECORD, "info", "--root", str(root)],
            stdout=theirs, stderr=subprocess.PIPE, env={**clean, "TERM": "xterm", **environment}, check=True,
        )  # fmt: skip
        shown = os.read(ours, 100_000)
    finally:
        os.close(ours)
        os.close(theirs)

    assert (b"\x1b[" in shown, done.stderr) == (coloured, b"")


def test_speed_keeps_the_gaps_between_events(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, "signal"), Given(NOON + SECOND, "signal")])
    started = time.monotonic()

    done = run(tmp_path, "replay", "--speed", "4")

    assert time.monotonic() - started >= 0.25
    assert done.stdout.count(b"\n") == 2
