"""Which damage in a shard cost which events: ordinals jump where some are missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from polyrecord.format.directory import Footer
from polyrecord.format.scan import Block, Damage, Plain


@dataclass(frozen=True, slots=True)
class Loss:
    """Damage, and how many events it cost: None where nobody can tell. `uncounted` are in no header kept."""

    offset: int
    length: int
    events: int | None
    reason: str
    uncounted: int = 0


class Gaps:
    """The ordinals that are missing between the blocks of a shard, and the damage that explains them."""

    def __init__(
        self,
        blocks: Sequence[Block],
        found: Sequence[Block | Damage | Plain],
        footer: Footer | None,
        unplaced: set[int],
        *,
        first: bool,
    ) -> None:
        self._found = found
        self._by_offset = {block.offset: block for block in blocks}
        self._before: dict[int, int | None] = {}  # by offset of a block: events missing just before it
        self._measure(sorted(blocks, key=lambda block: block.header.first_ordinal), first=first)
        self._before.update(dict.fromkeys(unplaced & self._before.keys()))
        last = max((block.header.last_ordinal for block in blocks), default=0 if first else None)
        known = footer is not None and last is not None
        self._at_end = max(footer.last_ordinal - last, 0) if footer and known and last is not None else None

    def _measure(self, ordered: Sequence[Block], *, first: bool) -> None:
        last: int | None = 0 if first else None
        for block in ordered:
            header = block.header
            self._before[block.offset] = None if last is None else max(header.first_ordinal - last - 1, 0)
            last = max(last or 0, header.last_ordinal)

    def take_all(self) -> int | None:
        """Events missing anywhere; they are not told again. None where nobody can tell."""
        gaps = list(self._before.values())
        if self._at_end is not None or any(isinstance(found, Damage) for found in self._found):
            gaps.append(self._at_end)
        self._before = dict.fromkeys(self._before, 0)
        self._at_end = None if self._at_end is None else 0
        return None if None in gaps else sum(gap or 0 for gap in gaps)

    def losses(self) -> Iterator[Loss]:
        """Each damage with the events it cost; of several in a row the first is said to cost them."""
        damages: list[Damage] = []
        certain = True
        for found in self._found:
            if isinstance(found, Damage):
                damages.append(found)
            elif isinstance(found, Plain):
                certain = False  # plain lines may have taken ordinals
            elif found.offset in self._by_offset:
                yield from self._cost(damages, found, certain=certain)
                damages, certain = [], True
        yield from self._cost(damages, None, certain=certain)

    @property
    def untold(self) -> int:
        """Events that the footer knows of, behind the last block, and that no damage accounts for."""
        return self._at_end or 0

    def _cost(self, damages: Sequence[Damage], following: Block | None, *, certain: bool) -> Iterator[Loss]:
        events = self._missing_before(following) if damages and certain else None
        for damage in damages:
            yield Loss(damage.offset, damage.length, events, damage.reason)
            events = None if events is None else 0

    def _missing_before(self, block: Block | None) -> int | None:
        """Events missing before a block, or behind the last; told once."""
        if block is None:
            events, self._at_end = self._at_end, None
            return events
        events = self._before[block.offset]
        self._before[block.offset] = 0
        return events
