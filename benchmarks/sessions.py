"""Seeded archives to measure on: what a bot records in a day, as fast as it can be written."""

from __future__ import annotations

import random
from pathlib import Path

import orjson

from polyrecord.record.bulk import BulkWriter
from polyrecord.record.policy import BlockPolicy

START_NS = 1_795_132_800_000_000_000  # 2026-11-20T00:00:00Z
DAY_NS = 86_400_000_000_000
TOKENS = [str(7 * 10**76 + 123_456_789 * n) for n in range(8)]
STAGES = ("ws_to_book_update_ms", "book_to_signal_ms", "signal_to_risk_ms", "risk_to_send_ms")
EVENTS_PER_TICK = 10  # five books, then a trace of five events


def write_session(
    root: Path, events: int, *, days: int = 1, seed: int = 7, block_bytes: int = 256 << 10
) -> None:
    """Write about `events` events over `days` dates into a fresh archive."""
    rng = random.Random(seed)
    ticks = events // EVENTS_PER_TICK
    step = days * DAY_NS // ticks
    with BulkWriter(root, f"bench.{seed}", blocks=BlockPolicy(block_bytes)) as writer:
        for tick in range(ticks):
            write_tick(writer, rng, START_NS + tick * step, tick)


def write_tick(writer: BulkWriter, rng: random.Random, ts: int, tick: int) -> None:
    """Five books and one trace from the wire to the order."""
    for number in range(5):
        writer.add(ts + number, "orderbook_snapshot", orjson.dumps(book(rng)))
    trace = trace_id(rng)
    signal = {"strategy": "atomic", "expected_profit": f"{rng.random():.4f}"}
    costs = {"fees_est": "0.0100", "slippage_est": "0.0040", "gas_est": "0.0010", "latency_buffer": "0.0020"}
    gross = rng.randrange(100, 900)
    edge = {"gross_edge": f"0.{gross:04}", **costs, "net_edge": f"{(gross - 170) / 1e4:.4f}"}
    decision = {
        "strategy": "atomic",
        "decision": "ACCEPT" if gross > 300 else "REJECT",
        "reason": "edge",
        **edge,
    }
    order = {
        "order_id": f"order-{tick}",
        "token_id": rng.choice(TOKENS),
        "side": "BUY",
        "price": "0.48",
        "size": "10",
    }
    times = {name: round(rng.lognormvariate(0.5, 0.8), 3) for name in STAGES}
    latency = {**times, "end_to_end_ms": round(sum(times.values()), 3)}
    named = {"event_received": {"token_id": order["token_id"]}, "signal": signal, "decision": decision}
    for number, (name, data) in enumerate({**named, "order_request": order, "latency": latency}.items()):
        writer.add(ts + 5 + number, name, orjson.dumps(data), trace_id=trace)


def book(rng: random.Random) -> dict[str, object]:
    """A book of five levels a side."""
    mid = rng.randrange(20, 80)
    return {
        "token_id": rng.choice(TOKENS),
        "bids": [{"price": f"0.{mid - n:02}", "size": f"{rng.randrange(1, 900)}.{n}"} for n in range(1, 6)],
        "asks": [{"price": f"0.{mid + n:02}", "size": f"{rng.randrange(1, 900)}.{n}"} for n in range(1, 6)],
    }


def trace_id(rng: random.Random) -> str:
    """A seeded UUIDv4."""
    h = f"{rng.getrandbits(128):032x}"
    return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"
