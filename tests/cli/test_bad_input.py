"""Logs as they should not be, one by one, with what is said of each."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import Done, Run

ZEROS = b"\0" * 4096


def lines(count: int, first: int = 0) -> bytes:
    return b"".join(
        b'{"ts":%d,"type":"tick","n":%d}\n' % (1763640000123 + n * 1000, n)
        for n in range(first, first + count)
    )


def cut(content: bytes, length: int) -> bytes:
    return content[:length]


def flipped(content: bytes) -> bytes:
    half = len(content) // 2
    return content[:half] + bytes([content[half] ^ 0xFF]) + content[half + 1 :]


# name, content, events, exit code, what stderr says after the note of the format ({path} is the file)
CASES: list[tuple[str, bytes, int, int, str]] = [
    ("plain-named.gz", lines(5), 5, 0, ""),
    ("gzip-named.jsonl", gzip.compress(lines(5)), 5, 0, ""),
    ("two-members.gz", gzip.compress(lines(3)) + gzip.compress(lines(2, 3)), 5, 0, ""),
    ("zeros-behind.jsonl", lines(5) + ZEROS, 5, 0, ""),
    ("zeros-between.jsonl", lines(3) + ZEROS + lines(2, 3), 5, 0, ""),
    ("zeros-before.jsonl", ZEROS + lines(5), 5, 0, ""),
    ("zeros-behind.gz", gzip.compress(lines(5)) + ZEROS, 5, 0, ""),
    ("crlf.jsonl", lines(5).replace(b"\n", b"\r\n"), 5, 0, ""),
    ("bom.jsonl", b"\xef\xbb\xbf" + lines(5), 5, 0, ""),
    ("no-end.jsonl", lines(5)[:-1], 5, 0, ""),
    ("blank-lines.jsonl", lines(3) + b"\n  \n" + lines(2, 3), 5, 0, ""),
    ("half-a-character.jsonl", lines(3) + b'{"ts":1763640000123,"type":"t\xc3"}\n' + lines(2, 3), 5, 1,
     "warning: {path}:4: not JSON: str is not valid UTF-8: surrogates not allowed at column 1\n"),
    ("half-a-character-last.jsonl", lines(5) + b'{"ts":1763640000123,"type":"t\xc3', 5, 0,
     "note: the last 30 bytes of files being written are not whole yet and were left out\n"),
    ("half-a-line-last.jsonl", lines(5) + b'{"ts":17636', 5, 0,
     "note: the last 11 bytes of files being written are not whole yet and were left out\n"),
    ("half-a-line-within.jsonl", lines(3) + b'{"ts":17636\n' + lines(2, 3), 5, 1,
     "warning: {path}:4: not JSON: unexpected end of data at column 12\n"),
    ("not-an-object.jsonl", lines(5) + b"[1]\n", 5, 1, "warning: {path}:6: not a JSON object: a list\n"),
    ("no-time.jsonl", lines(5) + b"{}\n", 5, 1,
     "warning: {path}:6: no timestamp: none of ts, timestamp, time, @timestamp, …: name it with --ts\n"),
    ("unit-unknown.jsonl", lines(5) + b'{"ts":12}\n', 5, 1,
     "warning: {path}:6: unusable timestamp: ts: the unit of '12' cannot be told; "),
    ("keys-twice.jsonl", b'{"ts":1763640000123,"type":"a","type":"tick","n":1,"n":2}\n', 1, 0, ""),
    ("units-mixed.jsonl", b"".join(b'{"ts":%b,"type":"tick"}\n' % ts for ts in (
        b"1763640000", b"1763640000123", b"1763640000123456", b"1763640000123456789",
        b'"2025-11-20T12:00:00Z"',
    )), 5, 0, ""),
    ("cut.jsonl.gz", cut(gzip.compress(lines(400)), 400), -1, 0, "note: the last "),
    ("flipped.jsonl.gz", flipped(gzip.compress(lines(400))), -1, 3,
     "warning: {path} at byte 0: plain gzip is damaged"),
]  # fmt: skip


def count(run: Run, path: Path) -> tuple[int, Done, str]:
    """The events in a log, what the command did, and what it said after naming the format."""
    done = run("info", "--file", path, "--by", "event_type", "--format", "json")
    note, _, said = done.stderr.partition("\n")
    assert note == f"note: reading {path} as JSON lines"
    return json.loads(done.stdout)["events"], done, said


@pytest.mark.parametrize(
    ("name", "content", "events", "code", "says"), CASES, ids=[case[0] for case in CASES]
)
def test_what_is_wrong_is_said_and_costs_only_itself(
    name: str, content: bytes, events: int, code: int, says: str, tmp_path: Path, run: Run
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    found, done, said = count(run, path)

    assert done.code == code
    if events >= 0:
        assert (found, said[: len(says.format(path=path)) or None]) == (events, says.format(path=path))
    else:
        assert 0 <= found < 400
        assert says.format(path=path) in said


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("zero.jsonl", b"", "error: file is empty"),
        ("only-zeros.jsonl", ZEROS, "error: not a log of a known format"),
        ("prose.log", b"hello\nworld\n", "error: not a log of a known format"),
        ("binary.gz", os.urandom(500).replace(b"{", b"x"), "error: not a log of a known format"),
    ],
)
def test_what_is_no_log_is_refused(name: str, content: bytes, message: str, tmp_path: Path, run: Run) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    done = run("info", "--file", path)

    assert (done.code, done.stdout) == (2, b"")
    assert done.stderr.startswith(f"{message}\n  where: {path}\n  hint: --from takes polyarb, ")


def test_a_directory_a_missing_file_and_a_pipe_are_told_apart(tmp_path: Path, run: Run) -> None:
    os.mkfifo(tmp_path / "fifo")

    assert run("info", "--file", tmp_path).stderr == (
        f"error: a directory, not a file\n  where: {tmp_path}\n  hint: --root {tmp_path}\n"
    )
    assert run("info", "--file", tmp_path / "no").stderr.startswith(
        f"error: no such file\n  where: {tmp_path}/no\n"
    )
    assert run("info", "--file", tmp_path / "fifo").stderr == (
        f"error: not a regular file\n  where: {tmp_path}/fifo\n  hint: `polyrecord import -` reads a pipe\n"
    )


def test_a_file_without_permission_is_an_error_of_the_data(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bot.jsonl"
    path.write_bytes(lines(5))
    opened = os.open

    def refuse(name: object, *arguments: int, **more: int) -> int:
        if str(name) == str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(name, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refuse)
    done = run("info", "--file", path, "--by", "event_type", "--format", "json")

    assert done.code == 3
    assert f"warning: {path} at byte 0: shard cannot be read: Permission denied" in done.stderr


def test_a_file_that_grows_while_it_is_read_is_read_as_far_as_it_was(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "bot.jsonl"
    path.write_bytes(lines(20_000))
    stop = threading.Event()

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(lines(1, 99_999)[:7])  # in pieces: the end is hardly ever whole

    writer = threading.Thread(target=grow)
    writer.start()
    found, done, _ = count(run, path)
    stop.set()
    writer.join()

    assert done.code in (0, 1)
    assert found >= 20_000


def test_a_file_that_vanishes_while_it_is_read_is_damage(tmp_path: Path) -> None:
    from polyrecord.read.explain import Explain
    from polyrecord.read.replay import Replay
    from polyrecord.read.selection import Selection
    from polyrecord.read.sources import open_source

    path = tmp_path / "bot.jsonl"
    path.write_bytes(lines(100_000))
    explain = Explain()
    events = iter(Replay(open_source(files=[path]), Selection(), explain=explain))
    next(events)
    path.unlink()

    read = 1 + sum(1 for _ in events)

    assert 0 < read < 100_000
    assert [finding.reason for finding in explain.damage] == [
        "shard cannot be read: No such file or directory"
    ]


_BIG = """
import sys
from polyrecord.cli.app import main
code = main(["info", "--file", sys.argv[1], "--by", "event_type", "--format", "json"])
# The peak of this program alone: ru_maxrss also has that of whoever forked it.
print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
sys.exit(code)
"""


def test_a_gigabyte_on_one_line_is_passed_over_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "bot.jsonl"
    with path.open("wb") as file:
        file.write(lines(2) + b'{"x":"')
        file.seek(1 << 30, os.SEEK_CUR)  # a hole: no disk is used
        file.write(b"\n" + lines(3, 2))

    done = subprocess.run([sys.executable, "-c", _BIG, path], capture_output=True, text=True, check=False)

    *said, memory = done.stderr.splitlines()
    assert json.loads(done.stdout)["events"] == 5
    assert done.returncode == 3
    assert "a line of 1,073,741,830 bytes was left out: 67,108,864 are the most" in said[-1]
    assert int(memory) < 400 << 10, "KiB"


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    path = tmp_path / "bot.jsonl"
    path.write_bytes(lines(50_000))
    program = "import sys; from polyrecord.cli.app import main; sys.exit(main())"

    with subprocess.Popen(
        [sys.executable, "-c", program, "replay", "--file", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as reading:
        assert reading.stdout is not None
        assert reading.stderr is not None
        first = reading.stdout.readline()
        reading.stdout.close()
        said = reading.stderr.read().decode()

    assert json.loads(first)["seq"] == 1
    assert said == f"note: reading {path} as JSON lines\n"
    assert reading.returncode == 0
