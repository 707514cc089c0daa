"""`polyrecord config`: every setting, its value and where it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polyrecord import EventRecorder
from polyrecord.settings.example import example
from polyrecord.settings.load import load
from tests.cli.conftest import Run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, in which settings may be written."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(here: Path, text: str) -> Path:
    path = here / "polyrecord.toml"
    path.write_text(text)
    return path


def test_init_writes_the_example_and_never_over_a_file(here: Path, run: Run) -> None:
    assert run("config", "--init").code == 0
    assert (here / "polyrecord.toml").read_text() == example()
    settings(here, "[recorder]\nbuffer_size = 5\n")

    again = run("config", "--init")

    assert (again.code, again.stdout) == (2, b"")
    assert again.stderr == "error: there is a settings file already\n  where: polyrecord.toml\n"
    assert (here / "polyrecord.toml").read_text() == "[recorder]\nbuffer_size = 5\n"


def test_every_setting_is_shown_with_where_it_comes_from(
    here: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(here, '[recorder]\nbuffer_size = 5\nmetadata = { git = "4f1c" }\n')
    monkeypatch.setenv(
        "POLYRECORD_RECORDER_INDEX_KEYS", "data.market," + "data.a_rather_long_name_of_a_key" * 3
    )
    monkeypatch.setenv("COLUMNS", "80")

    table = run("config").stdout.decode()
    rows = json.loads(run("config", "--format", "json").stdout)["settings"]

    assert [row["key"] for row in rows] == [setting.key for setting in load()]
    assert all(f"\n{row['key']} " in table for row in rows)
    assert {row["key"]: row["origin"] for row in rows}["recorder.buffer_size"] == "polyrecord.toml:2"
    assert '{"git":"4f1c"}' in table
    assert max(map(len, table.splitlines()[1:])) <= 80


def test_the_table_has_nothing_that_steers_a_terminal(here: Path, run: Run) -> None:
    settings(here, '[recorder]\nbot_id = "\\u001b[2J"\n')

    assert b"\x1b" not in run("config").stdout


def test_one_setting_is_its_value_alone(here: Path, run: Run) -> None:
    settings(here, '[recorder]\nbot_id = "b-7"\nindex_keys = ["data.market"]\n')

    assert run("config", "recorder.block_bytes").stdout == b"262144\n"
    assert run("config", "recorder.bot_id").stdout == b"b-7\n"
    assert run("config", "recorder.bot_id", "--format", "json").stdout == b'"b-7"\n'
    assert run("config", "recorder.index_keys").stdout == b'["data.market"]\n'
    assert run("config", "nothing").code == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[recorder]\nbufer_size = 5\n", "unknown setting recorder.bufer_size\n  where: {}:2\n"),
        ("[recorder]\nindex_keys = ['x']\n", "recorder.index_keys: not a key path: 'x'\n  where: {}:2\n"),
        ("[recorder]\nstages = ['']\n", "recorder.stages: not the name of a stage: ''\n  where: {}:2\n"),
        ("\n[source]\nfrom = 'kafka'\n", "source.from: not a format of logs: 'kafka'\n  where: {}:3\n"),
    ],
)  # fmt: skip
def test_check_says_what_is_wrong_and_where(here: Path, run: Run, text: str, told: str) -> None:
    path = settings(here, text)

    done = run("config", "--check")

    assert (done.code, done.stdout) == (2, b"")
    assert done.stderr.startswith("error: " + told.format(path))


def test_check_of_what_is_right_is_exit_code_0(here: Path, run: Run) -> None:
    assert run("config", "--check").code == 0
    settings(here, "[source]\nfrom = 'csv'\n")
    done = run("config", "--check")
    assert (done.code, done.stdout) == (0, b"")


@pytest.mark.parametrize("arguments", [["--init", "--check"], ["root", "--init"], ["root", "--check"]])
def test_it_is_asked_one_thing_at_a_time(here: Path, run: Run, arguments: list[str]) -> None:
    done = run("config", *arguments)

    assert (done.code, done.stderr) == (
        2, "error: KEY, --check and --init exclude each other\n  hint: give one of them\n",
    )  # fmt: skip
    assert not (here / "polyrecord.toml").exists()


def test_a_wrong_file_stops_every_command_that_needs_it(here: Path, run: Run) -> None:
    settings(here, "rot = 'archive'\n")

    done = run("info")

    assert done.code == 2
    assert done.stderr.startswith("error: unknown setting rot\n")
    assert "hint: root, perhaps; " in done.stderr


def test_the_usual_output_format_is_that_of_the_file(here: Path, run: Run) -> None:
    settings(here, 'root = "archive"\n[output]\nformat = "json"\n')
    with EventRecorder() as recorder:
        recorder.record("note", {})

    assert json.loads(run("info").stdout)["streams"][0]["events"] == 1
    assert run("info", "--format", "csv").stdout.startswith(b"path,")
    assert json.loads(run("config").stdout)["file"] == str(here / "polyrecord.toml")


def test_logs_of_other_systems_are_read_as_the_file_says(here: Path, run: Run) -> None:
    settings(here, '[source]\nts = "at.when:s"\ntype_field = "what"\n')
    (here / "bot.jsonl").write_text('{"at":{"when":1763640000},"what":"tick"}\n')

    assert b'"event_type":"tick"' in run("replay", "--file", "bot.jsonl").stdout


def test_a_trace_is_found_by_a_key_that_the_file_declares(here: Path, run: Run) -> None:
    settings(here, '[recorder]\nindex_keys = ["data.market"]\nblock_bytes = 1\n')
    with EventRecorder("archive") as recorder:
        for number in range(20):
            recorder.record("note", {"market": f"m{number}"}, f"{number:032x}")

    done = run("trace", "--key", "market=m7", "--root", "archive", "--format", "json", "--explain")

    assert done.code == 0
    assert json.loads(done.stdout)["trace_id"] == f"{7:032x}"
    explain = json.loads(done.stderr.splitlines()[-1])
    assert (explain["blocks_found"], explain["skipped_by_key"]) == (20, 19)
