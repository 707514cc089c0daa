"""What questions share: the streams that are opened, the window as text, one file instead of an archive."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from polyrecord.errors import ArchiveMissing
from polyrecord.events.names import EventType
from polyrecord.events.routes import stream_of
from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.single import SingleFile
from polyrecord.report.latency import summarize
from polyrecord.report.question import Question, Window
from tests.report.archives import NOON, Given, latency, lines, open_again, write

LATENCIES = [latency({"send_ms": float(at)}, NOON + at, f"trace-{at}") for at in range(50)]


@pytest.mark.parametrize("name", list(EventType))
def test_a_known_type_is_looked_for_in_its_own_stream(name: str, tmp_path: Path) -> None:
    assert Archive(tmp_path).streams_of(frozenset({name})) == {stream_of(name)}


def test_an_unknown_type_is_looked_for_where_the_recorder_may_have_put_it(tmp_path: Path) -> None:
    assert Archive(tmp_path).streams_of(frozenset({"my_own"})) == {"data/events", "logs/telemetry"}


def test_streams_that_a_user_added_are_always_looked_into(tmp_path: Path) -> None:
    for stream in ("data/mine", "data/books", "logs/_writers"):
        (tmp_path / stream).mkdir(parents=True)

    assert "data/mine" in Archive(tmp_path).streams_of(frozenset({"latency"}))
    assert "data/books" not in Archive(tmp_path).streams_of(frozenset({"latency"}))


def test_a_question_about_latency_opens_no_book(tmp_path: Path) -> None:
    write(tmp_path, [*LATENCIES, *(Given(NOON + at, "trade", {"n": at}) for at in range(500))])
    explain = Explain()
    types = frozenset({"latency"})
    selection = Selection(types=types, streams=Archive(tmp_path).streams_of(types))

    summary = summarize(Question(Archive(tmp_path), selection, explain))

    assert (summary.events, explain.lines_read, summary.coverage.events) == (50, 50, 50)


def test_the_window_is_text_of_nine_digits() -> None:
    question = Question(Archive("x"), Selection(since_ns=NOON, until_ns=None))

    assert question.window == Window("2026-11-20T12:00:00.000000000Z", None)


def ask(path: Path, explain: Explain | None = None) -> tuple[int, float]:
    selection = Selection(types=frozenset({"latency"}))
    summary = summarize(Question(SingleFile(path), selection, explain or Explain()))
    assert summary.coverage.unclean == ()
    return summary.events, summary.coverage.ratio


def test_one_shard_is_asked_on_its_own(tmp_path: Path) -> None:
    shards = write(tmp_path, LATENCIES, shard_events=20)

    held = [gzip.decompress(path.read_bytes()).count(b"\n") for path in shards]
    assert len(shards) > 1
    assert [ask(path) for path in shards] == [(count, 1.0) for count in held]


@pytest.mark.parametrize("name", ["lines.jsonl", "lines.jsonl.gz", "metrics-other-0003.jsonl.gz"])
def test_lines_in_any_file_are_asked_on_their_own(name: str, tmp_path: Path) -> None:
    content = lines(LATENCIES) + lines([Given(NOON, "signal")])
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)

    assert ask(path) == (50, 1.0)


def test_a_line_that_is_no_json_is_named_by_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(lines(LATENCIES[:3]) + b"no json\n" + lines(LATENCIES[3:]))
    explain = Explain()

    assert ask(path, explain) == (50, 1.0)
    assert [(finding.path, finding.line) for finding in explain.damage] == [(path, 4)]


@pytest.mark.parametrize("tail", [1, 40, 100])
def test_the_torn_tail_of_an_open_shard_is_no_damage(tail: int, tmp_path: Path) -> None:
    (shard,) = write(tmp_path, LATENCIES)
    path = open_again(shard)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:tail])
    explain = Explain()

    assert ask(path, explain)[0] == 50
    assert explain.damage == []


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_file_that_is_not_there_is_said_to_be_missing(name: str, tmp_path: Path) -> None:
    with pytest.raises(ArchiveMissing, match=r"no such file|not a file"):
        ask(tmp_path / name)
