"""The examples of the README and of docs/ run, and show what they say.

Python blocks run as scripts. Console blocks run their `$ ` lines (with `> ` for the lines that follow) and
compare what is printed. The blocks of one page run in order in one directory that starts empty.

`...` stands for anything, on a line of its own for any number of lines. Below `<!-- output varies -->` only
the shape counts: numbers, times, ids and the length of bars may differ.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
VARIES = "<!-- output varies -->"

_FENCE = re.compile(r"^(```+)(python|console)[ \t]*\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
_TOOL = re.compile(r"(?:^\$|\||-exec) (jq|rg|zcat|zgrep)\b", re.MULTILINE)
_ANY = "\0"
_SHAPES = (
    (re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d:\d\d(\.\d+)?Z?)?"), "TIME"),
    (re.compile(r"\b\d{8}t\d{6}\.[\w.]+"), "WRITER"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b(?=[a-f]*\d)[0-9a-f]{4,32}(?=\b|…)"), "ID"),
    (re.compile(r"[-+]?\d[\d,]*(\.\d+)?"), "0"),
    (re.compile(r"[\u2500-\u259f]+|-{3,}"), ""),
    (re.compile(r"[ \t]+"), " "),
)


@dataclass(frozen=True)
class Block:
    """One fenced block of a page; `line` is that of its fence."""

    language: str
    text: str
    page: str
    line: int
    varies: bool


def blocks_of(markdown: str, page: str = "page.md") -> list[Block]:
    """The python and console blocks of a page, in order."""
    blocks = []
    for match in _FENCE.finditer(markdown):
        above = markdown[: match.start()].rstrip()
        line = markdown.count("\n", 0, match.start()) + 1
        blocks.append(Block(match[2], match[3], page, line, above.endswith(VARIES)))
    return blocks


def session_of(text: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output shown below it."""
    session: list[tuple[list[str], list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            session.append(([line[2:]], []))
        elif line.startswith("> ") and session and not session[-1][1]:
            session[-1][0].append(line[2:])
        else:
            assert session, f"a console block starts with a command, not {line!r}"
            session[-1][1].append(line)
    return [("\n".join(command), "\n".join(output)) for command, output in session]


def shape(line: str) -> str:
    """A line without what differs from run to run."""
    for pattern, placeholder in _SHAPES:
        line = pattern.sub(placeholder, line)
    return line.strip()


def agrees(shown: str, printed: str, *, varies: bool) -> bool:
    """Whether a command printed what the page shows."""
    view = shape if varies else str.rstrip
    rows = [_ANY if line.strip() == "..." else view(line) for line in shown.strip("\n").splitlines()]
    parts = [r"(?:[^\n]*\n)*" if row == _ANY else _row_pattern(row) for row in rows]
    text = "".join(view(line) + "\n" for line in printed.strip("\n").splitlines())
    return re.fullmatch("".join(parts), text) is not None


def _row_pattern(row: str) -> str:
    return r"[^\n]*".join(map(re.escape, row.split("..."))) + r"\n"


def run(command: list[str], place: Path) -> subprocess.CompletedProcess[str]:
    """A command as a reader would run it: the environment's programs on PATH, no colours, 100 columns."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {
        **os.environ,
        "PATH": path,
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
    }
    return subprocess.run(
        command, cwd=place, env=environment, text=True, encoding="utf-8", check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip


def check_python(block: Block, place: Path) -> None:
    script = place / "example.py"
    script.write_text(block.text, encoding="utf-8")
    done = run([sys.executable, script.name], place)
    script.unlink()
    assert done.returncode == 0, f"{block.page}:{block.line} ended with {done.returncode}:\n{done.stdout}"


def check_console(block: Block, place: Path) -> None:
    for command, shown in session_of(block.text):
        done = run(["bash", "-c", f"set -o pipefail; {command}"], place)
        told = f"{block.page}:{block.line} $ {command}\n"
        # A reader that has seen enough (`| head`) ends its writer by SIGPIPE: 128 + 13.
        assert done.returncode in (0, 141), f"{told}ended with {done.returncode}:\n{done.stdout}"
        assert agrees(shown, done.stdout, varies=block.varies), (
            f"{told}shows\n{shown}\nbut prints\n{done.stdout}"
        )


PAGES = {
    str(path.relative_to(REPO)): blocks
    for path in (REPO / "README.md", *sorted((REPO / "docs").glob("*.md")))
    if path.name != "recipes.md"  # it has a test of its own, which also compares what Python prints
    and (blocks := blocks_of(path.read_text(encoding="utf-8"), path.name))
}


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_do_what_it_says(
    page: str, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    for tool in sorted({tool for block in PAGES[page] for tool in _TOOL.findall(block.text)}):
        require_tool(tool)
    for block in PAGES[page]:
        if block.language == "python":
            check_python(block, tmp_path)
        else:
            check_console(block, tmp_path)


def test_the_readme_has_a_bot_and_a_session() -> None:
    assert {block.language for block in PAGES["README.md"]} == {"python", "console"}


def test_blocks_are_found_with_their_lines() -> None:
    found = blocks_of(f"a\n\n```python\nx = 1\n```\n\n{VARIES}\n```console\n$ ls\n```\n```sh\nrm\n```\n")
    assert [(block.language, block.text, block.line, block.varies) for block in found] == [
        ("python", "x = 1\n", 3, False),
        ("console", "$ ls\n", 8, True),
    ]


def test_a_session_is_split_at_its_commands() -> None:
    assert session_of("$ a \\\n> b\none\n\ntwo\n$ c\n") == [("a \\\nb", "one\n\ntwo"), ("c", "")]


@pytest.mark.parametrize(
    ("shown", "printed", "varies", "expected"),
    [
        ("a\nb", "a\nb\n", False, True),
        ("a", "a\nb\n", False, False),
        ("a 1", "a 2", False, False),
        ("a 1.50   ms", "a 2,000.25 ms", True, True),
        ("a 1 ms", "b 1 ms", True, False),
        ("a\n...\nz", "a\nb\nc\nz\n", False, True),
        ("a\n...\nz", "a\nb\nc\n", False, False),
        ("sealed in ... seconds", "sealed in 3 seconds", False, True),
        ("4f1c09aa…  ███  3 ms", "b2e8…  █  12 ms", True, True),
        ("2026-11-20T12:34:56.789123456Z signal", "2027-01-01T00:00:00.000000000Z signal", True, True),
        ("2026-11-20T12:34:56.789123456Z signal", "2027-01-01T00:00:00.000000000Z fill", True, False),
    ],
)
def test_output_is_compared_as_the_page_asks(shown: str, printed: str, varies: bool, expected: bool) -> None:
    assert agrees(shown, printed, varies=varies) is expected
