"""What was counted of the lines of a shard."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted in one shard line by line; times are nine-digit text."""

    events: int
    first_ts: str | None
    last_ts: str | None
    types: dict[str, int]
    content_bytes: int
