"""Recorded events as views: typed, exact, and with every name that a file may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest

from polyrecord.errors import UsageError
from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.single import SingleFile
from polyrecord.read.where import parse_condition
from polyrecord.report import tables
from polyrecord.report.session import Session, open_session
from tests.report.archives import NOON, WRITER, Given, read, write

Asked = Callable[[str], list[tuple[Any, ...]]]


@contextmanager
def asking(root: Path, **selected: Any) -> Iterator[Session]:
    with open_session(Archive(root), Selection(**selected), Explain()) as session:
        yield session


def rows(session: Session, query: str) -> list[tuple[Any, ...]]:
    with session.ask(session.statement(query)) as found:
        return list(found)


def asked(root: Path, query: str, **selected: Any) -> list[tuple[Any, ...]]:
    with asking(root, **selected) as session:
        return rows(session, query)


def kinds(root: Path, name: str) -> dict[str, str]:
    with asking(root) as session:
        return dict(session.schema(name))


def test_events_has_the_envelope_typed_and_where_each_line_comes_from(tmp_path: Path) -> None:
    trace = "a1b2c3d4-e5f6-4890-abcd-ef1234567890"
    write(tmp_path, [Given(NOON + 1, "fill", {"price": "0.5"}, trace, "i-7"), Given(NOON + 2, "latency", {})])

    found = asked(tmp_path, "select * exclude (data) from events order by ts")

    empty = (None,) * 4
    assert found == [
        ("2026-11-20T12:00:00.000000001Z", NOON + 1, 1, "fill", trace, None, None, None, "i-7", None, None,
         WRITER, "data/events"),
        ("2026-11-20T12:00:00.000000002Z", NOON + 2, 2, "latency", *empty, None, None, None, WRITER,
         "logs/metrics"),
    ]  # fmt: skip
    columns = kinds(tmp_path, "events")
    assert list(columns)[-3:] == ["data", "writer", "stream"]
    assert [columns[name] for name in ("ts", "ts_ns", "seq", "trace_id", "data")] == [
        "TIMESTAMP_NS", "BIGINT", "UBIGINT", "VARCHAR", "JSON",
    ]  # fmt: skip


def test_counts_are_those_of_gzip_and_json(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON + at, "fill" if at % 3 else "signal", {"n": at}) for at in range(500)])
    expected: dict[str, int] = {}
    for event in read(tmp_path):
        expected[event["event_type"]] = expected.get(event["event_type"], 0) + 1

    assert dict(asked(tmp_path, "select event_type, count(*) from events group by all")) == expected
    assert asked(tmp_path, "select sum(n) from fill") == [(sum(at for at in range(500) if at % 3),)]


def test_amounts_are_exact_decimals_and_sums_of_them(tmp_path: Path) -> None:
    texts = ["0.1", "0.2", "12345678901234567890.123456789012345678", ".48", "-7", "1e-3", "2.5E+7"]
    write(tmp_path, [Given(NOON, "fill", {"price": text}) for text in texts])

    assert kinds(tmp_path, "fill")["price"] == "DECIMAL(38,18)"
    with localcontext(prec=60):
        expected = sum(map(Decimal, texts))
    assert [Decimal(value) for (value,) in asked(tmp_path, "select sum(price) from fill")] == [expected]


@pytest.mark.parametrize(
    "text",
    ["0.1234567890123456789", "123456789012345678901", "abc", "NaN", "", "1e-19", "1.2345678901234567e-05"],
)
def test_an_amount_that_does_not_fit_is_null_counted_and_readable(text: str, tmp_path: Path) -> None:
    """It is never rounded to what would fit."""
    write(tmp_path, [Given(NOON, "fill", {"price": text}), Given(NOON, "fill", {"price": "1"})])

    with asking(tmp_path) as session:
        found = rows(session, "select price, data ->> 'price' from fill order by seq")
        assert session.views.unfit == {"fill.price": 1}

    assert found == [(None, text), ("1", "1")]


def test_an_amount_in_a_level_that_does_not_fit_is_counted(tmp_path: Path) -> None:
    book = {"token_id": "7", "bids": [{"price": "0.1", "size": "x"}], "asks": [{"price": 0.5, "size": "2"}]}
    write(tmp_path, [Given(NOON, "orderbook_snapshot", book)])

    with asking(tmp_path) as session:
        found = rows(session, "select bids[1].price, bids[1].size, asks[1].price + asks[1].size, bids "
                              "from orderbook_snapshot")  # fmt: skip
        assert session.views.unfit == {"orderbook_snapshot.bids": 1}

    assert found == [("0.1", None, "2.5", '[{"price":"0.1","size":null}]')]


def test_an_integer_with_a_fraction_is_not_rounded(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, "fill", {"venue_ts_ns": value}) for value in (5.7, 2**63 - 1, 2**63, "x")])

    with asking(tmp_path) as session:
        assert rows(session, "select venue_ts_ns from fill order by seq") == [
            (None,), (2**63 - 1,), (None,), (None,),
        ]  # fmt: skip
        assert session.views.unfit == {"fill.venue_ts_ns": 3}


def test_types_and_fields_that_the_catalogue_does_not_know_are_found_in_the_data(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = [
        {
            "flag": True,
            "n": 1,
            "x": 1,
            "text": "a",
            "mixed": 1,
            "deep": {"a": [1]},
            "big": 2**70,
            "gone": None,
        },
        {"flag": None, "n": -2, "x": 0.5, "mixed": "b", "deep": None, "big": 1, "late": "c"},
    ]
    write(tmp_path, [Given(NOON + at, "own thing", data) for at, data in enumerate(events)])

    columns = kinds(tmp_path, "own thing")
    assert {name: columns[name] for name in [*events[0], "late"]} == {
        "flag": "BOOLEAN", "n": "BIGINT", "x": "DOUBLE", "text": "VARCHAR", "mixed": "VARCHAR",
        "deep": "JSON", "big": "VARCHAR", "gone": "VARCHAR", "late": "VARCHAR",
    }  # fmt: skip
    query = 'select flag, n, x, text, mixed, deep, big, gone, late from "own thing" order by seq'
    assert asked(tmp_path, query) == [
        (True, 1, 1.0, "a", "1", '{"a":[1]}', str(2**70), None, None),
        (None, -2, 0.5, None, "b", None, "1", None, "c"),
    ]


def test_a_known_type_has_its_columns_before_any_such_event(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, "signal", {"extra": 1, "strategy": "a"})])

    assert asked(tmp_path, "select count(*), sum(price) from fill") == [(0, None)]
    assert "extra" in kinds(tmp_path, "signal")


@pytest.mark.parametrize("data", [[1, 2], "text", 7, None])
def test_data_that_is_no_object_is_there_as_it_is(data: Any, tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, "own", data)])
    (found,) = asked(tmp_path, "select data::varchar from own")
    assert found[0] in {None if data is None else str(data).replace("'", '"'), '"text"', "[1,2]"}


@pytest.mark.parametrize(
    "name", ['a"b', "a'b", "a;b", "a.b", "a b", "数", "x" * 300, "--", "select", "recorded", "main", "lines"]
)  # fmt: skip
def test_a_type_of_any_name_is_a_view(name: str, tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, name, {name: 7, "other": 1})])
    quoted = '"' + name.replace('"', '""') + '"'

    assert asked(tmp_path, f"select {quoted}, event_type from {quoted}") == [(7, name)]


def test_a_view_is_found_in_upper_and_lower_case(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, "fill", {"price": "1"}), Given(NOON, "MyOwn", {"n": 2})])

    assert asked(tmp_path, "select Price from FILL") == [("1",)]
    assert asked(tmp_path, "select n from myown") == [(2,)]


def test_of_types_that_differ_in_case_the_one_spelled_exactly_is_meant(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, "fill", {"n": 1}), Given(NOON, "Fill", {"n": 2})])

    with asking(tmp_path) as session:
        for name, number in [("fill", 1), ('"Fill"', 2), ("fill", 1)]:
            assert rows(session, f"select n from {name}") == [(number,)]


def test_fields_that_differ_in_case_are_columns_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, "own", {"a": 1, "A": 2, "level": 3, "": 4})])

    assert asked(tmp_path, 'select "A", a_2, data_level, data_ from own') == [(2, 1, 3, 4)]


def test_a_type_called_events_does_not_hide_the_view_of_all(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, "events", {"n": 1}), Given(NOON, "fill")])
    assert asked(tmp_path, "select count(*) from events") == [(2,)]


def test_only_what_a_query_names_is_read(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, "fill", {"n": 1}), Given(NOON, "latency", {"n": 1}), Given(NOON, "signal")])
    explain = Explain()

    with open_session(Archive(tmp_path), Selection(), explain) as session:
        assert rows(session, "select 1") == [(1,)]
        assert explain.shards_opened == 0
        assert rows(session, "with a as (from fill) select count(*) from a") == [(1,)]
        assert (explain.shards_opened, session.views.loaded) == (1, 1)
        assert rows(session, "select count(*) from fill join latency using (n)") == [(1,)]
        assert session.views.loaded == 2
        assert rows(session, "select count(*) from query('from events')") == [(3,)]
        assert session.views.loaded == 5


def test_the_selection_holds_for_every_view(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON + at, "fill" if at % 2 else "signal", {"n": at}) for at in range(100)])
    given = {"since_ns": NOON + 10, "until_ns": NOON + 20, "where": (parse_condition("n!=15"),)}

    assert asked(tmp_path, "select list(n order by n) from fill", **given) == [("[11,13,17,19]",)]
    assert asked(tmp_path, "select count(*) from events", **given) == [(9,)]
    assert asked(tmp_path, "select count(*) from events", types=frozenset({"fill"})) == [(50,)]
    assert asked(tmp_path, "select count(*) from signal", since_ns=NOON + 99) == [(0,)]
    with pytest.raises(UsageError, match="signal does not exist"):
        asked(tmp_path, "select count(*) from signal", types=frozenset({"fill"}))


def test_a_view_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, "fill"), Given(NOON, "own")])

    with pytest.raises(UsageError, match="nosuch does not exist") as refused:
        asked(tmp_path, "select * from nosuch")

    assert refused.value.hint == "views: events, fill, own"


def test_lines_are_loaded_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, [Given(NOON + at, "fill", {"n": at}) for at in range(300)])
    monkeypatch.setattr(tables, "_PIECE", 1000)

    assert asked(tmp_path, "select count(*), sum(n), count(distinct seq) from fill") == [(300, 44850, 300)]


def test_a_line_cannot_say_where_it_comes_from(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(
        b'{"ts":"2026-11-20T12:00:00.000000001Z","seq":1,"event_type":"own","data":{},"writer":"forged"}\n'
        b'{"ts":"2300-01-01T00:00:00.000000000Z","seq":2,"event_type":"own","data":{"n":1}}\n'
    )
    with open_session(SingleFile(path), Selection(), Explain()) as session:
        assert rows(session, "select ts, writer from own order by seq") == [
            ("2026-11-20T12:00:00.000000001Z", "file"), (None, "file"),
        ]  # fmt: skip
        assert session.views.unfit == {"events.ts": 1}


def test_show_and_describe_tell_the_views(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON, "own", {"n": 1})])
    names = [name for (name,) in asked(tmp_path, "show tables")]
    assert {"events", "own", "fill"} <= set(names)
    assert "lines" not in names
    assert ("n", "BIGINT") in [row[:2] for row in asked(tmp_path, "describe own")]


def test_the_order_asked_for_is_kept(tmp_path: Path) -> None:
    write(tmp_path, [Given(NOON + at, "own", {"n": at * 7919 % 1000}) for at in range(1000)])
    found = [n for _, n in asked(tmp_path, "select ts, n from own order by n desc")]
    assert found == sorted(found, reverse=True)
