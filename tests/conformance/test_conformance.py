"""Every case of the corpus, read by polyrecord and by a second reader that knows only the specification."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from polyrecord.errors import DataError
from polyrecord.read.archive import Archive
from polyrecord.read.coverage import coverage
from polyrecord.read.explain import Explain, Finding
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from tests.conformance import mini
from tests.conformance.make import contents

HERE: Final = Path(__file__).parent
CASES: Final = sorted(path.name.removesuffix(".expected.json") for path in HERE.glob("*.expected.json"))

# What the corpus calls what polyrecord says.
KINDS: Final = {
    "block header is damaged": "header",
    "block is damaged": "block",
    "a copy of": "copy",
    "blocks do not stand": "order",
    "directory is damaged": "directory damaged",
    "directory is missing": "directory missing",
    "last member is cut short": "cut short",
    "member is cut short": "cut short",
    "sealed shard is empty": "empty",
}


def expected(case: str) -> dict[str, Any]:
    """What a case says should be read."""
    document: dict[str, Any] = json.loads((HERE / f"{case}.expected.json").read_bytes())
    return document


def files(case: str) -> dict[str, bytes]:
    """The files of a case by their places in an archive."""
    return {place: (HERE / name).read_bytes() for name, place in expected(case)["files"].items()}


def archive_of(root: Path, case: dict[str, bytes]) -> Path:
    """An archive of these files."""
    for place, data in case.items():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_bytes(data)
    return root


def kind(finding: Finding) -> str:
    """What the corpus calls it."""
    return next((name for start, name in KINDS.items() if finding.reason.startswith(start)), "bytes")


def read(root: Path) -> tuple[list[str], Explain]:
    """Lines in replay order and what was met."""
    explain = Explain()
    return [line.decode() for line in Replay(Archive(root), Selection(), explain=explain).lines()], explain


@pytest.mark.parametrize("case", CASES)
def test_a_case_is_read_as_it_says(tmp_path: Path, case: str) -> None:
    wanted, root = expected(case), archive_of(tmp_path, files(case))
    got, explain = read(root)
    assert got == wanted["lines"]
    told = [
        {"kind": kind(f), "offset": f.offset, "bytes": f.bytes, "events": f.events} for f in explain.damage
    ]
    assert sorted(told, key=json.dumps) == sorted(wanted["findings"], key=json.dumps)
    assert (explain.torn_bytes, explain.padding_bytes) == (wanted["torn_bytes"], wanted["padding_bytes"])
    found = coverage(Archive(root))
    assert {"events": found.events, "lost": found.lost, "unknown": found.unknown} == wanted["coverage"]


@pytest.mark.parametrize("case", [case for case in CASES if expected(case)["findings"]])
def test_strict_reading_raises_in_every_case_with_a_finding(tmp_path: Path, case: str) -> None:
    root = archive_of(tmp_path, files(case))
    with pytest.raises(DataError):
        list(Replay(Archive(root), Selection(), explain=Explain(strict=True)).lines())


@pytest.mark.parametrize("case", CASES)
def test_a_second_reader_agrees(case: str) -> None:
    wanted = expected(case)
    got = mini.lines(files(case))
    lacking = [line for line in wanted["lines"] if line not in got]
    assert {json.loads(line)["seq"] for line in lacking} <= set(wanted.get("may_lack", []))
    assert sorted(got) == sorted(line for line in wanted["lines"] if line not in lacking)


@pytest.mark.parametrize("case", [case for case in CASES if "cuts" in expected(case)])
def test_every_cut_is_read_as_it_says(tmp_path: Path, case: str) -> None:
    wanted = expected(case)
    ((place, data),) = files(case).items()
    for cut in wanted["cuts"]:
        torn = {place: data[: cut["bytes"]]}
        got, explain = read(archive_of(tmp_path, torn))
        assert got == wanted["lines"][: cut["lines"]]
        assert (explain.torn_bytes, explain.damage) == (cut["torn_bytes"], [])
        assert mini.lines(torn) == got


def test_the_corpus_is_what_the_script_makes() -> None:
    made = dict(contents())
    there = {path.name: path.read_bytes() for path in (*HERE.glob("*.gz"), *HERE.glob("*.expected.json"))}
    assert made == there


def test_the_readme_counts_the_cases() -> None:
    assert f"{len(CASES)} cases" in (HERE / "README.md").read_text(encoding="utf-8")
