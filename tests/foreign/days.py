"""A small day of each system whose layout is known, on disk as that system writes it, and what is in it."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any

IST = timezone(timedelta(hours=5, minutes=30))
START = datetime(2026, 2, 3, 18, 0)  # noqa: DTZ001 - as PolyArb-X writes it, without a zone, in UTC
BOTS = ("risk.liquidity_guard", "risk.spread_limit", "strategy.maker")
DECISIONS = 400  # of each bot
STAGES = ("ws_to_book_update_ms", "book_to_signal_ms", "signal_to_risk_ms", "risk_to_send_ms")
TRACES = 200
ROTATED = {  # what MetaStackerBandit's rotation appends, and what other rotations do
    "costs": "_20251220_120000.jsonl.gz",
    "market": "_1.jsonl.gz",
    "risk": ".1.jsonl.gz",
    "ensemble": ".jsonl.gz.1",
}


def put(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows as JSON lines, as gzip where the name says so; their number."""
    lines = [json.dumps(row) + "\n" for row in rows]
    content = "".join(lines).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.name.endswith(".gz") else content)
    return len(lines)


def trace_of(number: int) -> str:
    """The trace id of a number."""
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def polyarb_day(root: Path) -> Counter[str]:
    """PolyArb-X: metrics and telemetry in logs/, events by date in data/events/, rotated and gzipped too."""
    random = Random(1)
    metrics, telemetry, events = [], [], []
    for number in range(TRACES):
        at, trace = (
            (START + timedelta(seconds=number * 2)).isoformat(timespec="milliseconds"),
            trace_of(number),
        )
        stages: dict[str, Any] = {name: round(random.lognormvariate(1, 0.6), 3) for name in STAGES}
        if number % 9 == 0:
            stages["risk_to_send_ms"] = None
        total = sum(value for value in stages.values() if value is not None)
        metrics.append({"trace_id": trace, **stages, "end_to_end_ms": round(total, 3), "timestamp": at})
        gross = f"{random.randint(5, 90) / 100:.2f}"
        net = f"{float(gross) - 0.07:.2f}"
        edge = {
            "gross_edge": gross,
            "fees_est": "0.05",
            "slippage_est": "0.01",
            "gas_est": "0.01",
            "net_edge": net,
            "decision": "ACCEPT" if float(net) > 0.2 else "REJECT",
            "strategy": "atomic",
        }
        for kind, data in (
            ("event_received", {"token_id": "7" * 77}),
            ("opportunity_detected", {"expected_profit": gross}),
            ("risk_passed", edge),
        ):
            telemetry.append({"event_type": kind, "timestamp": at, "trace_id": trace, "data": data})
        book = {"token_id": "7" * 77, "bids": [{"price": "0.50", "size": "10"}], "asks": []}
        events.append({"event_type": "orderbook_snapshot", "timestamp": at, "data": book})
        signal = {"trace_id": trace, "strategy": "atomic", "expected_profit": gross}
        events.append({"event_type": "signal", "timestamp": at, "data": signal})
    put(root / "logs" / "metrics.jsonl.2026-02-02.gz", metrics[:40])
    put(root / "logs" / "metrics.jsonl", metrics[40:])
    put(root / "logs" / "telemetry.jsonl", telemetry)
    put(root / "data" / "events" / "20260203" / "events.jsonl.gz", events[:100])
    put(root / "data" / "events" / "20260204" / "events.jsonl", events[100:])
    types = (
        "event_received",
        "opportunity_detected",
        "risk_passed",
        "orderbook_snapshot",
        "signal",
        "latency",
    )
    return Counter(dict.fromkeys(types, TRACES))


