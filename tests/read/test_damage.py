"""What is damaged costs what it touches and nothing else, and is reported (docs/format.md, section 6)."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyrecord.errors import DataError
from polyrecord.format.block import BlockIndex, pack_block
from polyrecord.format.constants import FOOTER_SIZE
from polyrecord.format.directory import BlockRecord
from polyrecord.read.archive import Archive
from polyrecord.read.blocks import chunks
from polyrecord.read.event import NotAnEvent
from polyrecord.read.explain import Explain
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.read.shard import open_shard
from tests.read.archives import NOON, ArchiveMaker, Given, open_again


def read_all(maker: ArchiveMaker, *, strict: bool = False) -> tuple[list[bytes], Explain]:
    """All lines in replay order and what reading met."""
    explain = Explain(strict=strict)
    return list(Replay(Archive(maker.root), Selection(), explain=explain).lines()), explain


def records(maker: ArchiveMaker) -> list[BlockRecord]:
    """The block records of the only shard."""
    (info,) = Archive(maker.root).shards()
    index = open_shard(info, Explain(strict=True))
    assert index is not None
    return [BlockRecord(*record) for record in index.records()]


def flip(path: Path, offset: int) -> None:
    """Change one byte."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 0x20
    path.write_bytes(content)


def test_a_flipped_byte_costs_one_block(archive: ArchiveMaker) -> None:
    (path,) = archive.signals(100)
    expected, blocks = archive.read(), records(archive)
    second = blocks[1]
    flip(path, second.offset + second.member_length - 20)
    got, explain = read_all(archive)
    lost = expected[blocks[0].events : blocks[0].events + second.events]
    assert got == [line for line in expected if line not in lost]
    (finding,) = explain.damage
    assert (finding.path, finding.offset, finding.bytes, finding.events) == (
        path, second.offset, second.member_length, second.events,
    )  # fmt: skip
    assert "damaged" in finding.reason


@pytest.mark.parametrize("at", range(100))
@pytest.mark.parametrize("kept", ["directory", "no footer", "open"])
def test_a_flipped_header_byte_costs_nothing(archive: ArchiveMaker, at: int, kept: str) -> None:
    """The directory, the rest of the header, or gzip's own CRC proves the lines; the finding says so."""
    (path,) = archive.signals(100)
    expected, blocks = archive.read(), records(archive)
    second = blocks[1]
    flip(path, second.offset + at)
    if kept == "no footer":
        path.write_bytes(path.read_bytes()[:-FOOTER_SIZE])
    if kept == "open":
        end = blocks[-1].offset + blocks[-1].member_length
        path.write_bytes(path.read_bytes()[:end])
        path = open_again(path)
    got, explain = read_all(archive)
    assert got == expected
    finding = explain.damage[0]
    assert (finding.path, finding.offset, finding.bytes, finding.events, finding.reason) == (
        path, second.offset, second.member_length, 0, "block header is damaged",
    )  # fmt: skip
    assert len(explain.damage) == (2 if kept == "no footer" else 1)
    with pytest.raises(DataError, match="header is damaged"):
        read_all(archive, strict=True)


def test_a_block_damaged_twice_costs_itself_without_a_directory_too(archive: ArchiveMaker) -> None:
    """Hopping, the events lost are told by the ordinals around the damage."""
    (path,) = archive.signals(100)
    expected, blocks = archive.read(), records(archive)
    second = blocks[1]
    path.write_bytes(path.read_bytes()[:-FOOTER_SIZE])
    flip(path, second.offset + 30)
    flip(path, second.offset + second.member_length - 20)
    got, explain = read_all(archive)
    assert got == expected[: blocks[0].events] + expected[blocks[0].events + second.events :]
    damage = [(f.offset, f.bytes, f.events) for f in explain.damage]
    assert (second.offset, second.member_length, second.events) in damage


def test_strict_reading_raises_at_the_first_damage(archive: ArchiveMaker) -> None:
    (path,) = archive.signals(100)
    second = records(archive)[1]
    flip(path, second.offset + second.member_length - 20)
    with pytest.raises(DataError, match="damaged") as raised:
        read_all(archive, strict=True)
    assert (raised.value.path, raised.value.offset) == (path, second.offset)


def test_a_damaged_directory_is_noted_and_does_without(archive: ArchiveMaker) -> None:
    (path,) = archive.signals(100)
    expected = archive.read()
    end = records(archive)[-1]
    flip(path, end.offset + end.member_length + 60)
    got, explain = read_all(archive)
    assert got == expected
    assert any("directory is damaged" in finding.reason for finding in explain.damage)
    assert sum(finding.events or 0 for finding in explain.damage) == 0


def test_a_torn_tail_of_an_open_shard_is_counted_and_ignored(archive: ArchiveMaker) -> None:
    (path,) = archive.signals(100)
    expected, last = archive.read(), records(archive)[-1]
    path.write_bytes(path.read_bytes()[: last.offset + last.member_length - 5])
    open_again(path)
    got, explain = read_all(archive)
    assert got == expected[: -last.events]
    assert explain.torn_bytes == last.member_length - 5
    assert explain.damage == []


