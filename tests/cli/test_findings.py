"""Damage and what cannot be found: the rest of the data, a message with its place, the right exit code."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.nasty import OTHER, TRACE
from tests.report.archives import NOON, Given, latency, lines, open_again, write

BIG = [latency({"send_ms": float(at)}, NOON + at, TRACE) for at in range(100)]


@pytest.fixture
def shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one shard of the current directory: 100 latency events in several blocks."""
    (path,) = write(tmp_path, BIG)
    monkeypatch.chdir(tmp_path)
    return path.relative_to(tmp_path)


def damage(path: Path) -> int:
    """Break the deflate stream of the second block; where that block begins."""
    content = bytearray(path.read_bytes())
    offset = content.index(b"\x1f\x8b\x08\x04", 10)
    length = int.from_bytes(content[offset + 20 : offset + 24], "little")
    content[offset + length - 20] ^= 0xFF
    path.write_bytes(content)
    return offset


COMMANDS = [["summarize"], ["replay"], ["trace", TRACE]]


@pytest.mark.parametrize("command", COMMANDS)
def test_damage_costs_its_block_is_reported_and_ends_with_3(
    command: list[str], shard: Path, run: Run
) -> None:
    offset = damage(shard)

    done = run(*command)

    (warning,) = done.stderr.splitlines()
    assert warning.startswith(f"warning: {shard} at byte {offset:,}: block is damaged: ")
    assert warning.endswith(" events)")
    assert done.code == 3
    assert done.stdout


def test_the_lines_around_damage_are_all_there(shard: Path, run: Run) -> None:
    whole = run("replay").stdout.splitlines()
    damage(shard)

    rest = run("replay").stdout.splitlines()

    lost = len(whole) - len(rest)
    assert rest == [line for line in whole if line in set(rest)]
    assert f", {lost} events)" in run("replay").stderr
    assert 0 < lost < 20


@pytest.mark.parametrize("command", COMMANDS)
def test_strict_stops_at_damage(command: list[str], shard: Path, run: Run) -> None:
    offset = damage(shard)

    done = run(*command, "--strict")

    assert done.code == 3
    assert done.stderr.startswith("error: block is damaged: ")
    assert f"\n  where: {shard} at byte {offset:,}\n  hint: " in done.stderr


@pytest.mark.parametrize("command", [*COMMANDS, ["info"]])
def test_a_torn_tail_is_told_and_is_no_error(command: list[str], shard: Path, run: Run) -> None:
    path = open_again(shard)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:150])

    done = run(*command)

    assert done.code == 0
    assert (
        done.stderr == "note: the last 150 bytes of files being written are not whole yet and were left out\n"
    )


@pytest.mark.parametrize("command", [*COMMANDS, ["info"]])
def test_a_sealed_shard_that_is_empty_is_damage(command: list[str], shard: Path, run: Run) -> None:
    write(Path(), BIG[:1], "20261120t120000.host.2.bbbb")[0].write_bytes(b"")

    done = run(*command)

    assert done.code == 3
    assert "bbbb-0001.jsonl.gz at byte 0: sealed shard is empty" in done.stderr


def test_a_shard_that_may_not_be_read_is_damage(
    shard: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's refusal is imitated: root, who may run this, may read everything."""

    def refuse(path: Path, flags: int) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr("polyrecord.read.files.os.open", refuse)

    done = run("info")

    assert done.code == 3
    assert f"warning: {shard} at byte 0: shard cannot be read: Permission denied (" in done.stderr


def test_a_directory_in_place_of_a_shard_is_no_shard(shard: Path, run: Run) -> None:
    shard.with_name(shard.name.replace("0001", "0002")).mkdir()

    assert run("summarize").code == 0


def test_a_line_that_is_no_json_is_named_by_file_and_line(tmp_path: Path, run: Run) -> None:
    path = tmp_path / "bot.jsonl"
    path.write_bytes(lines(BIG[:2]) + b"{not json}\n" + lines(BIG[2:]))

    done = run("summarize", "--file", path, "--csv")

    assert done.code == 3
    assert f"warning: {path}:3: not JSON: " in done.stderr
    assert done.stdout.splitlines()[1].startswith(b"send_ms,100,")


def test_bare_nan_and_infinity_cost_their_value_only(tmp_path: Path, run: Run) -> None:
    bad = [
        Given(NOON, "latency", b'{"send_ms":%b,"a_ms":1}' % word)
        for word in (b"NaN", b"Infinity", b"-Infinity")
    ]
    path = tmp_path / "bot.jsonl"
    path.write_bytes(lines([*bad, latency({"send_ms": 2.0})]))

    done = run("summarize", "--file", path, "--csv")

    assert (done.code, done.stdout.splitlines()[1:]) == (
        0, [b"a_ms,3,1,0,1.0,1.0,1.0,1.0,1.0,1.0,1.0,", b"send_ms,1,3,0,2.0,2.0,2.0,2.0,2.0,2.0,2.0,"],
    )  # fmt: skip


@pytest.mark.parametrize("command", [["summarize"], ["replay", "--type", "latency"], ["trace", TRACE]])
def test_a_line_of_ten_megabytes_is_read(command: list[str], tmp_path: Path, run: Run) -> None:
    long = latency({"send_ms": 5.0, "note": "x" * 10_000_000}, NOON, TRACE)
    write(tmp_path, [long, latency({"send_ms": 1.0}, NOON + 1, TRACE)])

    done = run(*command, "--root", tmp_path)

    assert (done.code, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["'; drop table lines; --", '" or ""="', "$(reboot)", "%s{0}", "\x1b[31m"])
def test_a_trace_id_with_quotes_or_sql_is_just_not_found(name: str, nasty: Path, run: Run) -> None:
    done = run("trace", name)

    assert (done.code, done.stdout) == (1, b"")
    assert done.stderr.startswith("error: no trace, order or intent is named ")
    assert "\x1b" not in done.stderr


def test_an_ambiguous_trace_lists_its_candidates_on_stderr(nasty: Path, run: Run) -> None:
    done = run("trace", "4f1c")

    assert (done.code, done.stdout) == (2, b"")
    assert "'4f1c' fits 2 traces" in done.stderr
    assert TRACE in done.stderr
    assert OTHER in done.stderr


def test_a_trace_outside_the_window_is_not_found(nasty: Path, run: Run) -> None:
    done = run("trace", TRACE, "--until", "2020-01-01")

    assert done.code == 1
    assert "wider window" in done.stderr


def test_lost_events_are_in_the_coverage(tmp_path: Path, run: Run) -> None:
    from polyrecord import EventRecorder

    with EventRecorder(tmp_path, buffer_bytes=20_000, flush_interval=60.0) as recorder:
        for at in range(2_000):
            recorder.record("latency", {"send_ms": float(at)})

    coverage = json.loads(run("summarize", "--root", tmp_path, "--format", "json").stdout)["coverage"]

    assert coverage["events"] + coverage["lost"] == 2_000
    assert coverage["unknown"] == 0
    assert coverage["ratio"] == round(coverage["events"] / 2_000, 6)
