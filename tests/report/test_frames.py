"""`read(...)`: events in replay order as tables of other libraries, to the last digit."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import UsageError
from polyrecord.read.replay import replay
from polyrecord.report.frames import read
from tests.report import archives
from tests.report.archives import NOON, WRITER, Given, write

OTHER = "20261120t110000.host.2.bbbb"
ODD_NS = NOON + 123_456_789
EXACT = "12345678901234567890.123456789012345678"
"""More digits than a double has: it would become 12345678901234567168."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two writers whose events interleave."""
    mine = [Given(ODD_NS + 2 * at, "fill", {"price": EXACT, "n": at}, f"t{at}") for at in range(50)]
    theirs = [Given(ODD_NS + 2 * at + 1, "fill" if at % 2 else "note", {"n": 1000 + at}) for at in range(50)]
    write(tmp_path, mine, block_bytes=900)
    write(tmp_path, theirs, OTHER, block_bytes=700)
    return tmp_path


def in_order(root: Path, **selected: Any) -> list[tuple[int, int, str]]:
    return [(event.ts_ns, event.seq, event.writer) for event in replay(root, **selected)]


def test_arrow_has_nanoseconds_decimals_and_replay_order(root: Path) -> None:
    table = read(root, types=["fill"]).to_arrow()

    assert table.schema.field("ts").type == pa.timestamp("ns", "UTC")
    assert table.schema.field("price").type == pa.decimal128(38, 18)
    ts = table["ts"].cast(pa.int64()).to_pylist()
    found = list(zip(ts, table["seq"].to_pylist(), table["writer"].to_pylist(), strict=True))
    assert found == in_order(root, types=["fill"])
    assert {WRITER, OTHER} == {writer for _, _, writer in found}
    assert ts[0] == ODD_NS
    assert table["price"][0].as_py() == Decimal(EXACT)


def test_pandas_has_nanoseconds_and_decimal_objects(root: Path) -> None:
    frame = read(root, types=["fill"]).to_pandas()

    assert str(frame["ts"].dtype) == "datetime64[ns, UTC]"
    assert frame["ts"].astype("int64").iloc[0] == ODD_NS
    assert frame["price"].iloc[0] == Decimal(EXACT)
    assert frame["ts_ns"].tolist() == [ts for ts, _, _ in in_order(root, types=["fill"])]


def test_polars_has_nanoseconds_and_decimals(root: Path) -> None:
    frame = read(root, types=["fill"]).to_polars()

    assert frame.schema["ts"] == pl.Datetime("ns", "UTC")
    assert frame.schema["price"] == pl.Decimal(38, 18)
    assert frame["ts"].cast(pl.Int64)[0] == ODD_NS
    assert frame["price"][0] == Decimal(EXACT)
    assert frame["seq"].to_list() == [seq for _, seq, _ in in_order(root, types=["fill"])]


def test_plain_python_has_the_time_twice_and_data_parsed(root: Path) -> None:
    first, second, *rest = read(root).to_pylist()

    assert (first["ts"], first["ts_ns"]) == ("2026-11-20T12:00:00.123456789Z", ODD_NS)
    assert (first["data"], first["trace_id"], first["span_id"]) == ({"price": EXACT, "n": 0}, "t0", None)
    assert (second["event_type"], second["writer"]) == ("note", OTHER)
    assert len(rest) == 98


def test_iterating_gives_the_events_of_replay(root: Path) -> None:
    assert [event.line for event in read(root)] == [event.line for event in replay(root)]


def test_of_several_types_data_is_json_text(root: Path) -> None:
    table = read(root).to_arrow()

    assert table.schema.names == [
        "ts", "ts_ns", "seq", "event_type", "trace_id", "span_id", "parent_span_id", "bot_id", "intent_id",
        "level", "reason_code", "data", "writer",
    ]  # fmt: skip
    assert [json.loads(text) for text in table["data"].to_pylist()] == [e.data for e in replay(root)]


def test_batches_are_no_larger_than_asked_for(root: Path) -> None:
    reader = read(root).to_batches(rows=30)
    sizes = [batch.num_rows for batch in reader]

    assert sum(sizes) == 100
    assert max(sizes) <= 2048  # the engine's own unit
    assert isinstance(reader, pa.RecordBatchReader)


def test_integers_of_pandas_stay_integers_where_some_are_missing(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, "fill", {"venue_ts_ns": ODD_NS}), Given(NOON, "fill", {})])

    frame = read(tmp_path, types=["fill"]).to_pandas()

    assert frame["venue_ts_ns"].tolist() == [ODD_NS, pd.NA]


def test_a_reading_can_be_used_again(root: Path) -> None:
    reading = read(root, types=["note"])
    assert reading.to_arrow().equals(reading.to_arrow())
    assert len(reading.to_pylist()) == len(list(reading)) == 25


@pytest.mark.parametrize(
    "selected",
    [
        {"trace": "t7"}, {"since": ODD_NS + 10, "until": ODD_NS + 20}, {"types": ["note"]},
        {"types": ["fill", "note"]}, {"trace": "none"},
    ],
)  # fmt: skip
def test_the_selection_is_that_of_replay(selected: dict[str, Any], root: Path) -> None:
    table = read(root, **selected).to_arrow()
    expected = in_order(root, **selected)
    assert table["ts_ns"].to_pylist() == [ts for ts, _, _ in expected]
    assert table["writer"].to_pylist() == [writer for _, _, writer in expected]


def test_conditions_hold(root: Path) -> None:
    assert [event["data"]["n"] for event in read(root, where=["n>=1047"]).to_pylist()] == [1047, 1048, 1049]
    assert read(root, types=["note"], where=["n=1004"]).to_arrow()["n"].to_pylist() == [1004]


def test_nothing_selected_is_an_empty_table_with_columns(root: Path) -> None:
    table = read(root, types=["fill"], since="2030-01-01").to_arrow()
    assert (table.num_rows, table.schema.field("price").type) == (0, pa.decimal128(38, 18))


def test_single_files_are_read_in_place_of_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(archives.lines([Given(ODD_NS, "fill", {"price": EXACT})]))
    assert read(files=[path], types=["fill"]).to_arrow()["price"].to_pylist() == [Decimal(EXACT)]


def test_a_wrong_call_is_told_at_once(root: Path) -> None:
    for wrong in ({"types": "fill"}, {"trace": ""}, {"since": 5, "until": 4}, {"where": ["?"]}):
        with pytest.raises(UsageError):
            read(root, **wrong)


def test_a_library_that_is_missing_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "polars", None)
    with pytest.raises(UsageError, match="polars is not installed") as missing:
        read(root).to_polars()
    assert missing.value.hint == "pip install 'polyrecord[notebook]'"


@given(
    st.lists(
        st.decimals(
            min_value=Decimal("-1e19"),
            max_value=Decimal("1e19"),
            allow_nan=False,
            allow_infinity=False,
            places=18,
        ),
        min_size=1,
        max_size=5,
    )
)
def test_every_amount_comes_back_as_it_was(amounts: list[Decimal]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        write(root, [Given(NOON, "fill", {"price": format(amount, "f")}) for amount in amounts])
        assert read(root, types=["fill"]).to_arrow()["price"].to_pylist() == amounts


def test_a_reader_that_is_left_early_ends_in_order(root: Path) -> None:
    reader = read(root).to_batches(rows=10)
    assert reader.read_next_batch().num_rows > 0
    reader.close()
    del reader
    assert read(root).to_arrow().num_rows == 100
