"""`polyrecord sql`: answers in four formats, from an argument, a file, stdin or a prompt."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import pty
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polyrecord.cli import output
from tests.cli.conftest import Run
from tests.report.archives import NOON, Given, read, write

EXACT = "12345678901234567890.123456789012345678"
ODD_NS = NOON + 123_456_789


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An archive with odd nanoseconds and an amount that no double holds."""
    fills = [
        Given(ODD_NS + at, "fill", {"price": EXACT if at == 0 else str(at), "n": at}) for at in range(250)
    ]
    write(tmp_path / "root", [*fills, Given(NOON, "note", {"text": 'a "b",\nc', "deep": {"x": [1, None]}})])
    return tmp_path / "root"


def test_json_is_one_object_per_line_and_loses_nothing(root: Path, run: Run) -> None:
    done = run("sql", "--root", root, "select ts, price, n from fill order by seq", "--format", "json")

    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert (done.code, done.stderr, len(found)) == (0, "", 250)
    assert found[0] == {"ts": "2026-11-20T12:00:00.123456789Z", "price": EXACT, "n": 0}
    assert [row["n"] for row in found] == list(range(250))


def test_json_has_recorded_data_as_json(root: Path, run: Run) -> None:
    done = run("sql", "--root", root, "select data, deep, [ts] as moments from note", "--format", "json")
    (expected,) = [event for event in read(root) if event["event_type"] == "note"]

    assert json.loads(done.stdout) == {
        "data": expected["data"], "deep": {"x": [1, None]}, "moments": ["2026-11-20T12:00:00.000000000Z"],
    }  # fmt: skip


def test_csv_has_the_same_texts(root: Path, run: Run) -> None:
    done = run(
        "sql", "--root", root, "from fill select ts, price, span_id, n > 5 as late limit 1", "--format", "csv"
    )
    note = run("sql", "--root", root, "select text from note", "--format", "csv")

    assert done.stdout.decode() == f"ts,price,span_id,late\n2026-11-20T12:00:00.123456789Z,{EXACT},,false\n"
    assert list(csv.reader(io.StringIO(note.stdout.decode()))) == [["text"], ['a "b",\nc']]


def test_parquet_keeps_nanoseconds_and_decimals(root: Path, run: Run, tmp_path: Path) -> None:
    query = "select * from fill order by seq"
    saved = run("sql", "--root", root, query, "--format", "parquet", "--output", tmp_path / "x.parquet")
    piped = run("sql", "--root", root, query, "--format", "parquet", "--limit", "7")

    table, first = pq.read_table(tmp_path / "x.parquet"), pq.read_table(io.BytesIO(piped.stdout))
    assert (saved.code, saved.stdout, piped.code) == (0, b"", 0)
    assert table.schema.field("ts").type == pa.timestamp("ns", "UTC")
    assert table.schema.field("price").type == pa.decimal128(38, 18)
    assert table["ts"].cast(pa.int64())[0].as_py() == ODD_NS
    assert table["price"][0].as_py() == Decimal(EXACT)
    assert (table.num_rows, first.num_rows) == (250, 7)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root", "x.parquet"]


def test_a_table_says_when_rows_are_cut(root: Path, run: Run) -> None:
    usual, few, every = (
        run("sql", "--root", root, "select n from fill order by n", *limit)
        for limit in ((), ("--limit", 3), ("--limit", 0))
    )

    assert len(usual.stdout.splitlines()) == 101
    assert usual.stderr == "note: these are the first 100 rows; --limit 0 shows all\n"
    assert few.stdout.split() == [b"n", b"0", b"1", b"2"]
    assert "first 3 rows" in few.stderr
    assert (len(every.stdout.splitlines()), every.stderr) == (251, "")


def test_a_table_fits_and_says_which_columns_are_left_out(root: Path, run: Run) -> None:
    done = run("sql", "--root", root, "select * from fill limit 3")

    assert max(len(line) for line in done.stdout.decode().splitlines()) <= 100
    assert "note: columns left out, for they do not fit or have no value: trace_id, span_id" in done.stderr
    assert "hint: name the columns you want, or --format csv" in done.stderr


def test_control_characters_do_not_reach_the_terminal(root: Path, run: Run) -> None:
    done = run("sql", "--root", root, "select '\x1b[31m' as \"\x1b[0m\"")
    assert b"\x1b" not in done.stdout


