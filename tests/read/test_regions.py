"""Plain regions between blocks of ours in one shard (docs/format.md, section 6.7)."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Iterable
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyrecord.errors import DataError
from polyrecord.format.block import BlockIndex, pack_block
from polyrecord.read.archive import Archive
from polyrecord.read.blocks import chunks
from polyrecord.read.blocks import lines as read_lines
from polyrecord.read.coverage import coverage
from polyrecord.read.explain import Explain
from polyrecord.read.newest import newest_event
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.read.shard import open_shard
from polyrecord.times import SECOND, format_ts
from tests.read.archives import NOON, RECORDER, ArchiveMaker

OTHER = "20261120t120000.host.2.bbbb"


def event(seq: int, event_type: str = "signal") -> bytes:
    """The line of an event, `seq` seconds after noon."""
    ts = format_ts(NOON + seq * SECOND).encode()
    return b'{"ts":"%s","seq":%d,"event_type":"%s","data":{}}' % (ts, seq, event_type.encode())


def text(lines: Iterable[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def block(*seqs: int, bad: int | None = None) -> bytes:
    """A block of ours; the line of `bad` is no event."""
    first, last = seqs[0], seqs[-1]
    times = NOON + first * SECOND, NOON + last * SECOND
    index = BlockIndex(len(seqs), first, last, first, last, *times, {"signal": len(seqs)})
    return pack_block(text(b"oh no" if seq == bad else event(seq) for seq in seqs), index)


def flipped(*seqs: int) -> bytes:
    """A block of ours with one bit flipped, so that its subfield is not named PR but QR."""
    member = bytearray(block(*seqs))
    member[12] ^= 1
    return bytes(member)


def foreign(*seqs: int) -> bytes:
    """A gzip member of somebody else's."""
    return gzip.compress(text(map(event, seqs)))


def shard(
    root: Path, *pieces: bytes, stream: str = "data/events", writer: str = RECORDER, sealed: bool = False
) -> Path:
    """A shard of these pieces, without a directory."""
    folder = root / stream / "date=2026-11-20" / ("" if sealed else "_open")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{stream.partition('/')[2]}-{writer}-0001.jsonl.gz"
    path.write_bytes(b"".join(pieces))
    return path


def read(root: Path, selection: Selection | None = None) -> tuple[list[bytes], Explain]:
    """Lines in replay order, which must be the same asynchronously, and what reading met."""
    explain, asked = Explain(), selection or Selection()
    got = list(Replay(Archive(root), asked, explain=explain).lines())

    async def collect() -> list[bytes]:
        return [event.line async for event in Replay(Archive(root), asked)]

    assert asyncio.run(collect()) == got
    assert explain.blocks_held == 0
    return got, explain


def in_chunks(root: Path) -> list[bytes]:
    return b"".join(chunks(Archive(root), Selection(), Explain())).splitlines()


def events(first: int, last: int) -> list[bytes]:
    return [event(seq) for seq in range(first, last + 1)]


@pytest.fixture
def root(archive: ArchiveMaker) -> Path:
    """Where the archive is."""
    return archive.root


def test_a_block_that_looks_like_plain_gzip_is_a_block_and_said_to_be_damaged(root: Path) -> None:
    """With the subfield's name put back the header's CRC holds."""
    shard(root, block(1, 2, 3), flipped(4, 5, 6), block(7, 8, 9))
    got, explain = read(root)
    assert got == in_chunks(root) == events(1, 9)
    assert list(read_lines(Archive(root), Selection(), Explain())) == events(1, 9)
    assert (explain.plain_members, explain.blocks_read) == (0, 3)
    assert [(f.offset, f.events, f.reason) for f in explain.damage] == [
        (len(block(1, 2, 3)), 0, "block header is damaged")
    ]


