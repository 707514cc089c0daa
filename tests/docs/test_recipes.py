"""The recipes of docs/recipes.md print what the page shows, and what it shows is true.

The page is run tool by tool in one archive; what it shows is compared with answers of gzip and json alone.
A ```text block is the output of the Python block above it. What the page says beside its recipes is tried in
test_recipe_traps.py, but for Spark here, in the session that ran the recipe.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from polyrecord.times import parse_ts
from tests.docs.test_examples import REPO, agrees, blocks_of, check_console, check_python

PAGE = (REPO / "docs" / "recipes.md").read_text(encoding="utf-8")
TRACE = "4f1c0001"
_SHOWN = re.compile(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SPARK = {"SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_SUBMIT_ARGS": "--driver-memory 512m pyspark-shell"}

_SPARK_WARNINGS = """
import json

def counted(path):
    try:
        return spark.read.json(path, schema=line).count()
    except Exception:
        return "failed"

stream = spark.read.json("archive/data/events", schema="ts timestamp, seq long")
found = {
    "columns": stream.columns,
    "microseconds": stream.orderBy("seq").selectExpr("unix_micros(ts)").first()[0],
    "partitions of one shard": stream.where("date = '2026-11-20'").rdd.getNumPartitions(),
    "with _open": counted("open"),
    "torn": counted("torn"),
}
spark.conf.set("spark.sql.files.ignoreCorruptFiles", "true")
found["torn, ignored"] = counted("torn")
print("\\n---\\n" + json.dumps(found))
"""

Event = dict[str, Any]
Row = tuple[object, ...]


class Tool(NamedTuple):
    """The section of a tool: the programs it needs, and the answers it shows."""

    programs: tuple[str, ...]
    answers: tuple[str, ...]


ALL = ("types", "trace", "p99", "edges", "minutes")
TOOLS = {
    "jq": Tool(("jq", "zcat"), ("types", "trace", "p99", "first edges", "total edge", "minutes")),
    "ripgrep and zgrep": Tool(("rg", "zgrep"), ("types", "trace", "minutes")),
    "Python": Tool(("zcat",), ALL),
    "DuckDB": Tool((), ALL),
    "pandas": Tool((), ALL),
    "Polars": Tool((), ALL),
    "lnav": Tool(("lnav",), ("types", "trace", "nearest p99", "first edges", "minutes")),
    "Spark": Tool((), ALL),
    "Open and torn shards": Tool(("jq",), ()),
}


def section(heading: str) -> str:
    """The text of the page below a heading, up to the next one."""
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def need_pyspark() -> None:
    """Skips where PySpark is not installed; in CI it fails."""
    if find_spec("pyspark") is None:
        message = "pyspark is not installed: pip install -e '.[spark]'"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)


def printed(script: str, place: Path) -> str:
    """What a Python script of the page prints to stdout; Spark's narration on stderr is let pass."""
    (place / "recipe.py").write_text(script, encoding="utf-8")
    environment = {**os.environ, **_SPARK, "COLUMNS": "100", "SPARK_LOCAL_DIRS": str(place / "spark")}
    done = subprocess.run(
        [sys.executable, "recipe.py"],
        cwd=place, env=environment, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{script}\nended with {done.returncode}:\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the archive that the page makes first, and an empty home."""
    folder = tmp_path_factory.mktemp("recipes")
    (folder / "home").mkdir()
    check_python(blocks_of(PAGE.split("\n## ")[0], "recipes.md")[0], folder)
    return folder


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool != "Spark"])
def test_the_recipes_of_a_tool_print_what_the_page_shows(
    tool: str, place: Path, require_tool: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in TOOLS[tool].programs:
        require_tool(program)
    monkeypatch.setenv("HOME", str(place / "home"))  # lnav installs formats there
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place / "home" / ".config"))
    for block in blocks_of(section(tool), f"recipes.md, {tool}"):
        if block.language == "console":
            check_console(block, place)
    for script, shown in _SHOWN.findall(section(tool)):
        output = printed(script, place)
        assert agrees(shown, output, varies=False), f"{tool} shows\n{shown}\nbut prints\n{output}"


@pytest.fixture(scope="module")
def spark_session(place: Path, require_tool: Callable[[str], str]) -> tuple[str, dict[str, Any]]:
    """What Spark's recipe prints, and what the same session then finds out about the page's warnings."""
    require_tool("java")
    need_pyspark()
    shard = min(place.glob("archive/data/events/date=2026-11-21/*.gz"))
    for name, content in {
        "open/date=2026-11-21/a.jsonl.gz": shard.read_bytes(),
        "open/date=2026-11-21/_open/b.jsonl.gz": shard.read_bytes(),
        "torn/a.jsonl.gz": shard.read_bytes()[:-5_000],
    }.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    [(script, _)] = _SHOWN.findall(section("Spark"))
    shown, _, warnings = printed(script + _SPARK_WARNINGS, place).partition("\n---\n")
    return shown, json.loads(warnings)


def test_spark_prints_what_the_page_shows(spark_session: tuple[str, dict[str, Any]]) -> None:
    [(_, shown)] = _SHOWN.findall(section("Spark"))
    assert agrees(shown, spark_session[0], varies=False), f"Spark prints\n{spark_session[0]}"


def test_spark_behaves_as_the_page_warns(
    spark_session: tuple[str, dict[str, Any]], events: list[Event]
) -> None:
    found = spark_session[1]
    assert found["columns"][-1] == "date"
    assert found["partitions of one shard"] == 1
    assert found["microseconds"] == parse_ts(events[0]["ts"]) // 1_000
    second_day = [e for e in events if e["ts"] >= "2026-11-21" and e["event_type"] != "latency"]
    assert found["with _open"] == len(second_day)  # not twice
    assert found["torn"] == "failed"
    assert 0 < found["torn, ignored"] < len(second_day)


@pytest.fixture(scope="module")
def events(place: Path) -> list[Event]:
    """All events in their order, from gzip and json alone."""
    found: list[Event] = []
    for shard in sorted(place.glob("archive/*/*/date=*/*.jsonl.gz")):
        found += map(json.loads, gzip.decompress(shard.read_bytes()).splitlines())
    return sorted(found, key=lambda event: int(event["seq"]))


@pytest.fixture(scope="module")
def answers(events: list[Event]) -> dict[str, list[Row]]:
    """The answers to the page's questions."""
    decisions = [event["data"] for event in events if event["event_type"] == "decision"]
    decided = [(data["strategy"], data["decision"], Decimal(data["net_edge"])) for data in decisions]
    sent = sorted(e["data"]["risk_to_send_ms"] for e in events if e["event_type"] == "latency")
    return {
        "types": list(Counter(event["event_type"] for event in events).items()),
        "trace": [(e["seq"], e["ts"][:-1], e["event_type"]) for e in events if e["trace_id"][:8] == TRACE],
        "p99": [(len(sent), round(Decimal(str(interpolated(sent, 0.99))), 3))],
        "nearest p99": [(len(sent), Decimal(str(sent[989])))],
        "edges": [
            (*key, len(edges), sum(edges))
            for key in sorted({row[:2] for row in decided})
            if (edges := [net for *row, net in decided if tuple(row) == key])
        ],
        "first edges": list(decided[:3]),
        "total edge": [(sum(net for *_, net in decided),)],
        "minutes": list(Counter(e["ts"][:16] for e in events if e["event_type"] == "signal").items()),
    }


def interpolated(values: list[float], q: float) -> float:
    """The percentile of sorted values, linearly interpolated, as numpy defines it."""
    at = (len(values) - 1) * q
    low = int(at)
    return values[low] + (at - low) * (values[low + 1] - values[low])


@pytest.mark.parametrize(
    ("tool", "answer"), [(name, answer) for name, tool in TOOLS.items() for answer in tool.answers]
)
def test_what_the_page_shows_is_true(tool: str, answer: str, answers: dict[str, list[Row]]) -> None:
    """Every row of the answer stands on a line of the output, each cell in whatever spelling it has."""
    lines = shown_output(tool).splitlines()
    assert answers[answer]
    missing = [row for row in answers[answer] if not any(is_on(row, line) for line in lines)]
    assert missing == []


def shown_output(tool: str) -> str:
    """Everything the page shows as output in the section of a tool."""
    texts = [shown for _, shown in _SHOWN.findall(section(tool))]
    consoles = [block.text for block in blocks_of(section(tool)) if block.language == "console"]
    lines = [line for text in consoles for line in text.splitlines() if not line.startswith(("$ ", "> "))]
    return "\n".join([*texts, *lines])


def is_on(row: Row, line: str) -> bool:
    """Whether every cell of a row stands on a line: numbers whole, with or without zeros at their end."""
    return all(re.search(_cell(value), line) for value in row)


def _cell(value: object) -> str:
    if isinstance(value, Decimal):
        return rf"(?<![\d.]){re.escape(f'{value.normalize():f}')}0*(?![\d.])"
    if isinstance(value, int):
        return rf"(?<![\d.]){value}(?![\d.])"
    return re.escape(str(value)).replace("T", "[T ]") if str(value)[:2] == "20" else rf"\b{value}\b"


def test_every_recipe_belongs_to_a_tool() -> None:
    sections = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert [heading for heading in sections if "```" in section(heading)] == list(TOOLS)


def test_a_wrong_number_would_be_seen() -> None:
    assert is_on(("maker", "ACCEPT", 318, Decimal("12.0836")), "│ maker │ ACCEPT │ 318 │ 12.083600000 │")
    assert is_on((13, "2026-11-21T00:02"), "     13 2026-11-21 00:02:00")
    assert not is_on(("maker", 318), "maker 3180")
    assert not is_on((Decimal("12.0836"),), "12.08361")
    assert not is_on((Decimal("12.0836"),), "112.0836")
    assert not is_on(("signal", 1000), "signal 1000.5")
