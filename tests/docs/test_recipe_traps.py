"""What docs/recipes.md says about the tools beside its recipes: what they guess, cut, leave out or refuse."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

from polyrecord.record.bulk import BulkWriter
from polyrecord.testing import shard_files
from polyrecord.times import SECOND, parse_ts

REPO = Path(__file__).resolve().parents[2]
FORMAT = REPO / "polyrecord" / "share" / "lnav" / "polyrecord.json"
FIRST_TS = parse_ts("2026-11-20T23:59:50.123456789Z")
EVENTS = 1_200
TYPES = {"signal": {"strategy": "atomic"}, "latency": {"risk_to_send_ms": 1.5}}
DIGITS = "00000000000000000000000000000012"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two types in two streams over midnight, with trace ids that are all digits."""
    root = tmp_path_factory.mktemp("archive")
    with BulkWriter(root, "import.0123456789abcdef") as bulk:
        for number in range(EVENTS):
            event_type = ("signal", "latency")[number % 2]
            envelope = {"level": "error"} if number == 0 else None
            data = json.dumps(TYPES[event_type], separators=(",", ":")).encode()
            bulk.add(FIRST_TS + number * SECOND // 50, event_type, data, trace_id=DIGITS, envelope=envelope)
    return root


@pytest.fixture(scope="module")
def torn(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A shard without its end, and how many of its lines can still be had."""
    shard = tmp_path_factory.mktemp("torn") / "events.jsonl.gz"
    content = shard_files(archive)[0].read_bytes()
    shard.write_bytes(content[: first_member(content) - 40])
    lines = 0
    try:
        with gzip.open(shard) as file:
            for _ in file:
                lines += 1
    except EOFError:  # as the page says of Python
        return shard, lines
    raise AssertionError("the shard is not torn")


def first_member(shard: bytes) -> int:
    """The length of the first block, from its header."""
    return int.from_bytes(shard[20:24], "little")


def sealed(archive: Path) -> str:
    """The glob of the page."""
    return f"{archive}/*/*/date=*/*.jsonl.gz"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """A program as a reader runs it."""
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def rows(sql: str) -> list[tuple[Any, ...]]:
    """What DuckDB answers."""
    with duckdb.connect() as connection:
        return list(connection.execute(sql).fetchall())


# What is guessed


def test_duckdb_cuts_times_to_microseconds_unless_columns_are_given(archive: Path) -> None:
    query = f"select typeof(ts), epoch_ns(min(ts)) from read_json('{sealed(archive)}'{{}}) group by all"
    assert rows(query.format("")) == [("TIMESTAMP WITH TIME ZONE", FIRST_TS // 1_000 * 1_000)]
    assert rows(query.format(", columns={ts: 'TIMESTAMP_NS'}")) == [("TIMESTAMP_NS", FIRST_TS)]


def test_duckdb_takes_trace_ids_for_uuids_and_fails_at_one_that_is_none(tmp_path: Path) -> None:
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(30_000)]
    lines = [f'{{"trace_id":"{trace_id}"}}\n' for trace_id in [*ids, "order:1"]]
    (tmp_path / "ids.jsonl").write_text("".join(lines))
    assert rows(f"select typeof(trace_id) from read_json('{tmp_path}/ids.jsonl') limit 1") == [("UUID",)]
    with pytest.raises(duckdb.Error, match="order:1"):
        rows(f"select count(distinct trace_id) from read_json('{tmp_path}/ids.jsonl')")


def test_duckdb_fetches_times_as_datetimes_of_six_digits_but_frames_with_nine(archive: Path) -> None:
    times = f"select min(ts) as ts from read_json('{sealed(archive)}', columns={{ts: 'TIMESTAMP_NS'}})"
    [(moment,)] = rows(times)
    assert moment.microsecond == FIRST_TS % SECOND // 1_000
    with duckdb.connect() as connection:
        assert connection.execute(times).df()["ts"].iloc[0].value == FIRST_TS
        assert connection.sql(times).pl()["ts"].to_physical()[0] == FIRST_TS
        assert connection.sql(times).arrow().read_all()["ts"][0].value == FIRST_TS


def test_duckdb_keeps_decimals_but_in_pandas() -> None:
    query = "select 0.1::decimal(38, 18) as net_edge"
    exact = Decimal("0.1")
    with duckdb.connect() as connection:
        assert connection.execute(query).fetchall() == [(exact,)]
        assert connection.sql(query).pl()["net_edge"][0] == exact
        assert connection.sql(query).arrow().read_all()["net_edge"][0].as_py() == exact
        assert connection.sql(query).df()["net_edge"].dtype == "float64"


def test_duckdb_scans_no_file_of_another_day_but_looks_into_them_for_a_sample(
    archive: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(archive, tmp_path / "copy")
    for shard in copy.glob("*/*/date=2026-11-21/*.gz"):
        shard.write_bytes(b"not gzip")
    everything = f"select count(*) from read_json('{sealed(copy)}', columns={{ts: 'VARCHAR'}}"
    for failing in (f"{everything}) where date = '2026-11-20'", f"{everything}, maximum_sample_files=1)"):
        with pytest.raises(duckdb.Error, match="GZIP"):
            rows(failing)
    [(count,)] = rows(f"{everything}, maximum_sample_files=1) where date = '2026-11-20'")
    assert 0 < count < EVENTS


def test_duckdb_needs_to_be_told_of_lines_from_32_mib_on(tmp_path: Path) -> None:
    (tmp_path / "long.jsonl").write_text(json.dumps({"data": "x" * (32 << 20)}) + "\n")
    query = f"select length(data) from read_json('{tmp_path}/long.jsonl', columns={{data: 'VARCHAR'}}"
    with pytest.raises(duckdb.Error, match="maximum_object_size"):
        rows(f"{query})")
    assert rows(f"{query}, maximum_object_size=67108864)") == [(32 << 20,)]


def test_pandas_makes_numbers_of_digits_unless_dtype_is_false(archive: Path) -> None:
    shard = shard_files(archive)[0]
    assert pd.read_json(shard, lines=True)["trace_id"].unique().tolist() == [12]
    assert pd.read_json(shard, lines=True, dtype=False)["trace_id"].unique().tolist() == [DIGITS]


def test_polars_drops_the_fields_of_later_files_unless_a_schema_is_given(archive: Path) -> None:
    for length in (100, None):
        guessed = pl.scan_ndjson(sealed(archive), infer_schema_length=length).collect()
        assert guessed["data"].struct.fields == ["strategy"]
    text = pl.scan_ndjson(sealed(archive), schema={"data": pl.String}).collect()
    assert text["data"].str.contains("risk_to_send_ms").sum() == EVENTS // 2


def test_polars_takes_the_nearest_value_for_a_quantile_unless_told() -> None:
    values = pl.Series([1.0, 2.0])
    assert values.quantile(0.4) == 1.0
    assert values.quantile(0.4, interpolation="linear") == 1.4


def test_jq_rounds_nanoseconds_that_it_reckons_with(require_tool: Callable[[str], str]) -> None:
    done = run(require_tool("jq"), "-n", "1795177696789000001 + 0")
    assert 0 < abs(int(done.stdout) - 1795177696789000001) < 1_000


def test_ripgrep_passes_over_what_gitignore_names(
    archive: Path, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    shutil.copytree(archive, tmp_path / "archive")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("/archive\n")
    search = (require_tool("rg"), "-z", "--no-filename", DIGITS)
    found = [
        subprocess.run([*search, *more, "."], cwd=tmp_path, capture_output=True, text=True, check=False)
        for more in ((), ("--no-ignore",))
    ]
    assert [done.stdout.count("\n") for done in found] == [0, EVENTS]


# Torn files


def test_zcat_gives_all_lines_of_a_torn_file_and_ends_with_1(torn: tuple[Path, int]) -> None:
    done = run("zcat", torn[0])
    assert (done.returncode, done.stdout.count("\n")) == (1, torn[1])


@pytest.mark.parametrize("command", [("zgrep", "-h"), ("rg", "-z")])
def test_searches_give_all_lines_of_a_torn_file_and_end_with_2(
    command: tuple[str, ...], torn: tuple[Path, int], require_tool: Callable[[str], str]
) -> None:
    done = run(require_tool(command[0]), *command[1:], "event_type", torn[0])
    assert done.returncode == 2
    assert done.stdout.count("event_type") - torn[1] in (0, 1)


def test_ripgrep_counts_nothing_in_a_torn_file(
    torn: tuple[Path, int], require_tool: Callable[[str], str]
) -> None:
    assert run(require_tool("rg"), "-z", "-c", "event_type", torn[0]).stdout == ""


def test_duckdb_fails_at_a_torn_file_with_ignore_errors_too(torn: tuple[Path, int]) -> None:
    for more in ("", ", ignore_errors=true"):
        with pytest.raises(duckdb.Error, match="GZIP"):
            rows(f"from read_json('{torn[0]}', columns={{ts: 'VARCHAR'}}{more})")


def test_pandas_and_polars_fail_at_a_torn_file(torn: tuple[Path, int]) -> None:
    with pytest.raises(EOFError):
        pd.read_json(torn[0], lines=True, dtype=False)
    with pytest.raises(OSError, match="end of file"):
        pl.scan_ndjson(torn[0], schema={"ts": pl.String}).collect()


# The format for lnav


@pytest.fixture(scope="module")
def lnav(tmp_path_factory: pytest.TempPathFactory, require_tool: Callable[[str], str]) -> Callable[..., str]:
    """Runs lnav without a terminal, with our format installed in a home of its own."""
    program, home = require_tool("lnav"), tmp_path_factory.mktemp("home")
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "TERM": "dumb", "LC_ALL": "C.UTF-8"}

    def run_lnav(*arguments: str | Path) -> str:
        done = subprocess.run(
            [program, *arguments], env=environment, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    installed = subprocess.run(
        [program, "-i", FORMAT], env=environment, capture_output=True, check=False, stdin=subprocess.DEVNULL
    )
    assert installed.returncode == 0
    return run_lnav


def lnav_rows(output: str) -> list[dict[str, object]]:
    """What `:write-json-to -` printed."""
    found: list[dict[str, object]] = json.loads(output)
    return found


def test_lnav_opens_shards_of_many_blocks_sorted_by_time(archive: Path, lnav: Callable[..., str]) -> None:
    lines = lnav("-n", *shard_files(archive)).splitlines()
    assert len(lines) == EVENTS
    assert lines == sorted(lines, key=lambda line: line.split()[0])
    assert lines[0] == f'2026-11-20T23:59:50.123 signal             {DIGITS} {{"strategy":"atomic"}}'


def test_lnav_knows_the_members_of_a_line(archive: Path, lnav: Callable[..., str]) -> None:
    columns = "log_level, log_opid, seq, event_type, trace_id, level, data, log_raw_text"
    query = ("-c", f";select {columns} from polyrecord_log", "-c", ":write-json-to -")
    found = lnav_rows(lnav("-n", *query, *shard_files(archive)))
    first = next(row for row in found if row["seq"] == 1)
    raw = first.pop("log_raw_text")
    assert first == {
        "log_level": "error", "log_opid": DIGITS, "seq": 1, "event_type": "signal", "trace_id": DIGITS,
        "level": "error", "data": {"strategy": "atomic"},
    }  # fmt: skip
    assert '"ts":"2026-11-20T23:59:50.123456789Z"' in str(raw)
    assert {row["log_level"] for row in found if row["seq"] != 1} == {"info"}


def test_lnav_opens_a_folder_and_a_torn_file(
    archive: Path, torn: tuple[Path, int], lnav: Callable[..., str], tmp_path: Path
) -> None:
    copy = shutil.copytree(archive, tmp_path / "copy")
    sealed_shard = shard_files(copy)[0]
    (sealed_shard.parent / "_open").mkdir()
    sealed_shard.rename(sealed_shard.parent / "_open" / sealed_shard.name)
    count = ";select count(*) as n from polyrecord_log"
    [whole] = lnav_rows(lnav("-n", "-r", copy, "-c", count, "-c", ":write-json-to -"))
    [cut] = lnav_rows(lnav("-n", torn[0], "-c", count, "-c", ":write-json-to -"))
    assert whole == {"n": EVENTS}
    assert int(str(cut["n"])) - torn[1] in (0, 1)


def test_lnav_counts_right_by_an_expression_in_a_large_file(tmp_path: Path, lnav: Callable[..., str]) -> None:
    """By the bare column lnav 0.11 may misread one of the values: 4,999 and a row that says `":"raw_fr`."""
    with BulkWriter(tmp_path, "import.0123456789abcdef") as bulk:
        for number in range(10_000):
            data = b'{"n":%d,"text":"%s"}' % (number, b"x" * (number * 37 % 2_000))
            bulk.add(FIRST_TS + number, ("raw_frame", "trade")[number % 2], data)
    query = ";select jget(log_raw_text, '/event_type') as t, count(*) as n from polyrecord_log group by t"
    found = lnav_rows(lnav("-n", *shard_files(tmp_path), "-c", query, "-c", ":write-json-to -"))
    assert found == [{"t": "raw_frame", "n": 5_000}, {"t": "trade", "n": 5_000}]


def test_the_format_for_lnav_names_every_member_of_the_file_format() -> None:
    page = (REPO / "docs" / "format.md").read_text(encoding="utf-8")
    template = page.split("## 2. Lines")[1].split("```")[1]
    members = {part.split('"')[1] for part in template.split(",") if '":' in part}
    assert set(json.loads(FORMAT.read_text(encoding="utf-8"))["polyrecord_log"]["value"]) == members
