"""A cursor keeps the place over every crash: a file gets each batch once, a pipe the last one again."""

from __future__ import annotations

import os
from pathlib import Path

import orjson
import pytest

from polyrecord.errors import UsageError
from polyrecord.read.tail.cursor import Cursor, cursor_path
from polyrecord.read.tail.deliver import Delivery, Output, Recovered, open_output
from polyrecord.read.tail.feed import Positions

WRITER = "20261120t120000.host.1.aaaa"
LINES = [b'{"n":%d}' % n for n in range(5)]
DATA = b"".join(line + b"\n" for line in LINES)


def at(seq: int) -> Positions:
    return {(WRITER, "data/events"): seq}


def beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


class Killed(BaseException):
    """The process ended here."""


class Mortal(Output):
    """An output whose process is killed after so many bytes."""

    def __init__(self, descriptor: int, bytes_left: int) -> None:
        super().__init__(descriptor)
        self._bytes_left = bytes_left

    def write(self, data: bytes) -> None:
        super().write(data[: self._bytes_left])
        if len(data) > self._bytes_left:
            raise Killed
        self._bytes_left -= len(data)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "cursors" / "a.json"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def appending(path: Path) -> int:
    """As a shell opens it for `>>`: not to be read."""
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def kill_while_delivering(place: Path, out: Path, bytes_left: int) -> None:
    cursor = Cursor(place)
    with pytest.raises(Killed):
        Delivery(Mortal(appending(out), bytes_left), cursor).write(LINES, at(5))
    os.close(cursor._batch)  # a process that is killed saves nothing more


def recover(place: Path, output: Output) -> tuple[Recovered, Positions]:
    cursor = Cursor(place)
    try:
        return Delivery(output, cursor).recover(), cursor.positions
    finally:
        cursor.close()


def test_a_new_cursor_has_no_position_and_the_next_reader_finds_where_it_stopped(
    place: Path, out: Path
) -> None:
    first = Cursor(place)
    assert (first.is_new, first.positions) == (True, {})
    Delivery(open_output(out), first).write(LINES, at(5))
    first.move({(WRITER, "logs/metrics"): 7})
    first.close()
    second = Cursor(place)
    assert not second.is_new
    assert second.positions == {(WRITER, "data/events"): 5, (WRITER, "logs/metrics"): 7}


@pytest.mark.parametrize("written", range(len(DATA)))
def test_killed_after_any_byte_the_file_ends_up_with_each_line_once(
    place: Path, out: Path, written: int
) -> None:
    out.write_bytes(b"before\n")
    kill_while_delivering(place, out, written)
    assert recover(place, Output(appending(out))) == (Recovered(5, 0), at(5))
    assert out.read_bytes() == b"before\n" + DATA


def test_killed_once_more_while_it_recovers(place: Path, out: Path) -> None:
    kill_while_delivering(place, out, 10)
    for bytes_left in (0, 3, 6):
        cursor = Cursor(place)
        with pytest.raises(Killed):
            Delivery(Mortal(appending(out), bytes_left), cursor).recover()
        os.close(cursor._batch)
    assert recover(place, open_output(out)) == (Recovered(5, 0), at(5))
    assert out.read_bytes() == DATA


def test_killed_when_all_was_written_but_not_noted(
    place: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: Cursor) -> None:
        raise Killed

    cursor = Cursor(place)
    with monkeypatch.context() as patch:
        patch.setattr(Cursor, "end", die)
        with pytest.raises(Killed):
            Delivery(open_output(out), cursor).write(LINES, at(5))
    os.close(cursor._batch)
    assert recover(place, open_output(out)) == (Recovered(5, 0), at(5))
    assert out.read_bytes() == DATA


def test_killed_before_the_batch_was_noted_nothing_is_pending(
    place: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: Cursor) -> None:
        raise Killed

    Cursor(place).close()
    cursor = Cursor(place)
    with monkeypatch.context() as patch:
        patch.setattr(Cursor, "save", die)
        with pytest.raises(Killed):
            Delivery(open_output(out), cursor).write(LINES, at(5))
    os.close(cursor._batch)
    assert recover(place, open_output(out)) == (Recovered(), {})


def test_what_others_wrote_behind_a_whole_batch_stays(place: Path, out: Path) -> None:
    kill_while_delivering(place, out, len(DATA) - 1)
    out.write_bytes(DATA + b"theirs\n")
    assert recover(place, open_output(out))[0] == Recovered(5, 0)
    assert out.read_bytes() == DATA + b"theirs\n"


def test_what_others_wrote_into_a_batch_is_never_touched(place: Path, out: Path) -> None:
    kill_while_delivering(place, out, 4)
    with out.open("ab") as file:
        file.write(b"theirs\n")
    assert recover(place, open_output(out))[0] == Recovered(5, 5)
    assert out.read_bytes() == DATA[:4] + b"theirs\n" + DATA


