"""What a recorded event costs its caller, beside a bare `orjson.dumps` of the same envelope and other
recorders.

The candidates take turns, round after round, in one process: first the two that are compared with each
other alone, then with all other recorders there are. Each round times a burst of calls and divides. 250
calls is what a bot of 10,000 events a second makes between two looks of the drain (25 ms). After a burst
what was recorded is flushed; `after a pause`, and with other recorders, all is at rest for two milliseconds
besides, as a bot that waits for its next frame: the caches are cold then. Medians over the rounds; the cost
of an empty call is taken off.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import orjson
from peers import Peer, open_peers
from row import Check, Result, Row, Scale, Table

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
WITH_DECIMAL = {**SMALL, "expected_profit": Decimal("1.50")}
EVENTS = {"small event": ("signal", SMALL), "10-level book": ("orderbook_snapshot", BOOK)}
FRAME = orjson.dumps({"event_type": "price_change", "market": "0x" + "ab" * 32, **BOOK})
LIMIT, OURS, EMPTY = "bare orjson.dumps", "record()", "empty call"
BURST = 250
PAUSE = 0.002  # seconds
AT_ONCE = ("structlog", "mcap")  # encode in the call; the others hand over what the bot may still change

Call: TypeAlias = tuple[Callable[[], object], Callable[[], object]]
"""What is timed, and what brings everything to rest afterwards."""


def envelope(event_type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The whole event line as a dict, for the bare encoder."""
    return {
        "ts": "2026-11-20T12:34:56.789123456Z",
        "seq": 1042,
        "event_type": event_type,
        "trace_id": TRACE,
        "data": data,
    }


def _nothing() -> None:
    return None


def _pair(recorder: EventRecorder, event: str) -> dict[str, Call]:
    dumps, record = orjson.dumps, recorder.record
    event_type, data = EVENTS[event]
    whole = envelope(event_type, data)
    return {
        EMPTY: (lambda: None, _nothing),
        LIMIT: (lambda: dumps(whole), _nothing),
        OURS: (lambda: record(event_type, data, TRACE), lambda: recorder.flush().wait()),
    }


def _others(recorder: EventRecorder, peers: Mapping[str, Peer | None], event: str) -> dict[str, Call]:
    event_type, data = EVENTS[event]
    if event == "small event":
        name, call = "record(), one Decimal", lambda: recorder.record(event_type, WITH_DECIMAL, TRACE)
    else:
        name, call = "record_raw() of its frame", lambda: recorder.record_raw(FRAME, source="venue")
    ours: dict[str, Call] = {name: (call, lambda: recorder.flush().wait())}
    return ours | {name: _peer(peer, event_type, data) for name, peer in peers.items() if peer is not None}


def _peer(peer: Peer, event_type: str, data: dict[str, Any]) -> Call:
    note = peer.note
    return lambda: note(event_type, data, TRACE), peer.rest


def burst_ns(call: Callable[[], object]) -> float:
    """Nanoseconds a call, over one tight loop."""
    start = time.perf_counter_ns()
    for _ in range(BURST):
        call()
    return (time.perf_counter_ns() - start) / BURST


def _medians(calls: Mapping[str, Call], bursts: int, pause: float) -> dict[str, float]:
    samples: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(bursts):
        for name, (call, rest) in calls.items():
            samples[name].append(burst_ns(call))
            rest()
            if pause:
                time.sleep(pause)
    medians = {name: statistics.median(values) for name, values in samples.items()}
    empty = medians.pop(EMPTY)
    return {name: value - empty for name, value in medians.items()}


def measure(scale: Scale) -> Result:
    """Both events, all candidates."""
    with tempfile.TemporaryDirectory() as folder, EventRecorder(Path(folder, "archive")) as recorder:
        alone, cold = (
            {event: _medians(_pair(recorder, event), scale.bursts, pause) for event in EVENTS}
            for pause in (0.0, PAUSE)
        )
        with open_peers(Path(folder)) as peers:
            missing = dict.fromkeys(name for name, peer in peers.items() if peer is None)
            found = {
                event: _medians(_pair(recorder, event) | _others(recorder, peers, event), scale.bursts, PAUSE)
                for event in EVENTS
            }
        assert recorder.stats().dropped == 0, recorder.stats()
    small, book = alone["small event"], alone["10-level book"]
    beside = found["small event"]
    others = [value for name, value in beside.items() if name in peers]
    best = min(others) / beside[OURS] if others else None
    checks = (
        Check(small[OURS] / small[LIMIT], 2.0, f"times {LIMIT}", "small event"),
        Check(
            best, 5.0, "times cheaper than the cheapest other recorder", "small event", True, "none installed"
        ),
        Check(book[OURS] / book[LIMIT], 1.3, f"times {LIMIT}", "10-level book"),
    )
    tables = tuple(Table(event, "ns", figures, LIMIT, 0) for event, figures in alone.items())
    tables += tuple(
        Table(f"{event}, after a pause", "ns", figures, LIMIT, 0) for event, figures in cold.items()
    )
    tables += tuple(
        Table(f"{event}, others take turns", "ns", figures | missing, OURS, 0)
        for event, figures in found.items()
    )
    kept = min((beside[name] for name in AT_ONCE if name in beside), default=0.0) / beside[OURS]
    facts = {
        "small": small[OURS],
        "small_limit": small[LIMIT],
        "book": book[OURS],
        "book_limit": book[LIMIT],
        "kept": kept,
    }
    return Result(checks, tables, facts)


ROW = Row(
    "record",
    "What recording costs the caller",
    __doc__ or "",
    """Of the {small:.0f} ns of a small event, {small_limit:.0f} ns is what encoding its whole envelope
would take: `record()` encodes only `data`, reads the monotonic clock, takes the event's share of the
buffer and appends a tuple. What it keeps is new memory, which after a pause no cache has; the bare encoder
writes to the same place each time. picologging, `logging`, loguru and eliot hand over a reference to the
dict, and write what the bot has made of it since; of those that keep the event as it was, structlog and
mcap, the cheaper costs {kept:.1f} times `record()`. See [decision 1](decisions/0001-the-hot-path.md).""",
    measure,
    "py-spy record --native -- python benchmarks/record.py",
)

if __name__ == "__main__":
    from goals import main

    main(["--only", ROW.name])
