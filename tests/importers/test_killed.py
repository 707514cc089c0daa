"""An import that is killed at any moment leaves nothing that the next one does not put right."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.importers.archives import events, run, shards

COUNT = 6_000
IMPORT = """
import sys
from pathlib import Path
from polyrecord.foreign.formats import choose_format
from polyrecord.importers.run import import_file

root, file, *again = sys.argv[1:]
choose = lambda _: choose_format("generic")
quiet = lambda *_: None
print("begun", flush=True)
import_file(Path(root), file, choose, on_reject=quiet, on_progress=quiet, again=bool(again))
"""


def start(root: Path, path: Path, *options: str) -> subprocess.Popen[bytes]:
    """An import in a process of its own that has just begun."""
    process = subprocess.Popen([sys.executable, "-c", IMPORT, root, path, *options], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def kill_after(seconds: float, process: subprocess.Popen[bytes]) -> bool:
    """Whether it was still at it when it was killed."""
    time.sleep(seconds)
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return running


def test_killed_again_and_again_at_any_moment_every_line_is_there_once(tmp_path: Path) -> None:
    """With a growing file, and a reject in it, so that every kind of file is being written."""
    root, path = tmp_path / "archive", tmp_path / "bot.log"
    lines = [
        json.dumps({"ts": 1_776_550_428 + n, "n": n, "random": os.urandom(300).hex()}).encode() + b"\n"
        for n in range(COUNT)
    ]
    lines[10] = b"oops\n"
    path.write_bytes(b"".join(lines[: COUNT // 2]))
    was_running = [kill_after(0.005 + n * 0.012, start(root, path)) for n in range(8)]
    path.write_bytes(b"".join(lines))
    for n in range(8):
        options = ("again",) if n % 2 else ()
        was_running.append(kill_after(0.005 + n * 0.012, start(root, path, *options)))

    report, _ = run(root, path)

    assert any(was_running)
    assert [event["data"]["n"] for event in events_in_order(root)] == [n for n in range(COUNT) if n != 10]
    assert (report.tally.read, report.tally.rejected) == (COUNT, 1)
    assert not list(root.rglob("_open/*"))
    (rejects,) = (root / "logs" / "_rejects").iterdir()
    assert json.loads(rejects.read_bytes())["line"] == 11


def test_killed_while_what_was_gone_is_brought_back(tmp_path: Path) -> None:
    root, path = tmp_path / "archive", tmp_path / "bot.log"
    lines = [json.dumps({"ts": 1_776_550_428 + n * 30, "n": n}).encode() + b"\n" for n in range(COUNT)]
    path.write_bytes(b"".join(lines[:4000]))
    run(root, path)
    path.write_bytes(b"".join(lines))
    run(root, path)
    shards(root)[0].unlink()

    for delay in range(6):
        kill_after(0.005 + delay * 0.01, start(root, path))
    run(root, path)

    assert [event["data"]["n"] for event in events_in_order(root)] == [*range(COUNT)]


def events_in_order(root: Path) -> list[dict[str, dict[str, int]]]:
    """All events of an archive by the number their lines had in the log."""
    return sorted(events(root), key=lambda event: int(event["data"]["n"]))
