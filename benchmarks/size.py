"""What blocks and their index cost in bytes: our shards beside one gzip stream of the same lines.

    python benchmarks/size.py [--events 200000] [--json]

Same compressor (isal), same level. `lines a block` are cut after so many, as by a bot that flushes often.
"""

from __future__ import annotations

import argparse
import gzip
import json
import tempfile
from pathlib import Path

from isal import isal_zlib
from sessions import write_session

from polyrecord.format.block import BlockIndex, pack_block

GZIP = 31  # window bits for a gzip stream
LINES_PER_BLOCK = (5, 10, 50, 200, 1000)
SAMPLE = 20_000


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


def measure(events: int) -> dict[str, float]:
    """Our bytes by those of one gzip stream, by stream of an archive and by lines in a block."""
    ratios, ours, plain = {}, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        write_session(Path(folder), events)
        for shard in sorted(Path(folder).glob("*/*/date=*/*.jsonl.gz")):
            stored, content = shard.stat().st_size, gzip.decompress(shard.read_bytes())
            ours, plain = ours + stored, plain + gzip_size(content)
            ratios[f"{shard.parents[1].name}, 256 KiB blocks, sealed"] = stored / gzip_size(content)
            if shard.parents[1].name == "books":
                books = content.splitlines(keepends=True)[:SAMPLE]
    ratios["all streams, 256 KiB blocks, sealed"] = ours / plain
    whole = gzip_size(b"".join(books))
    return ratios | {f"books, {n:,} lines a block": cut_size(books, n) / whole for n in LINES_PER_BLOCK}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    ratios = measure(options.events)
    if options.json:
        print(json.dumps({"events": options.events, "ratios": ratios}))
        return
    for name, ratio in ratios.items():
        print(f"{name:38} {100 * (ratio - 1):+7.1f} %")


if __name__ == "__main__":
    main()
