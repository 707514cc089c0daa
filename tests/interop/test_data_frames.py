"""pandas, Polars, Arrow and DuckDB read a shard, or a glob of them, as it lies there."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import orjson
import pandas as pd
import polars as pl
import pyarrow.json

from polyrecord.times import parse_ts

if TYPE_CHECKING:
    from tests.interop.conftest import Shown

LINE = "ts: 'TIMESTAMP_NS', seq: 'UBIGINT', event_type: 'VARCHAR', trace_id: 'VARCHAR', data: 'JSON'"


def numbered(rows: list[dict[str, Any] | None]) -> dict[int, dict[str, Any]]:
    """The `data` of our events by number, without the recorder's own events and without null columns."""
    kept = [row for row in rows if row and row.get("n") is not None]
    return {int(row["n"]): {key: value for key, value in row.items() if value is not None} for row in kept}


def test_pandas_reads_every_event_of_a_shard(archive: Shown) -> None:
    seen: dict[int, dict[str, Any]] = {}
    for shard in archive.shards:
        seen.update(numbered(pd.read_json(shard, lines=True)["data"].tolist()))
    assert seen == archive.expected


def test_polars_reads_every_event_of_a_shard(archive: Shown) -> None:
    seen: dict[int, dict[str, Any]] = {}
    for shard in archive.shards:
        seen.update(numbered(pl.read_ndjson(shard, infer_schema_length=None)["data"].to_list()))
    assert seen == archive.expected


def test_polars_scans_the_glob_of_a_stream(archive: Shown) -> None:
    frame = pl.scan_ndjson(archive.root / "data/books/date=*/*.jsonl.gz", infer_schema_length=None).collect()
    assert set(numbered(frame["data"].to_list())) == {n for n in sealed_numbers(archive) if n % 4 == 1}


def test_arrow_reads_every_event_of_a_shard(archive: Shown) -> None:
    seen: dict[int, dict[str, Any]] = {}
    for shard in archive.shards:
        seen.update(numbered(pyarrow.json.read_json(shard)["data"].to_pylist()))
    assert seen == archive.expected


def test_duckdb_reads_every_sealed_event_by_one_glob(archive: Shown) -> None:
    rows = query(archive, "select data from read_json({glob}, columns={line})")
    assert numbered([orjson.loads(data) for (data,) in rows]) == {
        number: archive.expected[number] for number in sealed_numbers(archive)
    }


def test_duckdb_guesses_the_columns_and_the_date_from_the_path(archive: Shown) -> None:
    rows = query(archive, "select date, count(*) from read_json({glob}) group by date order by date")
    assert sum(count for _, count in rows) >= len(sealed_numbers(archive))
    assert [str(date) for date, _ in rows][:2] == ["2026-11-18", "2026-11-19"]


def test_duckdb_keeps_nanoseconds_when_told_to(archive: Shown) -> None:
    """The recipe of docs/operations.md; left to guess, DuckDB cuts them to microseconds."""
    told = query(archive, "select epoch_ns(ts) from read_json({glob}, columns={line}) where data->>'n' = '7'")
    guessed = query(archive, "select epoch_ns(ts) from read_json({glob}) where data.n = 7")
    assert told == [(stamp_of(archive, 7),)]
    assert guessed == [(stamp_of(archive, 7) // 1_000 * 1_000,)]


def test_pandas_and_polars_keep_nanoseconds_when_told_to(archive: Shown) -> None:
    shard = archive.sealed[0]
    stamps = pd.read_json(shard, lines=True)["ts"]
    expected = [parse_ts(text) for text in stamps]
    pandas = pd.to_datetime(stamps, format="ISO8601").dt.as_unit("ns").astype("int64")
    polars = pl.read_ndjson(shard).select(pl.col("ts").str.to_datetime(time_unit="ns", time_zone="UTC"))
    assert pandas.tolist() == expected
    assert polars["ts"].to_physical().to_list() == expected
    assert np.unique(np.array(expected) % 1_000).size > 1


def query(archive: Shown, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query over the glob of sealed data shards."""
    text = sql.format(glob=f"'{archive.root}/data/*/date=*/*.jsonl.gz'", line=f"{{{LINE}}}")
    with duckdb.connect() as connection:
        return list(connection.execute(text).fetchall())


def sealed_numbers(archive: Shown) -> set[int]:
    """Events in sealed shards below data/: neither those of the open writer nor those in logs/."""
    return {n for n in archive.expected if n < archive.first_open and n % 4 != 2}


def stamp_of(archive: Shown, number: int) -> int:
    """The time in nanoseconds of an event, read with nothing but the standard library."""
    for shard in archive.sealed:
        for line in gzip.decompress(shard.read_bytes()).splitlines():
            event = orjson.loads(line)
            if event["data"].get("n") == number:
                return parse_ts(event["ts"])
    raise AssertionError(number)


def test_the_open_folder_is_outside_the_glob(archive: Shown) -> None:
    glob = set(Path(archive.root).glob("data/*/date=*/*.jsonl.gz"))
    assert glob.isdisjoint(archive.open)
