"""Names from files in SQL: whatever they are, they name one thing and do nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.report.columns import MOST_FIELDS, Levels, columns_of, kind_of
from polyrecord.report.quoting import can_be_named, distinct_names, identifier, literal, literals, pointer

ODD = [
    'quo"te',
    "apo'strophe", "semi;colon", "dot.ted", "sla/sh", "til~de", "~1", "~0/", "back\\slash", "$", "*",
    "0", "-", "#", "a b", "", " ", "--", "/*", "drop table x", '"; drop table recorded.lines; --', "ünïcödé",
    "数量", "\u2028", "\x1b[31m", "x" * 300, "[0]", "$.a", "select", "{}", "%s", "$name", "?", "\n", "\t",
]  # fmt: skip


@pytest.fixture(scope="module")
def db() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def one(db: duckdb.DuckDBPyConnection, query: str, **values: object) -> Any:
    return db.execute(query, values or None).fetchall()[0][0]


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_is_found_in_json_and_names_a_column(name: str, db: duckdb.DuckDBPyConnection) -> None:
    data = json.dumps({"other": 1, name: "yes", name + "x": 2})
    column = identifier(name or "empty")

    found = db.execute(
        f"select {column}, {literal(name)} "
        f"from (select $data::json ->> {literal(pointer(name))} as {column})",
        {"data": data},
    )

    assert found.description is not None
    assert found.description[0][0] == (name or "empty")
    assert found.fetchall() == [("yes", name)]


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_is_a_literal_and_a_place_in_json(text: str) -> None:
    with duckdb.connect() as db:
        assert one(db, f"select {literal(text)}") == text
        assert one(db, f"select {literals([text, text])}") == [text, text]
        data = json.dumps({text: {text: 7}})
        assert one(db, f"select $data::json ->> {literal(pointer(text, text))}", data=data) == "7"
        if can_be_named(text):
            assert one(db, f"select {identifier(text)} from (select 8 as {identifier(text)})") == 8


@pytest.mark.parametrize("name", ["", "\0", "a\0b"])
def test_what_sql_cannot_name_is_refused(name: str) -> None:
    assert not can_be_named(name)
    with pytest.raises(ValueError, match="no name"):
        identifier(name)


def test_a_literal_has_no_nul() -> None:
    with pytest.raises(ValueError, match="NUL"):
        literal("a\0b")


def test_names_that_differ_in_case_only_get_numbers() -> None:
    assert distinct_names(["price", "Price", "PRICE", "a"], ["A"]) == ["price", "Price_2", "PRICE_3", "a_2"]


@given(st.lists(st.sampled_from(["a", "A", "a_2", "A_2", "b"])))
def test_distinct_names_are_distinct_whatever_their_case(names: list[str]) -> None:
    given_names = distinct_names(names)
    assert len({name.lower() for name in given_names}) == len(names)


def test_a_field_named_as_an_envelope_column_gets_a_name_of_its_own() -> None:
    names = ["ts", "TS", "data", "writer", "level", "data_level", "", "price"]

    columns = columns_of("own", {name: frozenset({"VARCHAR"}) for name in names})

    assert {column.field: column.name for column in columns} == {
        "": "data_", "TS": "data_TS", "ts": "data_ts_2", "data": "data_data", "data_level": "data_level",
        "level": "data_level_2", "price": "price", "writer": "data_writer",
    }  # fmt: skip


def test_a_type_has_so_many_columns_at_most_and_the_rest_in_data() -> None:
    found = {f"f{number:04}": frozenset({"BOOLEAN"}) for number in range(MOST_FIELDS + 10)}
    assert len(columns_of("own", found)) == MOST_FIELDS


def test_a_field_with_a_nul_in_its_name_is_no_column() -> None:
    assert columns_of("own", {"a\0b": frozenset({"BOOLEAN"})}) == []


@pytest.mark.parametrize(
    ("types", "kind"),
    [
        ({"BOOLEAN"}, "BOOLEAN"), ({"BOOLEAN", "NULL"}, "BOOLEAN"), ({"UBIGINT"}, "BIGINT"),
        ({"UBIGINT", "BIGINT", "NULL"}, "BIGINT"), ({"UBIGINT", "DOUBLE"}, "DOUBLE"),
        ({"VARCHAR"}, "VARCHAR"),
        ({"VARCHAR", "DOUBLE"}, "VARCHAR"), ({"BOOLEAN", "BIGINT"}, "VARCHAR"), ({"BIG"}, "VARCHAR"),
        ({"BIG", "UBIGINT"}, "VARCHAR"), ({"NULL"}, "VARCHAR"), (set(), "VARCHAR"), ({"ARRAY"}, "JSON"),
        ({"OBJECT", "VARCHAR"}, "JSON"),
    ],
)  # fmt: skip
def test_a_column_holds_all_that_occurs(types: set[str], kind: str) -> None:
    assert kind_of(frozenset(types)) == kind


def test_the_catalogue_says_what_its_fields_are() -> None:
    kinds = {column.name: column.kind for column in columns_of("orderbook_delta", {})}
    gap = {column.name: column.kind for column in columns_of("gap", {})}

    assert kinds["token_id"] == "VARCHAR"
    assert kinds["changes"] == Levels((("side", "VARCHAR"), ("price", "DECIMAL"), ("size", "DECIMAL")))
    assert (gap["missing"], gap["silent_ms"], gap["since_ts"]) == ("BIGINT", "DOUBLE", "TIMESTAMP_NS")
    assert {c.name: c.kind for c in columns_of("loss", {})}["streams"] == "JSON"
