"""What reading cost and what it met: the counters behind `--explain`, and findings of damage."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from polyrecord.errors import DataError


@dataclass(frozen=True, slots=True)
class Finding:
    """Something in a shard that should not be there.

    `offset` and `bytes` are of the file; `events` is how many were lost, None where nobody can tell;
    `line` (from 1) is given where a single line is meant and its number is known. `counted` of the events
    are kept by the headers' account, `uncounted` are in none.
    """

    path: Path
    offset: int
    bytes: int
    events: int | None
    reason: str
    line: int | None = None
    counted: int = 0
    uncounted: int = 0


_REJECTS_KEPT = 20
_MOST_NOT_SUMS = (
    "plain_events", "rejected", "shards_found", "blocks_found", "names_ignored", "blocks_held_most",
    "plain_members", "torn_bytes", "padding_bytes",
)  # fmt: skip


@dataclass(slots=True)
class Explain:
    """Counts of one reading; with `strict` the first damage raises DataError instead of being noted.

    Bytes read are those of the files (compressed), bytes inflated those of the lines.
    """

    strict: bool = False
    shards_found: int = 0
    shards_opened: int = 0
    names_ignored: int = 0
    blocks_found: int = 0
    blocks_read: int = 0
    skipped_by_time: int = 0
    skipped_by_type: int = 0
    skipped_by_key: int = 0
    headers_read: int = 0
    bytes_read: int = 0
    bytes_inflated: int = 0
    lines_read: int = 0
    lines_kept: int = 0
    plain_members: int = 0
    plain_events: int = 0
    rejected: int = 0
    torn_bytes: int = 0
    padding_bytes: int = 0
    blocks_held: int = 0
    blocks_held_most: int = 0
    damage: list[Finding] = field(default_factory=list)
    rejects: list[Finding] = field(default_factory=list)

    def reject(self, finding: Finding) -> None:
        """Count a line of another system's log that is no event; the first are kept. Raises when strict."""
        self.rejected += 1
        if self.strict:
            raise DataError(finding.reason, path=finding.path, line=finding.line)
        if len(self.rejects) < _REJECTS_KEPT and finding not in self.rejects:
            self.rejects.append(finding)

    def found(self, finding: Finding) -> None:
        """Note damage; raises DataError when strict."""
        if self.strict:
            raise DataError(
                finding.reason,
                path=finding.path,
                offset=None if finding.line is not None else finding.offset,
                line=finding.line,
                hint="read without strict to get everything around it",
            )
        self.damage.append(finding)

    def hold(self) -> None:
        """One more inflated block is in memory."""
        self.blocks_held += 1
        self.blocks_held_most = max(self.blocks_held_most, self.blocks_held)

    def forget_findings(self) -> None:
        """Keep the work only: another pass will come across the same shards, blocks and damage."""
        for name in _MOST_NOT_SUMS:
            setattr(self, name, 0)
        self.damage.clear()
        self.rejects.clear()

    def absorb(self, other: Explain) -> None:
        """Add what another pass over the same archive did: work is summed, what there was to find is not."""
        for name in _COUNTERS:
            mine, theirs = getattr(self, name), getattr(other, name)
            setattr(self, name, max(mine, theirs) if name in _MOST_NOT_SUMS else mine + theirs)
        known = set(self.damage)
        self.damage += [finding for finding in other.damage if finding not in known]
        more = [finding for finding in other.rejects if finding not in self.rejects]
        self.rejects = (self.rejects + more)[:_REJECTS_KEPT]


_COUNTERS = [name for name in Explain.__slots__ if name not in {"strict", "damage", "rejects"}]
