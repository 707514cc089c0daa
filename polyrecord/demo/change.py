"""What a message did to the books."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """A message was understood: its market, and which instruments it changed (often none)."""

    market: str
    instruments: tuple[str, ...] = ()
