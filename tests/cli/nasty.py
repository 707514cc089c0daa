"""One small archive with a bit of everything that real recordings have: what the golden files are made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.report.archives import MILLISECOND, NOON, Given, decision, latency, write

TRACE = "4f1c09aa-0000-4000-8000-000000000001"
OTHER = "4f1c09aa-0000-4000-8000-000000000002"
ODD = "Sess/ion 7\u2028"


def write_nasty(root: Path) -> None:
    """Write the archive below `root`."""
    write(root, nasty_events(), block_bytes=600)


def nasty_events() -> Iterator[Given]:
    """The events in order."""
    yield Given(NOON, "raw_frame", {"source": "feed", "frame": '{"a":"b\\u0000"}'})
    yield Given(NOON, "orderbook_snapshot", {"token_id": "7" * 77, "bids": [{"price": "0.48"}], "asks": []})
    yield from _story(TRACE, "o-1")
    yield from _latencies()
    yield from _decisions()
    yield Given(NOON + 900 * MILLISECOND, "my_own", {"note": '\x1b[31mred, "quoted"\r\nand two lines'}, ODD)
    yield Given(NOON + 901 * MILLISECOND, "my_own", b"null", ODD)


def _story(trace: str, order: str) -> Iterator[Given]:
    at = NOON + 10 * MILLISECOND
    yield Given(at, "signal", {"strategy": "atomic", "expected_profit": "1.50"}, trace)
    yield Given(at + MILLISECOND, **_decided(trace))
    yield Given(
        at + 2 * MILLISECOND, "order_request",
        {"order_id": order, "token_id": "7" * 77, "side": "BUY", "price": "0.48", "size": "50"},
        trace, "intent-9",
    )  # fmt: skip
    yield Given(at + 5 * MILLISECOND, "fill", {"order_id": order, "price": "0.48", "size": "30"}, trace)
    yield Given(
        at + 6 * MILLISECOND, "order_result",
        {"order_id": order, "status": "PARTIAL", "filled_size": "30", "average_price": "0.48",
         "fee": "0.029"},
        trace,
    )  # fmt: skip
    yield latency(
        {"ws_to_book_update_ms": 1.5, "book_to_signal_ms": 0.25, "signal_to_risk_ms": 0.75,
         "risk_to_send_ms": 2.0, "end_to_end_ms": 4.5},
        at + 7 * MILLISECOND, trace,
    )  # fmt: skip


def _decided(trace: str) -> dict[str, Any]:
    given = decision(
        gross_edge="1.5", fees_est="0.1", slippage_est="0.05", gas_est="1e-3", latency_buffer="0.01",
        net_edge="1.339", reason_code="OK", min_threshold="0.5",
    )  # fmt: skip
    return {"event_type": "decision", "data": given.data, "trace_id": trace}


def _latencies() -> Iterator[Given]:
    at = NOON + 100 * MILLISECOND
    values: list[dict[str, Any]] = [
        {"ws_to_book_update_ms": 10.5, "book_to_signal_ms": -1.25, "end_to_end_ms": None},
        {"ws_to_book_update_ms": "12.5", "book_to_signal_ms": 3, "decode/json_ms": 0.0004},
        {"ws_to_book_update_ms": {"nested": 1}, "book_to_signal_ms": True, "end_to_end_ms": 1e7},
        {"ws_to_book_update_ms": 10.5, "risk_to_send_ms": 0, "note": "no stage"},
    ]
    for number, value in enumerate(values):
        yield latency(value, at + number * MILLISECOND, OTHER if number % 2 else f"trace-{number}")
    yield Given(
        at + 9 * MILLISECOND, "latency", b'{"ws_to_book_update_ms":NaN,"book_to_signal_ms":1e999}', OTHER
    )
    yield Given(at + 10 * MILLISECOND, "latency", b"[1,2,3]")


def _decisions() -> Iterator[Given]:
    at = NOON + 500 * MILLISECOND
    yield decision("REJECT", at=at, gross_edge="0.1234567890123456789012345678", reason_code="TOO_THIN")
    yield decision(
        "REJECT", at=at + 1, gross_edge="100000000000000000000.01", fees_est="NaN", reason="too thin"
    )
    yield decision("REJECT", "pairs", at + 2, gross_edge=-0.1, net_edge="2.5E+7", reason='a "reason", quoted')
    yield decision("ACCEPT", None, at + 3, gross_edge="not a number", gas_est=None)
