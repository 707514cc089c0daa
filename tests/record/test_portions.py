"""Events numbered many at once: the same lines and the same index as one by one."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import PolyrecordError
from polyrecord.format.block import pack_block, parse_header
from polyrecord.format.constants import MAX_EXTRA
from polyrecord.ids import is_hex, normal_id, trace_key, value_key
from polyrecord.record.admission import encode_frame
from polyrecord.record.blocks import PendingBlock
from polyrecord.record.item import CLOSE, Item, item_size
from polyrecord.record.numbering import Numbering
from polyrecord.record.policy import BlockPolicy
from polyrecord.record.portion import Portion
from polyrecord.times import SECOND, format_ts

NOON = 1_763_726_400 * SECOND
STARTS = st.sampled_from([NOON, NOON - 1, 0, -SECOND - 1, 9_000_000_000 * SECOND])
DATA = st.one_of(
    st.dictionaries(st.sampled_from(["order_id", "price", "intent_id", "ordér_id", "note"]),
                    st.one_of(st.text(max_size=8), st.integers(0, 10**6), st.none()), max_size=4),
    st.lists(st.text(max_size=4), max_size=3),
)  # fmt: skip
TRACES = st.one_of(
    st.none(), st.uuids().map(str), st.uuids().map(lambda u: u.hex.upper()), st.text(min_size=1, max_size=12),
    st.sampled_from(["deadbeef", "--------", "abc", "dead\nbeef", "0" * 31 + " ", "0" * 31 + "\u0660",
                     "0" * 64]),
)  # fmt: skip
USUAL = st.one_of(st.uuids().map(str), st.uuids().map(lambda u: u.hex))
ENVELOPES = st.one_of(
    st.none(),
    st.just({"bot_id": "b1"}),
    st.builds(lambda i: {"bot_id": "b", "intent_id": i}, st.text(max_size=5)),
)
STREAMS = st.sampled_from([None, None, None, "data/books", "logs/other"])
TYPES = st.sampled_from(["signal", "fill", "latency", "orderbook_snapshot", "my type", "ü"])
GAPS = st.sampled_from([0, 1, 1000, SECOND // 2, SECOND, 6 * 3600 * SECOND])


@st.composite
def recordings(draw: st.DrawFn) -> list[tuple[Item, int]]:
    ts = draw(STARTS)
    found: list[tuple[Item, int]] = []
    alike = draw(st.booleans())  # as a bot's events mostly are: of one kind, each with an id
    for _ in range(draw(st.integers(1, 40))):
        ts += draw(GAPS)
        payload = orjson.dumps(draw(DATA)) + CLOSE
        kind = (draw(USUAL), None, None) if alike else (draw(TRACES), draw(ENVELOPES), draw(STREAMS))
        item: Item = (0, "signal" if alike else draw(TYPES), kind[0], payload, *kind[1:])
        found.append((item, ts))
    return found


def portion_of(items: list[Item], stamps: list[int]) -> Portion:
    return Portion.of(items, lambda _: stamps, encode_frame)


def one_by_one(
    events: list[tuple[Item, int]], policy: BlockPolicy, before: int = 0
) -> dict[str, list[PendingBlock]]:
    blocks: dict[str, list[PendingBlock]] = defaultdict(list)
    numbering = Numbering(lambda block: blocks[block.stream].append(block), policy)
    numbering.seq = before
    for (_, kind, trace, payload, envelope, stream), ts in events:
        assert isinstance(payload, bytes)
        numbering.add(ts, format_ts(ts), kind, payload, trace, envelope, stream)
    numbering.cut()
    return blocks


def at_once(
    events: list[tuple[Item, int]], policy: BlockPolicy, before: int = 0
) -> dict[str, list[PendingBlock]]:
    blocks: dict[str, list[PendingBlock]] = defaultdict(list)
    numbering = Numbering(lambda block: blocks[block.stream].append(block), policy)
    numbering.seq = before

    def take(some: list[tuple[Item, int]]) -> None:
        items = [item for item, _ in some]
        if not numbering.add_all(portion_of(items, [ts for _, ts in some])):
            take(some[: len(some) // 2])
            take(some[len(some) // 2 :])

    take(events)
    assert (numbering.kept, numbering.seq) == (len(events), before + len(events))
    cut = sum(block.index.events for own in blocks.values() for block in own)
    assert numbering.pending == len(events) - cut
    numbering.cut()
    assert numbering.pending_bytes == 0
    return blocks


def lines(blocks: list[PendingBlock]) -> bytes:
    return b"".join(piece for block in blocks for piece in block.pieces)


@given(
    recordings(), st.sampled_from([400, 20_000, 256 << 10]), st.sampled_from([0, 990, 1000, 999_970, 10**15])
)
def test_lines_and_their_order_are_those_of_events_added_one_by_one(
    events: list[tuple[Item, int]], content_bytes: int, before: int
) -> None:
    policy = BlockPolicy(content_bytes)
    single, many = one_by_one(events, policy, before), at_once(events, policy, before)
    assert {stream: lines(blocks) for stream, blocks in many.items()} == {
        stream: lines(blocks) for stream, blocks in single.items()
    }


@given(recordings(), st.sampled_from([400, 20_000, 256 << 10]))
def test_each_header_says_of_its_block_what_the_lines_say(
    events: list[tuple[Item, int]], content_bytes: int
) -> None:
    for blocks in at_once(events, BlockPolicy(content_bytes)).values():
        ordinal = 0
        for block in blocks:
            header = parse_header(pack_block(b"".join(block.pieces), block.index))
            documents = [orjson.loads(line) for line in b"".join(block.pieces).splitlines()]
            ids = [normal_id(d["trace_id"]) for d in documents if "trace_id" in d]
            assert header.events == len(documents)
            assert (header.first_seq, header.last_seq) == (documents[0]["seq"], documents[-1]["seq"])
            assert (header.first_ordinal, header.last_ordinal) == (ordinal + 1, ordinal + len(documents))
            assert format_ts(header.min_ts) == documents[0]["ts"]
            assert format_ts(header.max_ts) == documents[-1]["ts"]
            assert dict(header.types) == dict(Counter(d["event_type"] for d in documents))
            assert list(header.trace_keys) == sorted({trace_key(i) for i in ids})
            assert bool(header.flags & 1) == any(not is_hex(i) for i in ids)
            assert list(header.value_keys) == sorted(set(_values(documents)))
            assert {d["ts"][:10] for d in documents} == {documents[0]["ts"][:10]}
            ordinal = header.last_ordinal


def _values(documents: list[dict[str, Any]]) -> list[int]:
    found = [d["intent_id"] for d in documents if "intent_id" in d]
    for data in (d["data"] for d in documents if isinstance(d["data"], dict)):
        found += [data[name] for name in ("order_id", "intent_id", "client_order_id") if name in data]
    return [value_key(str(value)) for value in found if value is not None]


def item(payload: bytes, event_type: Any = "note", trace_id: Any = None) -> Item:
    return 0, event_type, trace_id, payload + CLOSE, None, None


BAD = [
    item(b"1", 7),
    item(b"1", ""),
    item(b"1", "note", 7),
    item(b"1", "note", b"x"),
    item(b"1", ["note"]),
    (0, "note", None, b"1}", None, "no stream"),
]


@pytest.mark.parametrize("bad", BAD)
def test_what_is_of_the_wrong_type_is_refused_and_nothing_is_taken(bad: Item) -> None:
    blocks: list[PendingBlock] = []
    numbering = Numbering(blocks.append, BlockPolicy())
    good = item(b"2")
    with pytest.raises((TypeError, ValueError, AttributeError, PolyrecordError)):
        numbering.add_all(portion_of([good, bad, good], [NOON] * 3))
    assert (numbering.seq, numbering.pending, numbering.pending_bytes) == (0, 0, 0)
    assert numbering.add_all(portion_of([good], [NOON]))
    numbering.cut()
    assert lines(blocks) == b'{"ts":"2025-11-21T12:00:00.000000000Z","seq":1,"event_type":"note","data":2}\n'


def test_a_block_of_many_types_and_ids_still_fits_a_gzip_header() -> None:
    blocks: list[PendingBlock] = []
    numbering = Numbering(blocks.append, BlockPolicy())
    events = [
        (item(b'{"order_id":"%d"}' % at, "t" * 240 + str(at % 300), f"{at:08x}"), NOON)
        for at in range(20_000)
    ]
    for start in range(0, len(events), 64):
        _add(numbering, events[start : start + 64])
    numbering.cut()
    headers = [pack_block(b"".join(block.pieces), block.index) for block in blocks]
    assert all(int.from_bytes(member[10:12], "little") <= MAX_EXTRA for member in headers)
    assert sum(block.index.events for block in blocks) == 20_000


def _add(numbering: Numbering, events: list[tuple[Item, int]]) -> None:
    items = [item for item, _ in events]
    if not numbering.add_all(portion_of(items, [ts for _, ts in events])):
        _add(numbering, events[: len(events) // 2])
        _add(numbering, events[len(events) // 2 :])


def test_what_is_pending_counts_as_it_did_in_the_buffer() -> None:
    numbering = Numbering(lambda block: None, BlockPolicy())
    frame: Item = (0, "raw_frame", None, (b"x" * 500, "venue", None), None, None)
    plain = item(b"1")
    numbering.add_all(portion_of([frame, plain], [NOON, NOON]))
    assert numbering.pending_bytes == item_size(frame) + item_size(plain)
