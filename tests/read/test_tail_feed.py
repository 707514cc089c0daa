"""An archive that grows is followed over blocks, shards, midnight, writers and streams."""

from __future__ import annotations

import gzip
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyrecord import EventRecorder
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.tail import follow
from polyrecord.read.tail.feed import Feed, Positions
from polyrecord.read.tail.settle import PATIENCE
from polyrecord.record.options import Options
from polyrecord.record.policy import RotatePolicy
from polyrecord.testing import FrozenClock, shard_files, tear
from polyrecord.times import SECOND
from tests.read.archives import NOON, ArchiveMaker, Given, open_again

TYPES = ("signal", "latency", "book_delta", "span")


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock("2026-11-20T23:59:58Z")


def feed_of(root: Path, selection: Selection | None = None, explain: Explain | None = None) -> Feed:
    return Feed(root, selection or Selection(), explain or Explain())


def lines(feed: Feed, *, at_once: bool = False) -> list[bytes]:
    return [line for batch in feed.poll(at_once=at_once) for line in batch.lines]


def numbers(feed: Feed, *, at_once: bool = False) -> list[int]:
    return [json.loads(line)["data"]["n"] for line in lines(feed, at_once=at_once)]


def settled(feed: Feed) -> list[int]:
    """What polls give until nothing is held back any more."""
    found = []
    for _ in range(4):
        found += numbers(feed)
        if not feed.is_waiting:
            return found
    return found


def test_each_flush_is_delivered_once_and_in_order_whatever_is_sealed(tmp_path: Path) -> None:
    feed, n = feed_of(tmp_path), 0
    with EventRecorder(tmp_path, rotate=RotatePolicy(max_blocks=2)) as recorder:
        for size in (1, 7, 30, 2, 50, 4, 9):
            first = n
            for n in range(first + 1, first + size + 1):
                recorder.record(TYPES[n % 4], {"n": n})
            recorder.flush().wait(10)
            assert settled(feed) == list(range(first + 1, n + 1))
            assert lines(feed) == []
    assert lines(feed) == []
    assert len(shard_files(tmp_path)) > 5


def test_midnight_is_crossed(tmp_path: Path, clock: FrozenClock) -> None:
    feed = feed_of(tmp_path)
    with EventRecorder(tmp_path, clock=clock) as recorder:
        for n in range(6):
            recorder.record("signal", {"n": n})
            recorder.flush().wait(10)
            assert settled(feed) == [n]
            clock.advance(1)
    assert lines(feed) == []
    assert {path.parent.name for path in shard_files(tmp_path)} == {"date=2026-11-20", "date=2026-11-21"}


