"""`polyrecord prune` and `polyrecord runs` as programs: what they print, and with what they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from polyrecord.times import format_ts
from tests.upkeep.shelf import DAY, FIRST, OTHER, RUN, lines, record_days

_MAIN = "import sys; from polyrecord.cli.app import main; sys.exit(main())"


def run(place: Path, *words: str, width: int = 80) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POLYRECORD_")}
    environment = {**kept, "COLUMNS": str(width), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-c", _MAIN, *words],
        cwd=place,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
    )


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with an archive of ten days, and a run more on the first three."""
    record_days(tmp_path / "archive", range(10))
    record_days(tmp_path / "archive", range(3), OTHER)
    return tmp_path


def test_settings_say_what_is_kept_and_options_take_their_place(place: Path) -> None:
    (place / "polyrecord.toml").write_text(
        'root = "archive"\n[retention]\nkeep = ["20261103"]\n[retention."data/books"]\nmax_shards = 4\n'
    )
    done = run(place, "prune", "--format", "json")
    answer = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert {(one["stream"], one["writer"], one["reason"]) for one in answer["shards"]} == {
        ("data/books", RUN, "beyond the newest 4")
    }
    done = run(place, "prune", "--stream", "data/events", "--max-shards", "9", "--format", "json")
    assert [one["path"].split("/")[:2] for one in json.loads(done.stdout)["shards"]] == [["data", "events"]]


def test_an_archive_is_named_relative_to_its_settings(place: Path) -> None:
    (place / "polyrecord.toml").write_text(
        'root = "archive"\n[retention."*"]\nmax_shards = 10\narchive_to = "cold"\n'
    )
    before = lines(place / "archive")
    inside = place / "somewhere"
    inside.mkdir()
    done = run(inside, "prune")
    assert done.returncode == 0, done.stderr
    assert sorted(lines(place / "archive") + lines(place / "cold")) == before
    assert lines(place / "cold")


@pytest.mark.parametrize("width", [80, 200])
def test_the_tables_fit_the_terminal(place: Path, width: int) -> None:
    for words in (("prune", "--max-shards", "3", "--dry-run"), ("runs",)):
        done = run(place, *words, "--root", "archive", width=width)
        assert done.returncode == 0, done.stderr
        assert max(map(len, done.stdout.splitlines())) <= width


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "nothing says how long"),
        (("--max-age", "soon"), 2, "not a length of time"),
        (("--max-bytes", "many"), 2, "not a size"),
        (("--max-age", "1d", "--stream", "../etc"), 2, "not a stream"),
        (("--archive-to", "cold"), 2, "moves what has to go"),
        (("--max-age", "1d"), 1, "its age was not applied"),
        (("--max-shards", "50", "--keep", "nobody\x1b[31m"), 1, "no run is called"),
    ],
)
def test_what_is_wrong_is_said(place: Path, words: tuple[str, ...], code: int, said: str) -> None:
    before = lines(place / "archive")
    done = run(place, "prune", "--root", "archive", *words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert "\x1b" not in done.stderr
    assert lines(place / "archive") == before


def test_runs_are_labelled_and_kept_by_their_label(place: Path) -> None:
    done = run(
        place, "runs", "20261103", "--label", "incident-17", "--note", "stuck order", "--root", "archive"
    )
    assert done.returncode == 0
    assert "[incident-17] stuck order" in done.stdout
    told = json.loads(run(place, "runs", "--root", "archive", "--format", "json").stdout)
    assert [(each["writer"], each["labels"]) for each in told] == [(RUN, []), (OTHER, ["incident-17"])]
    done = run(
        place, "prune", "--root", "archive", "--max-shards", "1", "--keep", "incident-17", "--format", "json"
    )
    assert {one["writer"] for one in json.loads(done.stdout)["shards"]} == {RUN}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--label", "x"), 2), (("2026", "--label", "x"), 2), (("2027",), 1),
        (("20261103", "--label", "a b"), 2), (("--state", "dead"), 2), (("--since", "2027-01-01"), 0),
    ],
)  # fmt: skip
def test_what_runs_refuses(place: Path, words: tuple[str, ...], code: int) -> None:
    done = run(place, "runs", *words, "--root", "archive")
    assert done.returncode == code, done.stderr
    assert not (place / "archive/logs/_runs").exists()


def test_a_manifest_cannot_steer_the_terminal(place: Path) -> None:
    path = place / f"archive/logs/_writers/{RUN}.json"
    evil = {"program": "\x1b]0;x\x07", "metadata": {"\x1b[2J": "\x1b[2J"}, "git": 7}
    path.write_text(json.dumps({**json.loads(path.read_text()), **evil}))
    for words in (("runs",), ("runs", RUN)):
        done = run(place, *words, "--root", "archive", width=200)
        assert "\x1b" not in done.stdout + done.stderr


def test_reports_tell_what_was_pruned(place: Path) -> None:
    run(place, "prune", "--root", "archive", "--stream", "data/books", "--max-shards", "3")
    table = run(place, "info", "--root", "archive").stdout
    assert "coverage 100.00 %: 640 events kept, 0 dropped, 0 unknown; 400 pruned" in table
    told = json.loads(run(place, "info", "--root", "archive", "--format", "json").stdout)
    assert (told["coverage"]["pruned"], told["coverage"]["unknown"]) == (400, 0)
    since = format_ts(FIRST)
    window = ("--since", since, "--until", format_ts(FIRST + DAY // 2))
    told = json.loads(run(place, "summarize", "--root", "archive", *window, "--format", "json").stdout)
    assert told["coverage"]["pruned"] == 0  # of the streams that latencies are in
