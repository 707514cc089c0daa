"""Which run was this, what did it run with, did it crash?"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from polyrecord import EventRecorder
from polyrecord.cli.app import main
from polyrecord.errors import AmbiguousId, ArchiveMissing, DataError, NotFound, UsageError
from polyrecord.format.layout import MANIFESTS, RUNS, manifest_path
from polyrecord.record.identity import boot_id
from polyrecord.times import SECOND
from polyrecord.upkeep.labels import check_label, check_note, labels_of, read_remarks, remark
from polyrecord.upkeep.prune import prune
from polyrecord.upkeep.retention import Retention, policy_of
from polyrecord.upkeep.runs import RunState, find_run, find_runs
from tests.read.archives import open_again
from tests.upkeep.shelf import DAY, FIRST, OTHER, RUN, lines, record_days


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two runs, of three days and of one."""
    record_days(tmp_path, range(3))
    record_days(tmp_path, range(2, 3), OTHER)
    return tmp_path


def tell(root: Path, writer: str = RUN, **told: Any) -> None:
    """Change what a manifest says."""
    path = root / manifest_path(writer)
    path.write_text(json.dumps({**json.loads(path.read_text()), **told}))


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        return process.pid


def state(root: Path, writer: str = RUN) -> RunState:
    return find_run(root, writer).state


def test_runs_are_listed_with_what_they_hold(root: Path) -> None:
    first, second = find_runs(root)
    assert (first.writer, second.writer) == (RUN, OTHER)
    for run in (first, second):
        assert run.events == sum(writer == run.writer for _, writer, _ in lines(root))
        files = list(root.rglob(f"*-{run.writer}-*.gz"))
        assert (run.shards, run.bytes) == (len(files), sum(path.stat().st_size for path in files))
    assert (first.first_ts, first.last_ts) == (FIRST, FIRST + 2 * DAY + 39 * SECOND)


def test_a_real_session_ends_in_order_and_says_with_what(tmp_path: Path) -> None:
    with EventRecorder(
        tmp_path, strategy_id="atomic", config={"size": 3}, metadata={"region": "eu"}
    ) as recorder:
        recorder.record("signal", {})
        recorder.flush().wait(5)
        (running,) = find_runs(tmp_path)
        assert running.state is RunState.RUNNING
    (run,) = find_runs(tmp_path)
    assert (run.state, run.events, run.told("strategy_id"), run.told("pid")) == (
        RunState.ENDED, 1, "atomic", os.getpid(),
    )  # fmt: skip
    assert len(run.told("config_hash")) == 64
    assert run.seconds(0) == (run.ended_ns - run.started_ns) / 1e9  # type: ignore[operator]


def test_a_process_that_is_gone_without_closing_has_crashed(root: Path) -> None:
    tell(root, ended=None, complete=None, pid=dead_pid(), host=socket.gethostname(), boot_id=boot_id())
    assert state(root) is RunState.CRASHED
    tell(root, recovered={"at": "2026-11-04T00:00:00Z"})
    assert state(root) is RunState.RECOVERED


def test_a_process_of_an_earlier_boot_has_crashed(root: Path) -> None:
    tell(root, ended=None, complete=None, pid=os.getpid(), host=socket.gethostname(), boot_id="another")
    assert state(root) is RunState.CRASHED


def test_of_another_host_nobody_can_tell(root: Path) -> None:
    tell(root, ended=None, complete=None, host="elsewhere")
    assert state(root) is RunState.UNKNOWN
    (root / manifest_path(RUN)).write_bytes(b"\xff")
    assert state(root) is RunState.UNKNOWN


def test_whoever_holds_a_shard_is_running(root: Path) -> None:
    tell(root, ended=None, complete=None, host="elsewhere")
    with open_again(max(root.glob(f"data/events/*/*{RUN}*.gz"))).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert state(root) is RunState.RUNNING


def test_a_run_of_which_only_the_manifest_is_left_is_listed(root: Path) -> None:
    for path in root.rglob(f"*{OTHER}*.gz"):
        path.unlink()
    run = find_run(root, OTHER)
    assert (run.events, run.shards, run.last_ts) == (0, 0, None)


def test_a_run_is_found_by_the_beginning_of_its_name(root: Path) -> None:
    assert find_run(root, "20261103").writer == OTHER
    with pytest.raises(AmbiguousId) as several:
        find_run(root, "2026")
    assert several.value.candidates == (RUN, OTHER)
    with pytest.raises(NotFound):
        find_run(root, "2027")
    with pytest.raises(ArchiveMissing):
        find_runs(root / "nowhere")


