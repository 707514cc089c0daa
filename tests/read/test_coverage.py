"""What headers prove to be complete, and when the newest event was."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path, PurePosixPath

import pytest

from polyrecord.format.block import BlockIndex, pack_block
from polyrecord.format.constants import FOOTER_SIZE
from polyrecord.format.directory import parse_footer
from polyrecord.format.layout import PRUNED, manifest_path, parse_shard_path
from polyrecord.read.archive import Archive
from polyrecord.read.coverage import Coverage, Sampled, coverage
from polyrecord.read.ends import UncleanEnd
from polyrecord.read.explain import Explain
from polyrecord.read.newest import newest_event
from polyrecord.read.selection import Selection
from polyrecord.times import SECOND, format_ts
from tests.read.archives import NOON, RECORDER, ArchiveMaker, Given, open_again

DAY = 86_400 * SECOND


class Headers:
    """Writes an open shard block by block, with whatever ordinals it is told."""

    def __init__(self, root: Path, stream: str, number: int = 1, writer: str = RECORDER) -> None:
        short = stream.partition("/")[2]
        self.path = root / stream / f"date=2026-11-20/_open/{short}-{writer}-{number:04}.jsonl.gz"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.touch()

    def block(self, first: int, last: int, *, events: int | None = None, lost: int = 0, at: int = 0) -> None:
        """A block of events with ordinals from `first` to `last`."""
        count = last - first + 1 if events is None else events
        ts = NOON + at * SECOND
        line = b'{"ts":"%s","seq":%d,"event_type":"x","data":{}}\n'
        content = b"".join(line % (format_ts(ts).encode(), first + n) for n in range(count))
        index = BlockIndex(count, first, first + count - 1, first, last, ts, ts, {"x": count}, lost)
        with self.path.open("ab") as file:
            file.write(pack_block(content, index))


def test_a_whole_archive_is_covered(archive: ArchiveMaker) -> None:
    archive.signals(100, shard_events=30)
    archive.signals(50, "import.00000000000000aa")
    found = coverage(Archive(archive.root))
    assert (found.events, found.lost, found.unknown, found.pruned) == (150, 0, 0, 0)
    assert coverage(Archive(archive.root)).ratio == 1.0


def test_losses_are_declared_or_unknown(archive: ArchiveMaker) -> None:
    events = Headers(archive.root, "data/events")
    events.block(4, 10)  # 3 before the first
    events.block(11, 20, events=5)  # 5 inside
    events.block(31, 40)  # 10 between
    Headers(archive.root, "logs/telemetry").block(1, 1, lost=12)
    found = coverage(Archive(archive.root))
    assert (found.events, found.lost, found.unknown) == (23, 12, 6)
    assert found.ratio == pytest.approx(23 / 41)


def test_losses_at_the_end_count_although_no_ordinal_jumps(archive: ArchiveMaker) -> None:
    Headers(archive.root, "data/events").block(1, 10)
    Headers(archive.root, "logs/telemetry").block(1, 1, lost=7)
    found = coverage(Archive(archive.root))
    assert (found.events, found.lost, found.unknown) == (11, 7, 0)


def test_one_stream_has_no_more_losses_than_are_missing_there(archive: ArchiveMaker) -> None:
    Headers(archive.root, "data/books").block(1, 10, events=2)
    Headers(archive.root, "data/events").block(1, 10)
    Headers(archive.root, "logs/telemetry").block(1, 1, lost=8)
    events = coverage(Archive(archive.root), Selection(streams=frozenset({"data/events"})))
    books = coverage(Archive(archive.root), Selection(streams=frozenset({"data/books"})))
    assert (events.events, events.lost, events.unknown) == (10, 0, 0)
    assert (books.events, books.lost, books.unknown) == (2, 8, 0)


def test_one_writer_does_not_answer_for_another(archive: ArchiveMaker) -> None:
    Headers(archive.root, "data/events").block(1, 10, events=5)
    Headers(archive.root, "logs/telemetry", writer="20261120t120000.host.2.bbbb").block(1, 1, lost=5)
    found = coverage(Archive(archive.root))
    assert (found.lost, found.unknown) == (5, 5)


def prune(path: Path, root: Path, *, lost: int = 0) -> None:
    """Delete a shard as retention does: the ledger has it first."""
    footer = parse_footer(path.read_bytes()[-FOOTER_SIZE:])
    name = parse_shard_path(PurePosixPath(path.relative_to(root)))
    assert name is not None
    entry = {
        **{part: getattr(footer, part) for part in FACTS}, "lost": lost or footer.lost,
        "stream": name.stream, "writer": name.writer, "number": name.number, "date": name.date,
        "at": "2026-11-21T00:00:00Z", "reason": "old", "bytes": path.stat().st_size,
        "fingerprint": footer.fingerprint.hex(), "clean": footer.clean,
    }  # fmt: skip
    (root / PRUNED).mkdir(parents=True, exist_ok=True)
    with (root / PRUNED / "test.jsonl").open("a") as file:
        file.write(json.dumps(entry) + "\n")
    path.unlink()


FACTS = ("events", "first_seq", "last_seq", "first_ordinal", "last_ordinal", "min_ts", "max_ts")


def test_shards_removed_from_the_beginning_are_unknown_unless_the_ledger_has_them(
    archive: ArchiveMaker,
) -> None:
    first, second, *_ = archive.signals(100, shard_events=30, block_bytes=300)
    prune(first, archive.root)
    found = coverage(Archive(archive.root))
    assert (found.events, found.unknown, found.pruned) == (len(archive.read()), 0, 100 - len(archive.read()))
    before = found.events
    second.unlink()
    found = coverage(Archive(archive.root))
    assert (found.events, found.unknown) == (len(archive.read()), before - len(archive.read()))


def test_shards_removed_at_the_end_are_unknown_where_the_writer_said_how_far_it_came(
    archive: ArchiveMaker,
) -> None:
    *_, last = archive.signals(100, shard_events=30, block_bytes=300)
    last.unlink()
    assert coverage(Archive(archive.root)).unknown == 100 - len(archive.read()) > 0


def test_losses_inside_deleted_shards_stay_losses(archive: ArchiveMaker) -> None:
    """12 declared in telemetry that is deleted, of events that are deleted too."""
    telemetry = archive.write([Given(NOON, "gap")], block_bytes=100)
    events = Headers(archive.root, "data/events")
    events.block(1, 10)
    events.block(23, 30)
    prune(telemetry[0], archive.root, lost=12)
    found = coverage(Archive(archive.root))
    assert (found.events, found.lost, found.unknown, found.pruned) == (18, 12, 0, 1)


def test_losses_are_told_apart_by_the_ordinals_they_name(archive: ArchiveMaker) -> None:
    """Books lost 8, declared; events lost 8 without a word: nobody answers for another."""
    loss = {"streams": {"data/books": {"count": 8, "first_ordinal": 3, "last_ordinal": 10}}, "count": 8}
    archive.write([Given(NOON, "loss", json.dumps(loss).encode())])
    Headers(archive.root, "data/books").block(1, 10, events=2)
    Headers(archive.root, "data/events").block(1, 10, events=2)
    by_stream = {each.stream: each for each in coverage(Archive(archive.root)).streams}
    assert (by_stream["data/books"].lost, by_stream["data/books"].unknown) == (8, 0)
    assert (by_stream["data/events"].lost, by_stream["data/events"].unknown) == (0, 8)
    only = coverage(Archive(archive.root), Selection(streams=frozenset({"data/events"})))
    assert (only.lost, only.unknown) == (0, 8)


def test_a_loss_that_is_declared_after_the_window_is_declared(archive: ArchiveMaker) -> None:
    """A disk that was full for an hour: the recorder could say so only behind it."""
    loss = {"streams": {"data/events": {"count": 5, "first_ordinal": 11, "last_ordinal": 15}}, "count": 5}
    archive.write([Given(NOON + 3600 * SECOND, "loss", json.dumps(loss).encode())])
    events = Headers(archive.root, "data/events")
    events.block(1, 10)
    events.block(16, 20, at=3600)
    window = Selection(NOON + 600 * SECOND, NOON + 1200 * SECOND)
    found = coverage(Archive(archive.root), window)
    assert (found.events, found.lost, found.unknown) == (0, 5, 0)


def test_a_hole_counts_in_every_window_it_may_be_in_and_in_no_other(archive: ArchiveMaker) -> None:
    events = Headers(archive.root, "data/events")
    events.block(1, 10)
    events.block(16, 20, at=100)

    def unknown(since: int, until: int) -> int:
        return coverage(
            Archive(archive.root), Selection(NOON + since * SECOND, NOON + until * SECOND)
        ).unknown

    assert (unknown(-50, 0), unknown(50, 60), unknown(90, 200), unknown(101, 200)) == (0, 5, 5, 0)


def test_gaps_of_feeds_are_counted_and_added_up(archive: ArchiveMaker) -> None:
    archive.signals(100)
    told = [
        {"source": "a", "reason": "silence", "silent_ms": 1200.0},
        {
            "source": "a",
            "reason": "sequence",
            "since_ts": format_ts(NOON),
            "until_ts": format_ts(NOON + 2 * SECOND),
        },
        {"source": "a", "reason": "sequence"},
    ]
    other = "20261120t120000.host.2.bbbb"
    archive.write(
        [Given(NOON + at * SECOND, "gap", json.dumps(gap).encode()) for at, gap in enumerate(told)], other
    )
    explain = Explain()
    found = coverage(Archive(archive.root), explain=explain)
    assert found.gaps == 3
    assert found.gap_seconds == pytest.approx(3.2)
    assert explain.bytes_inflated == 0
    assert coverage(Archive(archive.root), Selection(NOON + SECOND)).gaps == 2


def test_a_gap_says_what_it_likes_and_is_counted(archive: ArchiveMaker) -> None:
    told = [
        b"null",
        b'{"silent_ms":"x"}',
        b'{"silent_ms":-5}',
        b'{"since_ts":1,"until_ts":"z"}',
        b'{"silent_ms":true}',
    ]
    archive.write([Given(NOON + at, "gap", data) for at, data in enumerate(told)])
    found = coverage(Archive(archive.root))
    assert (found.gaps, found.gap_seconds) == (4, 0)


def test_a_writer_that_is_gone_says_how_much_it_may_have_lost(archive: ArchiveMaker) -> None:
    (path,) = archive.signals(10)
    open_again(path)
    manifest = archive.root / manifest_path(RECORDER)
    about = {**json.loads(manifest.read_text()), "flush": {"seconds": 2.5}, "ended": None}
    manifest.write_text(json.dumps(about))
    last = NOON + 9 * SECOND
    assert coverage(Archive(archive.root)).ends == (UncleanEnd(RECORDER, last, 2.5, recovered=False),)
    manifest.write_text(json.dumps({**about, "recovered": {"at": "now"}}))
    assert coverage(Archive(archive.root)).ends == (UncleanEnd(RECORDER, last, 2.5, recovered=True),)
    manifest.write_bytes(b"[")
    assert coverage(Archive(archive.root)).ends == (UncleanEnd(RECORDER, last, None, recovered=False),)


def test_an_unclean_end_is_told_in_its_own_time_only(archive: ArchiveMaker) -> None:
    (path,) = archive.signals(10)
    open_again(path)
    assert coverage(Archive(archive.root), Selection(until_ns=NOON + 5 * SECOND)).unclean == ()
    assert coverage(Archive(archive.root), Selection(since_ns=NOON + 5 * SECOND)).unclean == (RECORDER,)


def test_what_was_sampled_is_told(archive: ArchiveMaker) -> None:
    other = "20261120t120000.host.2.bbbb"
    for writer, rates in ((RECORDER, {"book_delta": 0.1, "x": 1.0, "y": "a"}), (other, {"book_delta": 0.5})):
        archive.signals(10, writer)
        manifest = archive.root / manifest_path(writer)
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "sampling": rates}))
    assert coverage(Archive(archive.root)).sampling == (Sampled("book_delta", 0.1, 0.5),)


def test_a_shard_missing_in_between_is_unknown(archive: ArchiveMaker) -> None:
    paths = archive.signals(100, shard_events=30, block_bytes=300)
    before = coverage(Archive(archive.root)).events
    paths[1].unlink()
    found = coverage(Archive(archive.root))
    assert before == 100
    assert found.unknown == 100 - found.events > 20


def test_a_window_counts_its_blocks_only(archive: ArchiveMaker) -> None:
    events = Headers(archive.root, "data/events")
    for at in range(5):
        events.block(10 * at + 1, 10 * at + 10, at=at)
    events.block(61, 70, at=6)
    found = coverage(Archive(archive.root), Selection(NOON + 2 * SECOND, NOON + 4 * SECOND))
    assert (found.events, found.unknown) == (20, 0)
    found = coverage(Archive(archive.root), Selection(since_ns=NOON + 4 * SECOND))
    assert (found.events, found.unknown) == (20, 10)


def test_an_import_that_goes_back_over_midnight_misses_nothing_in_a_window(archive: ArchiveMaker) -> None:
    """Its ordinals alternate between the days; those of the other day are not lost."""
    archive.write([Given(NOON + (at % 2) * DAY) for at in range(40)], "import.00000000000000aa")
    window = Selection(NOON, NOON + SECOND)
    found = coverage(Archive(archive.root), window)
    assert (found.events, found.lost, found.unknown) == (20, 0, 0)


def test_an_open_shard_tells_whether_its_writer_lives(archive: ArchiveMaker) -> None:
    (path,) = archive.signals(10)
    lying_open = open_again(path)
    with lying_open.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert coverage(Archive(archive.root)).unclean == ()
    assert coverage(Archive(archive.root)).unclean == (RECORDER,)


def test_a_sealed_end_without_a_clean_mark_is_unclean(archive: ArchiveMaker) -> None:
    paths = archive.signals(100, shard_events=30, block_bytes=300)
    assert coverage(Archive(archive.root)).unclean == ()
    paths[-1].unlink()
    (archive.root / manifest_path(RECORDER)).unlink()
    assert coverage(Archive(archive.root)).unclean == (RECORDER,)
    os.truncate(paths[-2], paths[-2].stat().st_size - FOOTER_SIZE)
    assert coverage(Archive(archive.root)).unclean == (RECORDER,)


def test_a_manifest_that_says_it_ended_is_a_clean_end(archive: ArchiveMaker) -> None:
    """A session whose shards were all sealed by rotation or at midnight has no footer that says so."""
    paths = archive.signals(100, shard_events=30, block_bytes=300)
    paths[-1].unlink()
    assert coverage(Archive(archive.root)).unclean == ()


def test_coverage_inflates_nothing(archive: ArchiveMaker) -> None:
    archive.signals(100)
    explain = Explain()
    coverage(Archive(archive.root), explain=explain)
    assert (explain.blocks_read, explain.bytes_inflated) == (0, 0)


def test_nothing_to_keep_is_covered() -> None:
    assert Coverage(0, 0, 0).ratio == 1.0


def test_the_newest_event_is_found_exactly_and_cheaply(archive: ArchiveMaker) -> None:
    """A block's times are those of all its types: the header alone would say too late."""
    events = [Given(NOON + at * SECOND, "fill" if at == 60 else "signal") for at in range(100)]
    archive.write(events, block_bytes=5000)
    archive.write([Given(NOON - DAY, "fill"), Given(NOON - DAY, "rare")], "20261119t120000.host.1.aaaa")
    root = Archive(archive.root)
    explain = Explain()
    assert newest_event(root, explain=explain) == NOON + 99 * SECOND
    assert newest_event(root, Selection(types=frozenset({"fill"})), explain) == NOON + 60 * SECOND
    assert newest_event(root, Selection(types=frozenset({"rare"}))) == NOON - DAY
    assert newest_event(root, Selection(types=frozenset({"none"}))) is None
    assert newest_event(root, Selection(until_ns=NOON + 5 * SECOND)) == NOON + 4 * SECOND
    assert explain.blocks_read == 2


def test_the_newest_event_may_be_in_plain_lines(archive: ArchiveMaker) -> None:
    archive.signals(5)
    archive.plain([b'{"ts":"2026-11-20T12:30:00Z","seq":1,"event_type":"signal","data":{}}'], writer="other")
    assert newest_event(Archive(archive.root)) == NOON + 1800 * SECOND
