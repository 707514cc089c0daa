"""Files as they should not be, each with what an import says of it, and the same events as in place."""

from __future__ import annotations

import errno
import gzip
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from polyrecord.cli.app import main
from polyrecord.errors import DataError, UsageError
from polyrecord.foreign.formats import Format, choose_format
from polyrecord.importers.run import import_file
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.read.sources import How, open_source
from tests.importers.archives import events, lines_of, run, shards

S = 1_776_550_428
UNITS = b'{"ts":1776550428}\n{"ts":1776550428000}\n{"ts":"2026-04-18T22:13:48Z"}\n{"ts":177}\n'
ZEROS = b"\0" * 300_000
PROGRAM = "import sys; from polyrecord.cli.app import main; sys.exit(main())"


def tick(n: int) -> bytes:
    return b'{"ts":%d,"type":"tick","n":%d}\n' % (S + n, n)


def ticks(*numbers: int) -> bytes:
    return b"".join(map(tick, numbers))


@dataclass(frozen=True)
class Done:
    """What a command did."""

    code: int
    stdout: bytes
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def polyrecord(capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """The command, in this process."""

    def call(*arguments: str | Path) -> Done:
        code = main([str(argument) for argument in arguments])
        output = capsysbinary.readouterr()
        return Done(code, output.out, output.err.decode())

    return call


# name, content, exit code, events, what stderr holds ({path} is the file)
CASES: list[tuple[str, bytes, int, int, str]] = [
    ("plain-named.gz", ticks(0, 1), 0, 2, "2 of 2 lines kept, 0 rejected, 2 events added\n"),
    ("gzip-named.jsonl", gzip.compress(ticks(0, 1)), 0, 2, "2 of 2 lines kept, 0 rejected, 2 events added\n"),
    ("empty.jsonl", b"", 0, 0, "note: {path} is empty\n"),
    ("empty.gz", gzip.compress(b""), 0, 0, "note: {path} is empty\n"),
    ("zeros.jsonl", ZEROS, 0, 0, "note: {path} is empty\n"),
    ("zeros-at-the-end.jsonl", ticks(0, 1) + ZEROS, 0, 2, "2 of 2 lines kept, 0 rejected, 2 events added\n"),
    ("zeros-in-the-middle.jsonl", tick(0) + ZEROS + tick(1), 0, 2, "2 of 2 lines kept, 0 rejected"),
    ("zeros-at-the-start.jsonl", ZEROS + ticks(0, 1), 0, 2, "2 of 2 lines kept, 0 rejected"),
    ("zeros-behind.gz", gzip.compress(ticks(0)) + b"\0" * 5000 + gzip.compress(ticks(1)) + b"\0", 0, 2,
     "2 of 2 lines kept, 0 rejected"),
    ("zeros-in-a-line.jsonl", tick(0) + b'{"ts":1776550428,\0\0"n":1}\n', 1, 1, "{path}:2: not JSON: "),
    ("half-a-character.jsonl", tick(0) + b'{"ts":1776550428,"s":"\xc3"}\n' + tick(1), 1, 2,
     "{path}:2: not JSON: str is not valid UTF-8"),
    ("half-a-line.jsonl", ticks(0, 1) + b'{"ts":17765', 1, 2, "{path}:3: not JSON: unexpected end of data"),
    ("keys-twice.jsonl", b'{"ts":1,"ts":1776550428,"type":"x","type":"tick"}\n', 0, 1, "types: tick 1\n"),
    ("mixed-units.jsonl", UNITS, 1, 3,
     "{path}:4: unusable timestamp: ts: the unit of '177' cannot be told; name it, as in --ts FIELD:ms\n"),
    ("text.log", b"hello\nworld\n", 2, 0,
     "error: not a log of a known format\n  where: {path}\n  hint: name what wrote it: --from polyarb|"),
    ("prose.md", b"One, two\nthree, four\n", 2, 0, "error: not a log of a known format\n  where: {path}\n"),
    ("cut.gz", gzip.compress(ticks(*range(99)))[:-9], 3, 99,
     "not read to its end: damaged: gzip ends inside a"),
    ("garbage-behind.gz", gzip.compress(ticks(0)) + b"garbage", 3, 1,
     "damaged: Error -3 while decompressing"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "code", "count", "says"), CASES, ids=[case[0] for case in CASES])
def test_an_import_says_what_is_wrong_and_keeps_what_reading_in_place_finds(
    name: str, content: bytes, code: int, count: int, says: str, tmp_path: Path, polyrecord: Run
) -> None:
    path, root = tmp_path / name, tmp_path / "archive"
    path.write_bytes(content)

    done = polyrecord("import", path, "--root", root)

    assert (done.code, done.stdout) == (code, b"")
    assert says.format(path=path) in done.stderr
    assert len(lines_of(root)) == count
    if count:
        place = open_source(files=[path], how=How("generic"))
        assert [line.rstrip(b"\n") for line in lines_of(root)] == list(Replay(place, Selection()).lines())


def test_of_damaged_gzip_every_line_before_the_damage_is_kept(tmp_path: Path) -> None:
    packer = zlib.compressobj(wbits=31)
    packed = packer.compress(ticks(*range(1500))) + packer.flush(zlib.Z_FULL_FLUSH)
    (tmp_path / "bot.gz").write_bytes(packed + b"\x07" * 100)  # there is no block of type 3

    report, _ = run(tmp_path / "archive", tmp_path / "bot.gz")

    assert report.damage is not None
    assert "invalid block type" in report.damage
    assert [event["data"]["n"] for event in events(tmp_path / "archive")] == [*range(1500)]


def test_a_file_that_cannot_be_read_costs_only_itself(tmp_path: Path, polyrecord: Run) -> None:
    """As root nothing lacks permission: a file in the place of a folder cannot be gone through either."""
    good, bad, text = tmp_path / "a.jsonl", tmp_path / "a.jsonl" / "b.jsonl", tmp_path / "text.log"
    good.write_bytes(ticks(0))
    text.write_bytes(b"hello\nworld\n")

    done = polyrecord("import", bad, text, good, "--root", tmp_path / "archive", "--format", "json")

    assert done.code == 3
    assert f"error: cannot be read: Not a directory\n  where: {bad}\n" in done.stderr
    reports = json.loads(done.stdout)["files"]
    assert [report.get("error") for report in reports] == [
        "cannot be read: Not a directory", "not a log of a known format", None,
    ]  # fmt: skip
    assert reports[2]["added"] == 1


def test_a_file_without_permission_is_named(
    tmp_path: Path, polyrecord: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so the system's refusal is played."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(ticks(0))
    opened = Path.open

    def refuse(self: Path, *arguments: Any, **more: Any) -> Any:
        if self == path:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return opened(self, *arguments, **more)

    monkeypatch.setattr(Path, "open", refuse)
    done = polyrecord("import", path, "--root", tmp_path / "archive")

    assert done.code == 3
    assert done.stderr == f"error: cannot be read: Permission denied\n  where: {path}\n"


def test_a_directory_without_logs_is_refused_before_anything_is_touched(
    tmp_path: Path, polyrecord: Run
) -> None:
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "notes.log").write_text("hello\n")
    (tmp_path / "a.jsonl").write_bytes(ticks(0))

    done = polyrecord("import", tmp_path / "a.jsonl", tmp_path / "bot", "--root", tmp_path / "archive")

    assert done.code == 2
    assert done.stderr.startswith(
        f"error: no logs of a known format in this directory\n  where: {tmp_path}/bot\n  hint: name "
    )
    assert not (tmp_path / "archive").exists()


def generic(_: bytes) -> Format:
    return choose_format("generic")


def test_a_file_that_vanishes_meanwhile_is_imported_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "bot.log"
    path.write_bytes(ticks(*range(9)))

    def vanish(step: str, done: int, total: int) -> None:
        path.unlink(missing_ok=True)

    report = import_file(tmp_path / "archive", str(path), generic, on_reject=print, on_progress=vanish)

    assert report.added == 9


def test_a_file_that_shrinks_meanwhile_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bot.log"
    path.write_bytes(ticks(*range(9)))

    def shrink(step: str, done: int, total: int) -> None:
        if step == "reading":
            path.write_bytes(tick(0))

    with pytest.raises(DataError, match="changed while it was imported; nothing was kept"):
        import_file(tmp_path / "archive", str(path), generic, on_reject=print, on_progress=shrink)
    assert shards(tmp_path / "archive") == []


BIG = """
import sys
from polyrecord.cli.app import main
code = main(["import", sys.argv[1], "--root", sys.argv[2]])
# The peak of this program alone: ru_maxrss also has that of whoever forked it.
print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
sys.exit(code)
"""


def test_a_gigabyte_on_one_line_is_rejected_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "bot.jsonl"
    with path.open("wb") as file:
        file.write(tick(0) + b'{"ts":1776550429,"text":"')
        file.seek(1 << 30, os.SEEK_CUR)  # a hole: no disk is used
        file.write(b'"}\n' + tick(2))

    done = subprocess.run(
        [sys.executable, "-c", BIG, path, tmp_path / "archive"], capture_output=True, text=True, check=False
    )

    *said, memory = done.stderr.splitlines()
    assert done.returncode == 1
    assert f"{path}:2: line too long: more than 67,108,864 bytes" in said
    assert [event["data"]["n"] for event in events(tmp_path / "archive")] == [0, 2]
    assert int(memory) < 300 << 10, "KiB"


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    path = tmp_path / "bot.jsonl"
    path.write_bytes(ticks(0))
    command = [sys.executable, "-c", PROGRAM, "import"]
    command += [str(path), "--root", str(tmp_path / "archive"), "--format", "json"]
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)

    os.close(writer)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert b"1 events added" in done.stderr


