"""SQL reads the views and nothing else: each attempt is refused, in one line, and leaves nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from polyrecord.errors import UsageError
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.single import SingleFile
from polyrecord.report.sandbox import open_box
from polyrecord.report.session import open_session
from tests.cli.conftest import Run, nasty, run
from tests.report.archives import NOON, Given, lines

__all__ = ["nasty", "run"]

ATTEMPTS = """\
select * from read_csv('secret.csv')
select * from read_csv_auto('{here}/secret.csv')
select * from read_text('{here}/secret.csv')
select * from read_blob('{here}/secret.csv')
select * from read_json('secret.csv')
select * from read_json_objects('secret.csv')
select * from read_ndjson_objects('secret.csv')
select * from read_parquet('{here}/secret.parquet')
select * from parquet_metadata('{here}/secret.parquet')
select * from read_duckdb('{here}/secret.db')
select * from sniff_csv('secret.csv')
select * from glob('{here}/*')
select * from '{here}/secret.csv'
from 'secret.csv'
from "secret.csv"
describe 'secret.csv'
summarize 'secret.csv'
select * from read_text('/proc/self/environ')
select * from read_text('/proc/self/cmdline')
select * from read_blob('/proc/self/mem')
select * from read_text('/etc/passwd')
select * from read_text(['/etc/passwd', '/etc/hostname'])
select * from read_csv('https://example.com/x.csv')
select * from 'https://example.com/x.parquet'
select * from read_parquet('s3://bucket/key')
select * from read_json('hf://datasets/x/y')
copy (select 1) to '{here}/out.csv'
copy events to '{here}/out.parquet'
copy events from 'secret.csv'
export database '{here}/out'
import database '{here}/out'
attach '{here}/out.db'
attach ':memory:' as other
attach 'secret.csv' as other (type sqlite)
attach 'host=localhost' as other (type postgres)
detach memory
use recorded
install httpfs
load httpfs
force install httpfs from 'http://localhost'
update extensions
pragma database_list
pragma table_info('events')
pragma enable_profiling
pragma version
set enable_external_access = true
set allowed_directories = ['/']
set allowed_paths = ['/etc/passwd']
set temp_directory = '{here}'
set secret_directory = '{here}'
set python_enable_replacements = true
set lock_configuration = false
set variable x = 1
reset enable_external_access
reset all
create table x as select 1
create temp table x as select 1
create view x as select 1
create macro x(a) as a
create or replace macro exact_decimal(a) as 1
create secret x (type s3, key_id 'a', secret 'b')
create persistent secret x (type s3)
create schema x
create sequence x
create type x as enum ('a')
insert into recorded.lines (seq) values (1)
update recorded.lines set seq = 1
delete from recorded.lines
truncate recorded.lines
drop table recorded.lines
drop view events
alter table recorded.lines add column x int
merge into recorded.lines using events on true when matched then delete
comment on table recorded.lines is 'x'
with x as (delete from recorded.lines returning *) select * from x
with x as (insert into recorded.lines (seq) values (1) returning *) select * from x
with x as (copy (select 1) to '{here}/out.csv') select 1
explain analyze delete from recorded.lines
explain analyze create table x as select 1
explain analyze copy (select 1) to '{here}/out.csv'
explain analyze set threads = 1
call enable_logging('QueryLog', storage = 'file', storage_path = '{here}/out')
select * from enable_logging(storage = 'file', storage_path = '{here}/out')
select * from enable_profiling(save_location = '{here}/out')
call pragma_version()
checkpoint
force checkpoint
vacuum
analyze
begin
commit
prepare x as select 1
execute x
select 1; drop table recorded.lines
select 1; copy (select 1) to '{here}/out.csv'
drop view events; select 1
select 1; select 2
/* select 1 */ drop view events
-- select 1\\ndrop view events
select 1;\u00a0drop view events
\u200bdrop view events
dr\u03bfp view events
select 1) as answer(c0); drop table recorded.lines; select * from (select 1
from query('select * from read_text(''/etc/passwd'')')
from query('drop view events')
from query_table('/etc/passwd')
from query_table(['events', '{here}/secret.csv'])
from json_execute_serialized_sql(json_serialize_sql('select * from read_text(''/etc/passwd'')'))
select getenv('HOME')
select * from this_variable
select this_variable
select * from sqlite_scan('secret.csv', 'x')
select * from postgres_scan('', '', '')
select * from arrow_scan(1::pointer, 2::pointer, 3::pointer)
select nextval('x')
""".splitlines()


def spelled(attempt: str, here: Path) -> str:
    return attempt.replace("{here}", str(here)).replace("\\n", "\n")


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_the_attempt_is_refused_in_one_line_and_leaves_nothing(
    attempt: str, nasty: Path, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    for name in ("secret.csv", "secret.parquet", "secret.db"):
        (here / name).write_text("a,b\nhidden,2\n")
    monkeypatch.chdir(here)
    this_variable = {"a": [1]}

    done = run("sql", "--root", nasty, spelled(attempt, here))

    assert (done.code, done.stdout) == (2, b""), this_variable
    first, *more = done.stderr.splitlines()
    assert first.startswith("error: ")
    assert [line[:8] for line in more] == ["  hint: "]
    assert "hidden" not in done.stderr
    assert sorted(path.name for path in here.iterdir()) == ["secret.csv", "secret.db", "secret.parquet"]


def test_there_are_enough_attempts() -> None:
    assert len(set(ATTEMPTS)) == len(ATTEMPTS) > 100


@pytest.fixture
def source(tmp_path: Path) -> SingleFile:
    path = tmp_path / "events.jsonl"
    path.write_bytes(lines([Given(NOON, "fill", {"price": "0.5"})]))
    return SingleFile(path)


def test_the_file_that_lines_come_through_is_empty_before_a_query_runs(source: SingleFile) -> None:
    with open_session(source, Selection(), Explain()) as session:
        with session.ask(session.statement("select count(*) from events")) as rows:
            assert list(rows) == [(1,)]
        paths = session._connection.execute("select current_setting('allowed_paths')").fetchall()[0][0]
        assert len(paths) == 1
        assert Path(paths[0]).read_bytes() == b""


def test_nothing_that_was_tried_changes_what_there_is(source: SingleFile) -> None:
    with open_session(source, Selection(), Explain()) as session:
        for attempt in ATTEMPTS:
            with pytest.raises(UsageError):  # noqa: SIM117  # refused when parsed or when run
                with session.ask(session.statement(spelled(attempt, Path("/tmp/none")))) as rows:
                    list(rows)
        with session.ask(session.statement("select count(*), sum(price) from fill")) as rows:
            assert list(rows) == [(1, "0.5")]


def test_settings_tell_nothing_of_the_user(source: SingleFile) -> None:
    """Places that DuckDB would look for in the user's home are in a directory of the box."""
    with open_session(source, Selection(), Explain()) as session:
        text = "select name, value from duckdb_settings() where value is not null"
        with session.ask(session.statement(text)) as rows:
            settings: dict[str, str] = dict(list(rows))

    assert str(Path.home()) not in "".join(settings.values())
    assert os.environ.get("USER", "nobody") not in settings["home_directory"]
    assert settings["enable_external_access"] == "false"
    assert settings["lock_configuration"] == "true"
    assert settings["python_enable_replacements"] == "false"


def test_what_does_not_fit_into_memory_has_a_bound_and_a_directory_of_its_own() -> None:
    with open_box() as box:
        ((place, most),) = box.connection.execute(
            "select current_setting('temp_directory'), current_setting('max_temp_directory_size')"
        ).fetchall()
        assert Path(place).is_dir()
        assert most == "16.0 GiB"

    assert not Path(place).exists()
