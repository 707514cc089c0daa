"""What a recorded event costs its caller, beside a bare `orjson.dumps` of the same envelope.

    python benchmarks/record.py [--rounds 400] [--events 250] [--json]

The candidates take turns, round after round, in one process; each round times a burst of calls and divides.
250 calls is what a bot of 10,000 events a second makes between two looks of the drain (25 ms). After each
burst the recorder is flushed and comes to rest, as it does while a bot waits for its next frame. Medians
over the rounds are printed: the machine may be shared and noisy, ratios hold.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from polyrecord import EventRecorder

TRACE = "a1b2c3d4-e5f6-4890-abcd-ef1234567890"
SMALL: dict[str, Any] = {
    "strategy": "atomic",
    "expected_profit": "1.50",
    "yes_price": "0.48",
    "no_price": "0.49",
}
BOOK: dict[str, Any] = {
    "token_id": "7" * 77,
    "bids": [{"price": f"0.{50 - level}", "size": f"{120 + level}.5"} for level in range(10)],
    "asks": [{"price": f"0.{51 + level}", "size": f"{90 + level}.25"} for level in range(10)],
}
FRAME = orjson.dumps({"event_type": "price_change", "market": "0x" + "ab" * 32, **BOOK})


def envelope(event_type: str, data: dict[str, Any]) -> dict[str, Any]:
    """The whole event line as a dict, for the bare encoder."""
    return {
        "ts": "2026-11-20T12:34:56.789123456Z",
        "seq": 1042,
        "event_type": event_type,
        "trace_id": TRACE,
        "data": data,
    }


def loop_ns(call: Callable[[], object], events: int) -> float:
    """Nanoseconds a call, over one tight loop."""
    start = time.perf_counter_ns()
    for _ in range(events):
        call()
    return (time.perf_counter_ns() - start) / events


def candidates(recorder: EventRecorder) -> dict[str, Callable[[], object]]:
    """Name -> one call."""
    dumps, record = orjson.dumps, recorder.record
    small, book = envelope("signal", SMALL), envelope("orderbook_snapshot", BOOK)
    with_decimal = {**SMALL, "expected_profit": Decimal("1.50")}
    return {
        "bare orjson.dumps, small event": lambda: dumps(small),
        "record(), small event": lambda: record("signal", SMALL, TRACE),
        "record(), one Decimal": lambda: record("signal", with_decimal, TRACE),
        "bare orjson.dumps, 10-level book": lambda: dumps(book),
        "record(), 10-level book": lambda: record("orderbook_snapshot", BOOK, TRACE),
        "record_raw(), frame of the book": lambda: recorder.record_raw(FRAME, source="venue"),
    }


def measure(rounds: int, events: int) -> dict[str, float]:
    """Median nanoseconds a call, by candidate; the cost of an empty lambda is taken off."""
    samples: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, EventRecorder(Path(folder)) as recorder:
        calls = {"empty": lambda: None, **candidates(recorder)}
        for _ in range(rounds):
            for name, call in calls.items():
                samples.setdefault(name, []).append(loop_ns(call, events))
                recorder.flush().wait()
                time.sleep(0.002)
    medians = {name: statistics.median(values) for name, values in samples.items()}
    empty = medians.pop("empty")
    return {name: value - empty for name, value in medians.items()}


def ratios(medians: dict[str, float]) -> dict[str, float]:
    """Each recording call against the bare encoder on the same data."""
    small, book = medians["bare orjson.dumps, small event"], medians["bare orjson.dumps, 10-level book"]
    return {
        "record(), small event": medians["record(), small event"] / small,
        "record(), 10-level book": medians["record(), 10-level book"] / book,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=400)
    parser.add_argument("--events", type=int, default=250)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    medians = measure(options.rounds, options.events)
    if options.json:
        print(json.dumps({"python": platform.python_version(), "ns": medians, "ratios": ratios(medians)}))
        return
    print(f"Python {platform.python_version()}, {options.rounds} rounds of {options.events:,} calls, medians")
    for name, value in medians.items():
        print(f"{name:36} {value:8.0f} ns")
    for name, ratio in ratios(medians).items():
        print(f"{name:36} {ratio:8.2f} times the bare encoder")


if __name__ == "__main__":
    main()
