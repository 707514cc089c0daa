"""Which lines go along: those of any of several selections, and what the ledger says was lost meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from polyrecord.events.routes import TELEMETRY
from polyrecord.format.block import BlockHeader
from polyrecord.format.constants import LEDGER_LOSS
from polyrecord.read.lines import Head
from polyrecord.read.match import Matcher
from polyrecord.read.selection import Selection


class AnyOf(Matcher):
    """Takes what any of several selections takes; `parts` are what blocks are planned by."""

    __slots__ = ("asked", "parts")

    def __init__(self, asked: Sequence[Matcher], unasked: Sequence[Matcher] = ()) -> None:
        """What `unasked` take goes along without being counted as found."""
        self.asked, self.parts = tuple(asked), (*asked, *unasked)
        super().__init__(self.parts[0].selection)

    def takes_types_of(self, header: BlockHeader) -> bool:
        return any(part.takes_types_of(header) for part in self.parts)

    def among(self, lines: list[bytes], content: bytes) -> list[bytes]:
        return lines

    def takes_all_of(self, header: BlockHeader, *, with_text: bool = False) -> bool:
        return any(part.takes_all_of(header, with_text=with_text) for part in self.parts)

    def keeps(self, head: Head, line: bytes, declared: tuple[str, ...] = ()) -> bool:
        return any(part.keeps(head, line, declared) for part in self.parts)

    def is_asked_for(self, head: Head, line: bytes, declared: tuple[str, ...]) -> bool:
        """Whether a line that is kept is one of those asked for."""
        if len(self.asked) == len(self.parts) or head.event_type != LEDGER_LOSS:
            return True
        return any(part.keeps(head, line, declared) for part in self.asked)


@dataclass(frozen=True, slots=True)
class Pick:
    """What is to be taken: `selections` differ in their trace only. Losses of their window always are."""

    selections: tuple[Selection, ...] = (Selection(),)

    @property
    def window(self) -> Selection:
        """Window and streams of what is taken, the ledger's included: what shards are listed by."""
        first = self.selections[0]
        streams = first.streams and first.streams | {TELEMETRY}
        return Selection(first.since_ns, first.until_ns, types=first.types, streams=streams)

    def takes_stream(self, stream: str) -> bool:
        """Whether lines of this stream are asked for."""
        return self.selections[0].takes_stream(stream)

    def matcher(self, stream: str | None) -> AnyOf:
        """What tests the lines of a stream of ours; None where the stream goes by each event's type."""
        asked = [Matcher(selection) for selection in self.selections]
        if stream is None or stream != TELEMETRY:
            return AnyOf(asked)
        ledger = Matcher(replace(self.window, types=frozenset({LEDGER_LOSS})))
        return AnyOf(asked if self.takes_stream(stream) else (), [ledger])