def test_it_keeps_its_place_between_two_writers(root: Path) -> None:
    shard(root, block(1, 3, 5), flipped(7, 9, 11), block(13, 15, 17))
    shard(root, block(2, 4, 6, 8), flipped(10, 12), block(14, 16), writer=OTHER)
    assert read(root)[0] == events(1, 17)


def test_it_keeps_its_place_between_two_streams_of_a_writer(root: Path) -> None:
    shard(root, block(1, 3, 5), flipped(7, 9, 11), block(13, 15, 17))
    shard(root, flipped(2, 4), block(6, 8, 10), flipped(12, 14, 16), stream="data/books")
    assert read(root)[0] == events(1, 17)


@pytest.mark.parametrize(
    "pieces",
    [
        [block(1, 2), foreign(3, 4), foreign(5), block(6, 7)],
        [block(1, 2), foreign(3, 4), block(5), foreign(6), block(7)],
        [foreign(1, 2), block(3, 4, 5), block(6, 7)],
        [block(1, 2), block(3, 4, 5), foreign(6, 7)],
        [foreign(1), block(2), foreign(3, 4, 5), foreign(6, 7)],
    ],
    ids=["two together", "two apart", "at the start", "at the end", "everywhere"],
)
@pytest.mark.parametrize("sealed", [False, True])
def test_foreign_members_are_read_where_they_stand(root: Path, pieces: list[bytes], sealed: bool) -> None:
    shard(root, *pieces, sealed=sealed)
    got, explain = read(root)
    assert got == in_chunks(root) == events(1, 7)
    assert [f for f in explain.damage if "directory is missing" not in f.reason] == []
    assert explain.torn_bytes == 0


def test_a_text_file_is_one_region(root: Path) -> None:
    path = shard(root, text(events(1, 5)))
    (info,) = Archive(root).shards()
    index = open_shard(info, Explain())
    assert index is not None
    assert index.plain is not None
    assert index.ends_plain
    assert (index.plain.offset, index.plain.length) == (0, path.stat().st_size)
    assert read(root)[0] == events(1, 5)


def test_a_shard_of_blocks_has_no_plain_region(archive: ArchiveMaker) -> None:
    archive.signals(5)
    (info,) = Archive(archive.root).shards()
    index = open_shard(info, Explain())
    assert index is not None
    assert index.plain is None
    assert not index.ends_plain


def test_file_order_holds_where_foreign_seqs_say_otherwise(root: Path) -> None:
    shard(root, block(5, 6), foreign(90, 91, 2), block(7, 8), foreign(1), block(9))
    expected = [event(seq) for seq in (5, 6, 90, 91, 2, 7, 8, 1, 9)]
    assert read(root)[0] == in_chunks(root) == expected


def test_a_foreign_member_cut_short_before_a_block_is_damage_even_in_an_open_shard(root: Path) -> None:
    """It cannot be a torn tail: our block was written behind it."""
    head, cut, tail = block(1, 2), foreign(*range(3, 40))[:-30], block(40, 41)
    path = shard(root, head, cut, tail)
    got, explain = read(root)
    assert got == in_chunks(root)
    assert got[:2] == events(1, 2)
    assert got[-2:] == events(40, 41)
    assert got == [line for line in events(1, 41) if line in got]
    (finding,) = explain.damage
    assert (finding.path, finding.offset, finding.bytes) == (path, len(head), len(cut))
    assert finding.reason == "plain gzip ends inside a member"
    assert explain.torn_bytes == 0
    with pytest.raises(DataError, match="ends inside a member"):
        list(Replay(Archive(root), Selection(), explain=Explain(strict=True)).lines())


@pytest.mark.parametrize("sealed", [False, True])
def test_only_the_member_that_is_cut_short_counts_as_torn_or_damaged(root: Path, sealed: bool) -> None:
    whole, cut = block(1, 2) + foreign(3, 4), foreign(5, 6)[:-9]
    shard(root, whole, cut, sealed=sealed)
    got, explain = read(root)
    assert got[:4] == events(1, 4)
    assert explain.torn_bytes == (0 if sealed else len(cut))
    assert [(f.offset, f.bytes) for f in explain.damage] == ([(len(whole), len(cut))] if sealed else [])


