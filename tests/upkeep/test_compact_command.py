"""`polyrecord compact`: what it says, how it ends, and what goes on in the background."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polyrecord.cli import lazy
from polyrecord.record.compacting import Compacting
from polyrecord.upkeep.compact_files import derived_files
from tests.cli.conftest import Run, run
from tests.report.archives import NOON, decision, latency, write

__all__ = ["run"]

COMMAND = ("compact_", "compact_command", "Typed Parquet and histograms beside sealed shards.")
PROGRAM = f"""
from polyrecord.cli import lazy
lazy.COMMANDS["compact"] = {COMMAND!r}
from polyrecord.cli.app import main
raise SystemExit(main())
"""


@pytest.fixture(autouse=True)
def command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lazy.COMMANDS, "compact", COMMAND)


def archive(root: Path) -> Path:
    write(root, [latency({"own_ms": at / 8}, NOON + at) for at in range(20)])
    write(root, [decision(at=NOON)], "20261120t130000.host.2.bbbb")
    return root


def test_it_says_what_it_made_and_how_large_it_is(tmp_path: Path, run: Run) -> None:
    first = run("compact", "--root", str(archive(tmp_path)))
    second = run("compact", "--root", str(tmp_path))

    assert (first.code, second.code) == (0, 0)
    assert "2 of 2 sealed shards compacted" in first.stdout.decode()
    assert [word for word in ("latency", "decision", "histograms") if word not in first.stdout.decode()] == []
    assert second.stdout.decode().strip().endswith("0 of 2 sealed shards compacted")


def test_as_json_it_has_every_file_and_its_bytes(tmp_path: Path, run: Run) -> None:
    told = json.loads(run("compact", "--root", str(archive(tmp_path)), "--format", "json").stdout)

    there = sorted(path.stat().st_size for path in derived_files(tmp_path) if path.suffix == ".parquet")
    assert sorted(size for shard in told["shards"] for size in shard["made"].values()) == there
    assert told["after"] == sum(there)
    assert told["before"] == sum(path.stat().st_size for path in tmp_path.rglob("*.gz"))


def test_a_shard_without_tables_is_a_finding(tmp_path: Path, run: Run) -> None:
    path = next(archive(tmp_path).glob("logs/metrics/*/*.gz"))
    content = bytearray(path.read_bytes())
    content[300] ^= 0xFF
    path.write_bytes(content)

    ended = run("compact", "--root", str(tmp_path))

    assert ended.code == 1
    assert "no tables: it is damaged" in ended.stderr


def test_a_watch_cannot_be_dry(tmp_path: Path, run: Run) -> None:
    assert run("compact", "--root", str(archive(tmp_path)), "--watch", "5", "--dry-run").code == 2


def test_the_summary_explains_what_it_read(tmp_path: Path, run: Run) -> None:
    run("compact", "--root", str(archive(tmp_path)))

    ended = run("summarize", "--root", str(tmp_path), "--explain")

    assert "shards by tables 1, shards by histograms 0, shards by lines 0, tables unfit 0" in ended.stderr


def test_a_watch_compacts_what_is_sealed_and_ends_in_order(tmp_path: Path) -> None:
    words = [sys.executable, "-c", PROGRAM, "compact", "--root", str(tmp_path), "--watch", "1"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as watch:
        archive(tmp_path)
        assert watch.stdout is not None
        line = watch.stdout.readline()
        priority = os.getpriority(os.PRIO_PROCESS, watch.pid)
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(60) == 0

    assert "compacted" in line
    assert priority == 19
    assert any(path.name.endswith(".parquet") for path in derived_files(tmp_path))


class Spawned:
    """Stands for os.posix_spawn; its processes live until they are told to end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.words: list[list[str]] = []
        self.ended: set[int] = set()
        monkeypatch.setattr(os, "posix_spawn", self.spawn)
        monkeypatch.setattr(os, "waitpid", self.wait)

    def spawn(self, _program: str, words: list[str], _environ: object, **_: object) -> int:
        self.words.append(words)
        return len(self.words)

    def wait(self, pid: int, _options: int) -> tuple[int, int]:
        return (pid, 0) if pid in self.ended else (0, 0)


def test_a_seal_starts_one_process_however_many_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawned, background = Spawned(monkeypatch), Compacting(tmp_path)

    for _ in range(5):
        background.after_seal()

    assert [words[1:] for words in spawned.words] == [
        ["-m", "polyrecord", "compact", "--nice", "--root", str(tmp_path)]
    ]


def test_after_the_process_has_ended_the_next_seal_starts_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spawned, background = Spawned(monkeypatch), Compacting(tmp_path)
    background.after_seal()
    spawned.ended.add(1)

    background.after_seal()

    assert len(spawned.words) == 2


@pytest.mark.parametrize(("seals", "processes"), [(0, 0), (1, 1), (2, 2), (9, 2)])
def test_closing_looks_for_what_a_running_process_may_have_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seals: int, processes: int
) -> None:
    spawned, background = Spawned(monkeypatch), Compacting(tmp_path)
    for _ in range(seals):
        background.after_seal()

    background.close()

    assert len(spawned.words) == processes


def test_the_process_is_a_session_of_its_own_that_writes_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\necho out; echo err >&2\nps -o sid= -p $$ > {tmp_path}/sid\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    background = Compacting(tmp_path)

    background.after_seal()
    while background.is_running:
        time.sleep(0.01)

    assert int((tmp_path / "sid").read_text()) != os.getsid(0)
    assert capfd.readouterr() == ("", "")


def test_recording_with_it_loads_no_engine() -> None:
    words = "import polyrecord.record.compacting, sys; print('duckdb' in sys.modules, 'typer' in sys.modules)"

    assert subprocess.check_output([sys.executable, "-c", words], text=True).split() == ["False", "False"]
