"""The last events are those of a whole replay, and only the last blocks are read for them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.read.single import SingleFile
from polyrecord.read.tail.last import last_lines
from polyrecord.read.where import parse_condition
from polyrecord.times import SECOND
from tests.read.archives import NOON, ArchiveMaker, Given, damage_block

DAY = 86_400 * SECOND
TYPES = ("signal", "latency", "book_delta")
OTHER = "20261120t120001.host.2.bbbb"
IMPORT = "import.0123456789abcdef"


@dataclass(frozen=True)
class Writes:
    """What one writer recorded: (seconds since noon, type) in the order of its seqs."""

    writer: str
    events: list[tuple[int, str]]


def recorded(writer: str) -> st.SearchStrategy[Writes]:
    """A recorder's times never go back."""
    entries = st.lists(st.tuples(st.integers(0, 100_000), st.sampled_from(TYPES)), max_size=40)
    return entries.map(lambda found: Writes(writer, sorted(found, key=lambda entry: entry[0])))


def imported() -> st.SearchStrategy[Writes]:
    """An import's times go back and forth, over midnight too."""
    entries = st.lists(st.tuples(st.integers(0, 100_000), st.sampled_from(TYPES)), max_size=40)
    return entries.map(lambda found: Writes(IMPORT, found))


def write(archive: ArchiveMaker, writes: list[Writes]) -> None:
    for one in writes:
        if one.events:
            events = (
                Given(NOON + at * SECOND, kind, b'{"n":%d}' % n) for n, (at, kind) in enumerate(one.events)
            )
            archive.write(events, one.writer, block_bytes=300, shard_events=7)


def last(archive: ArchiveMaker, count: int, selection: Selection | None = None) -> list[bytes]:
    return last_lines(Archive(archive.root), selection or Selection(), count, Explain())


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.tuples(recorded("20261120t120000.host.1.aaaa"), recorded(OTHER), imported()),
    st.integers(0, 30),
    st.sets(st.sampled_from(TYPES)),
)
def test_the_last_events_are_the_end_of_a_whole_replay(
    new_archive: Callable[[], ArchiveMaker],
    writes: tuple[Writes, ...],
    count: int,
    types: set[str],
) -> None:
    archive = new_archive()
    write(archive, list(writes))
    if not any(one.events for one in writes):
        return
    every = [line for line in archive.read() if not types or json.loads(line)["event_type"] in types]
    assert last(archive, count, Selection(types=frozenset(types))) == every[max(len(every) - count, 0) :]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(imported(), st.integers(1, 30))
def test_a_single_import_is_taken_by_seq(
    new_archive: Callable[[], ArchiveMaker], writes: Writes, count: int
) -> None:
    archive = new_archive()
    write(archive, [writes])
    if writes.events:
        assert last(archive, count) == archive.read()[-count:]


def test_ten_events_of_many_blocks_take_the_last_block_or_two(archive: ArchiveMaker) -> None:
    for writer in ("20261120t120000.host.1.aaaa", OTHER):
        archive.signals(2_000, writer)
    explain = Explain()
    found = last_lines(Archive(archive.root), Selection(), 10, explain)

    assert found == archive.read()[-10:]
    assert explain.blocks_found > 200
    assert explain.blocks_read <= 4


def test_a_type_is_found_without_reading_blocks_that_have_none_of_it(archive: ArchiveMaker) -> None:
    events = [Given(NOON + at, "fill" if at < 20 else "signal", b'{"n":%d}' % at) for at in range(2_000)]
    archive.write(events)
    explain = Explain()
    found = last_lines(Archive(archive.root), Selection(types=frozenset({"fill"})), 10, explain)

    assert [json.loads(line)["data"]["n"] for line in found] == list(range(10, 20))
    assert explain.blocks_read <= 3
    assert explain.skipped_by_type > 50


def test_days_that_cannot_hold_the_last_events_are_not_opened(archive: ArchiveMaker) -> None:
    for writer in ("20261120t120000.host.1.aaaa", OTHER):
        archive.write(
            [Given(NOON + day * DAY + at, data=b"{}") for day in range(30) for at in range(20)], writer
        )
    explain = Explain()
    last_lines(Archive(archive.root), Selection(), 10, explain)

    assert (explain.shards_found, explain.shards_opened) == (60, 2)


def test_a_condition_is_looked_for_further_back(archive: ArchiveMaker) -> None:
    archive.signals(1_000)
    found = last(archive, 2, Selection(where=(parse_condition("n<5"),)))
    assert [json.loads(line)["data"]["n"] for line in found] == [3, 4]


def test_plain_lines_among_the_blocks_are_taken_too(archive: ArchiveMaker) -> None:
    archive.signals(30)
    line = b'{"ts":"2026-11-20T13:00:00.000000000Z","seq":1,"event_type":"signal","data":{}}'
    archive.plain([line], writer=OTHER)
    assert last(archive, 3) == archive.read()[-3:]
    assert last(archive, 1) == [line]


def test_a_single_file_has_last_events(archive: ArchiveMaker) -> None:
    (path,) = archive.signals(100)
    assert last_lines(SingleFile(path), Selection(), 7, Explain()) == archive.read()[-7:]


def test_logs_of_others_have_last_events(recordings: Path) -> None:
    from polyrecord.read.sources import open_source

    source = open_source(None, [recordings / "pm_bot_0xcyda" / "late-entry.jsonl"])
    found = last_lines(source, Selection(), 10, Explain())
    assert len(found) == 10
    assert found == list(Replay(source, Selection()).lines())[-10:]


@pytest.mark.parametrize("count", [0, 1, 5, 500])
def test_as_many_as_there_are(archive: ArchiveMaker, count: int) -> None:
    archive.signals(20)
    assert len(last(archive, count)) == min(count, 20)


def test_a_damaged_block_is_found_and_read_around(archive: ArchiveMaker) -> None:
    (path,) = archive.signals(200)
    whole = archive.read()
    damage_block(path, 5)
    explain = Explain()
    found = last_lines(Archive(archive.root), Selection(), 200, explain)

    assert len(explain.damage) == 1
    assert 150 < len(found) < 200
    assert set(found) < set(whole)
