"""Archives made for a test, and the same events read with nothing but gzip and json."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polyrecord.record.bulk import BulkWriter
from polyrecord.record.policy import BlockPolicy, RotatePolicy
from polyrecord.times import SECOND, format_ts, parse_ts

NOON = parse_ts("2026-11-20T12:00:00Z")
WRITER = "20261120t120000.host.1.aaaa"
MILLISECOND = SECOND // 1000


@dataclass(frozen=True)
class Given:
    """One event to be written; `data` is encoded unless it is bytes already."""

    at: int
    event_type: str
    data: Any = field(default_factory=dict)
    trace_id: str | None = None
    intent_id: str | None = None

    @property
    def payload(self) -> bytes:
        return self.data if isinstance(self.data, bytes) else json.dumps(self.data).encode()


def write(
    root: Path,
    events: Iterable[Given],
    writer: str = WRITER,
    *,
    block_bytes: int = 1000,
    shard_events: int = 0,
) -> list[Path]:
    """Sealed shards of these events; paths in the order they were sealed."""
    rotate = RotatePolicy(max_events=shard_events) if shard_events else None
    blocks = BlockPolicy(content_bytes=block_bytes)
    bulk = BulkWriter(root, writer, index_keys=("data.market",), blocks=blocks, rotate=rotate)
    for event in events:
        envelope = {"intent_id": event.intent_id} if event.intent_id else None
        bulk.add(event.at, event.event_type, event.payload, trace_id=event.trace_id, envelope=envelope)
    return list(bulk.finish().shards)


def read(root: Path) -> list[dict[str, Any]]:
    """All events of an archive of one writer, by sequence number."""
    lines = [
        line for path in root.rglob("*.jsonl.gz") for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    return sorted((json.loads(line) for line in lines), key=lambda event: int(event["seq"]))


def lines(events: Iterable[Given]) -> bytes:
    """The same events as a chunk of lines, without an archive."""
    return b"".join(line(number, event) for number, event in enumerate(events, 1))


def line(number: int, event: Given) -> bytes:
    """One event line, written as docs/format.md has it."""
    head: dict[str, Any] = {"ts": format_ts(event.at), "seq": number, "event_type": event.event_type}
    if event.trace_id is not None:
        head["trace_id"] = event.trace_id
    return json.dumps(head, separators=(",", ":")).encode()[:-1] + b',"data":' + event.payload + b"}\n"


def latency(stages: Mapping[str, Any], at: int = NOON, trace_id: str | None = None) -> Given:
    """A latency event."""
    return Given(at, "latency", dict(stages), trace_id)


def decision(decided: str = "ACCEPT", strategy: str | None = "atomic", at: int = NOON, **data: Any) -> Given:
    """A decision event; amounts not named are 0."""
    amounts = dict.fromkeys(
        ("gross_edge", "fees_est", "slippage_est", "gas_est", "latency_buffer", "net_edge"), "0"
    )
    named = {"strategy": strategy} if strategy is not None else {}
    return Given(at, "decision", {**named, "decision": decided, "reason": "because", **amounts, **data})


def open_again(path: Path) -> Path:
    """Move a sealed shard to where it lay while it was being written."""
    folder = path.parent / "_open"
    folder.mkdir(exist_ok=True)
    return path.rename(folder / path.name)
