"""`polyrecord tail`: the last events, those to come, and readers that come back."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from polyrecord import EventRecorder
from polyrecord.cli.command import Command
from polyrecord.cli.tail_ import _waiting_for_an_archive
from polyrecord.cli.tail_line import TailLine
from polyrecord.errors import ArchiveMissing
from polyrecord.format.layout import CURSORS
from polyrecord.read.tail.cursor import Cursor, cursor_path
from tests.cli.conftest import Run
from tests.read.archives import NOON, ArchiveMaker, Given, damage_block

POLYRECORD = [sys.executable, "-c", "import sys; from polyrecord.cli.app import main; sys.exit(main())"]


@pytest.fixture
def archive(tmp_path: Path) -> ArchiveMaker:
    """Thirty signals and thirty latencies, a nanosecond apart."""
    made = ArchiveMaker(tmp_path / "archive")
    types = ("signal", "latency")
    made.write([Given(NOON + n, types[n % 2], b'{"n":%d}' % n, trace_id=f"{n:032x}") for n in range(60)])
    return made


@contextmanager
def following(root: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [*POLYRECORD, "tail", "-f", "--root", str(root), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def next_number(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    number: int = json.loads(process.stdout.readline())["data"]["n"]
    return number


def ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    out, told = process.communicate(timeout=20)
    return process.returncode, out, told


def test_the_last_ten_lines_are_written_as_they_were_recorded(run: Run, archive: ArchiveMaker) -> None:
    done = run("tail", "--root", archive.root)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == archive.read()[-10:]


@pytest.mark.parametrize(("given", "count"), [("0", 0), ("1", 1), ("59", 59), ("1000", 60), ("all", 60)])
def test_as_many_as_asked_for(run: Run, archive: ArchiveMaker, given: str, count: int) -> None:
    done = run("tail", "--root", archive.root, "-n", given)
    assert done.stdout.splitlines() == archive.read()[60 - count :]
    assert (done.code, done.stderr) == (0, "")


def test_filters_narrow_what_the_last_are_taken_of(run: Run, archive: ArchiveMaker) -> None:
    def of(*arguments: str) -> list[int]:
        done = run("tail", "--root", archive.root, "-n", "2", *arguments)
        return [json.loads(line)["data"]["n"] for line in done.stdout.splitlines()]

    assert of("--type", "signal") == [56, 58]
    assert of("--where", "n<10") == [8, 9]
    assert of("--trace", f"{7:032x}") == [7]
    assert of("--until", "2026-11-20T12:00:00.000000020Z") == [18, 19]


def test_nothing_selected_is_told(run: Run, archive: ArchiveMaker) -> None:
    done = run("tail", "--root", archive.root, "--type", "fill")
    assert (done.code, done.stdout) == (0, b"")
    assert "no such events" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-n", "x"], "error: not a number of events: 'x'\n  hint: -n 20, -n 0 or -n all"),
        (["-n", "-1"], "error: not a number of events: '-1'"),
        (["-f", "--until", "now"], "error: --until and --window end before what is to come"),
        (["-f", "--window", "60"], "error: --until and --window end before what is to come"),
        (["--cursor", "../a"], "error: not a name for a cursor: '../a'"),
        (["--cursor", "a", "--cursor-file", "b"], "error: --cursor and --cursor-file exclude each other"),
        (["--output", "/dev/null"], "error: not a regular file"),
        (["--format", "csv"], "error: tail has no format 'csv'"),
    ],
)
def test_a_wrong_command_is_refused(run: Run, archive: ArchiveMaker, arguments: list[str], told: str) -> None:
    done = run("tail", "--root", archive.root, *arguments)
    assert done.code == 2
    assert done.stderr.startswith(told)


@pytest.mark.parametrize("arguments", [["-f"], ["--cursor", "a"]])
def test_a_single_file_has_last_events_but_is_not_followed(
    run: Run, archive: ArchiveMaker, arguments: list[str]
) -> None:
    path = next(archive.root.rglob("events-*.gz"))
    last = run("tail", "--file", path, "-n", "2")
    assert [json.loads(line)["data"]["n"] for line in last.stdout.splitlines()] == [56, 58]
    done = run("tail", "--file", path, *arguments)
    assert done.code == 2
    assert done.stderr.startswith(
        "error: only archives are followed, not single files or logs of other systems"
    )


def test_a_directory_without_an_archive_is_an_error_unless_it_is_followed(run: Run, tmp_path: Path) -> None:
    assert run("tail", "--root", tmp_path).code == 2
    with following(tmp_path / "later") as process:
        assert process.stderr is not None
        assert b"no archive in" in process.stderr.readline()
        with EventRecorder(tmp_path / "later") as recorder:
            for n in range(20):
                recorder.record("signal", {"n": n})
        assert [next_number(process) for _ in range(20)] == list(range(20))


def test_following_goes_on_after_the_last_events(archive: ArchiveMaker) -> None:
    with following(archive.root, "-n", "2") as process:
        assert [next_number(process), next_number(process)] == [58, 59]
        with EventRecorder(archive.root) as recorder:
            for n in range(100, 104):
                recorder.record("signal", {"n": n})
                recorder.flush().wait(10)
                assert next_number(process) == n
        process.send_signal(signal.SIGTERM)
        assert ended(process) == (0, b"", b"")


def test_following_starts_at_since(archive: ArchiveMaker) -> None:
    with following(archive.root, "--since", "2026-11-20T12:00:00.000000045Z") as process:
        assert [next_number(process) for _ in range(15)] == list(range(45, 60))


def test_control_c_ends_with_130_and_nothing_said(archive: ArchiveMaker) -> None:
    with following(archive.root, "-n", "1") as process:
        next_number(process)
        process.send_signal(signal.SIGINT)
        assert ended(process) == (130, b"", b"")


def test_a_reader_of_a_pipe_that_does_not_read_can_be_left(tmp_path: Path) -> None:
    """SIGTERM ends a tail that waits for the pipe to be read; the batch is delivered again to the next."""
    archive = ArchiveMaker(tmp_path)
    archive.write([Given(NOON + n, data=b'{"n":%d,"text":"%s"}' % (n, b"x" * 500)) for n in range(1_000)])
    with following(tmp_path, "--cursor", "a", "--from-start") as process:
        next_number(process)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    command = [*POLYRECORD, "tail", "--root", str(tmp_path), "--cursor", "a"]
    again = subprocess.run(command, capture_output=True, check=True)
    assert again.stdout.splitlines() == archive.read()
    assert b"note: the last reader ended while it delivered 1,000 events" in again.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_that_does_not_follow_was_cut_short_and_says_so(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    archive = ArchiveMaker(tmp_path)
    archive.write([Given(NOON + n, data=b'{"n":%d,"text":"%s"}' % (n, b"x" * 500)) for n in range(1_000)])
    command = [*POLYRECORD, "tail", "-n", "all", "--root", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert next_number(process) == 0
        process.send_signal(number)
        assert process.wait(20) == code
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_closed_pipe_is_quiet(archive: ArchiveMaker) -> None:
    with following(archive.root, "-n", "1") as process:
        next_number(process)
        assert process.stdout is not None
        process.stdout.close()
        with EventRecorder(archive.root) as recorder:
            recorder.record("signal", {"n": 1})
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_damage_is_told_while_following(archive: ArchiveMaker) -> None:
    with following(archive.root, "-n", "0", "--cursor-file", str(archive.root / "c.json")) as process:
        assert process.stderr is not None
        assert b"the cursor is new and starts now" in process.stderr.readline()
        made = ArchiveMaker(archive.root.parent / "other")
        (path,) = made.signals(50, "20261120t130000.host.3.cccc")
        damage_block(path, 1)
        place = archive.root / path.relative_to(made.root)
        place.with_suffix(".tmp").write_bytes(path.read_bytes())
        place.with_suffix(".tmp").rename(place)
        assert process.stderr.readline().startswith(b"warning: ")
        assert next_number(process) == 0


def test_a_cursor_starts_now_and_then_gives_what_is_new_once(run: Run, archive: ArchiveMaker) -> None:
    def read() -> list[int]:
        done = run("tail", "--root", archive.root, "--cursor", "cron")
        assert done.code == 0
        return [json.loads(line)["data"]["n"] for line in done.stdout.splitlines()]

    assert read() == []
    for n in range(3):
        with EventRecorder(archive.root) as recorder:
            recorder.record("signal", {"n": n})
            recorder.record("latency", {"n": n})
        assert read() == [n, n]
        assert read() == []


@pytest.mark.parametrize(
    ("arguments", "count"), [(["-n", "4"], 4), (["--from-start"], 60), (["-n", "all"], 60)]
)
def test_a_cursor_may_start_further_back(
    run: Run, archive: ArchiveMaker, arguments: list[str], count: int
) -> None:
    done = run("tail", "--root", archive.root, "--cursor", "a", *arguments)
    assert done.stdout.splitlines() == archive.read()[60 - count :]
    again = run("tail", "--root", archive.root, "--cursor", "a", *arguments)
    assert (again.code, again.stdout, again.stderr) == (0, b"", "")


def test_a_cursor_that_another_has_is_refused(run: Run, archive: ArchiveMaker) -> None:
    held = Cursor(cursor_path(archive.root, "a"))
    done = run("tail", "--root", archive.root, "--cursor", "a")
    held.close()
    assert done.code == 2
    assert done.stderr.startswith("error: another reader has this cursor")


def test_a_damaged_cursor_is_refused(run: Run, archive: ArchiveMaker) -> None:
    path = archive.root / CURSORS / "a.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    done = run("tail", "--root", archive.root, "--cursor", "a")
    assert done.code == 2
    assert done.stderr.startswith("error: cursor file is damaged")
    assert "hint: remove it to start anew" in done.stderr


def test_a_cursor_may_lie_elsewhere_and_lines_go_to_a_file(
    run: Run, archive: ArchiveMaker, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    for _ in range(2):
        done = run(
            "tail",
            "--root",
            archive.root,
            "--cursor-file",
            tmp_path / "c.json",
            "--from-start",
            "--output",
            out,
        )
        assert (done.code, done.stdout) == (0, b"")
        assert out.read_bytes().splitlines() == archive.read()
    assert not (archive.root / CURSORS).exists()


def test_a_cursor_does_not_change_what_the_archive_holds(run: Run, archive: ArchiveMaker) -> None:
    before = run("info", "--root", archive.root).stdout
    run("tail", "--root", archive.root, "--cursor", "a")
    assert run("info", "--root", archive.root).stdout == before


def at_a_terminal(root: Path, **environment: str) -> str:
    import pty

    ours, theirs = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    subprocess.run(
        [*POLYRECORD, "tail", "-n", "1", "--root", str(root)],
        stdout=theirs, env={**clean, "TERM": "xterm", "COLUMNS": "60", **environment}, check=True,
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    return shown


def test_on_a_terminal_an_event_is_a_line_to_read(tmp_path: Path) -> None:
    data = b'{"note":"\\u001b[2J\\u0007' + b"x" * 200 + b'","strategy":"atomic","net_edge":"0.02"}'
    ArchiveMaker(tmp_path).write([Given(NOON, "signal", data, trace_id="4f1c09aa37d24b8e9d550a6be0c1d2e3")])

    plain = at_a_terminal(tmp_path, NO_COLOR="1")
    assert plain == "11-20 12:00:00.000 signal             4f1c09aa strategy=ato…\r\n"
    coloured = at_a_terminal(tmp_path)
    assert re.sub(r"\x1b\[\d*m", "", coloured) == plain
    assert coloured != plain


def test_no_control_character_of_the_data_reaches_a_terminal() -> None:
    show = TailLine(500, colour=False)
    nasty = {"ts": "2026-11-20T12:00:00\x1b[2JZ", "seq": 1, "event_type": "a\nb\x1b", "trace_id": "\x07\x9b"}
    for line in (
        json.dumps({**nasty, "level": "\x1b[31m", "reason_code": "\r", "data": {"\x1b]0;": "\x00"}}).encode(),
        b'{"not an event":"\x1b[2J\r"}',
        b"\xff\x1b\x9b",
    ):
        assert show(line).decode().isprintable()


def test_what_a_line_says_first_is_what_tells_most() -> None:
    line = {
        "ts": "2026-11-20T12:00:00.123456789Z", "seq": 1, "event_type": "decision", "level": "warning",
        "reason_code": "EDGE", "data": {"zeta": [1, 2], "size": 3, "strategy": "atomic", "book": {}},
    }  # fmt: skip
    shown = TailLine(200, colour=False)(json.dumps(line).encode()).decode()
    said = "11-20 12:00:00.123 decision warning EDGE strategy=atomic size=3 zeta=[2] book={…}"
    assert shown.split() == said.split()
    assert TailLine(200, colour=True)(json.dumps(line).encode()).count(b"\x1b[33m") == 1


def test_an_archive_that_comes_while_it_is_looked_for_is_followed(tmp_path: Path) -> None:
    """Between the look that found nothing and the next: the command starts again, with all there is."""
    asked: list[object] = []

    def look(**given: Any) -> None:
        asked.append(given["lines"])
        if len(asked) == 1:
            ArchiveMaker(tmp_path).signals(1)
            raise ArchiveMissing("no recorded events in this directory")

    given = {"follow": True, "files": None, "format_name": None, "root": tmp_path, "lines": "5"}
    _waiting_for_an_archive(Command(look, look, ()))(**given)
    assert asked == ["5", "all"]


def test_where_something_else_is_missing_that_is_said_after_the_second_look(archive: ArchiveMaker) -> None:
    def look(**_: Any) -> None:
        raise ArchiveMissing("no logs of this kind in this directory")

    given = {"follow": True, "files": None, "format_name": None, "root": archive.root, "lines": None}
    with pytest.raises(ArchiveMissing, match="no logs of this kind"):
        _waiting_for_an_archive(Command(look, look, ()))(**given)
