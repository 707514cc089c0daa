"""`polyrecord grep`: the events whose line holds a text, as ripgrep would find them in the same files."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from polyrecord.cli.search import Passages, highlighted
from polyrecord.read.text import TextQuery
from tests.cli.conftest import Run
from tests.report.archives import NOON, Given, write

PATTERNS = ["atomic", "o-1", '"seq":1?2,', "(?i)ACCEPT|fill", "no such thing", r"\d{70}", "red.*quoted"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_events_found_are_those_ripgrep_finds(
    pattern: str, nasty: Path, run: Run, require_tool: Callable[[str], str]
) -> None:
    theirs = subprocess.run(
        [require_tool("rg"), "-z", "--no-filename", pattern, str(nasty / "data"), str(nasty / "logs")],
        capture_output=True, check=False,
    ).stdout.splitlines()  # fmt: skip

    ours = run("grep", pattern)

    assert sorted(ours.stdout.splitlines()) == sorted(theirs)
    assert ours.code == (0 if theirs else 1)
    assert ("note: no event matches" in ours.stderr) is not bool(theirs)
    assert run("grep", "-c", pattern).stdout == b"%d\n" % len(theirs)


def test_events_come_in_recorded_order(nasty: Path, run: Run) -> None:
    everything = run("replay").stdout.splitlines()

    found = run("grep", "a").stdout.splitlines()

    assert len(found) > 10
    assert found == [line for line in everything if b"a" in line]


def test_type_time_trace_and_conditions_narrow_the_search_before_any_block_is_opened(
    tmp_path: Path, run: Run
) -> None:
    events = [Given(NOON + at * 10**9, "fill" if at % 4 else "signal", {"n": at}) for at in range(2000)]
    write(tmp_path, events, block_bytes=2000)
    root = ("--root", tmp_path)

    hour = run("grep", '"n": 19', *root, "--since", "2026-11-20T12:30:00Z", "--explain", "--type", "fill")
    some = run("grep", "-c", "n", *root, "--where", "n>=1990", "--where", "n!=1995")

    assert len(hour.stdout.splitlines()) == len(
        [n for n in range(1800, 2000) if n % 4 and f"{n}"[:2] == "19"]
    )
    cost = json.loads(hour.stderr)
    assert cost["blocks_read"] * 5 < cost["blocks_found"]
    assert cost["skipped_by_time"] > cost["blocks_found"] // 2
    assert some.stdout == b"9\n"


@pytest.mark.parametrize(("options", "expected"), [
    (("-A", 1), "c5 6 -- c15 16"), (("-B", 1), "4 c5 -- 14 c15"), (("-C", 1), "4 c5 6 -- 14 c15 16"),
    (("-A", 9), "c5 6 7 8 9 10 11 12 13 14 c15 16 17 18 19"), (("-m", 1, "-A", 2), "c5 6 7"),
    (("-C", 5), "0 1 2 3 4 c5 6 7 8 9 10 11 12 13 14 c15 16 17 18 19"), (("-m", 1), "c5"),
])  # fmt: skip
def test_events_around_a_match_come_with_it(
    options: tuple[object, ...], expected: str, tmp_path: Path, run: Run
) -> None:
    names = [f"c{at}" if at % 10 == 5 else str(at) for at in range(20)]
    write(tmp_path, [Given(NOON + at, "fill", {"name": name}) for at, name in enumerate(names)])

    shown = run("grep", "c[0-9]", "--root", tmp_path, *options).stdout.decode().splitlines()

    names_shown = [re.sub(r'.*"name": ?"(\w+)".*', r"\1", line) for line in shown]
    assert " ".join(names_shown) == expected


def test_fixed_text_may_hold_anything_a_pattern_may_not(nasty: Path, run: Run) -> None:
    assert run("grep", "-F", '"data":null').code == 0
    wrong = run("grep", "*")

    assert (wrong.code, wrong.stdout) == (2, b"")
    assert wrong.stderr.startswith("error: not a regular expression: no argument for repetition operator: *")


def test_matches_are_bold_red_on_a_terminal() -> None:
    line = '{"a":"xéx"}'.encode()

    assert highlighted(line, TextQuery("é|x$")).decode() == '{"a":"x\x1b[1;31mé\x1b[0mx"}'


def test_passages_that_touch_are_one() -> None:
    passages = Passages(TextQuery("m"), 1, 1)

    shown = list(passages.of([b"1", b"m2", b"3", b"4", b"m5", b"6", b"7", b"8", b"m9"]))

    assert shown == [b"1", b"m2", b"3", b"4", b"m5", b"6", None, b"8", b"m9"]
    assert passages.found == 3
