"""Run every benchmark and write docs/performance.md: figures, commands, and the machine they come from."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"

CHAPTERS = {
    "record.py": """## What recording costs the caller

The goal is at most 2.5 times a bare `orjson.dumps` of the same envelope for a small event.
See [decision 1](decisions/0001-the-hot-path.md).""",
    "find.py": """## Finding one trace

The header of each block names the traces in it, so all others stay closed. Most of what is left is
the start of a Python process.""",
    "grep.py": """## Searching for text

Blocks are inflated one after the other; ripgrep has a second process for that. See
[decision 4](decisions/0004-searching-text.md).""",
    "stdin.py": """## Recording a pipe

Whole processes, start included. See [decision 3](decisions/0003-recording-a-pipe.md).""",
    "size.py": """## What the index costs in bytes

Every trace costs four bytes in the header of each block it is in, every order id four more: little
beside a book, more beside the short lines of `metrics` and `telemetry`. A header has about 120
bytes besides, and a block starts with an empty dictionary, so a bot that flushes every few lines
pays for it.""",
}


def machine() -> str:
    """One line on where the figures come from."""
    model = ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text(encoding="utf-8").splitlines()
        model = next((line.split(": ", 1)[1] for line in lines if line.startswith("model name")), "")
    known = (platform.system(), platform.machine(), model, f"{os.cpu_count()} cores")
    return ", ".join(filter(None, (*known, f"Python {platform.python_version()}")))


def output_of(script: str) -> str:
    """What a benchmark prints."""
    done = subprocess.run([sys.executable, str(HERE / script)], capture_output=True, text=True, check=True)
    return done.stdout.rstrip()


def main() -> None:
    """Write the page."""
    parts = [
        "# Performance",
        f"Written by `benchmarks/run`. {machine()}.\nThe machine may be shared: ratios hold best.",
    ]
    for script, text in CHAPTERS.items():
        print(f"running {script}", file=sys.stderr)
        parts += [text, f"```\n$ python benchmarks/{script}\n{output_of(script)}\n```"]
    PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
