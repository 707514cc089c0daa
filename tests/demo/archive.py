"""Reads an archive with nothing but gzip and json: what was recorded, as any other tool would see it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any


def events(root: Path) -> list[dict[str, Any]]:
    """Every event of the archive in the order of its sequence numbers."""
    lines = [
        json.loads(line)
        for path in root.glob("*/*/date=*/*.jsonl.gz")
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    return sorted(lines, key=lambda line: line["seq"])


def of_type(lines: list[dict[str, Any]], event_type: str) -> list[dict[str, Any]]:
    """The data of all events of one type."""
    return [line["data"] for line in lines if line["event_type"] == event_type]
