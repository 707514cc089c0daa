"""Typed tables are a cache: without them every answer is the same, whatever became of their files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import polyrecord
from polyrecord.derived.tables import Table, is_as_made
from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.where import parse_condition
from polyrecord.report import cached
from polyrecord.report.connect import connect
from polyrecord.report.edge import break_down_by
from polyrecord.report.latency import summarize, summarize_by
from polyrecord.report.question import Question
from polyrecord.report.render.as_json import to_json
from polyrecord.report.render.rows import json_lines
from polyrecord.report.session import Session, open_session
from polyrecord.upkeep.compact import compact
from polyrecord.upkeep.compact_files import derived_files
from tests.report.archives import NOON, Given, decision, latency, write

pytestmark = pytest.mark.filterwarnings("ignore:.*cannot be had exactly:UserWarning")

EVERYTHING = Selection()
LATENCY = Selection(types=frozenset({"latency"}), streams=frozenset({"logs/metrics"}))
DECISION = Selection(types=frozenset({"decision"}))
QUERIES = (
    "select * from events order by writer, stream, seq",
    "select * from latency order by seq",
    "select * from decision order by seq",
    'select * from "Odd Type" order by seq',
    "describe latency",
)

Ask = Callable[[Path, Selection], bytes]


def latencies(field: str | None = None) -> Ask:
    """The latency summary, by a field where one is given."""

    def ask(root: Path, window: Selection) -> bytes:
        question = Question(Archive(root), replace(window, types=LATENCY.types))
        return to_json(summarize(question)) if field is None else to_json(summarize_by(question, field))

    return ask


def edge(field: str) -> Ask:
    """The edge by a field."""

    def ask(root: Path, window: Selection) -> bytes:
        question = Question(Archive(root), replace(window, types=DECISION.types))
        return to_json(break_down_by(question, field).report)

    return ask


def sql(root: Path, window: Selection) -> bytes:
    """Several queries of one session."""
    with open_session(Archive(root), window, Explain()) as session:
        return b"\n".join(asked(session, query) for query in QUERIES)


def asked(session: Session, query: str) -> bytes:
    try:
        with session.ask(session.statement(query)) as found:
            return b"\n".join(json_lines(found.columns, found))
    except polyrecord.PolyrecordError as error:
        return repr(error).encode()


def connected(root: Path, window: Selection) -> bytes:
    """All events of a connection."""
    with connect(root, since=window.since_ns, until=window.until_ns) as connection:
        return repr(connection.execute("from events order by all").fetchall()).encode()


def replayed(root: Path, window: Selection) -> bytes:
    """All events as they are read."""
    return repr(list(polyrecord.read(root, since=window.since_ns, until=window.until_ns))).encode()


ASKS = (
    latencies(),
    *(latencies(field) for field in ("strategy", "minute", "own_ms")),
    *(edge(field) for field in ("strategy", "hour")),
    sql,
    connected,
    replayed,
)


def answers(root: Path, window: Selection) -> list[bytes]:
    """What every question says of an archive."""
    return [ask(root, window) for ask in ASKS]


numbers = st.sampled_from([0, 1, 2.5, 0.1, -1.5, 3, 1e300, 10**30, None, "2.5", "x", True, [1], {"a_ms": 1}])
names = st.sampled_from(
    ["book_to_signal_ms", "own_ms", "Own_ms", "a/b~_ms", 'q"_ms', "日_ms", "note", "strategy"]
)
data_of_latency = st.dictionaries(names, numbers, max_size=4) | st.sampled_from(
    [b"null", b"[1]", b'"x"', b'{"own_ms":NaN}', b'{"own_ms":1e999}', b'{"own_ms":1.50,"own_ms":2}',
     b'{"o\\u0077n_ms":7}', b'{"note":"_ms\\":3"}', b'{ "own_ms" : 5 }', b'{"note":"\\ud800"}']
)  # fmt: skip
amounts = st.sampled_from(["0.10", "1e3", "1.0000000000000000000001", 2, 2.5, None, "x"])
times = st.integers(NOON, NOON + 4 * 10**8)
traces = st.sampled_from([None, "4f1c09aa37d24b8e9d550a6be0c1d2e3", "opaque 1"])
events = st.one_of(
    st.builds(Given, times, st.just("latency"), data_of_latency, traces),
    st.builds(
        lambda gross, strategy, at: decision("REJECT", strategy, at, gross_edge=gross, reason="thin"),
        amounts,
        st.sampled_from(["atomic", None]),
        times,
    ),
    st.builds(
        Given,
        st.just(NOON),
        st.sampled_from(["signal", "Odd Type", "histograms", "note"]),
        st.dictionaries(st.text(max_size=4), st.none() | st.integers() | st.text(max_size=3), max_size=3),
    ),
)


@settings(max_examples=3, deadline=None, phases=[Phase.generate])
@given(st.lists(events, min_size=5, max_size=40))
def test_every_answer_is_the_same_with_and_without_tables(
    tmp_path_factory: pytest.TempPathFactory, made: list[Given]
) -> None:
    root = tmp_path_factory.mktemp("archive")
    write(root, made, block_bytes=200, shard_events=10)
    part = Selection(NOON, NOON + 10**8)
    before = answers(root, EVERYTHING), answers(root, part)

    compact(root)

    assert (answers(root, EVERYTHING), answers(root, part)) == before


def archive_of(root: Path) -> Path:
    """A compacted archive of two shards of latencies and one of decisions."""
    write(
        root,
        [latency({"own_ms": at / 7}, NOON + at, f"t{at}") for at in range(30)],
        block_bytes=200,
        shard_events=15,
    )
    write(root, [decision(at=NOON + at) for at in range(10)], "20261120t130000.host.2.bbbb")
    compact(root)
    return root


def table(root: Path) -> Path:
    return min(root.glob("logs/metrics/*/_derived/*.latency.parquet"))


def test_only_tables_are_read_where_there_are_tables(tmp_path: Path) -> None:
    question = Question(Archive(archive_of(tmp_path)), LATENCY)

    answer = summarize(question)

    assert answer.events == 30
    assert (question.used.by_tables, question.used.by_lines) == (2, 0)
    assert question.explain.blocks_read == question.explain.bytes_inflated == 0


def test_a_shard_that_is_not_sealed_is_read_by_its_lines(tmp_path: Path) -> None:
    archive_of(tmp_path)
    last = max(tmp_path.glob("logs/metrics/*/*.gz"))
    (last.parent / "_open").mkdir()
    last.rename(last.parent / "_open" / last.name)
    question = Question(Archive(tmp_path), LATENCY)

    assert summarize(question).events == 30
    assert (question.used.by_tables, question.used.by_lines) == (1, 1)


def test_a_window_through_a_shard_reads_the_blocks_in_it(tmp_path: Path) -> None:
    question = Question(Archive(archive_of(tmp_path)), replace(LATENCY, since_ns=NOON + 1))

    assert summarize(question).events == 29
    assert (question.used.by_tables, question.used.by_lines) == (1, 1)


@pytest.mark.parametrize(
    "narrowed",
    [
        replace(LATENCY, where=(parse_condition("data.own_ms>1"),)),
        replace(LATENCY, trace="t3"),
        replace(LATENCY, value="x"),
    ],
)
def test_conditions_are_asked_of_lines(tmp_path: Path, narrowed: Selection) -> None:
    question = Question(Archive(archive_of(tmp_path)), narrowed)

    summarize(question)

    assert (question.used.by_tables, question.used.by_lines) == (0, 2)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)


def swap(path: Path) -> None:
    shutil.copy(max(path.parent.glob("*.latency.parquet")), path)


def link(path: Path) -> None:
    path.rename(path.with_suffix(".x"))
    path.symlink_to(path.with_suffix(".x"))


SPOILS = [cut, empty, flip, swap, link, Path.unlink]


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_table_that_is_not_as_it_was_made_is_not_used_and_noted(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    archive_of(tmp_path)
    before = to_json(summarize(Question(Archive(tmp_path), LATENCY)))
    place = table(tmp_path)
    spoil(place)
    question = Question(Archive(tmp_path), LATENCY)

    assert to_json(summarize(question)) == before

    assert (question.used.by_tables, question.used.by_lines) == (1, 1)
    assert question.used.unfit == [place]


@pytest.mark.parametrize("spoil", [cut, empty, Path.unlink])
def test_a_table_that_turns_bad_before_it_is_read_changes_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], None]
) -> None:
    archive_of(tmp_path)
    asks = [ask for ask in ASKS if ask is not replayed]
    before = [ask(tmp_path, EVERYTHING) for ask in asks]
    place = table(tmp_path)
    good = place.read_bytes()

    def then_spoil(path: Path, made: Table) -> bool:
        fits = is_as_made(path, made)
        if path == place:
            assert fits
            spoil(path)
        return fits

    monkeypatch.setattr(cached, "is_as_made", then_spoil)
    for ask, told in zip(asks, before, strict=True):
        place.write_bytes(good)
        assert ask(tmp_path, EVERYTHING) == told


@pytest.mark.parametrize("content", [b"", b"{}", b"no json", b'{"crc32":1,"made":{}}\n'])
def test_an_index_that_does_not_hold_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    archive_of(tmp_path)
    for path in tmp_path.glob("logs/metrics/*/_derived/*.json"):
        path.write_bytes(content)
    question = Question(Archive(tmp_path), LATENCY)

    assert summarize(question).events == 30
    assert (question.used.by_tables, question.used.by_lines) == (0, 2)


def test_sql_reads_tables_and_of_the_types_that_it_names_only(tmp_path: Path) -> None:
    archive_of(tmp_path)
    explain = Explain()
    with open_session(Archive(tmp_path), Selection(), explain) as session:
        with session.ask(
            session.statement("select count(*) as n, sum(own_ms) as total from latency")
        ) as rows:
            found = [json.loads(line) for line in json_lines(rows.columns, rows)]

        assert found[0]["n"] == 30
        assert (session.views.used.by_tables, session.views.used.by_lines) == (2, 0)
        assert explain.bytes_inflated == 0


ATTEMPTS = (
    "copy (select 1) to '{table}'",
    "copy latency to '{table}'",
    "copy (select 1) to '{folder}/new.parquet'",
    "select * from read_parquet('{other}')",
    "select * from read_parquet('{folder}/*.parquet')",
    "select * from read_text('{index}')",
    "select * from read_blob('{shard}')",
    "attach '{table}' as other",
    "with x as (copy latency to '{table}') select * from x",
)


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_sql_neither_writes_a_table_nor_reads_another_file(tmp_path: Path, attempt: str) -> None:
    archive_of(tmp_path)
    other = tmp_path / "other.parquet"
    shutil.copy(table(tmp_path), other)
    here = {path: path.read_bytes() for path in derived_files(tmp_path)}
    places: dict[str, Any] = {
        "table": table(tmp_path),
        "folder": table(tmp_path).parent,
        "other": other,
        "index": next(tmp_path.glob("logs/*/*/_derived/*.json")),
        "shard": next(tmp_path.glob("logs/*/*/*.gz")),
    }

    def try_it(session: Session) -> None:
        with session.ask(session.statement(attempt.format(**places))) as rows:
            list(rows)

    with open_session(Archive(tmp_path), Selection(), Explain()) as session:
        with session.ask(session.statement("select * from latency")):
            pass
        with pytest.raises(polyrecord.PolyrecordError):
            try_it(session)

    assert {path: path.read_bytes() for path in derived_files(tmp_path)} == here
