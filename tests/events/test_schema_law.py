"""What was released stays true: a golden file per version, and the law that compares with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from polyrecord.events.catalogue import CATALOGUE, json_schema, validate
from polyrecord.events.docs import fields_hash
from polyrecord.events.shape import FieldShape, broken_promises, shape

GOLDEN = Path(__file__).parent / "golden"
RELEASED = sorted(GOLDEN.glob("*.json"))

BEFORE = {
    "token_id": FieldShape("text, not empty", required=True, meaning="an id"),
    "price": FieldShape("decimal text", required=True, meaning="a price"),
    "fee": FieldShape("decimal text or null", required=False, meaning="a fee"),
}


def promised(golden: dict[str, Any]) -> dict[str, FieldShape]:
    """The fields as they were released."""
    return {
        path: FieldShape(field["type"], field["required"], "") for path, field in golden["fields"].items()
    }


def test_every_version_of_every_type_has_its_golden_file() -> None:
    wanted = {
        f"{spec.event_type}.v{number}.json"
        for spec in CATALOGUE.values()
        for number in range(1, spec.version + 1)
    }

    assert {path.name for path in RELEASED} == wanted


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.name)
def test_a_released_version_is_kept(path: Path) -> None:
    """A field that was renamed, retyped or removed, or became required, needs a new version."""
    golden = json.loads(path.read_text(encoding="utf-8"))
    spec = CATALOGUE[golden["event_type"]]
    if golden["version"] != spec.version:
        pytest.skip("an earlier version")

    assert spec.stream == golden["stream"]
    assert broken_promises(promised(golden), shape(json_schema(spec.event_type))) == []


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.name)
def test_a_line_of_a_released_version_still_fits(path: Path) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))
    line = json.loads(golden["line"])

    assert line["event_type"] == golden["event_type"]
    validate(line["event_type"], line["data"])


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.name)
def test_a_golden_file_was_not_edited(path: Path) -> None:
    golden = json.loads(path.read_text(encoding="utf-8"))

    assert fields_hash(golden["fields"]) == golden["fields_sha256"]


def test_an_optional_field_may_be_added_and_a_meaning_reworded() -> None:
    after = {
        **BEFORE,
        "price": FieldShape("decimal text", required=True, meaning="price per unit"),
        "venue": FieldShape("text or null", required=False, meaning="a venue"),
        "legs": FieldShape("list of objects or null", required=False, meaning="its legs"),
        "legs[].price": FieldShape("decimal text", required=True, meaning="a price"),
    }

    assert broken_promises(BEFORE, after) == []


def test_a_required_field_may_become_optional() -> None:
    after = {**BEFORE, "price": FieldShape("decimal text", required=False, meaning="")}

    assert broken_promises(BEFORE, after) == []


@pytest.mark.parametrize(
    ("changes", "broken"),
    [
        (
            {"price": None, "limit_price": BEFORE["price"]},
            ["price is gone", "limit_price is new and required"],
        ),
        ({"fee": None}, ["fee is gone"]),
        (
            {"price": FieldShape("number", required=True, meaning="")},
            ["price was decimal text and is number"],
        ),
        ({"fee": FieldShape("decimal text or null", required=True, meaning="")}, ["fee is now required"]),
        ({"venue": FieldShape("text", required=True, meaning="")}, ["venue is new and required"]),
    ],
    ids=["renamed", "removed", "retyped", "now required", "new and required"],
)
def test_what_breaks_a_reader_is_found(changes: dict[str, FieldShape | None], broken: list[str]) -> None:
    after = {path: field for path, field in {**BEFORE, **changes}.items() if field is not None}

    assert broken_promises(BEFORE, after) == broken


def test_nested_fields_are_part_of_the_shape() -> None:
    loss = shape(json_schema("loss"))
    book = shape(json_schema("orderbook_snapshot"))

    assert loss["streams.<name>.first_ordinal"].type == "integer from 1"
    assert book["bids[].price"] == FieldShape(
        "decimal text", required=True, meaning="price per unit, in the quote currency"
    )
    assert book["bids"].type == "list of objects"


def test_a_type_that_is_not_in_the_catalogue_has_no_schema() -> None:
    with pytest.raises(KeyError):
        json_schema("something_else")