def test_damage_in_a_region_ends_with_it(root: Path) -> None:
    hurt = bytearray(foreign(3, 4))
    hurt[-6] ^= 1  # its CRC
    shard(root, block(1, 2), bytes(hurt), block(5), foreign(6), block(7))
    got, explain = read(root)
    assert got == [event(seq) for seq in (1, 2, 5, 6, 7)]
    assert [f.offset for f in explain.damage] == [len(block(1, 2))]
    assert "plain gzip is damaged" in explain.damage[0].reason


def test_zeros_between_foreign_members_and_before_a_block_are_padding(root: Path) -> None:
    shard(root, foreign(1), bytes(300_000), foreign(2), bytes(7), block(3))
    got, explain = read(root)
    assert got == events(1, 3)
    assert (explain.padding_bytes, explain.plain_members, explain.damage) == (300_007, 2, [])


def test_a_region_without_a_last_line_feed_does_not_run_into_the_next_block(root: Path) -> None:
    shard(root, gzip.compress(event(1)), block(2))
    got, explain = read(root)
    assert got == in_chunks(root) == events(1, 2)
    assert explain.torn_bytes == 0


def test_a_region_of_many_chunks_lets_the_next_block_wait(root: Path) -> None:
    padded = [event(seq)[:-2] + b"x" * 3000 + b"}}" for seq in range(10, 1500)]
    padded = [line.replace(b"{x", b'{"x":"x').replace(b"x}}", b'x"}}') for line in padded]
    shard(root, block(1, 2), gzip.compress(text(padded)), block(2000))
    assert read(root)[0] == in_chunks(root) == [*events(1, 2), *padded, event(2000)]


def numbers(explain: Explain) -> list[int | None]:
    return [finding.line for finding in explain.damage if "not JSON" in finding.reason]


def test_line_numbers_count_the_lines_of_regions(root: Path) -> None:
    """As they are counted in the whole file unpacked."""
    bad = gzip.compress(text([event(5), b"oh no", event(7)]))
    path = shard(root, block(1, 2, bad=2), bad, block(8, 9), bad, block(10), block(11, 12, bad=12))
    unpacked = gzip.decompress(path.read_bytes()).splitlines()
    expected = [number for number, line in enumerate(unpacked, 1) if line == b"oh no"]
    assert numbers(read(root)[1]) == expected == [2, 4, 9, 13]
    explain = Explain()
    list(chunks(Archive(root), Selection(), explain))
    assert numbers(explain) == expected


def test_line_numbers_are_left_out_behind_a_region_that_could_not_be_read(root: Path) -> None:
    shard(root, block(1, 2, bad=1), foreign(3, 4)[:-9], block(5, 6, bad=6), foreign(7), block(8, bad=8))
    assert numbers(read(root)[1]) == [1, None, None]


def test_events_lost_to_damage_beside_a_region_are_not_guessed(root: Path) -> None:
    """Plain lines may have had the ordinals that are missing."""
    shard(root, block(1, 2), foreign(3, 4), block(5, 6)[:-4], block(7), block(8, 9)[:-4], block(10))
    got, explain = read(root)
    assert got == [*events(1, 4), event(7), event(10)]
    assert [(f.reason, f.events) for f in explain.damage] == [
        ("member is cut short", None),
        ("member is cut short", 2),
    ]


def test_a_damaged_header_beside_a_region_costs_nothing_where_its_lines_are_whole(root: Path) -> None:
    hurt = bytearray(block(5, 6))
    hurt[40] ^= 1
    shard(root, block(1, 2), foreign(3, 4), bytes(hurt), block(7))
    got, explain = read(root)
    assert got == events(1, 7)
    assert (explain.plain_members, explain.damage) == (2, [])