def test_a_torn_tail_of_a_sealed_shard_is_damage(archive: ArchiveMaker) -> None:
    (path,) = archive.signals(100)
    expected, last = archive.read(), records(archive)[-1]
    path.write_bytes(path.read_bytes()[: last.offset + last.member_length - 5])
    got, explain = read_all(archive)
    assert got == expected[: -last.events]
    torn = explain.damage[0]
    assert (torn.offset, torn.bytes, torn.events) == (last.offset, last.member_length - 5, last.events)


def test_zero_padding_is_counted_and_ignored(archive: ArchiveMaker) -> None:
    (path,) = archive.signals(100)
    expected = archive.read()
    path.write_bytes(path.read_bytes() + bytes(5000))
    got, explain = read_all(archive)
    assert got == expected
    assert explain.padding_bytes == 5000


def test_an_empty_file_is_a_finding_when_sealed_and_nothing_when_open(archive: ArchiveMaker) -> None:
    archive.signals(10)
    expected = archive.read()
    empty = archive.root / "data/events/date=2026-11-20/events-w-0001.jsonl.gz"
    empty.touch()
    got, explain = read_all(archive)
    assert got == expected
    assert [(f.path, f.reason) for f in explain.damage] == [(empty, "sealed shard is empty")]
    open_again(empty)
    assert read_all(archive)[1].damage == []


@pytest.mark.parametrize(
    "bad", [b"oh no", b'{"ts":"2026-11-20T12:00:00.000000004Z","seq":4,"event_type":"x"']
)
def test_a_line_that_is_not_json_is_named_by_its_number(archive: ArchiveMaker, bad: bytes) -> None:
    """In a block whose CRC holds: another writer made it so."""
    line = b'{"ts":"2026-11-20T12:00:00.00000000%dZ","seq":%d,"event_type":"x","data":{}}\n'
    good = [line % (at, at) for at in range(1, 6)]
    index = BlockIndex(6, 1, 6, 1, 6, NOON + 1, NOON + 6, {"x": 6})
    for number in (1, 2):
        path = archive.root / f"data/events/date=2026-11-20/_open/events-w{number}-0001.jsonl.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        further = BlockIndex(1, 7, 7, 7, 7, NOON + 7, NOON + 7, {"x": 1})
        behind = pack_block(bad + b"\n", further) if number > 1 else b""
        path.write_bytes(pack_block(b"".join([*good[:3], bad + b"\n", *good[3:]]), index) + behind)
    got, explain = read_all(archive)
    assert sorted(got) == sorted(2 * [each[:-1] for each in good])
    found = [(finding.path.name[:9], finding.line, finding.events) for finding in explain.damage]
    assert sorted(found) == [("events-w1", 4, 1), ("events-w2", 4, 1), ("events-w2", 7, 1)]
    assert all("not JSON" in finding.reason for finding in explain.damage)
    with pytest.raises(DataError, match="not JSON") as raised:
        read_all(archive, strict=True)
    assert raised.value.line == 4


def test_data_that_is_not_json_shows_when_it_is_asked_for(archive: ArchiveMaker) -> None:
    """A line that begins and ends as ours do, in a block whose CRC holds, is given as it was recorded."""
    archive.write([Given(NOON, data=b"{"), Given(NOON + 1)])
    first, second = Replay(Archive(archive.root), Selection())
    with pytest.raises(NotAnEvent, match="not JSON"):
        _ = first.data
    assert second.data == {}


def test_a_shard_that_vanishes_is_a_finding(archive: ArchiveMaker) -> None:
    first, *_ = archive.signals(10)
    infos = Archive(archive.root).shards()
    first.unlink()
    explain = Explain()
    assert open_shard(infos[0], explain) is None
    assert "cannot be read" in explain.damage[0].reason


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.floats(0, 1, exclude_max=True), cut=st.booleans(), lies_open=st.booleans())
def test_no_cut_and_no_flip_makes_up_events_or_raises(
    tmp_path_factory: pytest.TempPathFactory, at: float, cut: bool, lies_open: bool
) -> None:
    """Whatever is changed: what is read was recorded, in order, and what is not read is accounted for."""
    maker = ArchiveMaker(tmp_path_factory.mktemp("archive"))
    (path,) = maker.signals(60, block_bytes=500)
    expected, blocks = maker.read(), records(maker)
    offset = int(at * path.stat().st_size)
    if cut:
        path.write_bytes(path.read_bytes()[:offset])
    else:
        flip(path, offset)
    if lies_open:
        open_again(path)
    got, explain = read_all(maker)
    remaining = iter(expected)
    assert all(line in remaining for line in got)
    if not cut:
        assert len(expected) - len(got) <= max(block.events for block in blocks)
        assert len(got) == len(expected) or explain.damage or explain.torn_bytes or explain.plain_members
    assert sorted(b"".join(chunks(Archive(maker.root), Selection(), Explain())).splitlines()) == sorted(got)


def test_gzip_of_the_same_lines_is_read_as_a_stream(archive: ArchiveMaker) -> None:
    """Of a shard that somebody unpacked and packed again nothing can be skipped, and nothing is lost."""
    (path,) = archive.signals(100)
    expected = archive.read()
    content = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(content[:4000]) + gzip.compress(content[4000:]) + bytes(100))
    got, explain = read_all(archive)
    assert got == expected
    assert (explain.plain_members, explain.blocks_read, explain.padding_bytes) == (2, 0, 100)
    assert explain.damage == []
