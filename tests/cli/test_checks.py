"""`polyrecord validate` and `polyrecord schema`."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from polyrecord.events.catalogue import CATALOGUE, json_schema
from tests.cli.conftest import Run
from tests.report.archives import NOON, Given, write

GOOD = [
    Given(NOON + at, name, dict(spec.example), "4f1c") for at, (name, spec) in enumerate(CATALOGUE.items())
]
FILL = dict(CATALOGUE["fill"].example)
# what is wrong, and by hand: the field and the reason of each finding
BAD: list[tuple[str, Any, list[tuple[str, str]]]] = [
    ("fill", {**FILL, "size": "-1"}, [("data.size", "'-1' is negative")]),
    ("fill", {**FILL, "price": 0.48}, [("data.price", "needs decimal text, not the float 0.48")]),
    ("fill", {**FILL, "price": "1e3"}, [("data.price", "'1e3' is not decimal text")]),
    ("fill", {**FILL, "side": "LONG"}, [("data.side", "needs BUY or SELL, not 'LONG'")]),
    ("fill", {k: v for k, v in FILL.items() if k != "order_id"}, [("data.order_id", "is missing")]),
    ("fill", {**FILL, "order_id": "", "token_id": 7}, [
        ("data.order_id", "is empty"), ("data.token_id", "needs text, not the int 7"),
    ]),
    ("signal", [1], [("data", "signal: data: needs an object, not the list [1]")]),
    ("my_own", {"anything": 1}, []),
]  # fmt: skip


def test_a_sound_archive_has_no_findings(tmp_path: Path, run: Run) -> None:
    write(tmp_path, GOOD)

    done = run("validate", "--root", tmp_path, "--format", "json")
    answer = json.loads(done.stdout)

    assert (done.code, answer["found"], answer["invalid"]) == (0, 0, 0)
    assert (answer["events"], answer["validated"], answer["unknown"]) == (len(GOOD), len(GOOD), 0)


def test_each_finding_has_its_file_number_field_and_reason(tmp_path: Path, run: Run) -> None:
    paths = write(tmp_path, [Given(NOON + at, name, data) for at, (name, data, _) in enumerate(BAD)])
    expected = [
        (at, name, field, reason) for at, (name, _, wrong) in enumerate(BAD, 1) for field, reason in wrong
    ]

    done = run("validate", "--root", tmp_path, "--format", "json")
    answer = json.loads(done.stdout)

    found = [(row["seq"], row["event_type"], row["field"], row["reason"]) for row in answer["findings"]]
    assert done.code == 1
    assert sorted(found) == sorted(expected)
    assert {tmp_path / row["file"] for row in answer["findings"]} <= set(paths)
    assert (answer["invalid"], answer["unknown"], answer["unknown_types"]) == (7, 1, {"my_own": 1})
    assert run("validate", "--root", tmp_path, "--type", "my_own").code == 0


def test_findings_of_one_rule_are_counted_together_and_listed_up_to_the_limit(
    tmp_path: Path, run: Run
) -> None:
    write(tmp_path, [Given(NOON + at, "fill", {**FILL, "size": f"-{at + 1}"}) for at in range(30)])

    done = run("validate", "--root", tmp_path, "--format", "json", "--limit", 5)
    answer = json.loads(done.stdout)

    assert [(row["field"], row["rule"], row["count"]) for row in answer["rules"]] == [
        ("data.size", "decimal_sign", 30)
    ]
    assert (answer["found"], len(answer["findings"])) == (30, 5)
    assert "note: 25 more findings" in done.stderr
    table = run("validate", "--root", tmp_path).stdout.decode()
    assert "fill: data.size: 30 times\n  '-1' is negative\n  first: data/events/" in table


def test_the_envelope_is_checked_too(tmp_path: Path, run: Run) -> None:
    lines = [
        '{"ts":"2026-11-20T12:00:00.000000000Z","seq":1,"event_type":"x","data":1}',
        '{"ts":"2026-11-20T12:00:00Z","seq":2,"event_type":"x","data":1}',
        '{"ts":"2026-11-20T12:00:00.000000000Z","seq":2,"event_type":"x","trace_id":"","data":1}',
        '{"ts":"2026-11-20T12:00:00.000000000Z","seq":3,"event_type":"x"}',
    ]
    path = tmp_path / "mine.jsonl.gz"
    path.write_bytes(gzip.compress("".join(f"{line}\n" for line in lines).encode()))

    answer = json.loads(run("validate", "--file", path, "--format", "json").stdout)

    assert [(row["field"], row["seq"]) for row in answer["findings"]] == [
        ("ts", 2), ("seq", 2), ("trace_id", 2), ("data", 3),
    ]  # fmt: skip


def test_a_recorded_bot_that_writes_other_books_is_told_what_they_lack(recordings: Path, run: Run) -> None:
    log = recordings / "pm_bot_0xcyda" / "late-entry.jsonl"

    done = run("validate", "--file", log, "--format", "json")
    answer = json.loads(done.stdout)

    assert done.code == 1
    assert {(row["field"], row["rule"], row["count"]) for row in answer["rules"]} == {
        (f"data.{name}", "missing", 1393) for name in ("token_id", "bids", "asks")
    }
    assert (answer["events"], answer["unknown"]) == (5043, 3650)


def test_the_catalogue_is_listed_and_each_type_described(run: Run) -> None:
    listed = json.loads(run("schema", "--format", "json").stdout)

    assert [row["type"] for row in listed] == list(CATALOGUE)
    for name in CATALOGUE:
        assert json.loads(run("schema", name, "--format", "json").stdout) == json_schema(name)
        table = run("schema", name).stdout.decode()
        assert all(field in table for field in json_schema(name)["properties"])


def test_a_type_the_catalogue_does_not_know_names_those_most_like_it(run: Run) -> None:
    done = run("schema", "desicion")

    assert (done.code, done.stdout) == (1, b"")
    assert done.stderr.startswith(
        "error: no event type of the catalogue is called 'desicion'\n  hint: decision"
    )


def test_what_events_hold_is_observed_path_by_path(tmp_path: Path, run: Run) -> None:
    write(tmp_path, [
        Given(NOON, "mine", {"a": 1, "b": {"c": ["x", 2.5]}}), Given(NOON + 1, "mine", {"a": "7", "b": None}),
        Given(NOON + 2, "other", {"z": 1}), Given(NOON + 3, "mine", {"a": -3}),
    ])  # fmt: skip

    answer = json.loads(run("schema", "mine", "--observed", "--root", tmp_path, "--format", "json").stdout)

    seen = {row["path"]: row for row in answer["fields"]}
    assert answer["events"] == 3
    assert {path: (row["types"], row["events"]) for path, row in seen.items()} == {
        "a": (["integer", "text"], 3), "b": (["object", "null"], 2), "b.c": (["list"], 1),
        "b.c[]": (["text", "number"], 1),
    }  # fmt: skip
    assert (seen["a"]["least"], seen["a"]["most"], seen["a"]["example"]) == (-3, 1, "1")


@pytest.mark.parametrize("arguments", [("schema", "--observed"), ("validate", "--limit", "-1")])
def test_a_wrong_call_is_a_usage_error(arguments: tuple[str, ...], nasty: Path, run: Run) -> None:
    assert run(*arguments).code == 2


def test_events_behind_blocks_in_a_shard_are_checked_in_their_order(tmp_path: Path, run: Run) -> None:
    (path,) = write(tmp_path, [Given(NOON + at, "fill", FILL) for at in range(5)])
    more = b"".join(
        b'{"ts":"2026-11-20T12:00:01.000000000Z","seq":%d,"event_type":"x","data":1}\n' % seq
        for seq in (6, 7)
    )
    path.write_bytes(path.read_bytes() + gzip.compress(more))

    answer = json.loads(run("validate", "--root", tmp_path, "--format", "json").stdout)

    assert (answer["events"], answer["found"]) == (7, 0)


def test_a_type_cannot_steer_the_terminal(tmp_path: Path, run: Run) -> None:
    head = '{"ts":"2026-11-20T12:00:00.000000000Z","seq":1,"event_type":"\\u001b[31mred"'
    line = head + ',"trace_id":"","data":1}\n'
    (tmp_path / "mine.jsonl").write_text(line)

    done = run("validate", "--file", tmp_path / "mine.jsonl")

    assert b"\x1b" not in done.stdout
    assert b"[31mred: trace_id: 1 times" in done.stdout


def test_a_line_nested_beyond_reason_is_no_traceback(tmp_path: Path, run: Run) -> None:
    deep = "[" * 2000 + "]" * 2000
    line = f'{{"ts":"2026-11-20T12:00:00.000000000Z","seq":1,"event_type":"x","data":{deep}}}\n'
    (tmp_path / "mine.jsonl").write_text(line)

    for command in (("validate",), ("schema", "x", "--observed"), ("info",)):
        assert run(*command, "--file", tmp_path / "mine.jsonl").code in (1, 2, 3)
