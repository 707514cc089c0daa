"""Which events are kept when not all are wanted: whole traces or none of them, in every process alike."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

from polyrecord.errors import ConfigError
from polyrecord.ids import normal_id

_WHOLE = 1 << 32
_MOST_TYPES = 1_000
_LEDGER: Final = frozenset({"loss", "gap", "stale", "clock_step", "reconnect", "recovered"})


class Sampler:
    """Keeps of each type the traces that its rate, 0 to 1, falls to; `*` is the rate of all other types.

    A trace is kept or not by its id alone: one that a rate of 0.1 keeps, 0.5 keeps too, on every host.
    Of events without a trace every n-th is kept. `*` does not mean the recorder's own ledger.
    """

    def __init__(self, rates: Mapping[str, float]) -> None:
        """Raises ConfigError for a rate outside 0 to 1."""
        for event_type, rate in rates.items():
            if not isinstance(rate, int | float) or not 0 <= rate <= 1:
                raise ConfigError(f"the sampling rate of {event_type} must be 0 to 1, not {rate!r}")
        self.rates = dict(rates)
        self._other = self.rates.get("*", 1.0)
        self._owed: dict[str, float] = {}

    def takes(self, event_type: str, trace_id: str | None) -> bool:
        """Whether an event is kept."""
        rate = self.rates.get(event_type)
        if rate is None:
            rate = 1.0 if event_type in _LEDGER else self._other
        if rate >= 1:
            return True
        if trace_id is None:
            return self._every_nth(event_type, rate)
        return share_of(trace_id) < rate * _WHOLE

    def _every_nth(self, event_type: str, rate: float) -> bool:
        if len(self._owed) >= _MOST_TYPES:  # types made up at run time must not fill the memory
            self._owed.clear()
        owed = self._owed.get(event_type, 0.0) + rate
        takes = owed >= 1 - 1e-9
        self._owed[event_type] = owed - takes
        return takes


def share_of(trace_id: str) -> int:
    """Where a trace stands between 0 and 2**32: a hash of its normal form, evenly spread."""
    normal = normal_id(trace_id).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(normal, digest_size=4).digest(), "big")
