"""The walk over a shard: whole, torn, damaged, padded, foreign."""

from __future__ import annotations

import gzip
import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.format.block import pack_member
from polyrecord.format.constants import KIND_DIRECTORY, KIND_FOOTER, MAX_EXTRA, UNINDEXED
from polyrecord.format.content import BadBlock, inflate
from polyrecord.format.scan import Block, Damage, Ending, Found, Padding, Plain, Torn, scan
from tests.format.samples import block, line, reader, shard

BLOCKS = [block(1, 10), block(11, 1), block(12, 60), block(72, 3), block(75, 20)]
EDGES = [sum(map(len, BLOCKS[:number])) for number in range(len(BLOCKS) + 1)]
OPEN = b"".join(BLOCKS)
SEALED = shard(BLOCKS)
CONTENT = [gzip.decompress(member) for member in BLOCKS]


def walk(data: bytes) -> list[Found]:
    return list(scan(reader(data), len(data)))


def readable(data: bytes) -> list[bytes]:
    """The contents of the blocks that a scan finds and that hold what they should."""
    contents = []
    for found in walk(data):
        if isinstance(found, Block):
            try:
                contents.append(inflate(data[found.offset :][: found.header.member_length], found.header))
            except BadBlock:
                continue
    return contents


def kinds(data: bytes) -> list[str]:
    return [type(found).__name__ for found in walk(data)]


def length_of(found: Found) -> int:
    return found.header.member_length if isinstance(found, Block) else found.length


def assert_covers(data: bytes) -> None:
    """Every byte is accounted for once."""
    at = 0
    for found in walk(data):
        assert found.offset == at
        at += length_of(found)
    assert at == len(data)


def touched(first: int, last: int) -> set[int]:
    """Numbers of the blocks that have one of the bytes from `first` up to `last`."""
    return {n for n in range(len(BLOCKS)) if EDGES[n] < last and first < EDGES[n + 1]}


def assert_costs_only(damaged: bytes, blocks: set[int]) -> None:
    """All blocks but those are still readable, and nothing is that was not written."""
    contents = readable(damaged)
    assert set(contents) <= set(CONTENT)
    assert [content for number, content in enumerate(CONTENT) if number not in blocks] == [
        content for content in contents if CONTENT.index(content) not in blocks
    ]


def test_a_whole_shard_is_blocks_and_its_ending() -> None:
    found = walk(SEALED)
    assert [f.offset for f in found[: len(BLOCKS)]] == EDGES[:-1]
    assert [f.kind for f in found[len(BLOCKS) :] if isinstance(f, Ending)] == [KIND_DIRECTORY, KIND_FOOTER]
    assert readable(SEALED) == CONTENT
    assert_covers(SEALED)


def test_an_empty_file_holds_nothing() -> None:
    assert walk(b"") == []


def test_a_walk_may_start_at_any_member() -> None:
    found = list(scan(reader(SEALED), len(SEALED), start=EDGES[2]))
    assert found == walk(SEALED)[2:]


def test_every_prefix_is_its_whole_blocks_and_a_torn_tail() -> None:
    for size in range(len(OPEN)):
        whole = sum(edge <= size for edge in EDGES) - 1
        found = walk(OPEN[:size])
        assert [type(f) for f in found] == [Block] * whole + [Torn] * (size != EDGES[whole])
        if size != EDGES[whole]:
            assert found[-1] == Torn(EDGES[whole], size - EDGES[whole])


def test_every_prefix_of_an_ending_is_torn_at_its_member() -> None:
    for size in range(len(OPEN) + 1, len(SEALED)):
        found = walk(SEALED[:size])
        assert [type(f) for f in found[: len(BLOCKS)]] == [Block] * len(BLOCKS)
        assert {type(f) for f in found[len(BLOCKS) :]} <= {Ending, Torn}
        assert_covers(SEALED[:size])


def test_a_flipped_byte_costs_one_block() -> None:
    for at in range(len(OPEN)):
        damaged = bytearray(OPEN)
        damaged[at] ^= 0x10
        assert_costs_only(bytes(damaged), touched(at, at + 1))


@given(st.integers(0, len(OPEN)), st.integers(1, 400))
def test_a_deleted_range_costs_only_the_blocks_it_touches(at: int, length: int) -> None:
    assert_costs_only(OPEN[:at] + OPEN[at + length :], touched(at, at + length))


@given(st.integers(0, len(OPEN)), st.integers(1, 400))
def test_a_zeroed_range_costs_only_the_blocks_it_touches(at: int, length: int) -> None:
    end = min(at + length, len(OPEN))
    assert_costs_only(OPEN[:at] + bytes(end - at) + OPEN[end:], touched(at, at + length))


