"""Times that go back: what is not selected still decides when its writer has its turn."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

from polyrecord.format.directory import BlockRecord
from polyrecord.format.layout import ShardName
from polyrecord.read.archive import Archive, ShardInfo
from polyrecord.read.blocks import PlannedBlock
from polyrecord.read.explain import Explain
from polyrecord.read.order import needed_for_order, never_goes_back, with_floors
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.read.shard import open_shard
from polyrecord.times import SECOND, format_ts
from tests.read.archives import NOON, ArchiveMaker, Given, open_again

DAY = 86_400 * SECOND
INFO = ShardInfo(Path("r"), ShardName("data/events", "import.aa", 1, "2026-11-20", sealed=True))


def block(first: int, last: int, latest: int = 0, *, wanted: bool = False) -> PlannedBlock:
    """A block of these seqs; its offset tells it from others."""
    return PlannedBlock(INFO, first, 1, last - first + 1, first, last, NOON, NOON + latest, 1, wanted)


def test_a_recorder_is_told_by_its_name() -> None:
    assert never_goes_back("20261120t123456.host.4711.a1b2")
    assert not never_goes_back("import.0123456789abcdef")


def test_blocks_that_share_seqs_with_a_wanted_one_are_needed() -> None:
    wanted = [block(10, 19, wanted=True), block(50, 59, wanted=True)]
    touching = [block(1, 10), block(12, 15), block(19, 49), block(59, 80), block(5, 90)]
    apart = [block(1, 9), block(20, 49), block(60, 70)]
    assert needed_for_order([*wanted, *touching, *apart]) == {*wanted, *touching}


def test_the_floor_is_the_latest_time_of_the_blocks_before() -> None:
    before = [block(1, 5, 900), block(6, 9, 100)]
    overlapping, after = block(8, 12, 5000), block(20, 29, 9000)
    mine = block(10, 19, 50, wanted=True)
    placed = with_floors([*before, overlapping, after, mine], {mine})
    assert placed == {mine: replace(mine, floor=format_ts(NOON + 900).encode())}


def rival(maker: ArchiveMaker) -> None:
    """A second import, one signal every ten seconds."""
    maker.write([Given(NOON + at * 10 * SECOND) for at in range(10)], "import.bb", block_bytes=1)


def order(maker: ArchiveMaker, selection: Selection) -> tuple[list[str], list[str]]:
    """Writers in the order of a selective replay, and as a filter of everything gives them."""
    explain = Explain(strict=True)
    events = list(Replay(Archive(maker.root), selection, explain=explain))
    chosen = {event.line for event in events}
    everything = [line for line in maker.read() if line in chosen]
    assert [event.line for event in events] == everything
    assert explain.blocks_read <= explain.blocks_found
    return [event.writer[-2:] for event in events], [event.ts for event in events]


def test_a_later_time_in_a_block_before_counts(archive: ArchiveMaker) -> None:
    """The fill says 12:00:05 but comes after a trade of 12:00:45."""
    archive.write([Given(NOON + 45 * SECOND, "x"), Given(NOON + 5 * SECOND)], "import.aa", block_bytes=1)
    rival(archive)
    writers, _ = order(archive, Selection(types=frozenset({"signal"})))
    assert writers == [*["bb"] * 5, "aa", *["bb"] * 5]


def test_a_later_time_in_another_stream_counts(archive: ArchiveMaker) -> None:
    """Blocks of two streams overlap: one holds seqs 1, 3 and 5, the other 2 and 4."""
    times = [1, 2, 45, 5, 60]
    archive.write(
        [Given(NOON + at * SECOND, ("trade", "signal")[n % 2]) for n, at in enumerate(times)], "import.aa"
    )
    rival(archive)
    for selection in (
        Selection(types=frozenset({"signal"})),
        Selection(streams=frozenset({"data/events"})),
    ):
        writers, _ = order(archive, selection)
        assert writers == ["bb", "aa", *["bb"] * 4, "aa", *["bb"] * 5]


def test_a_later_time_of_another_day_counts(archive: ArchiveMaker) -> None:
    """Past midnight and back again: the day after is outside the window, and still it was before."""
    archive.write([Given(NOON + DAY), Given(NOON + 5 * SECOND)], "import.aa")
    rival(archive)
    writers, _ = order(archive, Selection(until_ns=NOON + DAY // 3))
    assert writers == [*["bb"] * 10, "aa"]


def test_nothing_more_is_read_where_one_writer_has_a_part(archive: ArchiveMaker) -> None:
    """The order within a writer is that of its seqs, whatever its times."""
    archive.write(
        [Given(NOON - at, ("trade", "signal")[at % 2]) for at in range(20)], "import.aa", block_bytes=1
    )
    archive.write([Given(NOON, trace_id="aa")], "import.bb")
    explain = Explain()
    assert len(list(Replay(Archive(archive.root), Selection(trace="aa"), explain=explain))) == 1
    assert explain.blocks_read == 2, "once to see that the whole id is there, once to read it"


def test_a_later_time_before_plain_lines_counts(archive: ArchiveMaker) -> None:
    """Of plain lines no header tells what they come after, so all before them is read."""
    events = [Given(NOON + 45 * SECOND, "x"), Given(NOON + 5 * SECOND), Given(NOON + 60 * SECOND, "x")]
    (path,) = archive.write(events, "import.aa", block_bytes=1)
    (info,) = Archive(archive.root).shards()
    index = open_shard(info, Explain())
    assert index is not None
    _, second, last = (BlockRecord(*record) for record in index.records())
    content = path.read_bytes()
    end = second.offset + second.member_length
    plain = gzip.compress(gzip.decompress(content[second.offset : end]))
    path.write_bytes(content[: second.offset] + plain + content[end : last.offset + last.member_length])
    open_again(path)
    rival(archive)
    writers, _ = order(archive, Selection(types=frozenset({"signal"})))
    assert writers == [*["bb"] * 5, "aa", *["bb"] * 5]