def test_runs_of_a_time_are_those_that_ran_then(root: Path) -> None:
    for writer, first, last in ((RUN, 0, 3), (OTHER, 2, 3)):
        started, ended = (f"2026-11-{1 + day:02}T12:00:00Z" for day in (first, last))
        tell(root, writer, started=started, ended=ended)

    def ran(since: int | None, until: int | None) -> list[str]:
        ends = [None if day is None else FIRST + day * DAY for day in (since, until)]
        return [run.writer for run in find_runs(root) if run.touches(*ends)]

    assert ran(None, None) == ran(2, 3) == [RUN, OTHER]
    assert ran(0, 1) == [RUN]
    assert ran(4, None) == ran(None, 0) == []


def test_labels_and_notes_are_appended_and_read_back(root: Path) -> None:
    remark(root, RUN, label="incident-17", note="stuck order — see ticket 17")
    remark(root, RUN, note="closed")
    remark(root, RUN, label="incident-17")
    assert labels_of(root, RUN) == ["incident-17"]
    told = [(one.label, one.note) for one in read_remarks(root, RUN)]
    assert told == [
        ("incident-17", "stuck order — see ticket 17"), (None, "closed"), ("incident-17", None),
    ]  # fmt: skip
    assert find_run(root, RUN).labels == ("incident-17",)
    assert labels_of(root, OTHER) == []


def test_a_line_that_was_torn_costs_itself_only(root: Path) -> None:
    remark(root, RUN, label="one")
    path = root / RUNS / f"{RUN}.jsonl"
    path.write_bytes(path.read_bytes() + b'{"at":"2026-11-')
    remark(root, RUN, label="two")
    assert labels_of(root, RUN) == ["one", "two"]


@pytest.mark.parametrize("label", ["", " a", "a b", "a\x1b[31m", "a\n", "x" * 65, "-a", "ä"])
def test_what_is_no_label_is_refused(label: str) -> None:
    with pytest.raises(UsageError, match="not a label"):
        check_label(label)


@pytest.mark.parametrize("note", ["", "  ", "two\nlines", "\x1b[2J", "x" * 2001])
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(UsageError, match="not a note"):
        check_note(note)


def test_a_label_that_somebody_wrote_by_hand_is_checked_as_it_is_read(root: Path) -> None:
    (root / RUNS).mkdir(parents=True)
    (root / RUNS / f"{RUN}.jsonl").write_text('{"at":"now","label":"\\u001b[31m"}\n[]\n{"label":"x"}\n')
    assert labels_of(root, RUN) == []


def test_no_link_is_followed_where_remarks_are_kept(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "victim"
    outside.write_text("")
    (root / RUNS).mkdir(parents=True)
    (root / RUNS / f"{RUN}.jsonl").symlink_to(outside)
    with pytest.raises(DataError, match="not a regular file"):
        remark(root, RUN, label="x")
    assert outside.read_text() == ""


def test_files_that_are_no_manifests_are_no_runs(root: Path) -> None:
    (root / MANIFESTS / "..json").write_text("{}")
    (root / MANIFESTS / "UPPER.json").write_text("{}")
    (root / MANIFESTS / "x\n.json").write_text("{}")
    assert [run.writer for run in find_runs(root)] == [RUN, OTHER]


@pytest.mark.parametrize("kind", ["fifo", "directory"])
def test_what_is_no_file_takes_no_remark(root: Path, kind: str) -> None:
    (root / RUNS).mkdir(parents=True)
    place = root / RUNS / f"{RUN}.jsonl"
    if kind == "fifo":
        os.mkfifo(place)
    else:
        place.mkdir()
    with pytest.raises(DataError, match="not a regular file"):
        remark(root, RUN, label="x")


def test_a_csv_of_runs_cannot_move_the_cursor(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tell(root, program="\x1b[2Jbot", git="\x07", bot_id=["\x1b", 1], strategy_id={"\x1b": 1})
    assert main(["runs", "--root", str(root), "--format", "csv"]) == 0
    out = capsys.readouterr().out
    assert "[2Jbot" in out
    assert all(char.isprintable() or char in "\r\n" for char in out)


def test_runs_of_which_all_was_pruned_are_told_still(root: Path) -> None:
    recorded = {run.writer: (0, run.events) for run in find_runs(root)}
    prune(root, Retention({"*": policy_of(1, None, None)}), FIRST + 400 * DAY, force=True)
    assert not list((root / MANIFESTS).iterdir())
    assert {run.writer: (run.events, run.pruned) for run in find_runs(root)} == recorded
