"""The index: whatever a line can be found by is in the header of its block."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import ConfigError
from polyrecord.format.constants import OPAQUE
from polyrecord.ids import is_hex, normal_id, trace_key, value_key
from polyrecord.record.blocks import PendingBlock
from polyrecord.record.item import CLOSE
from polyrecord.record.keys import ValueKeys
from polyrecord.record.numbering import Numbering
from polyrecord.record.policy import BlockPolicy

DECLARED = ("data.market", "data.deep.er.id", "bot_id")
TEXT = st.text(max_size=12)
IDS = TEXT | st.uuids().map(str) | st.from_regex("[0-9a-fA-F]{1,20}", fullmatch=True)
VALUES = TEXT | st.integers(-(2**63), 2**64 - 1) | st.booleans() | st.none() | st.floats(allow_nan=False)
NAMES = st.sampled_from(["order_id", "client_order_id", "intent_id", "market", "deep", "other"])
DATA = st.dictionaries(
    NAMES, VALUES | st.fixed_dictionaries({"er": st.fixed_dictionaries({"id": VALUES})}), max_size=6
)
ENVELOPE = st.dictionaries(st.sampled_from(["intent_id", "bot_id", "level"]), TEXT, max_size=3)


def blocks_of(events: list[tuple[Any, str | None, dict[str, str]]]) -> list[PendingBlock]:
    blocks: list[PendingBlock] = []
    numbering = Numbering(blocks.append, BlockPolicy(content_bytes=500), DECLARED)
    for data, trace_id, envelope in events:
        payload = orjson.dumps(data) + CLOSE
        numbering.add(0, "1970-01-01T00:00:00.000000000Z", "signal", payload, trace_id, envelope or None)
    numbering.cut()
    return blocks


def findable(line: dict[str, Any]) -> set[int]:
    """Value keys of a line by the specification: strings and integers at the key paths."""
    data = line["data"]
    deep = data.get("deep")
    values = [
        line.get("intent_id"), line.get("bot_id"), data.get("intent_id"), data.get("order_id"),
        data.get("client_order_id"), data.get("market"), deep["er"]["id"] if isinstance(deep, dict) else None,
    ]  # fmt: skip
    return {value_key(str(v)) for v in values if isinstance(v, str) or type(v) is int}


@given(st.lists(st.tuples(DATA, IDS | st.none(), ENVELOPE), min_size=1, max_size=20))
def test_every_id_and_value_of_a_line_is_in_its_header(
    events: list[tuple[Any, str | None, dict[str, str]]],
) -> None:
    count = 0
    for block in blocks_of(events):
        lines = [json.loads(line) for line in block.pieces]
        count += len(lines)
        ids = [normal_id(line["trace_id"]) for line in lines if "trace_id" in line]
        assert block.index.paths == DECLARED
        assert list(block.index.trace_keys) == sorted({trace_key(normal) for normal in ids})
        assert list(block.index.value_keys) == sorted(set().union(*map(findable, lines)))
        assert bool(block.index.flags & OPAQUE) is not all(map(is_hex, ids))
    assert count == len(events)


def test_ids_with_lone_surrogates_are_found_by_what_the_line_shows() -> None:
    (block,) = blocks_of([({}, "run\ud800", {"intent_id": "i\udfff"})])
    line = json.loads(block.pieces[0])
    assert (line["trace_id"], line["intent_id"]) == ("run\\ud800", "i\\udfff")
    assert list(block.index.trace_keys) == [trace_key(normal_id(line["trace_id"]))]
    assert list(block.index.value_keys) == [value_key(line["intent_id"])]


@pytest.mark.parametrize(
    "data",
    [
        b'{"order_id":"A-7"}',
        b'{"order_id" : "A-7"}',
        b'{ "order_id"\t:\t"A-7" }',
        b'{"order\\u005fid":"A-7"}',
        b'{"order_id":"\\u0041-7"}',
        b'{"order_id":"x","order_id":"A-7"}',
        b'{"note":"\\ud800","order_id":"A-7"}',
        b'{"order_id":"a-7"}',
    ],
)
def test_a_value_is_found_however_its_json_is_written(data: bytes) -> None:
    """Imports keep the bytes they were given."""
    assert value_key("A-7") in ValueKeys().find(data + CLOSE, None)


@pytest.mark.parametrize(
    "data",
    [b'{"order_id":null}',
     b'{"order_id":1.5}', b'{"order_id":true}', b'{"order_id":["A-7"]}', b'["order_id"]',
     b'{"a":{"order_id":"A-7"}}', b'"order_id"', b"7", b'{"ordering":"A-7"}'],
)  # fmt: skip
def test_what_is_no_text_and_no_integer_at_a_path_is_not_indexed(data: bytes) -> None:
    assert ValueKeys().find(data + CLOSE, None) == []


def test_integers_are_indexed_as_their_text() -> None:
    assert ValueKeys().find(b'{"order_id":4711}' + CLOSE, None) == [value_key("4711")]


@pytest.mark.parametrize(
    "path", ["", "data", "data.", ".data", "data..x", "market", "ts", "seq", "trace_id", "data." + "x" * 255]
)
def test_a_path_that_cannot_be_indexed_is_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="not a key path"):
        ValueKeys([path])


def test_covered_paths_and_repeated_ones_are_declared_once() -> None:
    keys = ValueKeys(["data.order_id", "data.market", "data.market", "intent_id"])
    assert keys.declared == ("data.market",)


def test_more_keys_than_a_header_can_hold_are_refused() -> None:
    """Otherwise a block could not be written at all."""
    paths = [f"data.{number:0250d}" for number in range(101)]
    with pytest.raises(ConfigError, match="101 index keys"):
        ValueKeys(paths)
    assert len(ValueKeys(paths[:100]).declared) == 100


def test_a_payload_with_line_breaks_between_its_tokens_stays_one_line() -> None:
    """orjson.Fragment brings whatever bytes a bot has."""
    blocks: list[PendingBlock] = []
    numbering = Numbering(blocks.append, BlockPolicy())
    numbering.add(0, "1970-01-01T00:00:00.000000000Z", "signal", b'{\r\n "a": 1\r}' + CLOSE)
    numbering.cut()
    (line,) = blocks[0].pieces
    assert len(line.splitlines()) == 1
    assert json.loads(line)["data"] == {"a": 1}


def test_an_event_that_cannot_be_indexed_takes_no_number() -> None:
    blocks: list[PendingBlock] = []
    numbering = Numbering(blocks.append, BlockPolicy())
    with pytest.raises(ValueError, match="Expecting"):
        numbering.add(0, "", "signal", b'{"order_id":}' + CLOSE)
    assert (numbering.seq, numbering.kept, numbering.pending) == (0, 0, 0)
    numbering.cut()
    assert blocks == []
