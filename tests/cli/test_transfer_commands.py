"""`cut` and `merge` as they are typed: what they say, what they write, how they end."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from polyrecord.testing import shard_files
from tests.cli.nasty import TRACE
from tests.read.archives import NOON, ArchiveMaker, Given
from tests.transfer.recordings import ONE, TWO, Lost, record

if TYPE_CHECKING:
    from tests.cli.conftest import Run

WINDOW = ("--since", "2026-11-20T23:59:10Z", "--until", "2026-11-21T00:00:40Z")


def loaded(raw: bytes, root: Path) -> Any:
    """An answer without the name of its archive."""
    return json.loads(raw.replace(str(root).encode(), b"ROOT"))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A recording with losses."""
    return record(tmp_path / "source", losses=[Lost(50, "signal", 4)])


@pytest.mark.parametrize(
    "question",
    [
        ("summarize", "--format", "json"),
        ("edge", "--format", "json"),
        ("replay",),
    ],
)
def test_a_cut_answers_as_its_source_does(
    nasty: Path, tmp_path: Path, run: Run, question: tuple[str]
) -> None:
    assert run("cut", "--out", tmp_path / "cut").code == 0
    theirs = run(*question, "--root", nasty)
    ours = run(*question, "--root", tmp_path / "cut")
    assert theirs.stdout
    assert ours.stdout.replace(str(tmp_path / "cut").encode(), b"") == theirs.stdout.replace(
        str(nasty).encode(), b""
    )
    assert ours.code == theirs.code


def test_a_cut_of_one_trace_tells_its_story(nasty: Path, tmp_path: Path, run: Run) -> None:
    run("cut", "--trace", TRACE[:13], "--trace", TRACE, "--out", tmp_path / "cut")
    stories = [
        loaded(run("trace", TRACE, "--format", "json", "--root", root).stdout, root)
        for root in (nasty, tmp_path / "cut")
    ]
    for story in stories:
        story.pop("coverage")  # of whole blocks, of which the cut has fewer lines
    assert stories[0] == stories[1]


