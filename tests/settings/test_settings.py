"""polyrecord.toml: found, checked, and obeyed after flags and variables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polyrecord import EventRecorder
from polyrecord.cli.app import main
from polyrecord.errors import ConfigError, ExitCode
from polyrecord.settings.example import example
from polyrecord.settings.load import load
from polyrecord.settings.root import archive_root


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, in which settings may be written."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(here: Path, text: str) -> Path:
    path = here / "polyrecord.toml"
    path.write_text(text)
    return path


def test_without_a_file_everything_is_at_its_default(here: Path) -> None:
    assert {setting.origin for setting in load()} == {"default"}
    assert archive_root() == Path()


def test_the_nearest_file_above_counts_and_its_root_is_relative_to_it(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(here, 'root = "archive"\n')
    (here / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(here / "deep" / "er")

    assert archive_root() == here / "archive"
    assert archive_root("other") == Path("other")
    monkeypatch.setenv("POLYRECORD_ROOT", "named")
    assert archive_root() == Path("named")


def test_a_variable_names_the_file_and_an_empty_one_none(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(here, "[recorder]\nbuffer_size = 5\n")
    monkeypatch.setenv("POLYRECORD_CONFIG", "")
    assert load().model.recorder.buffer_size == 1000
    monkeypatch.setenv("POLYRECORD_CONFIG", "missing.toml")
    with pytest.raises(ConfigError, match="no such settings file"):
        load()


def test_flags_win_over_variables_these_over_the_file_that_over_defaults(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(here, '[recorder]\nbuffer_size = 5\nflush_interval = 2\nindex_keys = ["data.market"]\n')
    monkeypatch.setenv("POLYRECORD_RECORDER_BUFFER_SIZE", "7")
    monkeypatch.setenv("POLYRECORD_RECORDER_INDEX_KEYS", "data.a,data.b")

    found = {setting.key: (setting.value, setting.origin) for setting in load()}

    assert found["recorder.buffer_size"] == (7, "environment POLYRECORD_RECORDER_BUFFER_SIZE")
    assert found["recorder.flush_interval"] == (2.0, "polyrecord.toml:3")
    assert found["recorder.index_keys"][0] == ("data.a", "data.b")
    assert found["recorder.block_bytes"] == (262_144, "default")


def manifest(root: Path) -> dict[str, object]:
    (path,) = (root / "logs" / "_writers").glob("*.json")
    read: dict[str, object] = json.loads(path.read_bytes())
    return read


def test_a_recorder_obeys_the_file_where_its_caller_says_nothing(here: Path) -> None:
    settings(
        here,
        'root = "archive"\n[recorder]\nindex_keys = ["data.market"]\nbot_id = "b-7"\nvalidate = true\n'
        'stages = ["mine_ms"]\nmetadata = { git = "4f1c" }\n',
    )
    with EventRecorder() as recorder:
        assert recorder.stages == ("mine_ms",)
        recorder.record("note", {"market": "m1"}, "4f1c")

    told = manifest(here / "archive")
    assert told["index_keys"] == ["data.market"]
    assert (told["bot_id"], told["metadata"]) == ("b-7", {"git": "4f1c"})


def test_what_the_caller_says_wins(here: Path) -> None:
    settings(here, '[recorder]\nindex_keys = ["data.market"]\nbot_id = "b-7"\n')

    with EventRecorder("mine", index_keys=["data.other"], bot_id="b-8") as recorder:
        recorder.record("note", {})

    told = manifest(here / "mine")
    assert (told["index_keys"], told["bot_id"]) == (["data.other"], "b-8")


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("[recorder]\nbufer_size = 5\n", "unknown setting recorder.bufer_size", 2),
        ("x = 1\n[recorder]\n", "unknown setting x", 1),
        ("[recrder]\nx = 1\n", "unknown setting recrder", 1),
        (
            "\n[recorder]\n\nbuffer_size = 'many'\n",
            "recorder.buffer_size: input should be a valid integer",
            4,
        ),
        ("[recorder]\nflush_interval = 0\n", "recorder.flush_interval: input should be greater than 0", 2),
        ("[recorder]\noverload = 'drop_all'\n", "recorder.overload: input should be 'drop_oldest' or", 2),
        ("[recorder\n", "not TOML", 1),
        ("recorder = 3\n", "recorder: input should be a valid dictionary", 1),
    ],
)
def test_what_is_wrong_is_named_with_its_line(here: Path, text: str, message: str, line: int) -> None:
    path = settings(here, text)

    with pytest.raises(ConfigError) as wrong:
        load()

    assert wrong.value.what.startswith(message)
    assert (wrong.value.path, wrong.value.line) == (path, line)
    assert wrong.value.hint or "TOML" in message
    with pytest.raises(ConfigError):
        EventRecorder()


def test_an_unknown_variable_of_ours_is_named_too(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYRECORD_RECORDER_BUFER_SIZE", "5")

    with pytest.raises(ConfigError, match=r"unknown setting recorder\.bufer_size") as wrong:
        load()

    assert wrong.value.where == "environment POLYRECORD_RECORDER_BUFER_SIZE"
    assert wrong.value.hint == "recorder.buffer_size, perhaps; `polyrecord config` lists all"


def test_the_example_holds_every_setting_and_is_valid_when_uncommented(here: Path) -> None:
    text = example()
    bare = "\n".join(line.removeprefix("# ") if " = " in line else line for line in text.splitlines())
    settings(here, bare)

    assert all(setting.origin.startswith("polyrecord.toml:") for setting in load())


class TestCommand:
    def test_init_writes_the_example_once(self, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["config", "--init"]) == ExitCode.OK
        assert (here / "polyrecord.toml").read_text() == example()
        assert main(["config", "--init"]) == ExitCode.USAGE
        assert main(["config", "--check"]) == ExitCode.OK

    def test_every_setting_is_shown_with_where_it_comes_from(
        self, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        settings(here, "[recorder]\nbuffer_size = 5\n")

        assert main(["config"]) == ExitCode.OK
        table = capsys.readouterr().out
        assert main(["config", "--format", "json"]) == ExitCode.OK
        rows = json.loads(capsys.readouterr().out)["settings"]

        assert {row["key"] for row in rows} == {setting.key for setting in load()}
        assert all(row["key"] in table for row in rows)
        assert max(map(len, table.splitlines()[1:])) <= 80
        assert {row["key"]: row["origin"] for row in rows}["recorder.buffer_size"] == "polyrecord.toml:2"

    def test_one_setting_is_its_value_alone(self, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["config", "recorder.block_bytes"]) == ExitCode.OK
        assert capsys.readouterr().out == "262144\n"
        assert main(["config", "nothing"]) == ExitCode.FINDINGS

    def test_the_usual_output_format_is_that_of_the_file(
        self, here: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings(here, 'root = "archive"\n[output]\nformat = "json"\n')
        with EventRecorder() as recorder:
            recorder.record("note", {})
        assert main(["info"]) == ExitCode.OK
        assert json.loads(capsys.readouterr().out)["streams"][0]["events"] == 1
        assert main(["info", "--format", "csv"]) == ExitCode.OK
        assert capsys.readouterr().out.startswith("path,")

    def test_logs_of_other_systems_are_read_as_the_file_says(
        self, here: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings(here, '[source]\nts = "at.when:s"\ntype_field = "what"\n')
        (here / "bot.jsonl").write_text('{"at":{"when":1763640000},"what":"tick"}\n')

        assert main(["replay", "--file", "bot.jsonl"]) == ExitCode.OK

        assert '"event_type":"tick"' in capsys.readouterr().out
