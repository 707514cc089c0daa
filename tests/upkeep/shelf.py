"""Archives of several days and runs, and what they hold by gzip and json alone."""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from polyrecord.record.bulk import BulkWriter
from polyrecord.record.policy import BlockPolicy, RotatePolicy
from polyrecord.times import SECOND, parse_ts

DAY = 86_400 * SECOND
FIRST = parse_ts("2026-11-01T12:00:00Z")
RUN, OTHER = "20261101t120000.host.1.aaaa", "20261103t120000.host.2.bbbb"


def record_days(
    root: Path, days: range, writer: str = RUN, *, per_day: int = 40, **rotate: Any
) -> list[Path]:
    """A run that writes so many signals and books on each day; sealed shards, a day each at least."""
    bulk = BulkWriter(root, writer, blocks=BlockPolicy(content_bytes=600), rotate=RotatePolicy())
    for day in days:
        for number in range(40):
            ts = FIRST + day * DAY + number * SECOND
            bulk.add(ts, "signal", b'{"n":%d}' % number)
            bulk.add(ts, "orderbook_snapshot", b'{"n":%d}' % number)
    return sorted(bulk.finish().shards)


def lines(root: Path) -> list[tuple[str, str, int]]:
    """Stream, writer and seq of every line, by gzip and json alone."""
    found = []
    for path in root.rglob("*.jsonl.gz"):
        parts = re.fullmatch(r"[^-]+-(.+)-\d+\.jsonl\.gz", path.name)
        assert parts is not None
        stream = "/".join(path.relative_to(root).parts[:2])
        content = gzip.decompress(path.read_bytes()).splitlines()
        found += [(stream, parts[1], json.loads(line)["seq"]) for line in content]
    return sorted(found)


def events_of(root: Path) -> Counter[str]:
    """Lines by stream."""
    return Counter(stream for stream, _, _ in lines(root))


def ledger(root: Path) -> list[dict[str, Any]]:
    """The lines of the deletion ledger."""
    files = sorted((root / "logs/_pruned").glob("*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]
