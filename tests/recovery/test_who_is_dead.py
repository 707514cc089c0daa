"""Only the shards of writers that are gone are touched."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from polyrecord.record.identity import write_manifest
from polyrecord.record.recovery import State, find_dead, find_open, recover_dead
from tests.recovery import crashed
from tests.recovery.crashed import OTHER, WRITER, open_shards, sealed_shards, tree

BOT = """
import sys, time
from pathlib import Path
sys.path.insert(0, {repo!r})
from tests.recovery import crashed
import polyrecord.record.shards as shards
shards.ShardSet.abandon = lambda self: held.append(self)
held = []
crashed.record(Path(sys.argv[1]), pid=__import__("os").getpid())
{more}
print("ready", flush=True)
time.sleep(60)
"""
REPO = str(Path(__file__).resolve().parents[2])


def bot(root: Path, more: str = "") -> subprocess.Popen[str]:
    """A process that holds open shards until it is killed."""
    program = BOT.format(repo=REPO, more=textwrap.dedent(more))
    process = subprocess.Popen([sys.executable, "-c", program, str(root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_living_writer_is_left_alone_and_a_killed_one_is_not(tmp_path: Path) -> None:
    process = bot(tmp_path)
    try:
        before = tree(tmp_path)
        assert list(recover_dead(tmp_path, everywhere=True)) == []
        assert tree(tmp_path) == before
        assert [writer.state for writer in find_open(tmp_path)] == [State.ALIVE]
    finally:
        end(process)
    (outcome,) = recover_dead(tmp_path)
    assert (outcome.events, outcome.failed) == (60, ())


def test_a_forked_child_with_the_descriptors_keeps_the_shards_from_recovery(tmp_path: Path) -> None:
    """As long as it lives: its parent is dead, but nobody can tell that nothing writes to them any more."""
    process = bot(tmp_path, "import os\nif not os.fork():\n    time.sleep(60)")
    child = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
    end(process)
    try:
        assert list(recover_dead(tmp_path)) == []
    finally:
        os.kill(child, 9)
    deadline = time.monotonic() + 10
    while not (outcomes := list(recover_dead(tmp_path))) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [outcome.events for outcome in outcomes] == [60]


@pytest.mark.parametrize(
    ("name", "value", "state"),
    [
        ("boot_id", "11111111-1111-1111-1111-111111111111", State.OTHER_BOOT),
        ("host", "elsewhere", State.OTHER_HOST),
    ],
)
def test_shards_of_another_boot_or_host_are_recovered_when_asked(
    tmp_path: Path, name: str, value: str, state: State
) -> None:
    root = crashed.record(tmp_path)
    write_manifest(root, WRITER, crashed.manifest_of(**{name: value}))
    assert list(recover_dead(root)) == []
    assert [writer.state for writer in find_open(root)] == [state]

    (outcome,) = recover_dead(root, everywhere=True)

    assert (outcome.events, outcome.reason) == (60, state.value)


def test_shards_without_a_manifest_are_recovered_when_asked(tmp_path: Path) -> None:
    root = crashed.record(tmp_path)
    (root / "logs/_writers" / f"{WRITER}.json").unlink()

    assert find_dead(root) == []
    (outcome,) = recover_dead(root, everywhere=True)

    assert (outcome.events, outcome.reason) == (60, "no_manifest")
    assert not (root / "logs/_writers" / f"{WRITER}.json").exists()


def test_an_interrupted_import_is_left_for_the_next_import(tmp_path: Path) -> None:
    root = crashed.record(tmp_path, writer="import.0123456789abcdef")

    assert [writer.state for writer in find_open(root)] == [State.IMPORT]
    assert list(recover_dead(root, everywhere=True)) == []


def test_an_empty_file_of_a_living_process_is_about_to_be_locked(tmp_path: Path) -> None:
    """Between the making of a file and its lock; and the same file when that process is gone."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    root = crashed.record(tmp_path, types=("signal",), pid=os.getpid(), started=now)
    (shard,) = open_shards(root)
    shard.write_bytes(b"")

    assert list(recover_dead(root)) == []
    assert shard.exists()

    write_manifest(root, WRITER, crashed.manifest_of())
    (outcome,) = recover_dead(root)
    assert (outcome.removed, shard.exists()) == (1, False)


