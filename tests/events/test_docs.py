"""The generated documents are those in the checkout, and other programs can rely on the schemas."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import InvalidEvent
from polyrecord.events.catalogue import CATALOGUE, json_schema, validate
from polyrecord.events.docs import events_page, example_line, generated
from polyrecord.times import parse_ts

REPO = Path(__file__).parents[2]
TYPES = sorted(CATALOGUE)
WRONG = [None, True, "", "x", "1.5", "-1.5", "BUY", "back", -1, 0, 7, 2.5, [], ["x"], {}, {"price": "1"}]
PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "array": (list,), "object": (dict,),
    "null": (type(None),),
}  # fmt: skip


@pytest.mark.parametrize("place", sorted(generated()), ids=str)
def test_a_generated_file_is_the_one_in_the_checkout(place: PurePosixPath) -> None:
    """Otherwise run scripts/docs."""
    assert (REPO / place).read_bytes() == generated()[place].encode()


def test_every_schema_in_the_checkout_is_of_a_known_version() -> None:
    for path in (REPO / "docs" / "schemas").iterdir():
        name, version = path.name.removesuffix(".json").rsplit(".v", 1)

        assert 1 <= int(version) <= CATALOGUE[name].version


@pytest.mark.parametrize("event_type", TYPES)
def test_the_page_has_a_section_for_the_type(event_type: str) -> None:
    section = re.search(rf"^## {event_type}\n\n(.*?)(?=^## |\Z)", events_page(), re.DOTALL | re.MULTILINE)

    assert section is not None
    assert section[1].startswith(f"Version 1, stream `{CATALOGUE[event_type].stream}`. ")
    for name, field in CATALOGUE[event_type].model.model_fields.items():
        required = "yes" if field.is_required() else "no"
        assert re.search(rf"^\| `{name}` \| .* \| {required} \|$", section[1], re.MULTILINE), name


def test_every_example_on_the_page_is_a_line_that_fits() -> None:
    lines = re.findall(r"^```json\n(.*)\n```$", events_page(), re.MULTILINE)
    events = [json.loads(line) for line in lines]

    assert [event["event_type"] for event in events] == list(CATALOGUE)
    for event in events:
        assert list(event)[:3] == ["ts", "seq", "event_type"]
        assert list(event)[-1] == "data"
        parse_ts(event["ts"])
        validate(event["event_type"], event["data"])


def test_market_and_ledger_events_belong_to_no_trace() -> None:
    traced = {name for name, spec in CATALOGUE.items() if '"trace_id"' in example_line(spec)}

    assert traced.isdisjoint({"orderbook_snapshot", "orderbook_delta", "trade", "raw_frame", "loss", "gap"})
    assert traced >= {"event_received", "signal", "order_request", "fill", "decision", "latency"}


@given(st.data(), st.sampled_from(TYPES))
def test_a_schema_accepts_what_the_catalogue_accepts(data: st.DataObject, event_type: str) -> None:
    """The schema is read by a small evaluator of our own here: no pydantic on that side."""
    event = copy.deepcopy(dict(CATALOGUE[event_type].example))
    holder, key = data.draw(st.sampled_from(list(places(event))))
    if data.draw(st.booleans()):
        del holder[key]
    else:
        holder[key] = data.draw(st.sampled_from(WRONG))
    try:
        validate(event_type, event)
        accepted = True
    except InvalidEvent:
        accepted = False
    schema = json_schema(event_type)

    assert fits(event, schema, schema) == accepted


@pytest.mark.parametrize("event_type", TYPES)
def test_a_schema_accepts_its_example(event_type: str) -> None:
    schema = json_schema(event_type)

    assert fits(schema["examples"][0], schema, schema)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place inside a JSON value: the container and the key or index in it."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from places(inner)


def fits(value: Any, schema: Any, whole: Any) -> bool:
    """Whether a JSON value fits a schema, as far as our schemas use draft 2020-12."""
    if isinstance(schema, bool):
        return schema
    if "$ref" in schema:
        return fits(value, whole["$defs"][schema["$ref"].rpartition("/")[2]], whole)
    if "not" in schema and fits(value, schema["not"], whole):
        return False
    if "anyOf" in schema and not any(fits(value, kind, whole) for kind in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(fits(value, kind, whole) for kind in schema["oneOf"]) != 1:
        return False
    return (
        is_of_type(value, schema.get("type")) and keeps_bounds(value, schema) and holds(value, schema, whole)
    )


def is_of_type(value: Any, names: Any) -> bool:
    if names is None:
        return True
    wanted = tuple(
        kind for name in ([names] if isinstance(names, str) else names) for kind in PYTHON_TYPES[name]
    )
    return isinstance(value, wanted) and not isinstance(value, bool)


def keeps_bounds(value: Any, schema: Any) -> bool:
    if "enum" in schema and value not in schema["enum"]:
        return False
    if isinstance(value, str):
        return (
            len(value) >= schema.get("minLength", 0)
            and re.search(schema.get("pattern", ""), value) is not None
        )
    if isinstance(value, int | float):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def holds(value: Any, schema: Any, whole: Any) -> bool:
    if isinstance(value, list):
        return all(fits(item, schema.get("items", True), whole) for item in value)
    if not isinstance(value, dict):
        return True
    return all(name in value for name in schema.get("required", ())) and all(
        fits(item, rule, whole) for name, item in value.items() for rule in rules_for(name, schema)
    )


def rules_for(name: str, schema: Any) -> list[Any]:
    named = [schema["properties"][name]] if name in schema.get("properties", {}) else []
    named += [
        rule for pattern, rule in schema.get("patternProperties", {}).items() if re.search(pattern, name)
    ]
    return named or [schema.get("additionalProperties", True)]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what scripts/docs reads and writes."""
    shutil.copytree(REPO / "docs", tmp_path / "docs")
    shutil.copytree(REPO / "tests" / "events" / "golden", tmp_path / "tests" / "events" / "golden")
    (tmp_path / "scripts").mkdir()
    shutil.copy(REPO / "scripts" / "docs", tmp_path / "scripts" / "docs")
    return tmp_path


def run_docs(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(checkout / "scripts" / "docs"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_scripts_docs_finds_and_repairs_a_page_that_differs(checkout: Path) -> None:
    assert run_docs(checkout).returncode == 0  # whatever was out of date before
    page = checkout / "docs" / "events.md"
    before = page.read_bytes()
    page.write_bytes(before + b"a word too many\n")

    found = run_docs(checkout, "--check")
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("differs: docs/events.md\n")
    assert page.read_bytes() != before

    assert run_docs(checkout).returncode == 0
    assert page.read_bytes() == before
    assert run_docs(checkout, "--check").returncode == 0


def test_scripts_docs_writes_a_missing_golden_file_and_touches_no_other(checkout: Path) -> None:
    golden = checkout / "tests" / "events" / "golden"
    (golden / "fill.v1.json").unlink()
    (golden / "trade.v1.json").write_text("{}", encoding="utf-8")

    assert "differs: tests/events/golden/fill.v1.json\n" in run_docs(checkout, "--check").stderr
    assert "tests/events/golden/fill.v1.json" in run_docs(checkout).stderr
    assert json.loads((golden / "fill.v1.json").read_text(encoding="utf-8"))["event_type"] == "fill"
    assert (golden / "trade.v1.json").read_text(encoding="utf-8") == "{}"
