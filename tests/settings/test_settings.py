"""polyrecord.toml: found, checked, and obeyed after flags and variables."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from polyrecord import EventRecorder
from polyrecord.errors import ConfigError
from polyrecord.settings.example import example
from polyrecord.settings.files import settings_file
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


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("[recorder]\nbufer_size = 5\n", "unknown setting recorder.bufer_size", 2),
        ("x = 1\n[recorder]\n", "unknown setting x", 1),
        ("[recrder]\nx = 1\n", "unknown setting recrder", 1),
        (
            "\n[recorder]\n\nbuffer_size = 'many'\n",
            'recorder.buffer_size must be a whole number, not "many"',
            4,
        ),
        ('[recorder]\nbuffer_size = "5"\n', 'recorder.buffer_size must be a whole number, not "5"', 2),
        ("[recorder]\nbuffer_size = true\n", "recorder.buffer_size must be a whole number, not true", 2),
        ("[recorder]\nvalidate = 'yes'\n", 'recorder.validate must be true or false, not "yes"', 2),
        ("[recorder]\nflush_interval = 0\n", "recorder.flush_interval must be greater than 0, not 0", 2),
        ("[recorder]\nflush_interval = nan\n", "recorder.flush_interval must be a finite number, not NaN", 2),
        (
            "[recorder]\noverload = 'drop_all'\n",
            "recorder.overload must be 'drop_oldest', 'drop_newest', 'priority' or 'wait', not \"drop_all\"",
            2,
        ),
        ("[recorder]\nindex_keys = 'data.a'\n", 'recorder.index_keys must be a list, not "data.a"', 2),
        ("[recorder]\nindex_keys = ['data.a', 5]\n", "recorder.index_keys[1] must be a string, not 5", 2),
        ("[recorder.metadata]\nsince = 2026-01-01\n", "recorder.metadata must be a value that JSON has", 1),
        ("recorder.flush_interval = 'x'\n", "recorder.flush_interval must be a number", 1),
        ("[recorder\n", "not TOML", 1),
        ("recorder = 3\n", "recorder must be a section, not 3", 1),
        ("a = 1\n[recorder]\nb = 1\n", "unknown setting recorder.b (and a)", 3),
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


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("recorder.bufer_size = 5", "recorder.buffer_size"),
        ("buffer_size = 5", "recorder.buffer_size"),
        ("output.fromat = 'csv'", "output.format"),
        ("recrder.sync = 'never'", "[recorder]"),
        ("zzz = 5", None),
    ],
)
def test_what_is_unknown_is_named_with_what_was_meant(here: Path, key: str, meant: str | None) -> None:
    settings(here, f"{key}\n")

    with pytest.raises(ConfigError, match="unknown setting") as wrong:
        load()

    told = "`polyrecord config` lists all"
    assert wrong.value.hint == (f"{meant}, perhaps; {told}" if meant else told)


def test_what_variables_say_is_text_and_read_as_the_setting_needs_it(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "FLUSH_INTERVAL": "0.25", "VALIDATE": "true", "STAGES": "a_ms,b_ms", "METADATA": '{"git": ["4f1c"]}'
    }.items():  # fmt: skip
        monkeypatch.setenv(f"POLYRECORD_RECORDER_{name}", value)

    found = load().model.recorder

    assert (found.flush_interval, found.check, found.stages) == (0.25, True, ("a_ms", "b_ms"))
    assert found.metadata == {"git": ["4f1c"]}
    monkeypatch.setenv("POLYRECORD_RECORDER_METADATA", "git=4f1c")
    with pytest.raises(ConfigError, match='must be a table, not "git=4f1c"') as wrong:
        load()
    assert wrong.value.where == "environment POLYRECORD_RECORDER_METADATA"


def test_a_file_that_changed_is_read_again(here: Path) -> None:
    path = settings(here, "[recorder]\nbuffer_size = 5\n")
    assert load().model.recorder.buffer_size == 5
    stamp = path.stat().st_mtime_ns

    settings(here, "[recorder]\nbuffer_size = 50\n")
    os.utime(path, ns=(stamp, stamp))

    assert load().model.recorder.buffer_size == 50


def test_a_closed_directory_above_keeps_no_bot_from_starting(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_file = Path.is_file

    def closed_above(path: Path) -> bool:
        if path.parent != here:
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", closed_above)

    assert settings_file() is None
    settings(here, "")
    assert settings_file() == here / "polyrecord.toml"


def test_the_example_holds_every_setting_and_is_valid_when_uncommented(here: Path) -> None:
    text = example()
    bare = "\n".join(line.removeprefix("# ") if " = " in line else line for line in text.splitlines())
    settings(here, bare)

    assert all(setting.origin.startswith("polyrecord.toml:") for setting in load())
