"""The end of a sealed shard: it says what the blocks are, and any gzip reader takes it for nothing."""

from __future__ import annotations

import gzip
import random
from array import array
from dataclasses import asdict, replace
from hashlib import blake2b
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrecord.format.block import BadHeader, BlockHeader, pack_member, parse_header
from polyrecord.format.block_keys import BlockKeys, parse_keys
from polyrecord.format.constants import EMPTY_DEFLATE, FOOTER_SIZE, MAX_PIECE, UNINDEXED
from polyrecord.format.directory import Directory, Footer, agrees, join_pieces, parse_footer
from polyrecord.format.directory_builder import DirectoryBuilder
from tests.format.samples import START, as_before, block, gzip_members, shard
from tests.format.spec import FOOTER, directory_of, fields, payload_of
from tests.format.strategies import keys, names

BLOCKS = [block(1, 10), block(11, 1), block(12, 60)]


def header(number: int = 0, **changes: object) -> BlockHeader:
    """A block header that says what it is told."""
    plain = BlockHeader(
        flags=0, member_length=10_000, content_length=40_000, events=10, first_seq=1 + 10 * number,
        last_seq=10 + 10 * number, first_ordinal=1 + 10 * number, last_ordinal=10 + 10 * number,
        min_ts=START + number, max_ts=START + number, lost=0, types={"signal": 10},
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def ending(headers: list[BlockHeader], *, clean: bool = True) -> bytes:
    builder, offset = DirectoryBuilder(), 0
    for number, h in enumerate(headers):
        builder.add(offset, h, number)
        offset += h.member_length
    return builder.ending(clean=clean)


def opened(end: bytes) -> tuple[Footer, Directory, bytes]:
    footer = parse_footer(end[-FOOTER_SIZE:])
    raw = join_pieces(end[:-FOOTER_SIZE], footer)
    return footer, Directory(raw), raw


def test_any_gzip_reader_gets_exactly_the_lines_of_a_sealed_shard() -> None:
    assert gzip.decompress(shard(BLOCKS)) == b"".join(map(gzip.decompress, BLOCKS))


def test_the_footer_is_the_last_member_and_lies_where_the_specification_says() -> None:
    data = shard(BLOCKS)
    *_, directory_member, last = gzip_members(data)
    assert len(last) == FOOTER_SIZE
    found = fields(FOOTER, payload_of(last))
    raw = payload_of(directory_member)[12:]
    blocks_end = sum(map(len, BLOCKS))
    assert found == {
        "version": 1, "kind": 2, "flags": 1, "member_length": 146, "directory_offset": blocks_end,
        "directory_length": len(raw), "directory_crc": crc32(raw), "blocks": 3, "events": 71,
        "content_length": len(gzip.decompress(data)), "first_seq": 1, "last_seq": 71, "first_ordinal": 1,
        "last_ordinal": 71, "min_ts": START + 1, "max_ts": START + 71, "lost": 0,
        "fingerprint": blake2b(raw, digest_size=16).digest(),
    }  # fmt: skip
    assert data[blocks_end:].startswith(directory_member)
    footer = parse_footer(last)
    assert {name: getattr(footer, name) for name in asdict(footer)} == {
        name: value for name, value in found.items() if name not in {"version", "kind", "member_length"}
    }


@pytest.mark.parametrize("clean", [True, False])
def test_the_footer_says_whether_the_stream_was_closed_in_order(clean: bool) -> None:
    assert parse_footer(shard(BLOCKS, clean=clean)[-FOOTER_SIZE:]).clean is clean


def test_the_records_are_those_of_the_blocks() -> None:
    data = shard(BLOCKS)
    footer = parse_footer(data[-FOOTER_SIZE:])
    directory = Directory(join_pieces(data[footer.directory_offset : -FOOTER_SIZE], footer))
    found = directory_of(join_pieces(data[footer.directory_offset : -FOOTER_SIZE], footer))
    assert [asdict(record) for record in directory.records()] == found["records"]
    for record, member in zip(directory.records(), gzip_members(data), strict=False):
        told = parse_header(data[record.offset :])
        assert data[record.offset :].startswith(member)
        assert record.content_crc == crc32(gzip.decompress(member))
        assert record == directory.record(list(directory.records()).index(record))
        for name in ("member_length", "content_length", "events", "flags", "first_seq", "last_seq", "lost"):
            assert getattr(record, name) == getattr(told, name)


@st.composite
def headers(draw: st.DrawFn) -> list[BlockHeader]:
    """Blocks with types, paths and keys from small pools, so that they share some."""
    pool, paths = draw(names(8)) or ["x"], draw(names(3))
    types = st.dictionaries(st.sampled_from(pool), st.integers(0, 2**32 - 1))
    subset = st.lists(st.sampled_from(paths), unique=True) if paths else st.just([])
    some = st.lists(st.integers(0, 30) | st.integers(0, 2**32 - 1), max_size=20, unique=True).map(sorted)
    count = draw(st.integers(1, 8))
    return [
        header(
            n, member_length=20_000, types=draw(types), paths=tuple(draw(subset)),
            flags=draw(st.integers(0, 3)), lost=draw(st.integers(0, 9)), trace_keys=array("I", draw(some)),
            value_keys=array("I", draw(some)),
        )
        for n in range(count)
    ]  # fmt: skip


@given(headers())
def test_what_the_directory_says_is_what_the_headers_say(blocks: list[BlockHeader]) -> None:
    footer, directory, raw = opened(ending(blocks))
    second = directory_of(raw)
    assert (footer.events, footer.lost) == (sum(b.events for b in blocks), sum(b.lost for b in blocks))
    totals: dict[str, int] = {}
    for b in blocks:
        for name, count in b.types.items():
            totals[name] = totals.get(name, 0) + count
    assert directory.types == second["types"] == totals
    shared = set(blocks[0].paths).intersection(*(b.paths for b in blocks))
    assert set(directory.paths) == set(second["paths"]) == shared
    order = list(totals)
    for record, b in zip(directory.raw_records(), blocks, strict=True):
        assert record[-1] == sum(1 << order.index(name) for name in b.types)
    assert second["traces"] == cells_of([b.trace_keys for b in blocks])
    assert second["values"] == cells_of([b.value_keys for b in blocks])


def cells_of(keys: list[array[int]]) -> list[tuple[int, int, int, int]]:
    """The entries of a table of fewer than 256 blocks: every cell once for each block with a key in it."""
    width = 1 << 16  # of so few keys
    cells = sorted({(key // width, number) for number, own in enumerate(keys) for key in own})
    return [(cell * width, (cell + 1) * width - 1, number, number) for cell, number in cells]


@given(headers(), st.integers(0, 40) | st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_a_search_misses_no_block_and_names_only_those_with_a_key_close_by(
    blocks: list[BlockHeader], low: int, width: int
) -> None:
    _, directory, _ = opened(ending(blocks))
    high = min(low + width, 2**32 - 1)
    assert directory.has_keys
    cell = 1 << 16  # of so few keys
    for a, b in ((low, high), (low, low)):
        begin, end = a // cell * cell, b // cell * cell + cell - 1
        assert directory.blocks_with_trace_range(a, b) == {
            n for n, block in enumerate(blocks) if any(begin <= key <= end for key in block.trace_keys)
        }
    begin = low // cell * cell
    assert directory.blocks_with_value(low) == {
        n for n, b in enumerate(blocks) if any(begin <= key < begin + cell for key in b.value_keys)
    }


def test_many_keys_take_about_two_bytes_each_and_one_in_thirty_wrong_ones_names_a_block() -> None:
    rng = random.Random(5)
    keys = [sorted(rng.sample(range(1 << 32), 2000)) for _ in range(40)]
    blocks = [header(n, trace_keys=array("I", own), member_length=90_000) for n, own in enumerate(keys)]
    _, directory, raw = opened(ending(blocks))
    without = opened(ending([replace(block, trace_keys=array("I")) for block in blocks]))[2]
    assert 2.0 < (len(raw) - len(without)) / 80_000 < 2.3
    assert all(n in directory.blocks_with_trace_range(key, key) for n, own in enumerate(keys) for key in own)
    wrong = [rng.randrange(1 << 32) for _ in range(4000)]
    named = sum(bool(directory.blocks_with_trace_range(key, key)) for key in wrong)
    assert 1 / 50 < named / len(wrong) < 1 / 20
    assert directory_of(raw)["traces"] == sorted(directory_of(raw)["traces"])


def test_neighbours_far_apart_and_keys_that_are_all_alike_are_found_too() -> None:
    """Steps of one, two and four bytes; a cell whose entries fill several pages."""
    apart = array("I", [0, 1, 70_000, 1 << 24, 1 << 31, 2**32 - 1])
    alike = [header(n, trace_keys=array("I", [77]), types={"signal": 10}) for n in range(1, 1001)]
    _, directory, raw = opened(ending([header(trace_keys=apart), *alike]))
    assert all(0 in directory.blocks_with_trace_range(key, key) for key in apart)
    assert directory.blocks_with_trace_range(77, 77) == set(range(1001))
    assert directory.blocks_with_trace_range(1 << 20, 1 << 21) == set()
    widths = {entry[1] - entry[0] + 1 for entry in directory_of(raw)["traces"]}
    assert widths == {1 << 16}


def test_of_more_than_256_blocks_neighbours_are_named_together() -> None:
    count, rare = 70_000, 0x0BADCAFE
    common = header(trace_keys=array("I", [7]), types={"signal": 10})
    blocks = [common] * (count - 1) + [replace(common, trace_keys=array("I", [7, rare]), lost=3)]
    footer, directory, _ = opened(ending(blocks))
    assert (footer.blocks, directory.blocks, footer.lost) == (count, count, 3)
    group = -(-count // 256)
    assert directory.blocks_with_trace_range(rare, rare) == set(range((count - 1) // group * group, count))
    assert directory.blocks_with_trace_range(0, 2**32 - 1) == set(range(count))
    assert directory.record(count - 1).offset == 10_000 * (count - 1)


def test_keys_that_a_header_does_not_list_are_taken_from_who_knows_them() -> None:
    unlisted = header(flags=UNINDEXED)
    builder = DirectoryBuilder()
    builder.add(0, unlisted, 0, BlockKeys(0, (), [5 << 16], [6 << 16]))
    builder.add(10_000, header(1, flags=UNINDEXED), 0)
    _, directory, _ = opened(builder.ending(clean=True))
    assert directory.blocks_with_trace_range(5 << 16, 5 << 16) == {0}
    assert directory.blocks_with_value(6 << 16) == {0}
    listed, never = directory.records()
    assert (listed.flags, never.flags) == (0, UNINDEXED)
    assert agrees(listed, unlisted)
    assert not agrees(never, header(1))


def test_types_from_the_64th_on_share_the_last_bit() -> None:
    """A reader has to look into the header there, and must not miss a block."""
    every = [f"type{number}" for number in range(70)]
    _, directory, _ = opened(ending([header(types={name: 1}) for name in every]))
    masks = [record.types for record in directory.records()]
    assert masks == [1 << min(number, 63) for number in range(70)]
    assert list(directory.types) == every
    for name, mask in zip(every, masks, strict=True):
        assert directory.type_mask([name]) == mask
    assert directory.type_mask(["type0", "type65", "type66"]) == 1 | 1 << 63
    assert directory.type_mask(["absent"]) == 0


def test_an_earlier_form_of_the_key_tables_is_passed_over() -> None:
    """Directories with bit 0 set: the blocks list their keys themselves."""
    sealed = shard(BLOCKS)
    footer, directory, raw = opened(as_before(sealed)[parse_footer(sealed[-FOOTER_SIZE:]).directory_offset :])
    assert (footer.blocks, footer.events) == (3, 71)
    assert (directory.has_keys, raw[0]) == (False, 1)
    assert [record.events for record in directory.records()] == [10, 1, 60]


def test_a_long_directory_is_cut_into_pieces() -> None:
    blocks = [header(number) for number in range(1000)]
    end = ending(blocks)
    members = gzip_members(end)
    assert len(members) == -(-(88 * 1000 + 24 + 15 + 2 * 16) // MAX_PIECE) + 1
    numbers = [int.from_bytes(payload_of(member)[8:12], "little") for member in members[:-1]]
    assert numbers == list(range(len(members) - 1))
    assert opened(end)[1].blocks == 1000
    assert gzip.decompress(end) == b""


def test_pieces_out_of_order_are_refused() -> None:
    end = ending([header(number) for number in range(1000)])
    first, second, *rest = gzip_members(end)
    footer = parse_footer(rest[-1])
    for wrong in ([second, first, *rest[:-1]], [first, first, *rest[:-1]], [first, *rest[:-1]], [first], []):
        with pytest.raises(BadHeader):
            join_pieces(b"".join(wrong), footer)


def test_every_flipped_bit_of_an_ending_is_found() -> None:
    end, bits = ending([header(number) for number in range(20)]), random.Random(3)
    for at in range(len(end)):
        damaged = bytearray(end)
        damaged[at] ^= 1 << bits.randrange(8)
        in_tail = 10  # deflate stream, CRC32 and ISIZE of an empty member: gzip's business
        try:
            opened(bytes(damaged))
        except BadHeader:
            continue
        edges = (len(end) - FOOTER_SIZE, len(end))
        assert any(edge - in_tail <= at < edge for edge in edges)


@given(st.binary(max_size=300))
def test_whatever_bytes_stand_there_only_bad_header_is_raised(data: bytes) -> None:
    with pytest.raises(BadHeader):
        parse_footer(data)
    with pytest.raises(BadHeader):
        join_pieces(data, parse_footer(shard(BLOCKS)[-FOOTER_SIZE:]))


@given(st.binary(max_size=60), st.integers(0, 3), st.integers(0, 2))
def test_members_of_any_bytes_with_a_right_crc_raise_only_bad_header(
    data: bytes, version: int, kind: int
) -> None:
    member = pack_member(bytes((version, kind)) + bytes(6) + data, EMPTY_DEFLATE, 0, 0)
    with pytest.raises(BadHeader):
        parse_footer(member)
    with pytest.raises(BadHeader):
        join_pieces(member, parse_footer(shard(BLOCKS)[-FOOTER_SIZE:]))


@settings(max_examples=300)
@given(st.binary(max_size=400), keys())
def test_a_directory_of_any_bytes_raises_only_bad_header(data: bytes, numbers: list[int]) -> None:
    small = b"".join((n % 5).to_bytes(4, "little") for n in numbers[:6])
    for raw in (data, small + data):
        try:
            directory = Directory(raw)
        except BadHeader:
            continue
        list(directory.records())
        directory.blocks_with_trace_range(0, 2**32 - 1)
        directory.blocks_with_value(0)


def test_a_directory_of_many_keys_is_made_in_steps_between_which_others_run() -> None:
    """One sort of all keys would hold the interpreter for half a second at the end of a day."""
    builder, breaths = DirectoryBuilder(), 0

    def breathe() -> None:
        nonlocal breaths
        breaths += 1

    keys = [sorted(random.Random(number).sample(range(1 << 32), 700)) for number in range(60)]
    for number, trace_keys in enumerate(keys):
        head = header(number, trace_keys=array("I", trace_keys), member_length=2_000_000)
        builder.add(number * 2_000_000, head, 0)
    members = builder.ending(clean=True, breathe=breathe)
    assert 42_000 // 4096 <= breaths <= 3 * 42_000 // 4096
    _, directory, _ = opened(members)
    for number in (0, 17, 59):
        assert number in directory.blocks_with_trace_range(keys[number][5], keys[number][5])
    assert members == builder.ending(clean=True)


@pytest.mark.parametrize("is_read", [True, False])
def test_keys_are_held_or_read_when_the_shard_ends(*, is_read: bool) -> None:
    """A day of a busy bot has millions: who can read its headers again need not hold them."""
    data = b"".join(BLOCKS)
    read: list[int] = []

    def read_keys(offset: int, length: int) -> BlockKeys:
        read.append(offset)
        return parse_keys(data[offset : offset + length])

    builder, offset = DirectoryBuilder(read_keys if is_read else None), 0
    for member in BLOCKS:
        builder.add(offset, parse_header(member), int.from_bytes(member[-8:-4], "little"))
        offset += len(member)
    assert read == []
    assert data + builder.ending(clean=True) == shard(BLOCKS)
    assert read == ([0, len(BLOCKS[0]), len(BLOCKS[0] + BLOCKS[1])] if is_read else [])


def test_a_block_whose_header_cannot_be_read_again_is_never_skipped() -> None:
    builder = DirectoryBuilder(lambda offset, _: BlockKeys(0, (), [1 << 20], []) if offset else None)
    builder.add(0, header(trace_keys=array("I", [1])), 0)
    builder.add(10_000, header(1, trace_keys=array("I", [1 << 20])), 0)
    _, directory, _ = opened(builder.ending(clean=True))
    assert [record.flags for record in directory.records()] == [UNINDEXED, 0]
    assert directory.blocks_with_trace_range(1 << 20, 1 << 20) == {1}