def test_a_file_that_was_replaced_gets_the_batch_again_and_says_so(
    place: Path, out: Path, tmp_path: Path
) -> None:
    kill_while_delivering(place, out, 4)
    other = tmp_path / "other.jsonl"
    assert recover(place, open_output(other))[0] == Recovered(5, 5)
    assert (out.read_bytes(), other.read_bytes()) == (DATA[:4], DATA)


def test_a_file_that_was_cut_gets_the_batch_again(place: Path, out: Path) -> None:
    out.write_bytes(b"before\n")
    kill_while_delivering(place, out, 4)
    os.truncate(out, 0)
    assert recover(place, open_output(out))[0] == Recovered(5, 5)
    assert out.read_bytes() == DATA


def test_a_pipe_gets_the_batch_again_and_it_is_said(place: Path) -> None:
    reading, writing = os.pipe()
    cursor = Cursor(place)
    with pytest.raises(Killed):
        Delivery(Mortal(writing, 4), cursor).write(LINES, at(5))
    os.close(cursor._batch)
    assert recover(place, Output(writing)) == (Recovered(5, 5), at(5))
    assert os.read(reading, 1000) == DATA[:4] + DATA


def test_a_batch_that_the_machine_lost_is_read_from_the_archive_again(place: Path, out: Path) -> None:
    kill_while_delivering(place, out, 4)
    beside(place, ".batch").write_bytes(b"\0" * len(DATA))
    assert recover(place, open_output(out)) == (Recovered(5, 5), {})


def test_two_readers_of_one_cursor_are_refused(place: Path) -> None:
    first = Cursor(place)
    with pytest.raises(UsageError, match="another reader has this cursor"):
        Cursor(place)
    first.close()
    Cursor(place).close()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"format":2,"positions":{}}',
        b'{"format":1,"positions":{"a":{"b":"c"}}}',
        b'{"format":1,"positions":{"a":{"b":-1}}}',
        b"\xff",
    ],
)
def test_a_damaged_cursor_file_is_an_error_that_says_how_to_begin_anew(place: Path, content: bytes) -> None:
    place.parent.mkdir()
    place.write_bytes(content)
    with pytest.raises(UsageError, match="cursor file is damaged") as told:
        Cursor(place)
    assert "remove it" in str(told.value.hint)
    place.unlink()
    Cursor(place).close()  # and nothing is left locked


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/b", "-a", "a b", "a.json", "ä", "x" * 65, "a\n"])
def test_a_name_is_no_path(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a name for a cursor"):
        cursor_path(tmp_path, name)


def test_a_cursor_lies_beside_the_manifests(tmp_path: Path) -> None:
    assert cursor_path(tmp_path, "shipper-2") == tmp_path / "logs/_cursors/shipper-2.json"


@pytest.fixture
def no_folder(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"")
    return tmp_path / "file" / "a.json"


def test_where_a_cursor_cannot_be_kept_another_place_is_suggested(no_folder: Path) -> None:
    with pytest.raises(UsageError, match="cannot be kept") as told:
        Cursor(no_folder)
    assert "--cursor-file" in str(told.value.hint)


def test_a_link_is_not_written_through(place: Path, tmp_path: Path) -> None:
    place.parent.mkdir()
    victim = tmp_path / "victim"
    victim.write_bytes(b"theirs")
    beside(place, ".batch").symlink_to(victim)
    with pytest.raises(UsageError, match="cannot be kept"):
        Cursor(place)
    beside(place, ".batch").unlink()
    beside(place, ".tmp").symlink_to(victim)
    with pytest.raises(UsageError, match="cannot be kept"):
        Cursor(place).save()
    assert victim.read_bytes() == b"theirs"


def test_an_output_has_to_be_a_regular_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        open_output(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(UsageError, match="not a regular file"):
        open_output(tmp_path / "pipe")
    os.close(reading)


def test_cursors_whose_names_differ_in_the_ending_only_are_two(tmp_path: Path) -> None:
    first = Cursor(tmp_path / "a.1")
    second = Cursor(tmp_path / "a.2")
    first.close()
    second.close()


def test_a_batch_that_claims_to_be_huge_costs_no_memory(place: Path, out: Path) -> None:
    kill_while_delivering(place, out, 4)
    state = orjson.loads(place.read_bytes())
    state["pending"]["length"] = 1 << 60
    place.write_bytes(orjson.dumps(state))
    recover(place, open_output(out))
    assert out.read_bytes() == DATA


def test_the_file_holds_what_it_says(place: Path, out: Path) -> None:
    kill_while_delivering(place, out, 4)
    state = orjson.loads(place.read_bytes())
    assert state["positions"] == {}
    assert state["pending"]["lines"] == 5
    assert state["pending"]["moved"] == {WRITER: {"data/events": 5}}
    assert state["pending"]["place"]["offset"] == 0
    assert beside(place, ".batch").read_bytes() == DATA