@pytest.mark.parametrize("tail", [b"\0" * 5, b"  ", b'{"ts":177'])
def test_what_comes_after_a_tail_of_zeros_or_spaces_is_not_lost(tail: bytes, tmp_path: Path) -> None:
    """A machine crashed, and the bot went on writing behind the zeros that its file system had left."""
    path, root = tmp_path / "bot.log", tmp_path / "archive"
    path.write_bytes(tick(0) + tail)
    run(root, path)
    path.write_bytes(tick(0) + (tail if tail.strip(b"\0 ") == b"" else b"") + ticks(1, 2))

    report, _ = run(root, path)

    assert (report.added, report.tally.kept, report.tally.rejected) == (2, 3, 0)
    assert sorted(event["data"]["n"] for event in events(root)) == [0, 1, 2]


def test_event_lines_of_ours_are_not_imported(tmp_path: Path, polyrecord: Run) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"ts":"2026-04-18T22:13:48.425000000Z","seq":1,"event_type":"note","data":{}}\n')

    done = polyrecord("import", path, "--root", tmp_path / "archive")

    assert done.code == UsageError.exit_code
    assert done.stderr == (
        f"error: these are event lines of ours already\n  where: {path}\n"
        f"  hint: read them with --file {path}, or bring archives together with `polyrecord merge`\n"
    )
