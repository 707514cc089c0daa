"""`polyrecord record` as a process: signals, exit codes, what it says where, kill -9, a full disk."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from polyrecord.read.replay import replay
from polyrecord.testing import read_lines, shard_files
from tests.record.archives import assert_accounted, names
from tests.record.test_failing_disk import wait_until

POLYRECORD = [sys.executable, "-c", "import sys; from polyrecord.cli.app import main; sys.exit(main())"]
TRACE = "4f1c09aa-37d2-4b8e-9d55-0a6be0c1d2e3"

Start = Callable[..., subprocess.Popen[bytes]]


def lines_of(count: int, start: int = 0) -> bytes:
    return b"".join(b'{"event_type":"signal","data":{"n":%d}}\n' % n for n in range(start, start + count))


def numbers(root: Path) -> list[int]:
    return [event["data"]["n"] for event in read_lines(root)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def start(root: Path) -> Iterator[Start]:
    """Starts `polyrecord record` with its three streams as pipes, unless told otherwise."""
    started: list[subprocess.Popen[bytes]] = []

    def call(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        command = [*POLYRECORD, "record", "--root", str(root), *arguments]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        started.append(subprocess.Popen(command, **{**pipes, **options}))
        return started[-1]

    yield call
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()


def send(process: subprocess.Popen[bytes], data: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(data)
    process.stdin.flush()


def ended(process: subprocess.Popen[bytes], data: bytes = b"") -> tuple[int, bytes, str]:
    """Exit code, stdout and stderr after the input's end."""
    out, err = process.communicate(data, timeout=30)
    return process.returncode, out, (err or b"").decode()


def test_lines_in_are_events_on_disk(start: Start, root: Path) -> None:
    data = (
        f'{{"event_type":"signal","trace_id":"{TRACE}","data":{{"price":0.10}}}}\r\n'
        '{"event_type":"note","text":"é"}\n'
        '\nlatency\t{"book_ms": 1.50}\n'
    ).encode()
    code, out, err = ended(start("--bot-id", "b1"), data)
    assert (code, out) == (0, b"")
    assert "3 events of 4 lines" in err
    assert "blank lines: 1" in err
    events = sorted(read_lines(root), key=lambda event: event["seq"])
    assert [(event["seq"], event["event_type"], event["data"]) for event in events] == [
        (1, "signal", {"price": 0.1}),
        (2, "note", {"event_type": "note", "text": "é"}),
        (3, "latency", {"book_ms": 1.5}),
    ]
    assert [(event.event_type, event.trace_id, event.bot_id) for event in replay(root)] == [
        ("signal", TRACE, "b1"), ("note", None, "b1"), ("latency", None, "b1"),
    ]  # fmt: skip
    assert all(name.sealed for name in names(root))


def test_bad_lines_are_named_kept_and_end_with_code_1(start: Start, root: Path) -> None:
    code, _, err = ended(start(), b"bad \x1b[31m\n" * 12 + lines_of(2) + b'{"data":1}\n')
    assert code == 1
    assert numbers(root) == [0, 1]
    told = err.splitlines()
    assert told[0] == "line 1: not JSON: unexpected character, expected a JSON value at column 1"
    assert [line.split(":")[0] for line in told[:11]] == [
        *(f"line {number}" for number in range(1, 11)), "further bad lines are counted, not named",
    ]  # fmt: skip
    assert told[11].startswith("2 events of 15 lines in ")
    (path,) = (root / "logs" / "_rejects").iterdir()
    assert told[12] == f"  rejected: not JSON 12, no event_type 1; see {path}"
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert [entry["line"] for entry in kept] == [*range(1, 13), 15]
    assert kept[0]["text"] == "bad \x1b[31m"


def test_values_json_cannot_carry_are_told(start: Start, root: Path) -> None:
    code, _, err = ended(start(), b"x\t[NaN,1e999]\n")
    assert code == 0
    assert "kept as strings: 2 values" in err
    assert [event["data"] for event in read_lines(root)] == [["NaN", "1e999"]]


