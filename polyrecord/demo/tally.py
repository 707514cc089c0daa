"""What a run did, in numbers and in one paragraph."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """Counts of one run of the bot."""

    frames: int = 0
    unknown: int = 0
    changed: int = 0
    signals: int = 0
    accepted: int = 0
    gaps: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    orders: Counter[str] = field(default_factory=Counter)

    def text(self) -> str:
        """One paragraph for people."""
        rejected = ", ".join(f"{count:,} {reason}" for reason, count in self.reasons.most_common())
        ends = ", ".join(f"{count:,} {status}" for status, count in self.orders.most_common())
        ends = f": {ends}" if ends else ""
        rejected = f" (rejected: {rejected})" if rejected else ""
        return (
            f"{self.frames:,} frames ({self.unknown:,} unknown, kept all the same), "
            f"{self.changed:,} changed a book, {self.gaps:,} gaps; {self.signals:,} signals, "
            f"{self.accepted:,} accepted{rejected}; {self.orders.total():,} paper orders{ends}."
        )
