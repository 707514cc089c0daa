"""What commands print, byte by byte. A change here is a change of what scripts rely on."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.golden import CASES, FOLDER, golden


@pytest.mark.parametrize("name", CASES)
def test_a_command_prints_what_it_always_did(name: str, nasty: Path, run: Run) -> None:
    done = run(*CASES[name])

    assert golden(name, done.stdout) == (FOLDER / name).read_bytes()
    assert done.code == 0


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(CASES)


@pytest.mark.parametrize("name", [name for name in CASES if name.endswith(".json") and name != "replay.json"])
def test_json_is_one_object(name: str, nasty: Path, run: Run) -> None:
    assert isinstance(json.loads(run(*CASES[name]).stdout), dict)


def test_replay_is_every_line_of_every_shard(nasty: Path, run: Run) -> None:
    recorded = [
        line for path in nasty.rglob("*.jsonl.gz") for line in gzip.decompress(path.read_bytes()).splitlines()
    ]

    printed = run("replay").stdout

    assert printed.splitlines() == sorted(recorded, key=lambda line: int(json.loads(line)["seq"]))


@pytest.mark.parametrize(("name", "rows"), [("summarize", "stages"), ("edge", "groups"), ("info", "shards")])
def test_csv_has_the_rows_of_json(name: str, rows: str, nasty: Path, run: Run) -> None:
    printed = run(name, "--format", "csv")
    told: list[dict[str, Any]] = json.loads(run(name, "--format", "json").stdout)[rows]

    found = list(csv.DictReader(io.StringIO(printed.stdout.decode(), newline="")))
    plain = [{key: value for key, value in row.items() if isinstance(value, str)} for row in told]
    assert [{key: row[key] for key in kept} for row, kept in zip(found, plain, strict=True)] == plain
    assert "coverage: " in printed.stderr
