"""What a session says of itself, before its first event and at its end."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from polyrecord.errors import ConfigError
from polyrecord.record.recorder import EventRecorder
from polyrecord.record.revision import git_revision
from polyrecord.version import __version__


def manifest(recorder: EventRecorder) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (recorder.root / "logs" / "_writers" / f"{recorder.writer}.json").read_bytes()
    )
    return found


def test_it_tells_who_recorded_what_with_which_version_and_configuration(tmp_path: Path) -> None:
    config = {"threshold": 0.02, "markets": ["a", "b"]}
    with EventRecorder(
        tmp_path, strategy_id="arb-3", config=config, metadata={"region": "eu"}, sample={"latency": 0.1}
    ) as recorder:
        recorder.record("signal", {})
        recorder.flush().wait(10)
        told = manifest(recorder)
    assert (told["pid"], told["polyrecord"], told["ended"]) == (os.getpid(), __version__, None)
    assert (told["strategy_id"], told["metadata"], told["sampling"]) == (
        "arb-3",
        {"region": "eu"},
        {"latency": 0.1},
    )
    canonical = json.dumps(config, sort_keys=True, separators=(",", ":")).encode()
    assert told["config_hash"] == hashlib.sha256(canonical).hexdigest()
    assert told["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_a_configuration_file_is_known_by_the_hash_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "bot.toml"
    path.write_text("threshold = 0.02\n")
    with EventRecorder(tmp_path, config=path) as recorder:
        recorder.record("signal", {})
    assert manifest(recorder)["config_hash"] == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(ConfigError, match="config cannot be read"):
        EventRecorder(tmp_path, config=tmp_path / "none.toml")


def test_at_an_orderly_end_it_tells_how_much_of_each_stream_there_is(tmp_path: Path) -> None:
    """So a missing last shard is noticed, and a stream that is missing as a whole."""
    with EventRecorder(tmp_path) as recorder:
        for _ in range(3):
            recorder.record("signal", {})
        recorder.record("trade", {})
        recorder.record("signal", {}, stream="nowhere")
        recorder.record("signal", {})
    told = manifest(recorder)
    assert told["ended"] is not None
    assert told["streams"] == {
        "data/books": {"shards": 1, "events": 1, "last_ordinal": 1},
        "data/events": {"shards": 1, "events": 4, "last_ordinal": 5},
        "logs/telemetry": {"shards": 1, "events": 1, "last_ordinal": 1},
    }


def test_nothing_that_a_bot_says_of_itself_keeps_it_from_recording(tmp_path: Path) -> None:
    odd: dict[Any, Any] = {1: 2, "set": {3}, "big": 1 << 70}
    with EventRecorder(tmp_path, metadata=odd) as recorder:
        recorder.record("signal", {})
    assert manifest(recorder)["metadata"]["1"] == 2
    assert recorder.stats().written == 1


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *words]
    return subprocess.run(command, cwd=folder, check=True, text=True, capture_output=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, require_tool: Any) -> Path:
    require_tool("git")
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    (tmp_path / "bot").mkdir()
    return tmp_path


def test_the_revision_is_that_of_the_checkout_whatever_its_state(repository: Path) -> None:
    assert git_revision(repository / "bot") == git(repository, "rev-parse", "HEAD")
    git(repository, "pack-refs", "--all")
    assert git_revision(repository) == git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-q", "--detach")
    assert git_revision(repository) == git(repository, "rev-parse", "HEAD")


def test_a_worktree_has_a_revision_of_its_own(repository: Path, tmp_path_factory: Any) -> None:
    other = tmp_path_factory.mktemp("elsewhere") / "tree"
    git(repository, "worktree", "add", "-q", "-b", "side", str(other))
    git(other, "commit", "-q", "--allow-empty", "-m", "second")
    assert git_revision(other) == git(other, "rev-parse", "HEAD") != git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("content", ["ref: refs/heads/none", "ref: ../../../etc/passwd", "", "x" * 40])
def test_a_repository_that_says_nothing_sensible_has_no_revision(tmp_path: Path, content: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text(content)
    assert git_revision(tmp_path) is None
