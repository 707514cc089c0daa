"""Shards of every version that was ever released are read for ever."""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from polyrecord.format.constants import FOOTER_SIZE
from polyrecord.format.content import inflate
from polyrecord.format.directory import Directory, Footer, join_pieces, parse_footer
from polyrecord.format.scan import Block, Torn, scan
from tests.format.samples import reader

SHARDS = sorted((Path(__file__).parent / "golden").glob("v*.jsonl.gz"))
SEALED = [path for path in SHARDS if "torn" not in path.name]
KEYED = [path for path in SHARDS if "keys" in path.name]


def expected(path: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(
        path.with_name(path.name.replace(".jsonl.gz", ".expected.json")).read_text(encoding="utf-8")
    )
    return told


def opened(data: bytes) -> tuple[Footer, Directory]:
    footer = parse_footer(data[-FOOTER_SIZE:])
    return footer, Directory(join_pieces(data[footer.directory_offset : -FOOTER_SIZE], footer))


def test_there_are_golden_shards() -> None:
    assert {path.name for path in SHARDS} >= {"v1-keys.jsonl.gz", "v1-sealed.jsonl.gz", "v1-torn.jsonl.gz"}


@pytest.mark.parametrize("path", SHARDS, ids=lambda path: path.name)
def test_a_golden_shard_is_read(path: Path) -> None:
    data, told = path.read_bytes(), expected(path)
    found = list(scan(reader(data), len(data)))
    blocks = [f for f in found if isinstance(f, Block)]
    lines = b"".join(inflate(data[b.offset : b.offset + b.header.member_length], b.header) for b in blocks)
    assert lines.decode().splitlines() == told["lines"]
    assert sum(f.length for f in found if isinstance(f, Torn)) == told["torn_bytes"]
    for block, wanted in zip(blocks, told["blocks"], strict=True):
        names = set(wanted) - {"version", "kind", "T", "P", "K", "V", "paths", "trace_keys", "value_keys"}
        assert {name: getattr(block.header, name) for name in names} == {name: wanted[name] for name in names}
        assert list(block.header.paths) == wanted["paths"]
        assert list(block.header.trace_keys) == wanted["trace_keys"]
        assert list(block.header.value_keys) == wanted["value_keys"]


@pytest.mark.parametrize("path", SEALED, ids=lambda path: path.name)
def test_the_directory_of_a_golden_shard_is_read(path: Path) -> None:
    data, told = path.read_bytes(), expected(path)
    footer, directory = opened(data)
    assert gzip.decompress(data).decode().splitlines() == told["lines"]
    assert (footer.clean, footer.events, directory.blocks) == (True, len(told["lines"]), len(told["blocks"]))
    assert [record.first_seq for record in directory.records()] == [b["first_seq"] for b in told["blocks"]]
    for number, block in enumerate(told["blocks"]):
        if directory.has_keys:
            assert all(number in directory.blocks_with_value(key) for key in block["value_keys"])


@pytest.mark.parametrize("path", KEYED, ids=lambda path: path.name)
def test_the_key_tables_of_a_golden_shard_name_every_block_whose_lines_hold_an_id(path: Path) -> None:
    data, told = path.read_bytes(), expected(path)
    _, directory = opened(data)
    assert directory.has_keys
    lines = map(json.loads, gzip.decompress(data).splitlines())
    blocks = [list(islice(lines, block["events"])) for block in told["blocks"]]
    traces = holders([{event["trace_id"] for event in events} for events in blocks])
    orders = holders([{event["data"]["order_id"] for event in events} for events in blocks])
    surplus = 0
    for trace_id, those in traces.items():
        key = int(trace_id[:8], 16) if trace_id.isalnum() else crc32(trace_id.lower().encode())
        surplus += more_than(those, directory.blocks_with_trace_range(key, key))
    for order_id, those in orders.items():
        surplus += more_than(those, directory.blocks_with_value(crc32(order_id.lower().encode())))
    assert surplus < (len(traces) + len(orders)) / 5  # CRCs of ids that are so short lie close together


def holders(ids: list[set[str]]) -> dict[str, set[int]]:
    """Of every id the blocks that hold it."""
    return {one: {number for number, own in enumerate(ids) if one in own} for one in set().union(*ids)}


def more_than(those: set[int], named: set[int]) -> int:
    """How many blocks are named that do not hold an id; none that holds it may be missing."""
    assert named >= those
    return len(named - those)
