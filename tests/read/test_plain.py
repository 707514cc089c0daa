"""Plain gzip and plain text between our shards (docs/format.md, section 6.7)."""

from __future__ import annotations

import gzip
import json

import pytest

from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from tests.read.archives import NOON, ArchiveMaker, Given, open_again


def line(seq: int, **members: object) -> bytes:
    """An event line as somebody else would write it: other order, spaces, other members."""
    second = f"2026-11-20T12:00:{seq:02}Z"
    return json.dumps(
        {"data": {"n": seq}, "seq": seq, **members, "event_type": "signal", "ts": second}
    ).encode()


def read(maker: ArchiveMaker, selection: Selection | None = None) -> tuple[list[bytes], Explain]:
    """Lines in replay order and what reading met."""
    explain = Explain()
    return list(Replay(Archive(maker.root), selection or Selection(), explain=explain).lines()), explain


@pytest.mark.parametrize("gzipped", [True, False])
def test_foreign_lines_are_kept_byte_for_byte(archive: ArchiveMaker, gzipped: bool) -> None:
    expected = [line(seq, extra="ü\u2028", trace_id="Ab-1") for seq in range(1, 30)]
    archive.plain(expected, gzipped=gzipped)
    got, explain = read(archive)
    assert got == expected
    assert (explain.plain_members, explain.damage) == (1, [])
    assert read(archive, Selection(trace="aB1"))[0] == expected
    assert read(archive, Selection(until_ns=Selection().lowest_ns + 1))[0] == []


def test_the_last_of_duplicate_members_counts(archive: ArchiveMaker) -> None:
    doubled = (
        b'{"ts":"2026-11-20T12:00:00.000000000Z","seq":1,"event_type":"fill","event_type":"signal","data":{}}'
    )
    archive.plain([doubled])
    assert read(archive, Selection(types=frozenset({"signal"})))[0] == [doubled]
    assert read(archive, Selection(types=frozenset({"fill"})))[0] == []


def test_bare_nan_and_lone_surrogates_are_read(archive: ArchiveMaker) -> None:
    """Python's json writes both."""
    odd = [
        b'{"ts":"2026-11-20T12:00:01Z","seq":1,"event_type":"signal","data":{"x":NaN,"y":-Infinity}}',
        b'{"ts":"2026-11-20T12:00:02Z","seq":2,"event_type":"signal","data":"\\ud800"}',
    ]
    archive.plain(odd)
    got, explain = read(archive)
    assert got == odd
    assert explain.damage == []


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"not json", "not JSON"),
        (b"[1]", "not an object"),
        (b"{}", "not an event line"),
        (b'{"ts":"yesterday","seq":1,"event_type":"x"}', "ts is no time"),
        (b'{"ts":"2026-11-20","seq":"1","event_type":"x"}', "not an event line"),
        (b'{"ts":"2026-11-20","seq":1,"event_type":""}', "event_type is empty"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_event_line_is_named_and_passed_over(
    archive: ArchiveMaker, bad: bytes, reason: str
) -> None:
    path = archive.plain([line(1), bad, b"", line(2)])
    got, explain = read(archive)
    assert got == [line(1), line(2)]
    (finding,) = explain.damage
    assert (finding.path, finding.line, finding.bytes) == (path, 2, len(bad))
    assert reason in finding.reason


def test_gzip_that_ends_early_gives_its_whole_lines_and_a_finding(archive: ArchiveMaker) -> None:
    lines = [line(seq, noise=str(hash((seq, 1)))) for seq in range(1, 60)]
    path = archive.plain(lines)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    got, explain = read(archive)
    assert 0 < len(got) < len(lines)
    assert got == lines[: len(got)]
    assert [f.reason for f in explain.damage] == ["plain gzip ends inside a member"]


def test_gzip_that_is_still_written_gives_its_whole_lines(archive: ArchiveMaker) -> None:
    path = archive.plain([line(seq, noise=str(hash((seq, 1)))) for seq in range(1, 60)])
    path.write_bytes(path.read_bytes()[:-200])
    open_again(path)
    got, explain = read(archive)
    assert got
    assert explain.damage == []
    assert explain.torn_bytes > 0


def test_text_without_a_last_line_feed(archive: ArchiveMaker) -> None:
    """A line when sealed; a line being written when open."""
    path = archive.plain([line(1)], gzipped=False)
    path.write_bytes(line(1) + b"\n" + line(2))
    assert read(archive)[0] == [line(1), line(2)]
    open_again(path)
    got, explain = read(archive)
    assert got == [line(1)]
    assert explain.torn_bytes == len(line(2))


def test_a_line_of_ten_megabytes_is_one_line(archive: ArchiveMaker) -> None:
    long = line(2, noise="x" * 10_000_000)
    archive.plain([line(1), long, line(3)])
    assert read(archive)[0] == [line(1), long, line(3)]


def test_plain_lines_merge_with_blocks_of_the_same_writer(archive: ArchiveMaker) -> None:
    """One of two streams was unpacked and packed again by somebody."""
    by_turns = [Given(NOON + at, stream=("data/a", "data/b")[at % 3 == 0]) for at in range(100)]
    first, _ = archive.write(by_turns)
    first.write_bytes(gzip.compress(gzip.decompress(first.read_bytes())))
    got, explain = read(archive)
    assert got == archive.read()
    assert explain.plain_members == 1
    assert explain.blocks_read > 1


def test_lines_out_of_order_keep_the_order_of_the_file(archive: ArchiveMaker) -> None:
    shuffled = [line(3), line(1), line(2), line(9), line(4)]
    archive.plain(shuffled)
    assert read(archive)[0] == shuffled
