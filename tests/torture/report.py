"""The table of a run, as people and programs read it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from tests.torture.checker import Tally, brief

_HEADS: Final = ("scenario", "runs", "recorded", "acknowledged", "read back", "lost", "accounted for", "s",
  "verdict")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a scenario went; `skipped` says why it was not run."""

    name: str
    seed: int
    seconds: float
    tally: Tally
    skipped: str | None = None

    @property
    def verdict(self) -> str:
        """One word."""
        if self.skipped is not None:
            return "skipped"
        return "ok" if self.tally.ok else "BREACH"


def table(outcomes: Sequence[Outcome]) -> str:
    """One row a scenario, numbers to the right, then what was broken and how to repeat it."""
    rows = [_HEADS, *(_row(outcome) for outcome in outcomes)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEADS))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if at in {0, len(row) - 1} else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    notes = [f"{each.name}: {note}" for each in outcomes for note in each.tally.notes]
    skipped = [f"{each.name}: skipped, {each.skipped}" for each in outcomes if each.skipped]
    broken = [line for each in outcomes if not each.tally.ok for line in _breaches(each)]
    return "\n".join("\n".join(part) for part in (lines, notes, skipped, broken) if part)


def _row(outcome: Outcome) -> tuple[str, ...]:
    tally = outcome.tally
    counts = (tally.runs, tally.recorded, tally.acknowledged, tally.read_back, tally.lost, tally.accounted)
    seconds = f"{outcome.seconds:.0f}"
    return (outcome.name, *(f"{count:,}" for count in counts), seconds, outcome.verdict)


def _breaches(outcome: Outcome) -> list[str]:
    again = f'scripts/torture --only "{outcome.name}" --seed {outcome.seed}'
    return [f"{outcome.name}: {len(outcome.tally.breaches)} breaches; again with {again}",
            *(f"  {breach}" for breach in brief(outcome.tally))]  # fmt: skip


def as_json(outcomes: Sequence[Outcome]) -> str:
    """One JSON object: seed and scenarios."""
    rows = [
        {"scenario": each.name, "verdict": each.verdict, "skipped": each.skipped, "seed": each.seed,
         "seconds": round(each.seconds, 3), **asdict(each.tally)}
        for each in outcomes
    ]  # fmt: skip
    return json.dumps({"ok": all(each.verdict != "BREACH" for each in outcomes), "scenarios": rows})
