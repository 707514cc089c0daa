"""Recordings with several writers, streams, days and losses, written as a recorder writes them."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyrecord.read.archive import Archive
from polyrecord.read.coverage import Coverage, coverage
from polyrecord.read.explain import Explain
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.record.drops import Loss
from polyrecord.record.identity import write_manifest
from polyrecord.record.item import CLOSE
from polyrecord.record.numbering import Numbering
from polyrecord.record.policy import BlockPolicy, RotatePolicy
from polyrecord.record.shards import ShardSet
from polyrecord.times import SECOND, format_ts, parse_ts
from polyrecord.transfer.cut import Wanted, Written, cut
from polyrecord.transfer.merge import Merged, merge

START = parse_ts("2026-11-20T23:59:00Z")  # a minute before midnight: every recording has two dates
ONE, TWO = "20261120t120000.host.1.aaaa", "20261120t120000.host.2.bbbb"
MANIFEST = {"kind": "recorder", "format": 1, "ended": "2026-11-21T01:00:00.000000000Z", "stages": ["a", "b"]}
TYPES = ("signal", "decision", "latency", "orderbook_snapshot", "event_received")


@dataclass(frozen=True)
class Lost:
    """So many events of a type give way after the event of this number."""

    after: int
    event_type: str
    count: int


def record(
    root: Path,
    count: int = 120,
    writer: str = ONE,
    *,
    losses: Iterable[Lost] = (),
    block_bytes: int = 1500,
    shard_events: int = 40,
    step: int = SECOND,
    index_keys: tuple[str, ...] = (),
    clean: bool = True,
) -> Path:
    """A session of `count` events, `step` ns apart; event n is of type n mod 5, trace n div 5."""
    manifest = {"writer": writer, **MANIFEST, "ended": MANIFEST["ended"] if clean else None}
    shards = ShardSet(
        root, writer, RotatePolicy(max_events=shard_events), lambda: 0,
        lambda: write_manifest(root, writer, manifest),
    )  # fmt: skip
    numbering = Numbering(shards.write, BlockPolicy(content_bytes=block_bytes), index_keys)
    by_number = {lost.after: lost for lost in losses}
    for number in range(count):
        ts = START + number * step
        data = {
            "n": number,
            "order_id": f"o-{number}",
            "market": f"m-{number % 7}",
            "pad": "x" * (number % 90),
        }
        payload = json.dumps(data).encode() + CLOSE
        numbering.add(ts, format_ts(ts), TYPES[number % 5], payload, f"{number // 5:08x}" + "0" * 24)
        if lost := by_number.get(number):
            loss = Loss("overload", Counter({(lost.event_type, None): lost.count}), lost.count)
            numbering.lose(ts, loss, ts, ts)
    numbering.cut()
    shards.close(clean=clean)
    return root


def replayed(root: Path, selection: Selection | None = None) -> list[bytes]:
    """The lines in replay order; nothing may be damaged."""
    explain = Explain(strict=True)
    return list(Replay(Archive(root), selection or Selection(), explain=explain).lines())


def covered(root: Path, selection: Selection | None = None) -> Coverage:
    """What headers prove."""
    return coverage(Archive(root), selection or Selection())


def cut_out(root: Path, out: Path, selection: Selection | None = None, **more: Any) -> Written:
    """A cut of an archive; nothing may be damaged."""
    return cut(Archive(root), Wanted(selection or Selection(), **more), out, Explain(strict=True))


def merged(out: Path, *roots: Path) -> Merged:
    """A merge of archives; nothing may be damaged."""
    return merge(roots, out, Explain(strict=True))


def lines_by_gzip(root: Path) -> dict[str, list[bytes]]:
    """The lines of every shard by stream and writer in order of their numbers, read with gzip alone."""
    found: dict[str, list[bytes]] = {}
    for path in sorted(root.rglob("*.jsonl.gz"), key=lambda path: path.name):
        stream, writer, _ = path.name.split("-")
        found.setdefault(f"{stream} {writer}", []).extend(gzip.decompress(path.read_bytes()).splitlines())
    return found


def manifest_of(root: Path, writer: str = ONE) -> dict[str, Any]:
    """A manifest, read with json alone."""
    content: dict[str, Any] = json.loads((root / "logs/_writers" / f"{writer}.json").read_text())
    return content
