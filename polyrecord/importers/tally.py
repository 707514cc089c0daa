"""What an import read, kept and rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from polyrecord.importers.outcome import Reject


@dataclass(slots=True)
class Tally:
    """Counts of lines: read (blank ones apart), kept, rejected; values that were rewritten."""

    read: int = 0
    kept: int = 0
    rejected: int = 0
    blank: int = 0
    rewritten: int = 0
    events_by_type: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def keep(self, event_type: str, rewritten: int) -> None:
        """Counts a line that became an event."""
        self.read += 1
        self.kept += 1
        self.rewritten += rewritten
        self.events_by_type[event_type] += 1

    def reject(self, reject: Reject) -> None:
        """Counts a line that did not."""
        self.read += 1
        self.rejected += 1
        self.reasons[reject.reason] += 1

    def without(self, reason: str) -> Tally:
        """The same without one rejected line: it will be read again."""
        reasons = self.reasons - Counter([reason])
        return Tally(
            self.read - 1, self.kept, self.rejected - 1, self.blank, self.rewritten,
            Counter(self.events_by_type), reasons,
        )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        """Plain values; types and reasons by falling count."""
        return {
            "read": self.read,
            "kept": self.kept,
            "rejected": self.rejected,
            "blank": self.blank,
            "rewritten": self.rewritten,
            "events_by_type": dict(self.events_by_type.most_common()),
            "reasons": dict(self.reasons.most_common()),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Tally:
        """What `as_json` gave; raises KeyError, TypeError or ValueError on anything else."""
        counts = {name: int(value[name]) for name in ("read", "kept", "rejected", "blank", "rewritten")}
        types, reasons = Counter[str](value["events_by_type"]), Counter[str](value["reasons"])
        return cls(**counts, events_by_type=types, reasons=reasons)
