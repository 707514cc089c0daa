"""What an import read, kept and rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from polyrecord.foreign.outcome import Parsed, Reject


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

    def keep(self, events: Sequence[Parsed]) -> None:
        """Counts a line that became these events: one as a rule, none where it was only a header."""
        self.read += 1
        self.kept += 1
        self.rewritten += sum(event.rewritten for event in events)
        self.events_by_type.update(event.event_type for event in events)

    @property
    def events(self) -> int:
        """Events of all lines that were kept."""
        return self.events_by_type.total()

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