def test_a_writer_that_starts_later_and_a_stream_that_appears_later_are_followed(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as first:
        first.record("signal", {"n": 1})
        first.flush().wait(10)
        feed = feed_of(tmp_path)
        assert settled(feed) == [1]
        with EventRecorder(tmp_path) as second:
            second.record("signal", {"n": 2})
            second.flush().wait(10)
            assert settled(feed) == [2]
        first.record("latency", {"n": 3})
        first.record("note", {"n": 4}, stream="data/notes")
        first.flush().wait(10)
        assert settled(feed) == [3, 4]


def test_several_writers_are_merged_by_time(tmp_path: Path) -> None:
    archive = ArchiveMaker(tmp_path)
    for writer in ("a", "b"):
        name = f"20261120t120000.{writer}.1.aaaa"
        archive.write([Given(NOON + at * 10 + ord(writer), data=b'{"n":%d}' % at) for at in range(500)], name)
    assert lines(feed_of(tmp_path)) == archive.read()


def test_a_block_being_written_is_waited_for(tmp_path: Path) -> None:
    archive = ArchiveMaker(tmp_path)
    (sealed,) = archive.signals(100)
    content = sealed.read_bytes()
    path = open_again(sealed)
    found: list[bytes] = []
    explain = Explain()
    feed = feed_of(tmp_path, explain=explain)
    for size in range(0, len(content), 97):
        path.write_bytes(content[:size])
        found += lines(feed, at_once=True)
    path.write_bytes(content)
    path.rename(sealed)
    found += lines(feed)

    assert found == archive.read()
    assert explain.damage == []


def test_damage_is_told_once_and_skipped(tmp_path: Path) -> None:
    archive = ArchiveMaker(tmp_path)
    (sealed,) = archive.signals(100)
    content = bytearray(sealed.read_bytes())
    whole = archive.read()
    content[content.index(b"\x1f\x8b\x08\x04", len(content) // 3) - 20] ^= 0xFF
    content[content.index(b"\x1f\x8b\x08\x04", len(content) // 2) + 20] ^= 0xFF
    path = open_again(sealed)
    path.write_bytes(content)
    explain = Explain()
    feed = feed_of(tmp_path, explain=explain)
    found = lines(feed, at_once=True)
    path.rename(sealed)
    found += lines(feed, at_once=True)

    told = sorted((finding.events, finding.reason.partition(":")[0]) for finding in explain.damage)
    assert [reason for _, reason in told] == ["block header is damaged", "block is damaged"]
    assert found == [line for line in whole if line in set(found)]
    assert len(whole) - len(found) == told[1][0]
    assert told[0][0] == 0


def test_a_torn_tail_that_nobody_finishes_stays_unread(tmp_path: Path) -> None:
    (sealed,) = ArchiveMaker(tmp_path).signals(100)
    path = open_again(sealed)
    tear(path, path.stat().st_size // 2)
    explain = Explain()
    feed = feed_of(tmp_path, explain=explain)
    assert 20 < len(lines(feed)) < 90
    assert (lines(feed), explain.damage) == ([], [])


def test_sealing_that_fails_and_goes_on_loses_nothing(tmp_path: Path) -> None:
    """The directory is written, cut off again, and blocks follow in its place."""
    archive = ArchiveMaker(tmp_path)
    (sealed,) = archive.signals(100)
    whole = archive.read()
    content = sealed.read_bytes()
    starts = [at for at in range(len(content)) if content.startswith(b"\x1f\x8b\x08\x04", at)]
    path = open_again(sealed)
    cut = starts[4]
    path.write_bytes(content[:cut] + content[starts[-2] :])
    feed = feed_of(tmp_path)
    found = lines(feed)
    path.write_bytes(content)
    found += lines(feed)
    path.rename(sealed)
    assert found + lines(feed) == whole


def test_it_begins_where_everything_was_skipped(tmp_path: Path) -> None:
    with EventRecorder(tmp_path, rotate=RotatePolicy(max_events=5)) as recorder:
        for n in range(23):
            recorder.record(TYPES[n % 4], {"n": n})
        recorder.flush().wait(10)
        plain, exact = feed_of(tmp_path), feed_of(tmp_path)
        plain.skip(exactly=False)
        exact.skip(exactly=True)
        recorder.record("signal", {"n": 23})
        recorder.flush().wait(10)
        assert settled(plain) == [23]
        assert settled(exact) == [23]
        again = Feed(tmp_path, Selection(), Explain(), exact.positions)
        assert lines(again) == []


def test_positions_outlive_sealing_rewriting_and_pruning(tmp_path: Path) -> None:
    with EventRecorder(tmp_path, rotate=RotatePolicy(max_blocks=1)) as recorder:
        for n in range(1, 4):
            recorder.record("signal", {"n": n})
            recorder.flush().wait(10)
        first = feed_of(tmp_path)
        assert settled(first) == [1, 2, 3]
        recorder.record("signal", {"n": 4})
    one, two, *_ = shard_files(tmp_path)
    one.unlink()
    two.write_bytes(gzip.compress(gzip.decompress(two.read_bytes())))

    assert numbers(Feed(tmp_path, Selection(), Explain(), first.positions)) == [4]


def test_a_shard_that_vanishes_while_it_is_followed_is_let_go(tmp_path: Path) -> None:
    (sealed,) = ArchiveMaker(tmp_path).signals(20)
    path = open_again(sealed)
    explain = Explain()
    feed = feed_of(tmp_path, explain=explain)
    assert len(lines(feed)) == 20
    path.unlink()
    assert lines(feed) == []
    ArchiveMaker(tmp_path).signals(3, "20261121t000000.host.3.cccc")
    assert len(lines(feed)) == 3
    assert explain.damage == []


def test_blocks_without_the_type_are_not_read_and_their_seqs_are_passed(tmp_path: Path) -> None:
    events = [Given(NOON + at, "fill" if at % 100 == 99 else "signal", b"{}") for at in range(1_000)]
    ArchiveMaker(tmp_path).write(events)
    explain = Explain()
    feed = feed_of(tmp_path, Selection(types=frozenset({"fill"})), explain)

    assert len(lines(feed)) == 10
    assert explain.blocks_read == 10
    assert set(feed.positions.values()) == {1_000}


def test_a_batch_says_where_each_prefix_of_it_leads(tmp_path: Path) -> None:
    ArchiveMaker(tmp_path).signals(50)
    (batch,) = feed_of(tmp_path).poll()
    taken = Feed(tmp_path, Selection(), Explain(), batch.moved_by(20))
    assert [line for following in taken.poll() for line in following.lines] == batch.lines[20:]
    assert batch.moved_by(50) == batch.moved


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 200_000), st.sampled_from(TYPES)), max_size=30), max_size=3),
    st.lists(st.integers(0, 40), max_size=4),
    st.randoms(use_true_random=False),
)
def test_whatever_is_there_comes_once_over_readers_that_stop_anywhere(
    new_archive: Callable[[], ArchiveMaker],
    writers: list[list[tuple[int, str]]],
    stops: list[int],
    chance: Random,
) -> None:
    """Imports whose times go back, over several days and streams; some shards are open still."""
    archive = new_archive()
    for number, entries in enumerate(writers):
        events = (Given(NOON + at * SECOND, kind, b'{"n":%d}' % n) for n, (at, kind) in enumerate(entries))
        if entries:
            for path in archive.write(events, f"import.{number:016x}", block_bytes=300, shard_events=5):
                if chance.random() < 0.3:
                    open_again(path)
    positions: Positions = {}
    found: list[bytes] = []
    for stop in (*stops, sys.maxsize):
        feed = Feed(archive.root, Selection(), Explain(), positions)
        for batch in feed.poll(at_once=True):
            found += batch.lines[:stop]
            positions |= batch.moved_by(min(stop, len(batch.lines)))
    assert sorted(found) == sorted(archive.read())


def test_links_out_of_the_archive_are_not_followed(tmp_path: Path) -> None:
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
    (sealed,) = ArchiveMaker(elsewhere).signals(5)
    folder = root / "data/events/date=2026-11-20"
    folder.mkdir(parents=True)
    (folder / sealed.name).symlink_to(sealed)
    (root / "data/books").symlink_to(elsewhere / "data/events")
    explain = Explain()
    assert (lines(feed_of(root, explain=explain)), explain.damage) == ([], [])


def test_plain_gzip_of_others_in_the_archive_is_delivered_once_too(tmp_path: Path) -> None:
    archive = ArchiveMaker(tmp_path)
    archive.signals(3)
    made = [
        b'{"ts":"2026-11-20T13:00:0%d.000000000Z","seq":%d,"event_type":"signal","data":{"n":%d}}' % (n, n, n)
        for n in range(1, 6)
    ]
    archive.plain(made, writer="20261120t120000.host.9.dddd")
    first = feed_of(tmp_path)
    assert lines(first) == archive.read()
    skipped = feed_of(tmp_path)
    skipped.skip(exactly=True)
    for positions in (first.positions, skipped.positions):
        assert lines(Feed(tmp_path, Selection(), Explain(), positions)) == []


def test_an_import_into_an_old_day_is_seen(tmp_path: Path) -> None:
    """A folder of a new date makes all dates of its stream be looked at."""
    archive = ArchiveMaker(tmp_path)
    archive.signals(3)
    feed = feed_of(tmp_path)
    assert len(lines(feed)) == 3
    old = NOON - 400 * 86_400_000_000_000
    archive.write([Given(old + at, data=b"{}") for at in range(4)], "import.0123456789abcdef")
    assert len(lines(feed, at_once=True)) == 4


def record_in_background(root: Path, count: int) -> Iterator[None]:
    with EventRecorder(root) as recorder:
        for n in range(count):
            recorder.record(TYPES[n % 4], {"n": n})
            if n % 5 == 4:
                recorder.flush().wait(10)
                yield


def test_code_follows_with_for(tmp_path: Path) -> None:
    steps = record_in_background(tmp_path, 20)
    next(steps)
    found = []
    for event in follow(tmp_path, from_start=True):
        found.append(event.data["n"])
        if len(found) % 5 == 0:
            next(steps, None)
        if len(found) == 20:
            break
    assert found == list(range(20))


def test_code_that_stops_goes_on_with_the_next_event(tmp_path: Path) -> None:
    for _ in record_in_background(tmp_path, 20):
        pass
    found = []
    for _ in range(4):
        events = iter(follow(tmp_path, cursor="bot", from_start=True))
        found += [next(events).data["n"] for _ in range(5)]
        events.close()  # type: ignore[attr-defined]
    assert found == list(range(20))


async def test_code_follows_with_async_for(tmp_path: Path) -> None:
    steps = record_in_background(tmp_path, 20)
    next(steps)
    counts: Counter[int] = Counter()
    async for event in follow(tmp_path, types=["signal", "latency"], from_start=True):
        counts[event.data["n"]] += 1
        next(steps, None)
        if len(counts) == 10:
            break
    assert counts == Counter([n for n in range(20) if n % 4 < 2])


def test_patience_is_longer_than_the_usual_flush_interval() -> None:
    assert Options().flush_interval < PATIENCE
