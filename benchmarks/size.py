"""Bytes on disk after `polyrecord repack`, beside one gzip stream of the same lines at the same level.

A day is written in the small blocks of a bot that flushes often, then rewritten by `polyrecord repack`;
each shard's lines, decompressed, are compressed again as one stream by the same compressor (isal, level
1). `lines a block` are cut after so many, with a header that names one type and no keys.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

import archives
from isal import isal_zlib
from market import Market
from row import Check, Result, Row, Scale, Table
from timing import POLYRECORD, run

from polyrecord.format.block import BlockIndex, pack_block
from polyrecord.record.bulk import BulkWriter
from polyrecord.record.policy import BlockPolicy

GZIP = 31  # window bits for a gzip stream
LINES_PER_BLOCK = (5, 10, 50, 200, 1000)
SAMPLE = 20_000
FLUSHED = 16 << 10  # bytes of lines in a block, about those of a second of the day's streams


def gzip_size(content: bytes) -> int:
    """Bytes of one gzip stream of the content."""
    packer = isal_zlib.compressobj(1, 8, GZIP)
    return len(packer.compress(content)) + len(packer.flush())


def cut_size(lines: list[bytes], per_block: int) -> int:
    """Bytes of the lines in blocks of so many, whose headers name one type and no keys."""
    size = 0
    for at in range(0, len(lines), per_block):
        part = lines[at : at + per_block]
        index = BlockIndex(len(part), 1, len(part), 1, len(part), 0, 0, {"orderbook_snapshot": len(part)})
        size += len(pack_block(b"".join(part), index))
    return size


def _write(root: Path, events: int) -> None:
    """A day of one bot in small blocks."""
    market = Market(archives.SEED)
    with BulkWriter(root, "small.blocks", kind="recorder", blocks=BlockPolicy(FLUSHED)) as writer:
        for tick in range(events // 10):
            ts = archives.END_NS - archives.DAY_NS // 2 + tick * archives.TICK_NS
            for at, (event_type, data, trace) in enumerate(market.tick(ts)):
                writer.add(ts + at, event_type, data, trace_id=trace)


def _shards(root: Path) -> list[Path]:
    return sorted(root.glob("*/*/date=*/*.jsonl.gz"))


def _percent(part: int, whole: int) -> float:
    return 100 * (part / whole - 1)


def measure(scale: Scale) -> Result:
    """Sizes before and after, by stream."""
    root = Path(tempfile.mkdtemp())
    try:
        _write(root, scale.lines)
        before = sum(path.stat().st_size for path in _shards(root))
        run([POLYRECORD, "repack", "--root", str(root)])
        stored: defaultdict[str, int] = defaultdict(int)
        plain: defaultdict[str, int] = defaultdict(int)
        sample: list[bytes] = []
        for path in _shards(root):
            stream, content = path.parents[1].name, gzip.decompress(path.read_bytes())
            stored[stream] += path.stat().st_size
            plain[stream] += gzip_size(content)
            sample = sample or content.splitlines(keepends=True)[:SAMPLE]
    finally:
        shutil.rmtree(root)
    total, whole = sum(stored.values()), sum(plain.values())
    after = _percent(total, whole)
    shards = {f"{stream}, after repack": _percent(stored[stream], plain[stream]) for stream in stored}
    shards |= {"all, after repack": after, "all, as flushed": _percent(before, whole)}
    one = gzip_size(b"".join(sample))
    cut = {f"books, {n:,} lines a block": _percent(cut_size(sample, n), one) for n in LINES_PER_BLOCK}
    check = Check(after, 3, "% more than one gzip stream of the same lines")
    table = Table("more than one gzip stream", "%", shards | cut, digits=1)
    return Result((check,), (table,), {"after": after, "flushed": _percent(before, whole)})


ROW = Row(
    "size",
    "Bytes on disk",
    __doc__ or "",
    """Blocks that are flushed after a second cost {flushed:.1f} % more than one stream, rewritten ones
{after:.1f} %. Each trace costs two bytes in the directory for each block it is in and each order id two
more: random, so that nothing compresses them, little beside a book and more beside the short lines of
`metrics` and `telemetry`. A header has about 120 bytes besides, and a block starts with an empty
dictionary. See [decision 2](decisions/0002-the-directory.md).""",
    measure,
    "python benchmarks/size.py",
)

if __name__ == "__main__":
    from goals import main

    main(["--only", ROW.name])
