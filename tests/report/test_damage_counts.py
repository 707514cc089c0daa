"""What damage took is missing from the account: no report says 100 % of what could not be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyrecord.errors import NotFound
from polyrecord.format.layout import manifest_path
from polyrecord.read.archive import Archive
from polyrecord.record.bulk import BulkWriter
from polyrecord.record.policy import BlockPolicy
from polyrecord.report.edge import break_down
from polyrecord.report.info import describe
from polyrecord.report.question import Question
from polyrecord.report.trace import tell_trace
from polyrecord.times import SECOND, parse_ts
from tests.read.archives import damage_block, start_of

NOON = parse_ts("2026-11-20T12:00:00Z")
DECISION = b'{"strategy":"s","decision":"REJECT","reason":"r","gross_edge":"1","order_id":"o-%d"}'
DECISIONS = 40


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """Forty decisions, one block each, every one of a trace of its own."""
    with BulkWriter(tmp_path, "bulk.1", blocks=BlockPolicy(content_bytes=1)) as writer:
        for number in range(DECISIONS):
            data, trace = DECISION % number, f"{number:08x}"
            writer.add(NOON + number * SECOND, "decision", data, trace_id=trace)
        (path,) = writer.finish().shards
    return path


def test_events_of_a_damaged_block_are_unknown_and_not_kept(tmp_path: Path, shard: Path) -> None:
    damage_block(shard, 7)
    answer = break_down(Question(Archive(tmp_path)))
    assert answer.groups[0].count == DECISIONS - 1
    told = answer.coverage
    assert (told.events, told.lost, told.unknown) == (DECISIONS - 1, 0, 1)
    assert told.ratio == pytest.approx(1 - 1 / DECISIONS)


def test_a_sealed_shard_that_was_cut_off_makes_its_writer_unclean(tmp_path: Path, shard: Path) -> None:
    with shard.open("r+b") as file:
        file.truncate(start_of(shard.read_bytes(), 21) - 5)
    told = describe(Question(Archive(tmp_path))).coverage
    assert told.unclean == ("bulk.1",)
    assert told.unknown == DECISIONS - 20  # the manifest says how many there were
    (tmp_path / manifest_path("bulk.1")).unlink()
    told = describe(Question(Archive(tmp_path))).coverage
    assert told.unknown == 1  # the member that was cut says how many events it had


def test_a_trace_in_a_damaged_block_is_not_found_but_the_damage_is(tmp_path: Path, shard: Path) -> None:
    damage_block(shard, 7)
    question = Question(Archive(tmp_path))
    with pytest.raises(NotFound):
        tell_trace(question, "o-7")
    assert [finding.events for finding in question.explain.damage] == [1]


def test_an_order_is_found_whatever_types_are_shown(tmp_path: Path, shard: Path) -> None:
    """The id stands in a decision; only latencies were asked for, and there is none."""
    selection = Question(Archive(tmp_path)).selection
    narrowed = type(selection)(types=frozenset({"latency"}))
    story = tell_trace(Question(Archive(tmp_path), narrowed), "o-7")
    assert (story.trace_id, story.events) == ("00000007", ())
