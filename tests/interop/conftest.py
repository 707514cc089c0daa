"""One archive with everything in it that a tool might stumble over, and what every tool must find there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from polyrecord.events.names import EventType
from polyrecord.record.bulk import BulkWriter
from polyrecord.record.recorder import EventRecorder
from polyrecord.times import SECOND, parse_ts

IMPORTED = 2_400
RECORDED = 1_200
FIRST_TS = parse_ts("2026-11-18T23:59:30.123456789Z")
TOKEN = "71321045679252212594626385532706912750332728571942532289631379312455583992563"  # 77 digits

# Written as they stand by JSON, or escaped; some tools split at them or take them for their own.
TEXTS = (
    "plain",
    'a "quoted" \\ back/slash',
    "line\nfeed, tab\t, return\r, null\x00",
    "Žluťoučký kůň 🎲 交易",
    "\u2028\u2029\u0085\ufeff",
    "</script>, %s, ${HOME}, $1, NaN, null",
    "'; drop table events; --",
    "1e400",
    "x" * 5_000,
)
TYPES = (EventType.SIGNAL, EventType.ORDERBOOK_DELTA, EventType.EVENT_RECEIVED, "tick")


@dataclass(frozen=True)
class Shown:
    """An archive on disk: `expected` maps every `data.n` to the data a tool must see under it.

    Events from number `first_open` on lie in open shards.
    """

    root: Path
    sealed: list[Path]
    open: list[Path]
    expected: dict[int, dict[str, Any]]
    first_open: int

    @property
    def shards(self) -> list[Path]:
        """Sealed and open ones."""
        return self.sealed + self.open


def trace_of(number: int) -> str:
    """The trace id of event `number`; three events share one."""
    return f"{number // 3 + 0x4F1C0000:08x}-0000-4000-8000-{number // 3:012x}"


def data_of(number: int) -> dict[str, Any]:
    """What event `number` says; each key is of one type throughout, as tools with schemas need."""
    return {
        "n": number,
        "text": TEXTS[number % len(TEXTS)],
        "token_id": TOKEN,
        "price": str(Decimal(number) / 1000),
        "levels": [["0.48", "100"], ["0.47", str(number)]][: number % 3],
    }


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """Three days and four streams of an import, one writer that closed, one that is still open."""
    root = tmp_path_factory.mktemp("archive")
    _import(root)
    with _recorder(root) as closed:
        _record(closed, IMPORTED)
    # What a day without events, a moved shard and an idle writer leave behind.
    (root / "data/events/date=2026-11-01/_open").mkdir(parents=True)
    (root / "data/empty").mkdir()
    with _recorder(root) as still_open:
        _record(still_open, IMPORTED + RECORDED)
        outcome = still_open.flush().wait()
        assert outcome.error is None
        sealed = sorted(root.glob("*/*/date=*/*.jsonl.gz"))
        unsealed = sorted(root.glob("*/*/date=*/_open/*.jsonl.gz"))
        expected = {number: data_of(number) for number in range(IMPORTED + 2 * RECORDED)}
        yield Shown(root, sealed, unsealed, expected, IMPORTED + RECORDED)


def _import(root: Path) -> None:
    with BulkWriter(root, "import.0123456789abcdef") as bulk:
        for number in range(IMPORTED):
            line = orjson.dumps(data_of(number))
            ts = FIRST_TS + number * 40 * SECOND + number
            bulk.add(ts, TYPES[number % len(TYPES)], line, trace_id=trace_of(number))
        bulk.finish()


def _recorder(root: Path) -> EventRecorder:
    return EventRecorder(root, block_bytes=16 << 10, bot_id="bot-Ž")


def _record(recorder: EventRecorder, first: int) -> None:
    for number in range(first, first + RECORDED):
        assert recorder.record(TYPES[number % len(TYPES)], data_of(number), trace_of(number), level="info")
