"""Typed tables: what the index beside a shard says of them is believed only where all of it holds."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.derived.place import Derivable, derivable
from polyrecord.derived.tables import Made, Table, decode, encode, has_table, is_as_made, read_made, tables_of
from polyrecord.read.archive import Archive
from tests.report.archives import latency, write

stages = st.dictionaries(st.text(max_size=8), st.none() | st.tuples(st.text(max_size=8), st.just("DOUBLE")))
counts = st.integers(0, 2**40)
tables = st.builds(Table, counts, counts, st.integers(0, 2**32 - 1), stages)
made = st.builds(
    Made, st.dictionaries(st.text(max_size=8), st.none() | tables), st.none() | st.text(max_size=20)
)


@given(made)
def test_an_index_says_what_was_written(what: Made) -> None:
    assert decode(encode(what)) == what


@given(made, st.data())
def test_an_index_that_was_changed_says_nothing_or_the_same(what: Made, data: st.DataObject) -> None:
    written = bytearray(encode(what))
    at = data.draw(st.integers(0, len(written) - 1))
    written[at] ^= data.draw(st.integers(1, 255))

    assert decode(bytes(written)) in (None, what)


@given(made, st.data())
def test_an_index_that_was_cut_says_nothing(what: Made, data: st.DataObject) -> None:
    written = encode(what)
    end = data.draw(st.integers(0, len(written) - 2))  # the last byte is a line feed

    assert decode(written[:end]) is None


def test_an_index_of_another_version_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyrecord.derived.tables.VERSION", 2)
    other = encode(Made({}))
    monkeypatch.undo()

    assert decode(other) is None


@pytest.mark.parametrize("name", ["histograms", "Order Filled", "../x", "a.b", "", "x" * 65, "é"])
def test_a_type_that_could_not_be_the_name_of_its_file_has_no_table(name: str) -> None:
    assert not has_table(name)


@given(st.binary(min_size=1, max_size=3000), st.data())
def test_a_file_is_as_made_only_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("table") / "x.parquet"
    path.write_bytes(content)
    table = Table(1, len(content), zlib.crc32(content))
    assert is_as_made(path, table)

    changed = bytearray(content)
    changed[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    for other in (bytes(changed), content[:-1], b"", content + b"x"):
        path.write_bytes(other)
        assert not is_as_made(path, table)


def test_what_is_no_regular_file_is_not_as_made(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"abc")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    table = Table(1, 3, zlib.crc32(b"abc"))

    assert is_as_made(tmp_path / "real", table)
    assert not any(is_as_made(tmp_path / name, table) for name in ("link", "missing", "."))


def shard_in(root: Path) -> Derivable:
    write(root, [latency({"a_ms": 1.0})])
    (info,) = Archive(root).shards()
    shard = derivable(info)
    assert shard is not None
    return shard


def put(shard: Derivable, what: Made) -> None:
    shard.folder.mkdir(exist_ok=True)
    shard.index.write_bytes(encode(what))


def test_tables_are_given_where_all_that_are_asked_for_are_there(tmp_path: Path) -> None:
    shard, table = shard_in(tmp_path), Table(1, 1, 1)
    put(shard, Made({"latency": table, "Odd Type": None}))

    assert tables_of(shard, {"latency"}) == {"latency": (shard.path("latency"), table)}
    assert tables_of(shard, {"fill"}) == {}
    assert tables_of(shard, {"Odd Type"}) is None
    assert tables_of(shard, ()) is None


def test_a_shard_without_an_index_or_with_a_reason_has_no_tables(tmp_path: Path) -> None:
    shard = shard_in(tmp_path)
    assert tables_of(shard, ()) is None

    put(shard, Made({}, "it is damaged"))

    assert tables_of(shard, ()) is None


def test_no_link_is_followed_to_an_index(tmp_path: Path) -> None:
    shard = shard_in(tmp_path)
    put(shard, Made({}))
    assert read_made(shard) == Made({})

    shard.folder.rename(tmp_path / "elsewhere")
    shard.folder.symlink_to(tmp_path / "elsewhere")

    assert read_made(shard) is None
