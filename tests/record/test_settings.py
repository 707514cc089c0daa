"""A recorder obeys polyrecord.toml and the environment where its caller says nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from polyrecord import EventRecorder
from polyrecord.errors import ConfigError, InvalidEvent
from polyrecord.record.policy import RotatePolicy, SyncMode, SyncPolicy


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory, in which settings may be written."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(here: Path, text: str) -> None:
    (here / "polyrecord.toml").write_text(text)


def recorded(*arguments: Any, **options: Any) -> dict[str, Any]:
    """What the manifest of a recorder with these options says of them."""
    with EventRecorder(*arguments, **options) as recorder:
        assert recorder.record("note", {"market": "m1"}, "4f1c")
    (path,) = (recorder.root / "logs" / "_writers").glob("*.json")
    told: dict[str, Any] = json.loads(path.read_bytes())
    return told


def test_the_file_holds_where_the_caller_says_nothing(here: Path) -> None:
    settings(
        here,
        'root = "archive"\n[recorder]\nindex_keys = ["data.market"]\nbot_id = "b-7"\nstages = ["mine_ms"]\n'
        'metadata = { git = "4f1c" }\nbuffer_size = 7\nflush_interval = 0.5\nsync = "flush"\n'
        "rotate_events = 70\nrotate_seconds = 60\n",
    )

    told = recorded()

    assert (here / "archive" / "data").is_dir()
    assert (told["index_keys"], told["bot_id"], told["stages"]) == (["data.market"], "b-7", ["mine_ms"])
    assert told["metadata"] == {"git": "4f1c"}
    assert told["flush"] == {"events": 7, "seconds": 0.5}
    assert (told["sync"]["mode"], told["sync"]["seconds"]) == ("flush", 1.0)
    assert (told["rotate"]["max_events"], told["rotate"]["max_seconds"]) == (70, 60.0)
    assert told["rotate"]["max_bytes"] == RotatePolicy().max_bytes, "what is not set is at its default"


def test_what_the_caller_says_wins(here: Path) -> None:
    settings(
        here, 'root = "no"\n[recorder]\nindex_keys = ["data.market"]\nbot_id = "b-7"\nvalidate = true\n'
        'sync = "flush"\nsync_seconds = 9\n',
    )  # fmt: skip

    told = recorded(
        "mine", index_keys=[], bot_id="b-8", validate=False, sync=SyncPolicy(SyncMode.NEVER), buffer_size=3
    )

    assert (told["index_keys"], told["bot_id"], told["flush"]["events"]) == ([], "b-8", 3)
    assert (told["sync"]["mode"], told["sync"]["seconds"]) == ("never", 1.0)
    assert not (here / "no").exists()


def test_variables_win_over_the_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(here, '[recorder]\nbot_id = "b-7"\n')
    monkeypatch.setenv("POLYRECORD_RECORDER_BOT_ID", "b-9")
    monkeypatch.setenv("POLYRECORD_RECORDER_INDEX_KEYS", "data.market,data.quote")

    told = recorded("archive")

    assert told["bot_id"] == "b-9"
    assert told["index_keys"] == ["data.market", "data.quote"]


def test_validation_is_switched_on_by_the_file(here: Path) -> None:
    settings(here, "[recorder]\nvalidate = true\n")

    with EventRecorder("archive") as recorder, pytest.raises(InvalidEvent):
        recorder.record("fill", {"size": "not a number"})


@pytest.mark.parametrize(
    "text",
    [
        "[recorder]\nbufer_size = 1\n",
        "[recorder]\nindex_keys = ['market']\n",
        "[recorder]\nstages = ['']\n",
        "[",
    ],
)
def test_a_wrong_file_is_refused_before_anything_is_recorded(here: Path, text: str) -> None:
    settings(here, text)

    with pytest.raises(ConfigError):
        EventRecorder("archive")

    assert not (here / "archive").exists()


def test_a_file_that_turns_wrong_later_harms_no_recorder_at_work(here: Path) -> None:
    with EventRecorder("archive") as recorder:
        settings(here, "[")
        assert recorder.record("note", {})


LOADS = """
import json, sys
from polyrecord import EventRecorder
with EventRecorder("archive") as recorder:
    recorder.record("note", {})
print(json.dumps([name in sys.modules for name in ("pydantic", "tomllib")]))
"""


@pytest.mark.parametrize(("text", "loaded"), [(None, [False, False]), ("", [True, True])])
def test_only_a_bot_with_a_file_loads_what_checks_it(
    here: Path, text: str | None, loaded: list[bool]
) -> None:
    if text is not None:
        settings(here, text)

    done = subprocess.run([sys.executable, "-c", LOADS], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == loaded