def test_a_pid_that_another_process_has_now_is_no_sign_of_life(tmp_path: Path) -> None:
    root = crashed.record(tmp_path, types=("signal",), pid=os.getpid(), started="2020-01-01T00:00:00Z")
    (shard,) = open_shards(root)
    shard.write_bytes(b"")

    assert [outcome.removed for outcome in recover_dead(root)] == [1]


def test_the_writer_that_asks_is_passed_over(tmp_path: Path) -> None:
    root = crashed.record(tmp_path)
    crashed.record(root, writer=OTHER)

    assert [outcome.writer for outcome in recover_dead(root, skip=WRITER)] == [OTHER]
    assert crashed.manifest(root, OTHER)["recovered"]["by"] == WRITER


def test_a_reader_that_probes_does_not_keep_recovery_from_it(tmp_path: Path) -> None:
    """It holds a shard for a moment; only one that goes on holding it is a writer."""
    root = crashed.record(tmp_path, types=("signal",))
    (shard,) = open_shards(root)
    program = f"import fcntl, os, time; f = os.open({str(shard)!r}, 0); fcntl.flock(f, fcntl.LOCK_SH)"
    subprocess.run([sys.executable, "-c", program], check=True)
    descriptor = os.open(shard, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    assert list(recover_dead(root)) == []
    os.close(descriptor)
    assert len(list(recover_dead(root))) == 1


RECOVER = """
import sys
from pathlib import Path
from polyrecord.record.recovery import recover_dead
sys.stdin.readline()
print(sum(outcome.events for outcome in recover_dead(Path(sys.argv[1]))), flush=True)
"""


def test_of_two_recoverers_one_gets_each_writer(tmp_path: Path) -> None:
    for number in range(8):
        crashed.record(tmp_path, writer=f"20261120t120000.host.{number}.aaaa")
    command = [sys.executable, "-c", RECOVER, str(tmp_path)]
    pair = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=REPO)
        for _ in range(2)
    ]
    for process in pair:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    counts = [int(process.communicate()[0]) for process in pair]

    rest = sum(outcome.events for outcome in recover_dead(tmp_path))
    assert sum(counts) + rest == 8 * 60
    assert open_shards(tmp_path) == []
    assert sum(len(crashed.lines_of(path)) for path in sealed_shards(tmp_path)) == 8 * 60


def test_symbolic_links_and_pipes_are_not_touched(tmp_path: Path) -> None:
    outside = crashed.record(tmp_path / "outside", types=("signal",))
    (theirs,) = open_shards(outside)
    root = crashed.record(tmp_path / "a", types=("signal",))
    (mine,) = open_shards(root)
    mine.unlink()
    mine.symlink_to(theirs)
    os.mkfifo(mine.with_name(mine.name.replace("0001", "0002")))
    linked = root / "data" / "linked"
    linked.symlink_to(outside / "data" / "events")

    assert find_open(root) == []
    assert list(recover_dead(root, everywhere=True)) == []
    assert theirs.exists()


def test_a_quarantine_that_leads_elsewhere_is_not_written_to(tmp_path: Path) -> None:
    root = crashed.record(tmp_path / "a", types=("signal",))
    (shard,) = open_shards(root)
    shard.write_bytes(shard.read_bytes() + b"torn")
    (tmp_path / "outside").mkdir()
    (root / "logs/_quarantine").symlink_to(tmp_path / "outside")

    (outcome,) = recover_dead(root)

    assert outcome.failed[0].path == shard
    assert list((tmp_path / "outside").iterdir()) == []
    assert shard.read_bytes().endswith(b"torn")


def test_this_host_is_the_one_of_the_manifest() -> None:
    assert crashed.manifest_of()["host"] == socket.gethostname()
