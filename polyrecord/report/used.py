"""What an answer was had from."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Used:
    """How many shards were read by tables, histograms and lines, and which tables were not as made."""

    by_tables: int = 0
    by_histograms: int = 0
    by_lines: int = 0
    unfit: list[Path] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """The numbers under the names that --explain has for them."""
        return {
            "shards_by_tables": self.by_tables,
            "shards_by_histograms": self.by_histograms,
            "shards_by_lines": self.by_lines,
            "tables_unfit": len(self.unfit),
        }
