"""Reads an archive with nothing but gzip and json, so that what is checked is what any tool sees."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from polyrecord.foreign.formats import choose_format
from polyrecord.foreign.outcome import Reject
from polyrecord.importers.run import FileReport, import_file


def shards(root: Path) -> list[Path]:
    """Every shard, sealed or open."""
    return sorted(root.rglob("*.jsonl.gz"))


def lines_of(root: Path) -> list[bytes]:
    """The lines of all shards, shard by shard."""
    return [
        line for path in shards(root) for line in gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    ]


def events(root: Path) -> list[dict[str, Any]]:
    """All events by sequence number."""
    return sorted((json.loads(line) for line in lines_of(root)), key=lambda event: int(event["seq"]))


def run(
    root: Path, path: Path, /, source: str = "generic", **fields: Any
) -> tuple[FileReport, list[tuple[int, Reject]]]:
    """Imports a file; the report, and the rejects with their line numbers."""
    rejects: list[tuple[int, Reject]] = []

    def ignore(step: str, done: int, total: int) -> None:
        assert (step in ("reading", "importing"), 0 <= done <= total) == (True, True)

    report = import_file(
        root, str(path), lambda _: choose_format(source, **fields),
        on_reject=lambda line, reject: rejects.append((line, reject)), on_progress=ignore,
    )  # fmt: skip
    return report, rejects
