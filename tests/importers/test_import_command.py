"""`polyrecord import`: stdout is data, stderr is narration, the exit code says whether all was kept."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from polyrecord.cli.import_ import import_command
from polyrecord.errors import UsageError
from tests.foreign.days import metastacker_day, polyarb_day, polytraders_day
from tests.importers.archives import events

APP = typer.Typer()
APP.command()(import_command)

GOOD = b'{"ts":1776550428,"type":"tick"}\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.log"


def command(path: Path | str, *options: str, root: Path | None = None, stdin: bytes | None = None) -> Result:
    place = root or Path(path).parent / "archive"
    arguments = [str(path), "--from", "generic", "--root", str(place), *options]
    return CliRunner().invoke(APP, arguments, input=stdin)


def test_all_kept_is_exit_0_and_says_nothing_on_stdout(path: Path) -> None:
    path.write_bytes(GOOD * 3)

    result = command(path, "--type", "type")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "3 of 3 lines kept, 0 rejected, 3 events added\n" in result.stderr
    assert "types: tick 3\n" in result.stderr
    assert [event["event_type"] for event in events(path.parent / "archive")] == ["tick"] * 3


def test_a_second_run_says_that_it_adds_nothing(path: Path) -> None:
    path.write_bytes(GOOD)
    command(path)

    result = command(path)

    assert result.exit_code == 0
    assert "0 events added: it was imported before" in result.stderr


def test_rejected_lines_are_named_then_counted_and_make_exit_1(path: Path) -> None:
    path.write_bytes(GOOD + b"oops\n" * 12)

    result = command(path)

    assert result.exit_code == 1
    named = [line for line in result.stderr.splitlines() if "not JSON: " in line]
    assert len(named) == 10
    assert named[0].startswith(f"{path}:2: not JSON: ")
    assert f"{path}: 2 more lines rejected\n" in result.stderr
    assert "rejected: not JSON 12\n" in result.stderr


def test_an_unreadable_file_is_exit_3_and_the_others_are_imported(path: Path) -> None:
    path.write_bytes(GOOD)
    missing = path.parent / "missing"

    result = CliRunner().invoke(
        APP,
        [str(missing), str(path), "--from", "generic", "--root", str(path.parent / "a"), "--format", "json"],
    )

    assert result.exit_code == 3
    assert f"where: {missing}" in result.stderr
    first, second = json.loads(result.stdout)["files"]
    assert (first["file"], first["error"]) == (str(missing), "cannot be read: No such file or directory")
    assert (second["file"], second["added"]) == (str(path), 1)


def test_json_reports_every_count(path: Path) -> None:
    path.write_bytes(GOOD + b"oops\n" + b"\n" + b'{"ts":1776550429,"a":NaN}\n')

    report = json.loads(command(path, "--type", "type", "--format", "json").stdout)["files"][0]

    writer = report.pop("writer")
    assert writer.startswith("import.")
    kept = Path(report.pop("rejects"))
    assert kept.name == f"{writer}.jsonl"
    assert report == {
        "file": str(path), "format": "generic", "added": 2, "read": 3, "kept": 2, "rejected": 1, "blank": 1,
        "rewritten": 1, "events_by_type": {"tick": 1, "imported": 1}, "reasons": {"not JSON": 1},
    }  # fmt: skip


def test_a_format_nobody_named_is_found_and_said(path: Path) -> None:
    path.write_bytes(GOOD)

    result = CliRunner().invoke(APP, [str(path), "--root", str(path.parent / "archive")])

    assert result.exit_code == 0
    assert result.stderr.startswith(f"note: reading {path} as JSON lines (ts, type)\n")
    assert [event["event_type"] for event in events(path.parent / "archive")] == ["tick"]


@pytest.mark.parametrize("day", [polyarb_day, metastacker_day, polytraders_day])
def test_all_logs_of_a_directory_are_imported_and_once(
    day: Callable[[Path], Counter[str]], tmp_path: Path
) -> None:
    written = day(tmp_path / "bot")
    arguments = [str(tmp_path / "bot"), "--root", str(tmp_path / "archive"), "--format", "json"]

    first, second = (CliRunner().invoke(APP, arguments) for _ in range(2))

    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stderr.startswith("note: reading ")
    assert f" in {tmp_path}/bot: " in first.stderr
    assert Counter(event["event_type"] for event in events(tmp_path / "archive")) == written
    assert sum(report["added"] for report in json.loads(first.stdout)["files"]) == written.total()
    assert [report["added"] for report in json.loads(second.stdout)["files"]].count(0) == len(
        json.loads(first.stdout)["files"]
    )


def test_what_was_gone_and_came_back_is_said(path: Path) -> None:
    path.write_bytes(GOOD)
    command(path)
    for shard in (path.parent / "archive").rglob("*.jsonl.gz"):
        shard.unlink()

    result = command(path)

    assert "1 of 1 lines kept, 0 rejected, 1 events added\n" in result.stderr
    assert "imported anew: 1 events of earlier imports were gone from the archive\n" in result.stderr


def test_standard_input_is_a_file_too(tmp_path: Path) -> None:
    script = "import typer; from polyrecord.cli.import_ import import_command; typer.run(import_command)"
    arguments = [sys.executable, "-c", script, "-", "--from", "generic", "--root", str(tmp_path)]

    result = subprocess.run(arguments, input=GOOD * 2, capture_output=True, check=False)

    assert (result.returncode, result.stdout) == (0, b"")
    assert len(events(tmp_path)) == 2


def test_a_file_cannot_speak_to_the_terminal(path: Path) -> None:
    path.write_bytes(b'{"ts":"\\u001b[31m","type":"x"}\n{"ts":1776550428,"type":"\\u001b[31m"}\n\x1b[31m\n')

    result = command(path, "--type", "type")

    assert result.exit_code == 1
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize(
    "options",
    [("--ts", "ts:minutes"), ("--from", "xml"), ("--format", "csv"), ("--from", "cryptofeed", "--ts", "ts")],
)
def test_a_wrong_call_is_a_usage_error_and_touches_nothing(path: Path, options: tuple[str, ...]) -> None:
    path.write_bytes(GOOD)

    result = command(path, *options)

    assert isinstance(result.exception, UsageError)
    assert not (path.parent / "archive").exists()