@given(st.integers(0, len(OPEN)), st.binary(min_size=1, max_size=400))
def test_inserted_bytes_cost_only_the_block_they_break(at: int, inserted: bytes) -> None:
    damaged = OPEN[:at] + inserted + OPEN[at:]
    assert_costs_only(damaged, set() if at in EDGES else touched(at, at + 1))
    assert_covers(damaged)


@given(st.lists(st.tuples(st.integers(0, len(SEALED) - 1), st.binary(min_size=1, max_size=60)), max_size=6))
def test_bytes_overwritten_in_many_places_cost_only_the_blocks_they_touch(
    places: list[tuple[int, bytes]],
) -> None:
    damaged, hurt = bytearray(SEALED), set[int]()
    for at, junk in places:
        damaged[at : at + len(junk)] = junk[: len(SEALED) - at]
        hurt |= touched(at, at + len(junk))
    assert_costs_only(bytes(damaged), hurt)
    assert_covers(bytes(damaged))


@given(st.binary(max_size=2000))
def test_any_bytes_are_walked_over_and_accounted_for(data: bytes) -> None:
    assert_covers(data)


@given(st.integers(0, len(SEALED)), st.integers(0, len(SEALED)), st.binary(max_size=100))
def test_any_pieces_of_a_shard_are_walked_over_and_accounted_for(a: int, b: int, junk: bytes) -> None:
    assert_covers(SEALED[a:b] + junk + SEALED[b:])


def test_the_events_of_a_damaged_block_are_known_from_ordinals() -> None:
    damaged = bytearray(OPEN)
    damaged[EDGES[2] + 20] ^= 1
    damaged[EDGES[3] - 20] ^= 1
    before, gap, after = walk(bytes(damaged))[1:4]
    assert isinstance(before, Block)
    assert isinstance(after, Block)
    assert gap == Damage(EDGES[2], len(BLOCKS[2]), "header CRC differs")
    assert after.header.first_ordinal - before.header.last_ordinal - 1 == 60


@pytest.mark.parametrize("at", range(16))
def test_the_frame_of_a_header_is_put_back(at: int) -> None:
    """All of it is fixed or follows from the rest; the header's CRC proves it."""
    damaged = bytearray(OPEN)
    damaged[EDGES[2] + at] ^= 0xFF
    found = walk(bytes(damaged))[2]
    assert isinstance(found, Damage)
    assert found.block == walk(OPEN)[2]


@pytest.mark.parametrize("at", range(16, 100))
def test_a_header_that_is_lost_is_told_by_lines_whose_crc_holds(at: int) -> None:
    damaged = bytearray(OPEN)
    damaged[EDGES[2] + at] ^= 0xFF
    found, whole = walk(bytes(damaged))[2], walk(OPEN)[2]
    assert isinstance(found, Damage)
    assert found.block is not None
    assert isinstance(whole, Block)
    mended, header = found.block.header, whole.header
    assert (mended.member_length, mended.content_length) == (header.member_length, header.content_length)
    assert (mended.events, mended.types) == (header.events, header.types)
    assert (mended.first_seq, mended.last_seq) == (header.first_seq, header.last_seq)
    assert (mended.min_ts, mended.max_ts) == (header.min_ts, header.max_ts)
    assert mended.flags & UNINDEXED


def test_foreign_gzip_behind_damage_is_found_again() -> None:
    foreign = gzip.compress(line(1), mtime=1)
    hurt = bytearray(BLOCKS[0])
    hurt[40] ^= 1
    hurt[-20] ^= 1
    found = walk(bytes(hurt) + foreign + BLOCKS[1])
    assert [type(each) for each in found] == [Damage, Plain, Block]
    assert found[1] == Plain(len(hurt), len(foreign), gzip=True)


def test_lines_of_text_behind_blocks_are_plain() -> None:
    assert walk(BLOCKS[0] + line(99))[1] == Plain(len(BLOCKS[0]), len(line(99)), gzip=False)


def test_a_member_cut_short_in_the_middle_is_damage_and_the_next_one_is_found() -> None:
    damaged = BLOCKS[0][:-30] + BLOCKS[1] + BLOCKS[2]
    first, *rest = walk(damaged)
    assert first == Damage(0, len(BLOCKS[0]) - 30, "member is cut short")
    assert [type(found) for found in rest] == [Block, Block]


