"""Programs that know gzip and lines get every event of sealed and of open shards."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.interop.conftest import Shown

Tool = Callable[[str], str]
NEEDLE = "4f1c0100"  # the trace of events 768, 769 and 770


def run(*command: str | Path, place: Path | None = None) -> str:
    """What a command prints; it must succeed and have nothing to complain about."""
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_archive_has_what_the_tests_are_about(archive: Shown) -> None:
    days = {path.parent.name for path in archive.sealed}
    streams = {path.relative_to(archive.root).parts[1] for path in archive.shards}
    members = [path.read_bytes().count(b"\x1f\x8b\x08\x04") for path in archive.sealed]
    assert len(days) >= 3
    assert streams >= {"events", "books", "telemetry"}
    assert max(members) > 5
    assert archive.open


def test_zcat_and_jq_see_every_event(archive: Shown, require_tool: Tool) -> None:
    lines = run(require_tool("zcat"), *archive.shards)
    query = "select(.data.n != null) | .data"
    done = subprocess.run(
        [require_tool("jq"), "-c", query],
        input=lines,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    seen = [json.loads(line) for line in done.stdout.split("\n") if line]
    assert len(seen) == len(archive.expected)
    assert {data["n"]: data for data in seen} == archive.expected


def test_zgrep_finds_a_trace_in_sealed_and_open_shards(archive: Shown, require_tool: Tool) -> None:
    found = run(require_tool("zgrep"), "-h", NEEDLE, *archive.shards)
    assert numbers_of(found) == [768, 769, 770]


def test_rg_finds_a_trace_below_data_and_logs(archive: Shown, require_tool: Tool) -> None:
    found = run(require_tool("rg"), "-z", "--no-filename", NEEDLE, "data", "logs", place=archive.root)
    assert numbers_of(found) == [768, 769, 770]


def test_rg_finds_a_trace_that_was_flushed_a_moment_ago(archive: Shown, require_tool: Tool) -> None:
    last = max(archive.expected)
    needle = f"{last // 3 + 0x4F1C0000:08x}"
    found = run(require_tool("rg"), "-z", "--no-filename", needle, "data", "logs", place=archive.root)
    assert numbers_of(found) == [last - 2, last - 1, last]


@pytest.mark.parametrize("tool", ["gzip", "pigz"])
def test_a_gzip_program_finds_nothing_wrong_with_a_shard(
    archive: Shown, require_tool: Tool, tool: str
) -> None:
    for shard in archive.shards:
        run(require_tool(tool), "-t", shard)


def test_gzip_finds_a_shard_that_was_cut_short(archive: Shown, require_tool: Tool, tmp_path: Path) -> None:
    """The test above can fail."""
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(archive.sealed[0].read_bytes()[:-1])
    assert subprocess.run([require_tool("gzip"), "-t", cut], capture_output=True, check=False).returncode != 0


def test_zcat_prints_every_whole_block_of_a_torn_shard(
    archive: Shown, require_tool: Tool, tmp_path: Path
) -> None:
    """What a crash leaves: the last block is cut in the middle, and zcat says so."""
    whole = gzip.decompress(archive.open[0].read_bytes())
    torn = tmp_path / "torn.jsonl.gz"
    torn.write_bytes(archive.open[0].read_bytes()[:-40])
    done = subprocess.run([require_tool("zcat"), torn], capture_output=True, check=False)
    assert b"unexpected end of file" in done.stderr
    assert whole.startswith(done.stdout)
    assert len(whole) - len(done.stdout) < 20_000


def test_python_gzip_reads_every_line(archive: Shown) -> None:
    seen = {}
    for shard in archive.shards:
        with gzip.open(shard, "rt", encoding="utf-8", newline="\n") as lines:
            events = [json.loads(line) for line in lines]
        assert [event["seq"] for event in events] == sorted({event["seq"] for event in events})
        seen.update({event["data"]["n"]: event["data"] for event in events if "n" in event["data"]})
    assert seen == archive.expected


def numbers_of(lines: str) -> list[int]:
    """The numbers of the events in some lines, in order."""
    return sorted(json.loads(line)["data"]["n"] for line in lines.split("\n") if line)
