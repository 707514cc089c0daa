"""The golden files: what commands print for the nasty archive. `python -m tests.cli.golden` writes them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.cli.nasty import TRACE, write_nasty

FOLDER = Path(__file__).parent / "golden"
COMMANDS = {"summarize": (), "edge": (), "trace": (TRACE,), "info": ()}
CASES = {
    f"{command}.{output}": (command, *arguments, "--format", output)
    for command, arguments in COMMANDS.items()
    for output in ("table", "json", "csv")
} | {"replay.json": ("replay",)}

# How small a shard becomes depends on the version of the compressor.
_SIZES = (
    (re.compile(rb'("bytes": |"ratio": )[\d.]+(?=,\n *"(content_bytes|types)")'), rb"\1X"),
    (re.compile(rb" *[\d.]+ (B|KiB)( +|, ratio )[\d.]+"), rb" SIZE RATIO"),
    (re.compile(rb",\d+,(\d+),[\d.]+,(\w+=\d+)"), rb",X,\1,X,\2"),
)


def without_sizes(output: bytes) -> bytes:
    """What `info` prints, without compressed sizes."""
    for pattern, mark in _SIZES:
        output = pattern.sub(mark, output)
    return output


def golden(name: str, output: bytes) -> bytes:
    """The output as a golden file holds it."""
    return without_sizes(output) if name.startswith("info.") else output


def _write_all() -> None:
    with TemporaryDirectory() as place:
        write_nasty(Path(place))
        environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "PYTHONPATH": str(Path.cwd())}
        for name, arguments in CASES.items():
            command = [
                sys.executable,
                "-c",
                "import sys; from polyrecord.cli.app import main; sys.exit(main())",
            ]
            done = subprocess.run(
                [*command, *arguments], cwd=place, env=environment, stdout=subprocess.PIPE, check=True
            )
            FOLDER.mkdir(exist_ok=True)
            (FOLDER / name).write_bytes(golden(name, done.stdout))


if __name__ == "__main__":
    _write_all()