def test_events_lost_before_the_first_block_are_only_known_in_the_first_shard(root: Path) -> None:
    path = shard(root, block(5, 6)[:-4], block(7))
    assert [f.events for f in read(root)[1].damage] == [6]
    path.rename(path.with_name(path.name.replace("-0001", "-0002")))
    assert [f.events for f in read(root)[1].damage] == [None]


def test_a_region_is_selected_line_by_line(root: Path) -> None:
    mixed = gzip.compress(text([event(4, "fill"), event(5), event(6, "fill")]))
    shard(root, block(1, 2, 3), mixed, block(7, 8))
    assert read(root, Selection(types=frozenset({"fill"})))[0] == [event(4, "fill"), event(6, "fill")]
    window = Selection(since_ns=NOON + 3 * SECOND, until_ns=NOON + 6 * SECOND)
    assert read(root, window)[0] == [event(3), event(4, "fill"), event(5)]


def test_the_newest_event_may_be_in_any_region(root: Path) -> None:
    shard(root, block(1, 2), foreign(50, 3), block(9), foreign(4), block(10))
    assert newest_event(Archive(root)) == NOON + 50 * SECOND
    assert newest_event(Archive(root), Selection(until_ns=NOON + 50 * SECOND)) == NOON + 10 * SECOND


def test_what_no_header_tells_is_unknown_to_coverage(root: Path) -> None:
    shard(root, block(1, 2, 3), foreign(4, 5, 6), block(7, 8, 9))
    found = coverage(Archive(root))
    assert (found.events, found.lost, found.unknown) == (6, 0, 3)
    shard(root, block(1, 2, 3), flipped(4, 5, 6), block(7, 8, 9))
    assert coverage(Archive(root)).events == 9


def test_a_region_at_the_end_speaks_for_an_orderly_one_and_no_other_does(root: Path) -> None:
    shard(root, block(1), foreign(2), sealed=True)
    shard(root, block(1), foreign(2), block(3), writer=OTHER, sealed=True)
    assert coverage(Archive(root)).unclean == (OTHER,)


def test_a_missing_directory_is_noted_unless_the_shard_ends_plain(root: Path) -> None:
    shard(root, block(1), foreign(2), sealed=True)
    assert read(root)[1].damage == []
    shard(root, block(1), foreign(2), block(3), sealed=True)
    (finding,) = read(root)[1].damage
    assert finding.events is None
    assert "directory is missing, and maybe blocks before it" in finding.reason


KINDS = {"block": block, "flipped": flipped, "foreign": foreign}
arrangements = st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.integers(1, 4)), min_size=1, max_size=9)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=arrangements, sealed=st.booleans(), offsets=st.lists(st.integers(-9, 9), min_size=9, max_size=9))
def test_any_arrangement_gives_each_line_once_in_file_order(
    new_archive: Callable[[], ArchiveMaker], made: list[tuple[str, int]], sealed: bool, offsets: list[int]
) -> None:
    """Whatever seqs the foreign lines have."""
    root = new_archive().root
    pieces: list[bytes] = []
    expected: list[bytes] = []
    ends = accumulate(count for _, count in made)
    for (kind, count), end, offset in zip(made, ends, offsets[: len(made)], strict=True):
        shift = 100 + (offset if kind == "foreign" else 0)
        seqs = range(shift + end - count, shift + end)
        pieces.append(KINDS[kind](*seqs))
        expected += map(event, seqs)
    shard(root, *pieces, sealed=sealed)
    got, explain = read(root)
    assert got == in_chunks(root) == expected
    assert sum(f.reason == "block header is damaged" for f in explain.damage) + explain.plain_members == sum(
        kind != "block" for kind, _ in made
    )
    assert {f.reason.partition(",")[0] for f in explain.damage} <= {
        "directory is missing", "block header is damaged"
    }  # fmt: skip
    assert explain.blocks_read + explain.plain_members == len(made)