def test_a_member_cut_short_by_as_much_as_the_next_is_long_does_not_hide_it() -> None:
    """It then seems to end where the one behind that begins; ordinals tell that something is missing."""
    for behind in (BLOCKS[4], SEALED[len(OPEN) :], b""):
        damaged = BLOCKS[2][: len(BLOCKS[2]) - len(BLOCKS[3])] + BLOCKS[3] + behind
        first, second, *_ = walk(damaged)
        assert first == Damage(0, len(BLOCKS[2]) - len(BLOCKS[3]), "member is cut short")
        assert isinstance(second, Block)
        assert second.header.first_seq == 72
        assert_covers(damaged)


def test_a_long_member_cut_short_before_the_end_is_no_torn_tail() -> None:
    """What follows it is shorter than what is missing."""
    damaged = BLOCKS[2][: len(BLOCKS[2]) - 400] + BLOCKS[1]
    assert len(BLOCKS[1]) < 400
    assert kinds(damaged) == ["Damage", "Block"]


@pytest.mark.parametrize("start", [OPEN, SEALED, b""])
def test_zeros_at_the_end_are_padding(start: bytes) -> None:
    assert walk(start + bytes(5000))[-1] == Padding(len(start), 5000)


def test_zeros_between_members_are_damage() -> None:
    assert walk(BLOCKS[0] + bytes(5000) + BLOCKS[1])[1] == Damage(
        len(BLOCKS[0]), 5000, "no member starts here"
    )


def python_gzip(level: int) -> bytes:
    """As GzipFile writes without a time: one byte (FLG) differs from how our members start."""
    target = io.BytesIO()
    with gzip.GzipFile(fileobj=target, mode="wb", compresslevel=level, mtime=0) as file:
        file.write(line(1))
    return target.getvalue()


@pytest.mark.parametrize("foreign", [python_gzip(6), python_gzip(9), gzip.compress(line(1), mtime=1)])
def test_gzip_of_other_programs_is_plain(foreign: bytes) -> None:
    assert walk(foreign) == [Plain(0, len(foreign), gzip=True)]
    assert walk(foreign * 3) == [Plain(0, 3 * len(foreign), gzip=True)]


def test_gzip_with_a_subfield_of_another_program_is_plain() -> None:
    foreign = pack_member(bytes(20), b"\x03\x00", 0, 0).replace(b"PR", b"BC", 1)
    assert walk(foreign) == [Plain(0, len(foreign), gzip=True)]


def test_plain_gzip_ends_where_a_member_of_ours_starts() -> None:
    """`cat other.jsonl.gz ours.jsonl.gz` loses neither the lines of the one nor the index of the other."""
    foreign = python_gzip(6)
    assert walk(foreign + BLOCKS[0] + foreign) == [
        Plain(0, len(foreign), gzip=True),
        Block(len(foreign), walk(BLOCKS[0])[0].header),  # type: ignore[union-attr]
        Plain(len(foreign) + len(BLOCKS[0]), len(foreign), gzip=True),
    ]


def test_a_member_of_a_higher_version_is_plain_and_the_next_block_a_block() -> None:
    later = pack_member(bytes((2, 0)) + bytes(78), b"\x4b\xe4\x02\x00", zlib.crc32(b"a\n"), 2)
    assert kinds(BLOCKS[0] + later + BLOCKS[1]) == ["Block", "Plain", "Block"]


def test_text_lines_are_plain() -> None:
    text = line(1) + line(2)
    assert walk(text) == [Plain(0, len(text), gzip=False)]


def test_junk_before_the_first_block_is_damage_not_text() -> None:
    assert kinds(b"junk" + BLOCKS[0]) == ["Damage", "Block"]


def test_a_member_longer_than_the_window_of_the_search_is_found_again() -> None:
    """The search reads in windows of 1 MiB; one may end inside the ten bytes that it looks for."""
    for junk in range((1 << 20) - 12, (1 << 20) + 2):
        data = b"\x01" * junk + BLOCKS[1]
        assert walk(data)[-1].offset == junk


def test_a_header_as_long_as_allowed_is_walked_over() -> None:
    payload = struct.pack("<BBHIIIQQQQqqIHHII", 1, 0, 2, 0, 0, 0, *[0] * 6, 0, 0, 0, 0, 0)
    payload += bytes(MAX_EXTRA - 8 - len(payload))
    size = 12 + MAX_EXTRA + 2 + 8
    member = pack_member(payload[:4] + struct.pack("<I", size) + payload[8:], b"\x03\x00", 0, 0)
    assert len(member) == size
    assert kinds(member + BLOCKS[0]) == ["Block", "Block"]
