"""Names: what the writer makes the reader understands, and nothing else."""

from __future__ import annotations

import datetime
import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import UsageError
from polyrecord.format.layout import (
    ShardName,
    check_stream,
    check_writer,
    manifest_path,
    parse_shard_path,
)

STREAMS = st.from_regex(r"(data|logs)/[a-z][a-z0-9_]{0,31}", fullmatch=True)
WRITERS = st.from_regex(r"[a-z0-9][a-z0-9_.]{0,95}", fullmatch=True)
DATES = st.dates(datetime.date(1970, 1, 1)).map(str)
NAMES = st.builds(ShardName, STREAMS, WRITERS, st.integers(1, 999_999), DATES, st.booleans())

GOOD = "data/events/date=2026-11-20/events-20261120t123456.host.4711.9f3c-0001.jsonl.gz"


@given(NAMES)
def test_a_name_is_read_back_from_its_path(name: ShardName) -> None:
    assert parse_shard_path(name.path) == name
    assert check_stream(name.stream) == name.stream
    assert check_writer(name.writer) == name.writer


@given(NAMES)
def test_sealing_moves_a_shard_out_of_its_open_folder_and_keeps_its_file_name(name: ShardName) -> None:
    sealed = name.as_sealed().path
    assert ("_open" in name.path.parts) is (not name.sealed)
    assert sealed == PurePosixPath(*[part for part in name.path.parts if part != "_open"])


def test_a_path_is_spelled_as_the_specification_says() -> None:
    name = ShardName("data/events", "20261120t123456.host.4711.9f3c", 1, "2026-11-20", sealed=True)
    assert str(name.path) == GOOD
    assert str(ShardName("logs/telemetry", "w", 12_345, "2026-11-20", sealed=False).path) == (
        "logs/telemetry/date=2026-11-20/_open/telemetry-w-12345.jsonl.gz"
    )
    assert str(manifest_path("w")) == "logs/_writers/w.json"


def test_an_event_type_named_like_a_writer_does_not_confuse_the_split() -> None:
    name = ShardName("data/events", "events.0001.jsonl.gz", 7, "2026-11-20", sealed=True)
    assert parse_shard_path(name.path) == name


@pytest.mark.parametrize(
    "path",
    [
        f"/{GOOD}",
        f"../{GOOD}",
        f"x/{GOOD}",
        GOOD.replace("data/", "DATA/"),
        GOOD.replace("data/", "tmp/"),
        GOOD.replace("/events/", "/Events/"),
        GOOD.replace("/events/", "/books/"),
        GOOD.replace("events-", "books-"),
        GOOD.replace("host", "HOST"),
        GOOD.replace("host", "ho-st"),
        GOOD.replace("host", "hôst"),
        GOOD.replace("host", "ho st"),
        GOOD.replace("-0001", "-001"),
        GOOD.replace("-0001", "-0000"),
        GOOD.replace("-0001", "-00001"),
        GOOD.replace("-0001", "-١٢٣٤"),
        GOOD.replace("-0001", ""),
        GOOD.replace(".gz", ""),
        GOOD.replace(".gz", ".zst"),
        GOOD + "\n",
        GOOD + ".open",
        GOOD.replace("date=", ""),
        GOOD.replace("date=", "day="),
        GOOD.replace("2026-11-20", "2026-13-20"),
        GOOD.replace("2026-11-20", "2026-02-30"),
        GOOD.replace("2026-11-20", "20261120"),
        GOOD.replace("2026-11-20/", "2026-11-20/_closed/"),
        GOOD.replace("2026-11-20/", "2026-11-20/_open/_open/"),
        GOOD.replace("2026-11-20/", "2026-11-20/../"),
        GOOD.replace("events-2026", f"events-{'x' * 90}2026"),
        GOOD.replace("/events", "/e" + "x" * 32).replace("events-", "e" + "x" * 32 + "-"),
        "data/events/date=2026-11-20",
        "logs/_writers/w.json",
        "",
    ],
)
def test_other_names_are_not_shards(path: str) -> None:
    assert parse_shard_path(PurePosixPath(path)) is None


@given(st.lists(st.text(max_size=12), max_size=6).map(lambda parts: PurePosixPath(*parts)))
def test_any_path_is_understood_or_refused(path: PurePosixPath) -> None:
    name = parse_shard_path(path)
    assert name is None or name.path == path


@pytest.mark.parametrize(
    "stream",
    ["", "events", "data/", "data/Events", "data/../x", "/data/events", "data/events/", "tmp/x", "data/1x",
     "data/_x", "data/a-b", "data/" + "x" * 33, "data/events\n", "data/é"],
)  # fmt: skip
def test_a_stream_with_another_name_is_refused(stream: str) -> None:
    with pytest.raises(UsageError, match="not a stream name"):
        check_stream(stream)


@pytest.mark.parametrize("writer", ["", "..", ".x", "_x", "a/b", "../x", "A", "a-b", "x" * 97, "x\n", "é"])
def test_a_writer_with_another_name_is_refused(writer: str) -> None:
    with pytest.raises(UsageError, match="not a writer id"):
        check_writer(writer)
    with pytest.raises(UsageError, match="not a writer id"):
        manifest_path(writer)


@given(WRITERS)
def test_no_writer_leads_out_of_the_manifests(writer: str) -> None:
    assert re.fullmatch(r"logs/_writers/[^/]+\.json", str(manifest_path(writer)))
