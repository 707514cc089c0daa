"""Looking for an id costs what it matches: key tables name the blocks, and no other record is looked at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.format.block import BadHeader, BlockIndex, pack_block, parse_header
from polyrecord.format.block_keys import parse_keys
from polyrecord.format.directory import Directory
from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.files import ShardFile
from polyrecord.read.match import Matcher
from polyrecord.read.plan import plan_shard
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.read.shard import open_shard
from polyrecord.times import SECOND
from tests.format.samples import as_before
from tests.read.archives import NOON, ArchiveMaker, Given


def trace(number: int) -> str:
    """A trace id; those of different numbers have different keys, the first eight digits."""
    return f"{number * 0x01000193 & 0xFFFFFFFF:08x}-0000-4000-8000-000000000001"


def traced(maker: ArchiveMaker, *, tables: bool = True) -> None:
    """A hundred traces of one event, three to a block; without `tables` keys are in headers alone."""
    events = (Given(NOON + n * SECOND, trace_id=trace(n)) for n in range(100))
    (path,) = maker.write(events, block_bytes=300)
    if not tables:
        path.write_bytes(as_before(path.read_bytes()))
    (info,) = Archive(maker.root).shards()
    index = open_shard(info, Explain())
    assert index is not None
    assert index.table.has_keys is tables


def found(maker: ArchiveMaker, number: int) -> tuple[list[int], Explain]:
    """The seqs of the events of a trace, asked for by its whole id, and what it took to find them."""
    explain = Explain()
    selection = Selection(trace=trace(number).replace("-", ""))
    return [event.seq for event in Replay(Archive(maker.root), selection, explain=explain)], explain


def test_where_a_key_table_answers_no_record_is_unpacked_but_the_hits(
    archive: ArchiveMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced(archive)
    asked: list[int] = []
    raw_record = Directory.raw_record

    def watched(self: Directory, number: int) -> tuple[int, ...]:
        asked.append(number)
        return raw_record(self, number)

    def never(self: Directory) -> Iterator[tuple[int, ...]]:
        raise AssertionError("every record was unpacked")

    monkeypatch.setattr(Directory, "raw_record", watched)
    monkeypatch.setattr(Directory, "raw_records", never)
    seqs, explain = found(archive, 50)
    assert seqs == [51]
    assert len(set(asked)) == explain.blocks_read == explain.headers_read == 1
    assert explain.skipped_by_key == explain.blocks_found - 1


def test_lines_of_a_hit_are_numbered_as_in_the_whole_shard(archive: ArchiveMaker) -> None:
    traced(archive)
    (info,) = Archive(archive.root).shards()
    every = {block.offset: block for block in plan_shard(info, Matcher(Selection()), Explain()).blocks}
    for number in (0, 50, 99):
        matcher = Matcher(Selection(trace=trace(number)))
        (hit,) = plan_shard(info, matcher, Explain()).blocks
        assert hit == every[hit.offset]


def test_headers_that_will_be_read_are_announced_to_the_system(
    archive: ArchiveMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced(archive, tables=False)
    announced: list[int] = []
    monkeypatch.setattr(ShardFile, "announce", lambda self, offset, length: announced.append(offset))
    seqs, explain = found(archive, 50)
    assert seqs == [51]
    assert len(announced) == explain.headers_read == explain.blocks_found


keys = st.lists(st.integers(0, (1 << 32) - 1), unique=True, max_size=20).map(sorted)


@given(
    types=st.dictionaries(st.text(min_size=1, max_size=8), st.integers(0, 9), max_size=4),
    paths=st.lists(st.text(min_size=1, max_size=8), max_size=3).map(tuple),
    traces=keys,
    values=keys,
    flags=st.integers(0, 3),
)
def test_keys_are_those_of_the_whole_header(
    types: dict[str, int], paths: tuple[str, ...], traces: list[int], values: list[int], flags: int
) -> None:
    index = BlockIndex(
        1, 1, 1, 1, 1, 0, 0, types, flags=flags, paths=paths, trace_keys=traces, value_keys=values
    )
    member = pack_block(b"{}\n", index)
    header = parse_header(member)
    assert tuple(parse_keys(member)) == (header.flags, header.paths, header.trace_keys, header.value_keys)


@given(data=st.data())
def test_a_damaged_header_has_no_keys(data: st.DataObject) -> None:
    index = BlockIndex(1, 1, 1, 1, 1, 0, 0, {"x": 1}, trace_keys=[1, 2])
    member = bytearray(pack_block(b"{}\n", index))
    at = data.draw(st.integers(0, 12 + int.from_bytes(member[10:12], "little") - 1))
    member[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(BadHeader):
        parse_keys(bytes(member))
