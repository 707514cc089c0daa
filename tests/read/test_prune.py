"""What is skipped without inflating, and that headers and directory agree."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from polyrecord.format.block import BlockIndex, pack_block
from polyrecord.format.constants import FOOTER_SIZE, UNINDEXED
from polyrecord.format.directory import Directory
from polyrecord.ids import trace_key
from polyrecord.read.archive import Archive
from polyrecord.read.blocks import chunks, lines
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.shard import HeaderTable, open_shard
from polyrecord.times import SECOND
from tests.format.samples import as_before
from tests.read.archives import NOON, ArchiveMaker, Given

ALL = Selection()


def mixed(count: int) -> list[Given]:
    """Signals with a trace and an order each, and now and then a fill, in one stream."""
    return [
        Given(
            NOON + at * SECOND,
            "fill" if at % 50 == 49 else "signal",
            b'{"order_id":"O-%d"}' % at,
            f"{at:08x}",
        )
        for at in range(count)
    ]


def read(maker: ArchiveMaker, selection: Selection) -> tuple[list[bytes], Explain]:
    """Selected lines and what it took."""
    explain = Explain(strict=True)
    return list(lines(Archive(maker.root), selection, explain)), explain


@pytest.mark.parametrize("has_directory", [True, False])
@pytest.mark.parametrize(
    ("selection", "counter", "fits"),
    [
        (Selection(NOON + 70 * SECOND, NOON + 80 * SECOND), "skipped_by_time", range(70, 80)),
        (Selection(types=frozenset({"fill"})), "skipped_by_type", range(49, 400, 50)),
        (Selection(trace="0000005"), "skipped_by_key", range(0x50, 0x60)),
        (Selection(trace="00000050", exact=True), "skipped_by_key", [0x50]),
        (Selection(value="o-77"), "skipped_by_key", [77]),
    ],
)
def test_blocks_are_skipped_by_time_type_and_key(
    archive: ArchiveMaker, has_directory: bool, selection: Selection, counter: str, fits: range
) -> None:
    (path,) = archive.write(mixed(400), block_bytes=600)
    everything = archive.read()
    if not has_directory:
        path.write_bytes(path.read_bytes()[:-FOOTER_SIZE])
    explain = Explain()
    got = list(lines(Archive(archive.root), selection, explain))
    assert got == [everything[at] for at in fits]
    assert explain.blocks_found > 40
    skipped = getattr(explain, counter)
    assert skipped + explain.blocks_read == explain.blocks_found
    assert explain.blocks_read <= len(fits)
    assert explain.lines_kept == len(fits)
    if counter != "skipped_by_key":
        assert explain.headers_read == (0 if has_directory else explain.blocks_found)


def test_a_window_is_exact_to_the_nanosecond(archive: ArchiveMaker) -> None:
    """Blocks of one event: since is inclusive, until exclusive, and no block more is read."""
    archive.write([Given(NOON + at) for at in range(9)], block_bytes=1)
    got, explain = read(archive, Selection(NOON + 3, NOON + 5))
    assert got == archive.read()[3:5]
    assert explain.blocks_read == 2


def test_keys_are_taken_from_headers_where_the_directory_has_none(archive: ArchiveMaker) -> None:
    """As earlier writers left it: one read of each header."""
    (path,) = archive.write(mixed(400), block_bytes=600)
    path.write_bytes(as_before(path.read_bytes()))
    (info,) = Archive(archive.root).shards()
    index = open_shard(info, Explain(strict=True))
    assert index is not None
    assert index.footer is not None
    assert not index.table.has_keys
    got, explain = read(archive, Selection(NOON, NOON + 100 * SECOND, trace="00000030"))
    assert got == [archive.read()[0x30]]
    assert explain.headers_read + explain.skipped_by_time == explain.blocks_found
    assert explain.blocks_read == 1


def test_keys_are_taken_from_the_directory_where_it_has_them(archive: ArchiveMaker) -> None:
    """Its tables name blocks, and the headers of these confirm it."""
    noise = b'{"x":"%s"}'
    events = [Given(NOON + at, "signal", noise % (str(at).encode() * 90)) for at in range(400)]
    events[77] = Given(NOON + 77, "signal", b'{"order_id":"O-1"}', "4f1c")
    archive.write(events, block_bytes=60_000)
    for selection in (Selection(trace="4f"), Selection(value="O-1")):
        got, explain = read(archive, selection)
        assert got == [archive.read()[77]]
        assert (explain.headers_read, explain.blocks_read) == (1, 1)
        assert explain.skipped_by_key == explain.blocks_found - 1


def test_a_block_that_only_a_cell_named_is_not_inflated(archive: ArchiveMaker) -> None:
    """Ids whose keys share a cell of 65,536: the header tells them apart."""
    archive.write([Given(NOON + at, trace_id=f"4f1c{at:04x}") for at in range(50)], block_bytes=1)
    for since in (None, NOON):
        got, explain = read(archive, Selection(since, trace="4f1c0007"))
        assert got == [archive.read()[7]]
        assert (explain.headers_read, explain.blocks_read) == (50, 1)
        assert explain.skipped_by_key == 49


def test_headers_and_directory_answer_the_same(archive: ArchiveMaker) -> None:
    (path,) = archive.write(mixed(300), block_bytes=700)
    (info,) = Archive(archive.root).shards()
    sealed = open_shard(info, Explain())
    path.write_bytes(path.read_bytes()[:-FOOTER_SIZE])
    hopped = open_shard(info, Explain())
    assert sealed is not None
    assert hopped is not None
    assert isinstance(sealed.table, Directory)
    assert isinstance(hopped.table, HeaderTable)
    assert sealed.types == hopped.types == {"signal": 294, "fill": 6}
    without_crc = [record[:12] + record[13:] for record in sealed.records()]
    assert without_crc == [record[:12] + record[13:] for record in hopped.records()]


def test_a_block_that_lists_no_keys_is_always_looked_at(archive: ArchiveMaker) -> None:
    line = b'{"ts":"2026-11-20T12:00:00.000000001Z","seq":1,"event_type":"x","trace_id":"4f1c","data":{}}\n'
    index = BlockIndex(1, 1, 1, 1, 1, NOON + 1, NOON + 1, {"x": 1}, flags=UNINDEXED)
    path = archive.root / "data/events/date=2026-11-20/_open/events-w-0001.jsonl.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(pack_block(line, index))
    assert read(archive, Selection(trace="4f"))[0] == [line[:-1]]
    assert read(archive, Selection(value="4f"))[1].blocks_read == 1


def test_a_shared_key_is_told_apart_by_the_line(archive: ArchiveMaker) -> None:
    """Two ids that begin with the same eight digits have one key."""
    ids = ["4f1c00001111", "4f1c00002222"]
    assert trace_key(ids[0]) == trace_key(ids[1])
    archive.write([Given(NOON + at, trace_id=id_) for at, id_ in enumerate(ids)])
    assert [json.loads(line)["trace_id"] for line in read(archive, Selection(trace=ids[1]))[0]] == [ids[1]]


def test_more_than_63_types_are_told_apart(archive: ArchiveMaker) -> None:
    archive.write([Given(NOON + at, f"type_{at}") for at in range(100)], block_bytes=300)
    for name in ("type_0", "type_63", "type_99"):
        got, explain = read(archive, Selection(types=frozenset({name})))
        assert [json.loads(line)["event_type"] for line in got] == [name]
        assert explain.blocks_read == 1


def test_a_type_longer_than_an_index_holds_is_told_apart_by_the_line(archive: ArchiveMaker) -> None:
    long = ["é" * 200 + end for end in "ab"]
    archive.write([Given(NOON + at, name) for at, name in enumerate(long)])
    got, _ = read(archive, Selection(types=frozenset({long[1]})))
    assert [json.loads(line)["event_type"] for line in got] == [long[1]]


def test_a_type_with_quotes_is_found(archive: ArchiveMaker) -> None:
    archive.write([Given(NOON, 'a"b\\'), Given(NOON + 1, "c")])
    assert len(read(archive, Selection(types=frozenset({'a"b\\'})))[0]) == 1


def test_chunks_are_whole_blocks_where_all_is_selected(archive: ArchiveMaker) -> None:
    paths = archive.write(mixed(200), block_bytes=900, shard_events=60)
    found = list(chunks(Archive(archive.root), ALL, Explain()))
    assert b"".join(found) == b"".join(gzip.decompress(path.read_bytes()) for path in paths)
    assert len(found) == read(archive, ALL)[1].blocks_found


def test_every_byte_read_is_counted(archive: ArchiveMaker) -> None:
    paths = archive.write(mixed(200), block_bytes=900)
    _, explain = read(archive, ALL)
    assert explain.bytes_read == sum(path.stat().st_size for path in paths)
    assert explain.bytes_inflated == sum(len(gzip.decompress(path.read_bytes())) for path in paths)
    assert explain.lines_read == explain.lines_kept == 200
    assert (explain.shards_found, explain.shards_opened) == (1, 1)


def test_real_recordings_are_read_back(recordings: Path, archive: ArchiveMaker) -> None:
    """Lines of a bot's own log as data: every one comes back."""
    source = (recordings / "pm_bot_0xcyda/late-entry.jsonl").read_bytes().splitlines()[:2000]
    archive.write([Given(NOON + at, data=line) for at, line in enumerate(source)], block_bytes=50_000)
    got, _ = read(archive, ALL)
    assert [line.partition(b'"data":')[2][:-1] for line in got] == source
