"""The lines of a block or of a plain chunk that match, with what orders them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from polyrecord.format.block import BlockHeader
from polyrecord.read.archive import ShardInfo
from polyrecord.read.event import NotAnEvent
from polyrecord.read.explain import Explain, Finding
from polyrecord.read.lines import Head, are_regular, decode_head, read_head, split_lines
from polyrecord.read.match import Matcher
from polyrecord.read.plain import PlainReader, line_number
from polyrecord.read.plan import PlannedBlock


@dataclass(frozen=True, slots=True)
class Sifted:
    """Lines of one block or chunk in order; `selected` is None where all of them are.

    `heads` is None where seq and time can be told from a line without decoding it.
    """

    lines: list[bytes]
    heads: list[Head] | None
    selected: list[bool] | None = None


def sift_block(
    planned: PlannedBlock,
    header: BlockHeader,
    content: bytes,
    matcher: Matcher,
    explain: Explain,
    *,
    everything: bool = False,
) -> Sifted:
    """The selected lines of a block, or all of them marked. A line that is no event is a finding."""
    lines = split_lines(content) if everything else matcher.lines_of(content)
    explain.lines_read += header.events
    is_whole = len(lines) == header.events
    regular = are_regular(lines)
    if regular and planned.wanted and matcher.takes_all_of(header, with_text=not everything):
        explain.lines_kept += len(lines)
        return Sifted(lines, None)
    if regular and is_whole and not everything:
        lines = matcher.among(lines, content)
        is_whole = len(lines) == header.events
    sieve = _Sieve(matcher, explain, planned.info, planned.offset, header.paths)
    first = line_number(planned.first_line, planned.behind) if is_whole else None
    sifted = sieve.run(lines, first, read_head, everything=everything)
    if not planned.wanted:
        sifted = replace(sifted, selected=[False] * len(sifted.lines))
    return replace(sifted, heads=None) if regular else sifted


def sift_plain(
    reader: PlainReader, lines: list[bytes], matcher: Matcher, explain: Explain, *, everything: bool = False
) -> Sifted:
    """The selected lines of the chunk that a reader gave last, or all of them marked."""
    explain.lines_read += len(lines)
    sieve = _Sieve(matcher, explain, reader.info, reader.start, ())
    read = read_head if reader.makes_lines else decode_head
    sifted = sieve.run(lines, reader.first_line, read, everything=everything)
    explain.plain_events += len(lines) - sieve.no_events
    return sifted


class _Sieve:
    """Looks at every line; notes those that are no events."""

    def __init__(
        self, matcher: Matcher, explain: Explain, info: ShardInfo, offset: int, declared: tuple[str, ...]
    ) -> None:
        self._matcher, self._explain, self._declared = matcher, explain, declared
        self._info, self._offset = info, offset
        self.no_events = 0

    def run(
        self, lines: list[bytes], first: int | None, read: Callable[[bytes], Head], *, everything: bool
    ) -> Sifted:
        """The lines that are selected, or all events marked; `first` is the number of the first, if known."""
        keeps, declared = self._matcher.keeps, self._declared
        kept, heads, selected = [], [], []
        for at, line in enumerate(lines):
            try:
                head = read(line)
                keep = keeps(head, line, declared)
            except NotAnEvent as error:
                self._not_an_event(None if first is None else first + at, line, error)
                continue
            if keep or everything:
                kept.append(line)
                heads.append(head)
                selected.append(keep)
        self._explain.lines_kept += sum(selected)
        return Sifted(kept, heads, selected if everything else None)

    def _not_an_event(self, number: int | None, line: bytes, error: NotAnEvent) -> None:
        self.no_events += 1
        if line.strip():
            self._explain.found(Finding(self._info.path, self._offset, len(line), 1, str(error), number))
