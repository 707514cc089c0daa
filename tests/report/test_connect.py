"""`connect`: the same views on a DuckDB connection of one's own."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from polyrecord.errors import ArchiveMissing, UsageError
from polyrecord.report.connect import connect
from tests.report.archives import NOON, Given, read, write


def test_every_type_is_a_view_and_the_connection_is_ones_own(tmp_path: Path) -> None:
    write(tmp_path / "a", [Given(NOON + 1, "fill", {"price": "0.1"}), Given(NOON, "my own", {"n": 1})])

    with connect(tmp_path / "a") as db:
        db.execute("create table mine as select * from fill")
        found = db.execute("select price, epoch_ns(ts) from mine").fetchall()
        assert db.execute('select n from "my own"').fetchall() == [(1,)]
        assert db.execute("select count(*) from signal").fetchall() == [(0,)]
        db.execute(f"copy (select seq from events order by seq) to '{tmp_path}/out.csv'")

    assert found == [(Decimal("0.1"), NOON + 1)]
    assert (tmp_path / "out.csv").read_text() == "seq\n1\n2\n"


def test_what_is_loaded_is_what_is_selected(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON + at, "fill" if at % 2 else "signal", {"n": at}) for at in range(100)])

    with connect(
        tmp_path, types=["fill"], since="2026-11-20T12:00:00.000000010Z", until=NOON + 20, where=["n!=15"]
    ) as db:
        assert db.execute("select list(n order by n) from fill").fetchall() == [([11, 13, 17, 19],)]
        assert db.execute("select count(*) from events").fetchall() == [(4,)]


def test_types_that_differ_in_case_are_views_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, "Fill", {"n": 1}), Given(NOON, "fill", {"n": 2})])

    with connect(tmp_path) as db:
        both = {
            name: db.execute(f"select event_type, n from {name}").fetchall() for name in ("fill", "fill_2")
        }

    assert both == {"fill": [("Fill", 1)], "fill_2": [("fill", 2)]}


def test_single_files_are_read_in_place_of_an_archive(tmp_path: Path) -> None:
    shards = write(tmp_path, [Given(NOON, "fill"), Given(NOON, "latency")])

    with connect(files=[str(shards[0])]) as db:
        ((count,),) = db.execute("select count(*) from events").fetchall()

    assert count == 1


def test_damage_that_was_read_around_is_a_warning(tmp_path: Path) -> None:
    (shard,) = write(tmp_path, [Given(NOON + at, "fill", {"n": at}) for at in range(200)])
    whole = shard.read_bytes()
    expected = len(read(tmp_path))
    shard.write_bytes(whole[:300] + bytes(20) + whole[320:])

    with pytest.warns(UserWarning, match="places? .*damaged"), connect(tmp_path) as db:
        ((count,),) = db.execute("select count(*) from fill").fetchall()

    assert 0 < count < expected


def test_values_that_do_not_fit_are_a_warning(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, "fill", {"price": "0.1234567890123456789"})])

    match = r"1 of fill\.price cannot be had exactly"
    with pytest.warns(UserWarning, match=match) as warned, connect(tmp_path) as db:
        found = db.execute("select price, data ->> '/price' from fill").fetchall()

    assert found == [(None, "0.1234567890123456789")]
    assert [warning.filename for warning in warned] == [__file__]


def test_a_wrong_call_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArchiveMissing):
        connect(tmp_path)
    for wrong in ({"types": "fill"}, {"where": "n=1"}, {"files": "x"}, {"since": "soon"}, {"where": ["?"]}):
        with pytest.raises(UsageError):
            connect(tmp_path, **wrong)


def test_the_counts_are_those_of_gzip_and_json(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON + at, f"type{at % 5}", {"n": at, "deep": {"x": at}}) for at in range(300)])
    expected = sorted((e["seq"], e["event_type"], e["data"]) for e in read(tmp_path))

    with connect(tmp_path) as db:
        found = db.execute("select seq, event_type, data from events order by seq").fetchall()

    assert [(seq, name, json.loads(data)) for seq, name, data in found] == expected
