"""Blocks: what goes in comes out, any gzip reader reads them, and damage never passes as content."""

from __future__ import annotations

import gzip
import random
import struct
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.format.block import BadHeader, cut_name, pack_block, pack_member, parse_header
from polyrecord.format.constants import EMPTY_DEFLATE, MAX_EXTRA
from polyrecord.format.content import BadBlock, inflate
from tests.format.samples import block, gzip_members, index_of, line
from tests.format.spec import block_of
from tests.format.strategies import Sample, samples

ONE = index_of(1, [b"x\n"])


@given(samples(), st.integers(0, 3))
def test_any_gzip_reader_gets_exactly_the_lines(sample: Sample, level: int) -> None:
    assert gzip.decompress(pack_block(sample.content, sample.index, level)) == sample.content


def test_zcat_gets_exactly_the_lines(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    lines = [line(seq, note="é ☃ \U0001f600") for seq in range(1, 200)]
    path = tmp_path / "a.gz"
    path.write_bytes(pack_block(b"".join(lines), index_of(1, lines)))
    assert subprocess.run([require_tool("zcat"), path], capture_output=True, check=True).stdout == b"".join(
        lines
    )


@given(samples())
def test_a_block_is_read_back_as_it_was_packed(sample: Sample) -> None:
    member = pack_block(sample.content, sample.index)
    header = parse_header(b"junk" + member, 4)
    assert inflate(member, header) == sample.content
    assert (header.member_length, header.content_length) == (len(member), len(sample.content))
    told = {name: getattr(header, name) for name in asdict(sample.index)}
    assert {**told, "trace_keys": list(header.trace_keys), "value_keys": list(header.value_keys)} == asdict(
        sample.index
    )


@given(samples())
def test_every_field_lies_where_the_specification_says(sample: Sample) -> None:
    member = pack_block(sample.content, sample.index)
    found = block_of(member)
    wanted = asdict(sample.index)
    assert {name: found[name] for name in wanted} == wanted
    assert (found["version"], found["kind"]) == (1, 0)
    assert (found["member_length"], found["content_length"]) == (len(member), len(sample.content))
    assert struct.unpack("<II", member[-8:]) == (zlib.crc32(sample.content), len(sample.content))


def outcome(damaged: bytes) -> bytes | None:
    """The content a reader takes from these bytes, None if it finds them damaged."""
    try:
        header = parse_header(damaged)
        return inflate(damaged[: header.member_length], header)
    except (BadHeader, BadBlock):
        return None


def test_a_flipped_bit_anywhere_is_found_or_changes_nothing() -> None:
    member = block(1, 40)
    content, bits = gzip.decompress(member), random.Random(7)
    survived = 0
    for at in range(len(member)):
        damaged = bytearray(member)
        damaged[at] ^= 1 << bits.randrange(8)
        result = outcome(bytes(damaged))
        assert result in (None, content)
        survived += result is not None
    assert survived <= 1  # the unused bits after the end of the deflate stream


@given(st.data())
def test_any_overwritten_bytes_are_found_or_change_nothing(data: st.DataObject) -> None:
    member = block(1, 10)
    content, damaged = gzip.decompress(member), bytearray(member)
    for at, value in data.draw(st.dictionaries(st.integers(0, len(member) - 1), st.integers(0, 255))).items():
        damaged[at] = value
    assert outcome(bytes(damaged)) in (None, content)


@given(st.binary(max_size=300))
def test_whatever_bytes_stand_there_only_bad_header_is_raised(data: bytes) -> None:
    with pytest.raises(BadHeader):
        parse_header(data)


@given(st.binary(min_size=8, max_size=200), st.integers(0, 2))
def test_a_payload_of_any_bytes_with_a_right_crc_raises_only_bad_header(data: bytes, kind: int) -> None:
    """What the CRC cannot find, a writer with a bug, must not bring a reader down either."""
    try:
        parse_header(pack_member(bytes((1, kind)) + data[2:], EMPTY_DEFLATE, 0, 0))
    except BadHeader:
        return
    assert len(data) >= 80


@given(st.binary(max_size=200))
def test_a_stream_of_any_bytes_raises_only_bad_block(deflated: bytes) -> None:
    header = parse_header(block(1, 1))
    length = 12 + MAX_EXTRA
    member = bytes(10) + struct.pack("<H", MAX_EXTRA) + bytes(MAX_EXTRA) + deflated + bytes(8)
    with pytest.raises(BadBlock):
        inflate(member, replace(header, member_length=length + len(deflated) + 8))


def test_a_block_that_claims_less_than_it_holds_is_not_inflated_further() -> None:
    """A bomb: 50 MB of line feeds in a few kilobytes."""
    bomb = pack_block(b"\n" * 50_000_000, replace(ONE, events=1))
    with pytest.raises(BadBlock, match="deflate"):
        inflate(bomb, replace(parse_header(bomb), content_length=1000))


def test_a_block_that_claims_more_than_a_gibibyte_is_refused() -> None:
    member = block(1, 1)
    with pytest.raises(BadBlock, match="claims to hold"):
        inflate(member, replace(parse_header(member), content_length=(1 << 30) + 1))


@pytest.mark.parametrize("content", [b"a\nb\nc\n", b"a\nb", b"a\n", b"a\n\nb"])
def test_contents_that_are_not_the_lines_of_the_header_are_refused(content: bytes) -> None:
    member = pack_block(content, replace(ONE, events=2))
    with pytest.raises(BadBlock, match="number of lines"):
        inflate(member, parse_header(member))


def test_the_index_may_fill_a_gzip_header_to_the_limit_and_no_further() -> None:
    """FEXTRA is fixed part, names and keys, PR's four bytes and the CRC: 32,000 bytes and not one more."""
    room = MAX_EXTRA - 4 - 80 - 4 - (1 + len("signal") + 4)
    keys, rest = divmod(room, 4)
    path = "p" * (rest + 4 - 1)
    full = replace(ONE, paths=(path,), trace_keys=range(keys - 1))
    member = pack_block(b"x\n", full)
    assert struct.unpack_from("<H", member, 10)[0] == MAX_EXTRA
    assert list(parse_header(member).trace_keys) == list(range(keys - 1))
    with pytest.raises(ValueError, match="does not fit a gzip header"):
        pack_block(b"x\n", replace(full, paths=(path + "p",)))


@pytest.mark.parametrize(
    "name", ["x" * 255, "x" * 256, "é" * 200, "x" + "é" * 200, "☃" * 90, "\U0001f600" * 70]
)
def test_a_long_name_is_cut_at_a_character_edge(name: str) -> None:
    cut = cut_name(name)
    assert len(cut) <= 255
    assert name.startswith(cut.decode())
    assert len(name.encode()) <= 255 or len(cut) > 251
    member = pack_block(b"x\n", replace(ONE, types={name: 1}))
    assert parse_header(member).types == {cut.decode(): 1}


def test_two_long_names_with_one_beginning_share_their_count() -> None:
    types = {"x" * 255 + "a": 2, "x" * 255 + "b": 3}
    assert parse_header(pack_block(b"x\n", replace(ONE, types=types))).types == {"x" * 255: 5}


def test_a_lone_surrogate_in_a_name_is_indexed_as_the_line_shows_it() -> None:
    member = pack_block(b"x\n", replace(ONE, types={"a\ud800": 1}))
    assert parse_header(member).types == {"a\\ud800": 1}


def test_a_declared_loss_beyond_32_bits_is_the_largest_number() -> None:
    assert parse_header(pack_block(b"x\n", replace(ONE, lost=2**40))).lost == 2**32 - 1


def test_foreign_subfields_before_ours_are_ignored() -> None:
    member = block(1, 3)
    (xlen,) = struct.unpack_from("<H", member, 10)
    foreign = b"AP" + struct.pack("<H", 5) + b"hello"
    payload = bytearray(member[12 : 12 + xlen - 4])
    struct.pack_into("<I", payload, 4 + 4, len(member) + len(foreign))
    head = member[:10] + struct.pack("<H", xlen + len(foreign)) + foreign + payload
    other = head + struct.pack("<I", zlib.crc32(head)) + member[12 + xlen :]
    assert gzip.decompress(other) == gzip.decompress(member)
    assert inflate(other, parse_header(other)) == gzip.decompress(member)


def test_bytes_after_the_tables_are_ignored() -> None:
    """Room for later fields of version 1."""
    member = block(1, 3)
    (xlen,) = struct.unpack_from("<H", member, 10)
    payload = bytearray(member[16 : 12 + xlen - 4] + b"later")
    struct.pack_into("<I", payload, 4, len(member) + 5)
    other = pack_member(bytes(payload), member[12 + xlen : -8], *struct.unpack("<II", member[-8:]))
    header = parse_header(other)
    assert replace(header, member_length=len(member)) == parse_header(member)
    assert inflate(other, header) == gzip.decompress(member)


def test_a_higher_version_is_refused_by_name_and_still_plain_gzip() -> None:
    payload = bytes((2, 0)) + bytes(78)
    member = pack_member(payload, b"\x4b\xe4\x02\x00", zlib.crc32(b"a\n"), 2)
    with pytest.raises(BadHeader, match="version 2 is newer"):
        parse_header(member)
    assert gzip.decompress(member) == b"a\n"


def test_blocks_end_where_gzip_says_members_end() -> None:
    blocks = [block(1, 5), block(6, 50), block(56, 1)]
    assert gzip_members(b"".join(blocks)) == blocks


def test_numbers_that_do_not_fit_are_not_wrapped() -> None:
    with pytest.raises(struct.error):
        pack_block(b"x\n", replace(ONE, first_seq=2**64))