def metastacker_day(root: Path) -> Counter[str]:
    """MetaStackerBandit: a folder per topic and date, times in India's zone, a rotated file, snapshots."""
    random = Random(2)
    written: Counter[str] = Counter()
    base = datetime(2025, 12, 20, 0, 5, tzinfo=IST)
    topics: dict[str, dict[str, Any]] = {
        "signals": {"decision": {"dir": 0, "alpha": 0.0}, "model_out": {"p_up": 0.31, "s_model": 0.02}},
        "health": {"metrics": {"equity": 10000.0, "ws_reconnects": 0, "funding_stale": False}},
        "calibration": {"in_band_flag": False, "band_bps": 15.0, "pred_cal_bps": -607.2, "realized_bps": 0.0},
        "order_intent": {"side": "HOLD", "intent_qty": 0.0, "reason_codes": {"spread_guard": True}},
        "repro": {"repro": {"git_sha": "57ebe1e", "seed": 42}},
        "costs": {"costs": {"fee_bps": 5.0, "cost_bps_total": 48.9, "slip_bps": None}},
        "feature_log": {"spread_bps": 75.0, "volatility_regime": "low"},
        "execution": {
            "side": "BUY",
            "limit_px": 91_250.5,
            "fill_px": 91_251.0,
            "fill_qty": 0.01,
            "ioc_ms": 41,
        },
        "ensemble": {"pred_stack_bps": 12.25, "manifest": {"stack": 0.5}, "event_id": "9f86d081"},
        "market": {"bid": 91_250.5, "ask": 91_251.0, "volume": 12.9, "funding_rate": 0.0001},
        "risk": {"position": 0.0, "utilization": 0.125, "exposure": 1250.0},
        "hyperliquid": {"coin": "BTC", "cluster": "pros"},
    }
    counts = {"health": 96, "costs": 147, "ensemble": 96, "market": 288, "risk": 288, "hyperliquid": 96}
    for topic, members in topics.items():
        rows = []
        for number in range(counts.get(topic, 6)):
            at = base + timedelta(minutes=number * 4, milliseconds=random.randint(0, 999))
            stamp = at.isoformat() if number % 2 else at.replace(tzinfo=None).isoformat()
            rows.append({"ts_ist": stamp, "log_type": topic, "sampled": True, **members})
        folder = root / "paper_trading_outputs" / "logs" / topic / "date=2025-12-20"
        half = len(rows) // 2 if topic in ROTATED else 0
        if half:
            put(folder / f"{topic}{ROTATED[topic]}", rows[:half])
        written[topic] = half + put(folder / f"{topic}.jsonl.gz", rows[half:])
    for period, hours in (("1h", range(1, 24)), ("24h", range(23, 24))):
        place = root / "paper_trading_outputs" / "logs" / period / "health_snapshot" / "snapshot.jsonl"
        values = {"equity_value": None, "daily_pnl": None, "trade_count": 0}
        written["snapshot"] += put(
            place, [{"ts_ist": f"2025-12-20T{hour:02d}:00:00", **values} for hour in hours]
        )
    return written


def polytraders_day(root: Path) -> Counter[str]:
    """Polytraders: one decision log per bot."""
    random = Random(3)
    for bot in BOTS:
        rows = [
            {
                "ts": (START + timedelta(seconds=number)).isoformat() + "Z",
                "level": "INFO" if number % 3 else "WARN",
                "bot_id": bot,
                "intent_id": f"01HZS3Q5{number:04d}",
                "decision": random.choice(["APPROVE", "RESHAPE_REQUIRED", "REJECT"]),
                "reason_code": "INSUFFICIENT_VISIBLE_DEPTH",
                "severity": "RESHAPE",
                "inputs_used": ["clob.book.top50"],
                "metrics": {"visible_depth_usd": 5200, "pct_of_depth": 0.356},
                "trace_id": trace_of(number).replace("-", ""),
                "span_id": f"{number:016x}",
            }
            for number in range(DECISIONS)
        ]
        put(root / f"{bot}.jsonl", rows[DECISIONS // 2 :])
        put(root / f"{bot}.jsonl.1.gz", rows[: DECISIONS // 2])
    return Counter({"decision": DECISIONS * len(BOTS)})