def test_a_query_comes_from_a_file_or_stdin(
    root: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "q.sql").write_text("select count(*) as n -- all\nfrom fill;\n")
    assert run("sql", "--root", root, "--query-file", tmp_path / "q.sql").stdout == b"  n\n250\n"

    monkeypatch.setattr(sys, "stdin", io.StringIO("select count(*) as n from note"))
    assert run("sql", "--root", root, "-").stdout == b"n\n1\n"

    monkeypatch.setattr(sys, "stdin", io.StringIO("select 1 as a; select ';' as b;\n"))
    assert run("sql", "--root", root).stdout == b"a\n1\nb\n;\n"

    monkeypatch.setattr(sys, "stdin", io.StringIO("select 1 as a; drop table x;"))
    refused = run("sql", "--root", root)
    assert (refused.code, refused.stdout) == (2, b"")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("selec 1",), 'error: Parser Error: syntax error at or near "selec"\n  hint: '),
        (
            ("select nosuch from fill",),
            'error: Binder Error: Referenced column "nosuch" not found in FROM clause!\n  hint: Candidate ',
        ),
        (
            ("select * from fil",),
            "error: Catalog Error: Table with name fil does not exist!\n  hint: views: events, fill, note\n",
        ),
        (("drop table x",), "error: the drop statement is refused: SQL only reads\n  hint: select, with, "),
        (("",), "error: no statement\n  hint: "),
        (("select 1; select 2",), "error: several statements at once\n  hint: "),
        (("select 1", "--query-file", "q"), "error: a query and --query-file exclude each other\n  hint: "),
        (("--query-file", "none"), "error: query cannot be read: No such file or directory\n  where: none\n"),
        (("select 1", "--output", "x"), "error: --output is for --format parquet\n  hint: "),
        (("explain select 1", "--format", "parquet"), "error: a plan is no table\n  hint: "),
        (("select 1", "--format", "xml"), "error: sql has no format 'xml'\n  hint: table, json, csv, parq"),
        (("select cast('x' as int)",), "error: Conversion Error: Could not convert string 'x' to INT32\n"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(arguments: tuple[str, ...], message: str, root: Path, run: Run) -> None:
    done = run("sql", "--root", root, *arguments)
    assert (done.code, done.stdout) == (2, b"")
    assert done.stderr.startswith(message)


def test_parquet_is_not_written_to_a_terminal(root: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from polyrecord.cli import sql_

    monkeypatch.setattr(sql_, "is_terminal", lambda: True)
    done = run("sql", "--root", root, "select 1", "--format", "parquet")
    assert (done.code, done.stderr) == (
        2,
        "error: Parquet is not written to a terminal\n  hint: --output FILE, or > FILE\n",
    )
    assert output.is_terminal() is False


def test_without_pyarrow_it_is_said_how_to_get_it(
    root: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    done = run("sql", "--root", root, "select 1", "--format", "parquet")
    assert (done.code, done.stderr) == (
        2, "error: --format parquet needs pyarrow\n  hint: pip install 'polyrecord[notebook]'\n",
    )  # fmt: skip


def test_the_shared_options_narrow_what_is_read(root: Path, run: Run) -> None:
    done = run(
        "sql", "select count(*) as n, min(n) as low from fill", "--format", "json", "--root", root,
        "--since", "2026-11-20T12:00:00.123456799Z", "--where", "n<20", "--explain",
    )  # fmt: skip
    assert json.loads(done.stdout) == {"n": 10, "low": 10}
    assert json.loads(done.stderr)["lines_kept"] == 10


def test_damage_is_told_after_the_answer_and_is_exit_code_3(root: Path, run: Run) -> None:
    shard = next(root.rglob("events-*.jsonl.gz"))
    whole = shard.read_bytes()
    shard.write_bytes(whole[:300] + bytes(20) + whole[320:])

    done = run("sql", "--root", root, "select count(*) as n from fill", "--format", "json")

    assert done.code == 3
    assert 0 < json.loads(done.stdout)["n"] < 250
    assert "warning: " in done.stderr
    assert "coverage: " in done.stderr


def test_an_amount_that_does_not_fit_is_told(tmp_path: Path, run: Run) -> None:
    write(tmp_path, [Given(NOON, "fill", {"price": "0.1234567890123456789"})])
    done = run("sql", "--root", tmp_path, "select price from fill", "--format", "csv")
    assert done.stdout == b"price\n\n"
    assert done.stderr == (
        "note: 1 of fill.price cannot be had exactly as its type and are null; data has their text\n"
    )


def test_nothing_in_the_window_is_told_with_what_would_find_something(root: Path, run: Run) -> None:
    done = run("sql", "--root", root, "select count(*) from fill", "--since", "2030-01-01")
    assert done.code == 0
    assert "note: no events in this window; the newest is of 2026-11-20T12:00:00.123457038Z" in done.stderr


def test_a_plan_is_text(root: Path, run: Run) -> None:
    done = run("sql", "--root", root, "explain select sum(n) from fill")
    assert "recorded.lines" in done.stdout.decode()


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextmanager
def at_terminal(root: Path, state: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The command at a terminal of its own: what is typed goes to the descriptor."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "XDG_STATE_HOME": str(state), "TERM": "dumb", "NO_COLOR": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "polyrecord", "sql", "--root", str(root)],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
        preexec_fn=_own_terminal,  # noqa: PLW1509  # no other thread runs
    )  # fmt: skip
    os.close(theirs)
    try:
        yield ours, process
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def until(descriptor: int, text: str, seconds: float = 30) -> str:
    """What is shown, up to and with a text."""
    seen, end = "", time.monotonic() + seconds
    while text not in seen:
        ready, _, _ = select.select([descriptor], [], [], max(0, end - time.monotonic()))
        assert ready, f"no {text!r} in {seen!r}"
        seen += os.read(descriptor, 65536).decode()
    return seen


def test_at_a_prompt_statements_end_with_a_semicolon_and_ctrl_c_stops_one(root: Path, tmp_path: Path) -> None:
    with at_terminal(root, tmp_path / "state") as (typing, process):
        until(typing, "polyrecord> ")
        os.write(typing, b"select 'a;\n")
        until(typing, "...> ")
        os.write(typing, b"b', count(*) as n from fill;\n")
        assert "250" in until(typing, "polyrecord> ")
        os.write(typing, b"drop table x;\n")
        assert "refused" in until(typing, "polyrecord> ")
        os.write(typing, b".views\n")
        assert "note" in until(typing, "polyrecord> ")
        os.write(typing, b".schema fill\n")
        assert "DECIMAL(38,18)" in until(typing, "polyrecord> ")
        os.write(typing, b"select count(*) from fill a, fill b, fill c, fill d, fill e;\n")
        time.sleep(0.5)
        os.write(typing, b"\x03")
        assert "stopped" in until(typing, "polyrecord> ")
        os.write(typing, b".quit\n")
        assert process.wait(30) == 0

    assert "drop table x;" in (tmp_path / "state" / "polyrecord" / "sql_history").read_text()
