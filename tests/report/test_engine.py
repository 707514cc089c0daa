"""The engine: its questions are files, its values bound, and it reaches nothing but its lines."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import duckdb
import pytest

from polyrecord.errors import DataError
from polyrecord.report import feed
from polyrecord.report.engine import Engine, engine_over, question_text
from polyrecord.report.latency import latency_of
from tests.report.archives import latency, lines

SQL = resources.files("polyrecord.report").joinpath("sql")
QUESTIONS = sorted(path.name for path in SQL.iterdir() if path.is_file())


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_begins_with_what_it_asks_and_is_lower_case(name: str) -> None:
    text = question_text(name.removesuffix(".sql"))
    statement = "".join(re.split(r"'[^']*'", re.sub(r"--.*", "", text)))

    assert re.match(r"-- [A-Z].*\.\n|-- [A-Z]", text)
    assert statement == statement.lower()
    assert "{}" not in text
    assert ",\n)" not in text


def test_there_is_a_question_for_every_file() -> None:
    assert QUESTIONS == [
        "counts.sql", "edge.sql", "group_assign.sql", "group_known.sql", "group_lines.sql",
        "group_traces.sql", "group_values.sql", "groups.sql", "lines.sql", "lines_of_table.sql",
        "reasons.sql", "stages.sql",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "attempt",
    [
        "select * from read_text('/etc/hostname')",
        "copy (select 1) to '{place}/out.csv'",
        "attach '{place}/out.db'",
        "set enable_external_access = true",
        "set allowed_paths = ['/etc/hostname']",
        "install httpfs",
        "load httpfs",
    ],
)
def test_the_engine_reaches_nothing_outside(attempt: str, tmp_path: Path) -> None:
    with engine_over([lines([latency({"a_ms": 1.0})])]) as engine, pytest.raises(duckdb.Error):
        engine._connection.execute(attempt.format(place=tmp_path))

    assert list(tmp_path.iterdir()) == []


def test_what_does_not_fit_into_memory_goes_into_a_directory_of_its_own() -> None:
    with engine_over([]) as engine:
        ((place,),) = engine._connection.execute("select current_setting('temp_directory')").fetchall()
        assert Path(place).is_dir()
        assert Path(place).parent == Path(tempfile.gettempdir())

    assert not Path(place).exists()


def test_what_the_engine_refuses_is_a_data_error_with_the_question() -> None:
    with engine_over([]) as engine, pytest.raises(DataError, match="lines_of_table cannot be answered"):
        engine.ask("lines_of_table", path="/etc/hostname")


def test_an_interrupted_question_is_an_interrupt() -> None:
    class Interrupted:
        def execute(self, *_: object) -> None:
            raise duckdb.InterruptException("stopped")

    with pytest.raises(KeyboardInterrupt):
        Engine(Interrupted()).ask("counts")


def test_where_memory_is_no_file_a_temporary_one_serves_and_is_removed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def on_disk() -> tuple[int, str]:
        return tempfile.mkstemp(dir=tmp_path)

    monkeypatch.setattr(feed, "_create", on_disk)

    assert latency_of([lines([latency({"a_ms": 1.0})])])[0] == 1
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_gone_when_the_lines_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    create: Callable[[], tuple[int, str]] = lambda: tempfile.mkstemp(dir=tmp_path)  # noqa: E731
    monkeypatch.setattr(feed, "_create", create)

    def broken() -> None:
        with feed.line_file(iter([b"{}\n"])):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"a":1}\n', b'{"a":1}\n'),
        (b'{"a":"\\ud83d\\ude00"}\n', '{"a": "😀"}\n'.encode()),
        (b'{"a":"\\udc00"}\n', b'{"a": "?"}\n'),
        (b'{"a":"\\u00e9"}\n', b'{"a":"\\u00e9"}\n'),
        (b"no json \\ud800\n", b"no json \\ud800\n"),
    ],
)  # fmt: skip
def test_half_surrogate_pairs_are_mended(line: bytes, expected: bytes) -> None:
    assert feed.mended(b"x\n" + line + b"y\n") == b"x\n" + expected + b"y\n"
