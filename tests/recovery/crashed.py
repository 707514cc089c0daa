"""Archives whose writer is gone, and what is in them by gzip and json alone."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from polyrecord.record.identity import boot_id, write_manifest
from polyrecord.record.item import CLOSE
from polyrecord.record.numbering import Numbering
from polyrecord.record.policy import BlockPolicy, RotatePolicy
from polyrecord.record.shards import ShardSet
from polyrecord.times import SECOND, format_ts, parse_ts

NOON = parse_ts("2026-11-20T12:00:00Z")
WRITER, OTHER = "20261120t120000.host.1.aaaa", "20261120t120000.host.2.bbbb"
TYPES = ("signal", "decision", "orderbook_snapshot", "latency")


@cache
def dead_pid() -> int:
    """The pid of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
        return process.pid


def manifest_of(writer: str = WRITER, **changes: Any) -> dict[str, Any]:
    """A manifest as a recorder of this boot of this host leaves it when it is killed."""
    return {
        "writer": writer, "kind": "recorder", "format": 1, "started": "2026-11-20T12:00:00.000000000Z",
        "host": socket.gethostname(), "pid": dead_pid(), "boot_id": boot_id(), "ended": None,
        "flush": {"seconds": 1.0}, **changes,
    }  # fmt: skip


def record(
    root: Path,
    count: int = 60,
    writer: str = WRITER,
    *,
    crashed: bool = True,
    block_bytes: int = 700,
    shard_events: int | None = None,
    step: int = SECOND,
    start: int = NOON,
    types: tuple[str, ...] = TYPES,
    **manifest: Any,
) -> Path:
    """A session of `count` events over several streams, that was killed after its last block, or ended."""
    content = manifest_of(writer, **manifest)
    shards = ShardSet(
        root, writer, RotatePolicy(max_events=shard_events), lambda: 0,
        lambda: write_manifest(root, writer, content),
    )  # fmt: skip
    numbering = Numbering(shards.write, BlockPolicy(content_bytes=block_bytes), ())
    for number in range(count):
        ts = start + number * step
        payload = json.dumps({"n": number, "order_id": f"o-{number}"}).encode() + CLOSE
        trace = f"{number // 4:08x}" + "0" * 24
        numbering.add(ts, format_ts(ts), types[number % len(types)], payload, trace)
    numbering.cut()
    if crashed:
        shards.abandon()
    else:
        shards.close()
        write_manifest(root, writer, {**content, "ended": format_ts(start + count * step)})
    return root


def open_shards(root: Path) -> list[Path]:
    """The shards being written, or left so."""
    return sorted(root.glob("*/*/*/_open/*.jsonl.gz"))


def sealed_shards(root: Path) -> list[Path]:
    """The sealed shards."""
    return sorted(root.glob("*/*/date=*/*.jsonl.gz"))


def members(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Offset, bytes and contents of a file's gzip members, up to the first that is not whole; by zlib."""
    at = 0
    while at < len(data):
        stream = zlib.decompressobj(31)
        try:
            content = stream.decompress(data[at:])
        except zlib.error:
            return
        if not stream.eof:
            return
        end = len(data) - len(stream.unused_data)
        yield at, data[at:end], content
        at = end


def lines_of(path: Path) -> list[bytes]:
    """The lines of a shard's whole members."""
    return b"".join(content for _, _, content in members(path.read_bytes())).splitlines()


def block_offsets(path: Path) -> list[int]:
    """Where the blocks of a shard start; behind the last the file's end, or its directory's start."""
    found = [(at, len(member), content) for at, member, content in members(path.read_bytes())]
    blocks = [(at, length) for at, length, content in found if content]
    return [at for at, _ in blocks] + [blocks[-1][0] + blocks[-1][1]]


def tree(root: Path) -> dict[str, bytes]:
    """Every file below a directory with its bytes."""
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }


def manifest(root: Path, writer: str = WRITER) -> dict[str, Any]:
    """A manifest by json alone."""
    content: dict[str, Any] = json.loads((root / "logs/_writers" / f"{writer}.json").read_text())
    return content
