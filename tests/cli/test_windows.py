"""Time, types and what is said when nothing is in the window."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from polyrecord.times import SECOND
from tests.cli.conftest import Run
from tests.cli.nasty import TRACE
from tests.report.archives import NOON, Given, latency, write

EMPTY = ["--since", "2020-01-01", "--until", "2020-01-02"]


def count(run: Run, *arguments: str) -> int:
    stages = json.loads(run("summarize", "--format", "json", *arguments).stdout)["stages"]
    return int(stages[0]["count"]) if stages else 0


@pytest.fixture
def minute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A latency event a second from noon on, for a minute."""
    write(tmp_path, [latency({"send_ms": 1.0}, NOON + at * SECOND) for at in range(60)])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], 60),
        (["--since", "2026-11-20T12:00:10Z"], 50),
        (["--until", "2026-11-20T12:00:10Z"], 10),
        (["--since", "2026-11-20T12:00:10Z", "--until", "2026-11-20T12:00:11Z"], 1),
        (["--since", "2026-11-20T14:00:50+02:00"], 10),
        (["--since", "2026-11-20 12:00:59"], 1),
        (["--since", "2026-11-20", "--until", "2026-11-21"], 60),
        (["--until", "2026-11-20T12:01:00Z", "--window", "10"], 10),
        (["--until", "2026-11-20T12:01:00Z", "--window", "0.5"], 0),
        (["--until", "2026-11-20T12:00:59.000000001Z", "--window", "0.5"], 1),
    ],
)
def test_the_window_is_what_was_asked_for(
    arguments: list[str], expected: int, minute: Path, run: Run
) -> None:
    assert count(run, *arguments) == expected


def test_a_window_without_an_end_ends_now(minute: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: NOON + 30 * SECOND)

    done = run("summarize", "--format", "json", "--window", "20")

    assert json.loads(done.stdout)["window"] == {
        "since": "2026-11-20T12:00:10.000000000Z", "until": "2026-11-20T12:00:30.000000000Z",
    }  # fmt: skip
    assert json.loads(done.stdout)["stages"][0]["count"] == 20


def test_only_blocks_of_the_window_are_decompressed(minute: Path, run: Run) -> None:
    arguments = ["--until", "2026-11-20T12:01:00Z", "--window", "5", "--format", "json"]

    done = run("summarize", *arguments, "--explain")

    told = json.loads(done.stderr)
    assert told["blocks_found"] == told["blocks_read"] + told["skipped_by_time"]
    assert 0 < told["blocks_read"] < told["blocks_found"] / 3
    assert told["damage"] == 0


def test_explain_is_words_beside_a_table(minute: Path, run: Run) -> None:
    done = run("info", "--explain")

    assert done.stderr.startswith("explain: shards found 1, ")
    assert "bytes inflated 0" in done.stderr


@pytest.mark.parametrize(
    ("name", "kind", "newest"),
    [
        ("summarize", "latency events", "2026-11-20T12:00:00.110000000Z"),
        ("edge", "decision events", "2026-11-20T12:00:00.500000003Z"),
        ("replay", "such events", "2026-11-20T12:00:00.901000000Z"),
        ("info", "such events", "2026-11-20T12:00:00.901000000Z"),
    ],
)
def test_an_empty_window_says_when_the_newest_event_was_and_which_command_shows_it(
    name: str, kind: str, newest: str, nasty: Path, run: Run
) -> None:
    done = run(name, *EMPTY)

    note, hint = done.stderr.splitlines()
    assert note == f"note: no {kind} in this window; the newest is of {newest}"
    assert hint.startswith(f"  hint: polyrecord {name} --root . --until ")
    shown = run(*shlex.split(hint.removeprefix("  hint: polyrecord ")))
    assert (done.code, shown.code, shown.stderr) == (0, 0, "")
    assert len(shown.stdout) > len(done.stdout)


def test_the_command_repeats_what_was_asked_and_quotes_it(tmp_path: Path, run: Run) -> None:
    root = tmp_path / "it's here"
    write(root, [Given(NOON, "my type", {"send_ms": 1.0})])

    done = run(
        "summarize", "--root", root, "--type", "my type", "--window", "60", "--until", "2020-01-01", "--csv"
    )

    hint = shlex.split(done.stderr.splitlines()[2].removeprefix("  hint: polyrecord "))
    assert hint == [
        "summarize", "--type", "my type", "--root", str(root), "--until", "2026-11-20T12:00:00.000000001Z",
        "--window", "60", "--format", "csv",
    ]  # fmt: skip
    assert run(*hint).stdout.splitlines()[1].startswith(b"send_ms,1,0,0,1.0")


def test_a_kind_of_event_that_was_never_recorded_is_said_to_be_none(minute: Path, run: Run) -> None:
    done = run("edge", "--format", "json")

    assert (done.code, json.loads(done.stdout)["groups"]) == (0, [])
    assert done.stderr == "note: no decision events in .\n  hint: polyrecord info --root .\n"


def test_types_may_be_given_several_times(nasty: Path, run: Run) -> None:
    lines = run("replay", "--type", "fill", "--type", "signal").stdout.splitlines()

    assert [json.loads(line)["event_type"] for line in lines] == ["signal", "fill"]


def test_replay_of_one_trace_is_its_lines(nasty: Path, run: Run) -> None:
    lines = run("replay", "--trace", TRACE.upper()).stdout.splitlines()

    assert {json.loads(line)["trace_id"] for line in lines} == {TRACE}
    assert len(lines) == 6


def test_the_archive_may_be_named_by_the_environment(
    minute: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    monkeypatch.setenv("POLYRECORD_ROOT", str(minute))

    assert count(run) == 60


def test_a_file_of_lines_is_summarized_without_an_archive(nasty: Path, tmp_path: Path, run: Run) -> None:
    file = tmp_path / "lines.jsonl"
    file.write_bytes(run("replay").stdout)

    shown = run("summarize", "--csv", "--file", file)

    assert shown.stdout == run("summarize", "--csv").stdout
    assert shown.code == 0


def test_an_archive_is_asked_while_it_is_being_written(tmp_path: Path, run: Run) -> None:
    from polyrecord import EventRecorder

    with EventRecorder(tmp_path) as recorder:
        for at in range(10):
            recorder.record_latency(f"{at:08x}" * 4, send_ms=float(at))
        assert recorder.flush().wait().events >= 10

        found = json.loads(run("summarize", "--root", tmp_path, "--format", "json", "--window", "60").stdout)
        traced = run("trace", f"{9:08x}", "--root", tmp_path)
        info = json.loads(run("info", "--root", tmp_path, "--format", "json").stdout)

    assert {row["stage"]: row["count"] for row in found["stages"]}["send_ms"] == 10
    assert found["coverage"]["unclean"] == []
    assert traced.code == 0
    assert [row["sealed"] for row in info["shards"]] == [False]
