"""A recorder that makes tables of what it sealed, by a process in the background."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from polyrecord import EventRecorder
from polyrecord.cli.app import main
from polyrecord.record.compacting import Compacting


def made(root: Path) -> list[str]:
    return sorted(path.name.rsplit(".", 2)[1] for path in root.glob("*/*/date=*/_derived/*.parquet"))


def wait_for(root: Path, kinds: set[str]) -> None:
    deadline = time.monotonic() + 60
    while not kinds <= set(made(root)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert kinds <= set(made(root))


def test_what_a_recorder_sealed_is_compacted_in_the_background_and_answers_are_the_same(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    with EventRecorder(tmp_path, compact=True) as recorder:
        for number in range(500):
            recorder.record(
                "latency", {"decision_ms": number / 8, "end_to_end_ms": number / 2}, f"{number:08x}"
            )
            recorder.record("decision", {"decision": "taken", "net_edge": "0.5"}, f"{number:08x}")
    wait_for(tmp_path, {"latency", "decision", "histograms"})
    answers = []
    for _ in range(2):
        assert main(["summarize", "--root", str(tmp_path), "--format", "json"]) == 0
        answers.append(capsysbinary.readouterr().out)
        for path in tmp_path.glob("*/*/date=*/_derived/*"):
            path.unlink()
    assert answers[0] == answers[1] != b""
    assert main(["verify", "--root", str(tmp_path)]) == 0


def wait_until_idle(compacting: Compacting) -> None:
    deadline = time.monotonic() + 60
    while compacting.is_running and time.monotonic() < deadline:
        time.sleep(0.02)


def test_one_process_at_a_time_looks_after_an_archive(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {})
    compacting = Compacting(tmp_path)
    compacting.after_seal()
    first = compacting._pid
    compacting.after_seal()
    assert compacting._pid == first
    wait_until_idle(compacting)
    compacting.close()  # what the second seal asked for
    second = compacting._pid
    assert second not in (None, first)
    wait_for(tmp_path, {"signal"})
    wait_until_idle(compacting)