def test_the_report_is_json_on_stdout(start: Start, root: Path) -> None:
    code, out, err = ended(start("--format", "json"), lines_of(3) + b"bad\n")
    report = json.loads(out)
    assert code == 1
    assert err.startswith("line 4: not JSON")
    assert (report["lines"], report["events"], report["rejected"]) == (4, 3, 1)
    assert (report["reasons"], report["unwritten"], report["error"]) == ({"not JSON": 1}, 0, None)
    assert report["shards"] == [str(path) for path in shard_files(root)]
    assert report["bytes"] < sum(path.stat().st_size for path in shard_files(root))
    assert Path(report["rejects"]).exists()


def test_tee_passes_every_byte_on_and_reports_on_stderr(start: Start, root: Path) -> None:
    data = lines_of(20_000) + b"\xff\r\n\n" + lines_of(1)[:-1]
    code, out, err = ended(start("--tee", "--format", "json"), data)
    assert (code, out) == (1, data)
    assert '"events": 20001' in err
    assert len(numbers(root)) == 20_001


def test_tee_into_a_closed_pipe_is_quiet_and_records_on(start: Start, root: Path) -> None:
    process = start("--tee")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    code, _, err = ended(process, lines_of(20_000))
    assert code == 0
    assert [line for line in err.splitlines() if not line.startswith("20,000 events")] == []
    assert len(numbers(root)) == 20_000


def test_nobody_has_to_listen(start: Start, root: Path) -> None:
    """Bad lines are to be told, but stderr is a pipe that its reader has closed, or is not there at all."""
    process = start("--flush-interval", "0.05")
    assert process.stderr is not None
    process.stderr.close()
    process.stderr = None
    assert ended(process, b"bad\n" * 20 + lines_of(10))[0] == 1
    process = start("--tee", stderr=None, preexec_fn=lambda: os.close(2))
    assert ended(process, b"bad\n" + lines_of(1, 10))[:2] == (1, b"bad\n" + lines_of(1, 10))
    assert sorted(numbers(root)) == list(range(11))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_an_orderly_end(number: signal.Signals, start: Start, root: Path) -> None:
    process = start("--flush-interval", "0.05")
    send(process, lines_of(50))
    wait_until(lambda: len(numbers(root)) == 50)
    send(process, lines_of(50, 50))
    process.send_signal(number)
    code, _, err = ended(process)
    assert code == 0, err
    assert numbers(root) == list(range(100))
    assert all(name.sealed for name in names(root))
    (manifest,) = (root / "logs" / "_writers").iterdir()
    assert json.loads(manifest.read_text())["ended"]