def test_what_was_written_is_told(source: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "cut"
    done = run("cut", "--root", source, *WINDOW, "--type", "signal", "--out", out, "--format", "json")
    size = sum(path.stat().st_size for path in shard_files(out))
    shards = len(shard_files(out))
    assert json.loads(done.stdout) == {
        "out": str(out), "events": 19, "ledger": 1, "writers": 1, "shards": shards, "bytes": size,
    }  # fmt: skip
    assert done.stderr == (
        f"{out}: 19 events of 1 writer in {shards} shards, {size:,} bytes\n"
        "note: 1 of them were not asked for: they say what was lost meanwhile\n"
    )
    about = json.loads((out / "logs/_writers" / f"{ONE}.json").read_text())["cut"]
    assert about["selection"]["words"] == ["--type", "signal"]


def test_a_place_that_is_taken_is_a_usage_error(source: Path, run: Run) -> None:
    done = run("cut", "--root", source, "--out", source)
    assert (done.code, done.stdout) == (2, b"")
    assert done.stderr == (
        f"error: directory is not empty\n  where: {source}\n  hint: name one that does not exist yet\n"
    )


def test_an_empty_cut_says_where_to_look(source: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "cut"
    done = run("cut", "--root", source, "--since", "2026-11-22", "--out", out)
    assert (done.code, done.stdout, out.exists()) == (1, b"", False)
    assert "note: no such events in this window; the newest is of 2026-11-21T00:00:59" in done.stderr
    assert f"polyrecord cut --out {out} --root {source} --until" in done.stderr
    done = run("cut", "--root", source, "--trace", "beef", "--out", out)
    assert (done.code, out.exists()) == (1, False)
    assert done.stderr == f"note: no such events in {source}; nothing was written\n"


@pytest.mark.parametrize(
    ("option", "value", "what"),
    [
        ("--stream", "events", "not a stream name: 'events'"),
        ("--context", "-1", "not a context: '-1'"),
        ("--context", "nan", "not a context: 'nan'"),
        ("--trace", "", "trace id is empty"),
        ("--format", "csv", "cut has no format 'csv'"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    source: Path, tmp_path: Path, run: Run, option: str, value: str, what: str
) -> None:
    done = run("cut", "--root", source, "--out", tmp_path / "cut", option, value)
    assert (done.code, (tmp_path / "cut").exists()) == (2, False)
    assert done.stderr.startswith(f"error: {what}\n")


def test_damage_is_told_and_the_rest_is_cut(tmp_path: Path, run: Run) -> None:
    (path,) = ArchiveMaker(tmp_path / "source").signals(200)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 20] = bytes(20)
    path.write_bytes(raw)
    done = run("cut", "--root", tmp_path / "source", "--out", tmp_path / "cut")
    assert done.code == 3
    assert done.stderr.count("warning: ") == 1
    assert run("cut", "--root", tmp_path / "source", "--out", tmp_path / "none", "--strict").code == 3
    assert not (tmp_path / "none").exists()
    assert run("info", "--root", tmp_path / "cut").code == 0


def test_a_bots_log_becomes_an_archive_in_place(recordings: Path, tmp_path: Path, run: Run) -> None:
    log = recordings / "pm_bot_0xcyda" / "late-entry.jsonl"
    done = run("cut", "--file", log, "--type", "orderbook_snapshot", "--out", tmp_path / "cut")
    assert done.code == 0
    written = b"".join(gzip.decompress(path.read_bytes()) for path in shard_files(tmp_path / "cut"))
    theirs = [json.loads(line) for line in log.read_text().splitlines()]
    assert written.count(b"\n") == sum("orderbook_snapshot" in event.values() for event in theirs) == 1393
    assert written == run("replay", "--file", log, "--type", "orderbook_snapshot").stdout


def test_merge_tells_what_it_wrote(source: Path, tmp_path: Path, run: Run) -> None:
    record(tmp_path / "other", 60, TWO)
    out = tmp_path / "out"
    done = run("merge", source, tmp_path / "other", "--out", out, "--format", "json")
    told = json.loads(done.stdout)
    assert (done.code, told["events"], told["writers"]) == (0, 181, 2)
    assert told["copied"] == told["shards"] == len(shard_files(out))
    assert done.stderr.startswith(f"{out}: 181 events of 2 writers in {told['shards']} shards, ")


def test_merge_names_lines_that_differ(tmp_path: Path, run: Run) -> None:
    for name in ("a", "b"):
        ArchiveMaker(tmp_path / name).write([Given(NOON, data=b'{"from":"%b"}' % name.encode())])
    done = run("merge", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out")
    assert done.code == 3
    assert f"warning: {ONE} 1 of data/events: two lines differ; one was kept" in done.stderr
    assert b'"from":"a"' in run("replay", "--root", tmp_path / "out").stdout


def test_merge_refuses_what_is_no_archive(source: Path, tmp_path: Path, run: Run) -> None:
    done = run("merge", source, tmp_path / "none", "--out", tmp_path / "out")
    assert (done.code, (tmp_path / "out").exists()) == (2, False)
    assert done.stderr.startswith("error: no such directory\n")


def test_other_programs_read_what_was_cut_and_merged(
    source: Path, tmp_path: Path, run: Run, require_tool: Callable[[str], str]
) -> None:
    import duckdb

    run("cut", "--root", source, *WINDOW, "--out", tmp_path / "a")
    run("cut", "--root", source, "--since", "2026-11-21", "--out", tmp_path / "b")
    run("merge", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "out")
    lines = run("replay", "--root", tmp_path / "out").stdout.splitlines()
    shards = shard_files(tmp_path / "out")
    zcat = subprocess.run([require_tool("zcat"), *shards], capture_output=True, check=True).stdout
    assert sorted(zcat.splitlines()) == sorted(lines)
    subprocess.run([require_tool("gzip"), "-t", *shards], check=True)
    found = subprocess.run(
        [require_tool("rg"), "-z", "--no-filename", "-c", '"event_type":"signal"', tmp_path / "out"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    signals = sum(b'"event_type":"signal"' in line for line in lines)
    assert sum(map(int, found.split())) == signals > 0
    glob = f"{tmp_path}/out/*/*/date=*/*.jsonl.gz"
    columns = "{data: 'STRUCT(n BIGINT)'}"
    query = f"SELECT count(*), sum(data.n) FROM read_json(?, format='newline_delimited', columns={columns})"
    numbers = [json.loads(line)["data"].get("n") or 0 for line in lines]
    assert duckdb.execute(query, [glob]).fetchone() == (len(lines), sum(numbers))
    assert sum(len(gzip.decompress(path.read_bytes()).splitlines()) for path in shards) == len(lines)
