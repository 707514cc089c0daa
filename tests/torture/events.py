"""The events a victim records: any of them can be made again from its number, and compared."""

from __future__ import annotations

import hashlib
from typing import Any, Final

TYPES: Final = ("signal", "trade", "latency")
"""The event type of each thread; each goes to a stream of its own."""

STREAMS: Final = {"signal": "data/events", "trade": "data/books", "latency": "logs/metrics"}


def data_of(who: str, thread: int, number: int, padding: int = 0) -> dict[str, Any]:
    """The data of event `number` of a thread of a victim, with about `padding` bytes that do not compress."""
    seed = hashlib.blake2b(f"{who}/{thread}/{number}".encode(), digest_size=32).hexdigest()
    length = padding + number % 60
    return {"who": who, "t": thread, "n": number, "p": padding, "x": (seed * (length // 64 + 1))[:length]}


def is_right(event: dict[str, Any]) -> bool:
    """Whether an event that was read is one that was recorded, byte for byte."""
    data = event["data"]
    made = data_of(data["who"], data["t"], data["n"], data["p"])
    return bool(made == data and event["event_type"] == TYPES[data["t"] % len(TYPES)])