def test_a_signal_that_is_ignored_stays_ignored(start: Start, root: Path) -> None:
    """As under nohup, or for SIGINT in a script's background jobs."""
    process = start(
        "--flush-interval", "0.05", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    send(process, lines_of(1))
    wait_until(lambda: len(numbers(root)) == 1)
    process.send_signal(signal.SIGHUP)
    assert ended(process, lines_of(1, 1))[0] == 0
    assert numbers(root) == [0, 1]


def test_kill_9_loses_nothing_that_is_older_than_the_flush_interval(start: Start, root: Path) -> None:
    process = start("--flush-interval", "0.1")
    send(process, lines_of(1_000))
    wait_until(lambda: len(numbers(root)) == 1_000)
    send(process, lines_of(1_000, 1_000) + b'{"event_type":"sig')
    time.sleep(0.5)
    process.kill()
    process.wait()
    assert numbers(root) == list(range(2_000))
    assert_accounted(root)
    assert [event.data["n"] for event in replay(root)] == list(range(2_000))


def limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_full_disk_holds_the_input_back_and_is_told(start: Start, root: Path) -> None:
    """No file may grow over 20 kB: nothing is dropped; when there is room again, all of it arrives."""
    noise = b"".join(
        b'signal\t{"n":%d,"noise":"%b"}\n' % (n, os.urandom(60).hex().encode()) for n in range(2_000)
    )
    process = start("--flush-interval", "0.05", preexec_fn=lambda: limit(20_000))
    told: list[bytes] = []
    assert process.stderr is not None
    listener = threading.Thread(target=lambda: told.extend(process.stderr or ()))
    listener.start()
    send(process, noise)
    wait_until(lambda: any(b"File too large" in line for line in told))
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_until(lambda: len(read_lines(root)) == 2_000)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(30) == 0
    listener.join()
    text = b"".join(told).decode()
    assert text.startswith("error: cannot write: File too large; trying again, nothing is dropped\n")
    assert "writing works again; nothing was dropped\n" in text
    assert numbers(root) == list(range(2_000))


def test_an_end_with_events_unwritten_is_code_3(start: Start, root: Path) -> None:
    process = start("--flush-interval", "0.05")
    send(process, lines_of(1))
    wait_until(lambda: len(numbers(root)) == 1)
    (root / "data" / "books").write_text("in the way")
    send(process, b"trade\t{}\n" * 3)
    time.sleep(0.3)
    for _ in range(2):  # the second says: do not wait for the disk
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    code, _, err = ended(process)
    assert code == 3
    assert "error: 3 events could not be written: File exists: " in err
    assert "error: 3 events and 0 rejected lines that were read are not on disk" in err
    assert numbers(root) == [0]


def test_input_waits_in_the_pipe_while_the_disk_is_full(start: Start, root: Path) -> None:
    """After its backlog of 16 MiB the process reads no more; the pipe stays full."""
    root.mkdir()
    (root / "data").write_text("in the way")
    process = start()
    assert process.stdin is not None
    descriptor = process.stdin.fileno()
    fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_NONBLOCK)
    piece, sent, refused_since = b"note\t" + b'"%b"\n' % (b"x" * 8_000), 0, time.monotonic()
    deadline = refused_since + 60  # until it reads at all, a refusal says only that it is still starting
    while time.monotonic() < deadline and (sent <= 8 << 20 or time.monotonic() - refused_since < 0.5):
        try:
            sent += os.write(descriptor, piece * 8)
            refused_since = time.monotonic()
        except BlockingIOError:
            time.sleep(0.01)
        assert sent < 64 << 20
    assert sent > 8 << 20


def test_the_terminal_shows_a_counter_that_goes_away(start: Start, root: Path) -> None:
    ours, theirs = pty.openpty()
    process = start(stderr=theirs)
    os.close(theirs)
    send(process, lines_of(10))
    shown = b""
    while b"10 events, " not in shown:
        shown += os.read(ours, 1_000)
    process.communicate(timeout=20)
    while b"events of" not in shown:
        shown += os.read(ours, 1_000)
    os.close(ours)
    assert b"\r\x1b[K10 events of 10 lines" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "csv"], "error: not an output format: 'csv'"),
        (["--flush-interval", "0"], "error: --flush-interval must be above 0"),
        (["--flush-interval", "nan"], "error: --flush-interval must be above 0"),
        (["--stream", "../etc"], "error: not a stream name: '../etc'"),
        (["--index-key", "market"], "error: not a key path: 'market'"),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_made(
    arguments: list[str], message: str, start: Start, root: Path
) -> None:
    code, out, err = ended(start(*arguments))
    assert (code, out) == (2, b"")
    assert err.startswith(message)
    assert not root.exists()


def test_an_archive_that_cannot_be_made_is_told_at_once(start: Start, root: Path) -> None:
    root.write_text("in the way")
    code, _, err = ended(start(), lines_of(1))
    assert code == 3
    assert err.startswith(f"error: cannot make the archive: File exists: {root}")


def test_without_standard_input_the_command_is_wrong(start: Start, root: Path) -> None:
    process = start(stdin=None, preexec_fn=lambda: os.close(0))
    code, _, err = ended(process)
    assert code == 2
    assert err.startswith("error: standard input is closed")
