"""Archives made for a test, and the same answers worked out with nothing but gzip and json."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyrecord.record.bulk import BulkWriter
from polyrecord.record.policy import BlockPolicy, RotatePolicy
from polyrecord.times import SECOND, parse_ts

NOON = parse_ts("2026-11-20T12:00:00Z")
RECORDER = "20261120t120000.host.1.aaaa"


@dataclass(frozen=True)
class Given:
    """One event to be written."""

    ts: int
    event_type: str = "signal"
    data: bytes = b"{}"
    trace_id: str | None = None
    stream: str | None = None
    intent_id: str | None = None


class ArchiveMaker:
    """Writes archives of small blocks; `read` gives their lines without any help of ours."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(
        self,
        events: Iterable[Given],
        writer: str = RECORDER,
        *,
        block_bytes: int = 1000,
        shard_events: int | None = None,
        index_keys: tuple[str, ...] = (),
    ) -> list[Path]:
        """Sealed shards of these events; the paths in the order they were sealed."""
        policies: dict[str, Any] = {
            "blocks": BlockPolicy(content_bytes=block_bytes),
            "rotate": RotatePolicy(max_events=shard_events),
        }
        bulk = BulkWriter(self.root, writer, index_keys=index_keys, **policies)
        for event in events:
            envelope = {"intent_id": event.intent_id} if event.intent_id else None
            bulk.add(
                event.ts, event.event_type, event.data,
                trace_id=event.trace_id, envelope=envelope, stream=event.stream,
            )  # fmt: skip
        return list(bulk.finish().shards)

    def signals(self, count: int, writer: str = RECORDER, **options: Any) -> list[Path]:
        """`count` signals, a second apart from noon on."""
        events = (Given(NOON + at * SECOND, data=b'{"n":%d}' % at) for at in range(count))
        return self.write(events, writer, **options)

    def read(self) -> list[bytes]:
        """Every line in replay order by brute force: all in memory, every line parsed, one sort."""
        return [line for _, line in sorted(self._stamped())]

    def _stamped(self) -> Iterator[tuple[tuple[str, str, int], bytes]]:
        by_writer: dict[str, list[tuple[int, str, bytes]]] = {}
        for path in self.root.rglob("*.jsonl.gz"):
            writer = re.fullmatch(r"[^-]+-(.+)-\d+\.jsonl\.gz", path.name)
            assert writer is not None
            for line in gzip.decompress(path.read_bytes()).splitlines():
                event = json.loads(line)
                by_writer.setdefault(writer[1], []).append((event["seq"], event["ts"], line))
        for writer_id, found in by_writer.items():
            latest = ""
            for seq, ts, line in sorted(found):
                latest = max(latest, ts)
                yield (latest, writer_id, seq), line

    def plain(self, lines: Iterable[bytes], *, gzipped: bool = True, writer: str = RECORDER) -> Path:
        """A sealed shard of a stream of its own that is no blocks of ours: plain gzip or text."""
        folder = self.root / "data/plain/date=2026-11-20"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"plain-{writer}-0001.jsonl.gz"
        content = b"".join(line + b"\n" for line in lines)
        path.write_bytes(gzip.compress(content) if gzipped else content)
        return path


def open_again(path: Path) -> Path:
    """Move a sealed shard to where it lay while it was being written."""
    folder = path.parent / "_open"
    folder.mkdir(exist_ok=True)
    return path.rename(folder / path.name)


def start_of(raw: bytes | bytearray, number: int) -> int:
    """Offset of a block, counted from 0."""
    at = -1
    for _ in range(number + 1):
        at = raw.index(b"\x1f\x8b\x08\x04", at + 1)
    return at


def damage_block(shard: Path, number: int) -> None:
    """Flip a byte in the lines of a block; its header stays as it was."""
    raw = bytearray(shard.read_bytes())
    at = start_of(raw, number)
    raw[at + 12 + int.from_bytes(raw[at + 10 : at + 12], "little") + 20] ^= 0xFF
    shard.write_bytes(raw)
