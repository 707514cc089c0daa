"""Blocks as they are asked for, read and inflated several at a time, the next ones begun early."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias

from polyrecord.read.ahead import Ahead, Ticket
from polyrecord.read.files import OpenFiles
from polyrecord.read.load import Fetched
from polyrecord.read.plain import PlainReader
from polyrecord.read.plan import PlannedBlock

Following: TypeAlias = Iterable["PlannedBlock | PlainReader"]
"""What comes next in the same shard or chain, in order."""

FEW: Final = 4  # blocks that are read one by one: no thread is started for them
_LOOK: Final = 64  # blocks
_SPAN: Final = 1 << 20  # bytes of lines that are inflated in one call, or one block
_MOST: Final = 1 << 26  # bytes of lines that may be inflated and not yet asked for
_MOST_PER_BYTE: Final = 1032  # deflate makes no more of a byte: whoever claims more gets no memory for it


@dataclass(slots=True)
class _Begun:
    """A block of a span that is being inflated: where it is in the members and in what they hold."""

    ticket: Ticket
    block: PlannedBlock
    at: int
    content_at: int
    is_first: bool


class Fetcher:
    """Reads blocks; files and thread are those of one iteration."""

    def __init__(self) -> None:
        self._files, self._ahead = OpenFiles(), Ahead()
        self._begun: dict[int, _Begun] = {}  # by identity of the planned block
        self._held = 0

    def fetch(self, block: PlannedBlock, following: Following = ()) -> Fetched:
        """The bytes of a block, inflated where that was begun; raises OSError.

        Of `following` what lies next to each other is begun, unless it is little.
        """
        begun = self._begun.pop(id(block), None)
        if begun is None:
            self._begin(following)
            return Fetched(self._files.read_at(block.info, block.offset, block.length))
        if begun.is_first:
            self._begin(piece for piece in following if id(piece) not in self._begun)
        return self._take(begun)

    def is_at_hand(self, block: PlannedBlock) -> bool:
        """Whether a block can be had without reading or waiting: one of its span was had before."""
        begun = self._begun.get(id(block))
        return begun is not None and not begun.is_first

    def _take(self, begun: _Begun) -> Fetched:
        block = begun.block
        self._held -= block.content_length
        member = begun.ticket.members[begun.at : begun.at + block.length]
        content = begun.ticket.content()
        if content is None:
            return Fetched(member)
        return Fetched(member, bytes(content[begun.content_at : begun.content_at + block.content_length]))

    def _begin(self, following: Following) -> None:
        ahead = list(islice(following, _LOOK))
        span = _adjacent(ahead) if len(ahead) >= FEW else []
        length = sum(block.content_length for block in span)
        if not span or self._held + length > _MOST:
            return
        start = span[0].offset
        try:
            members = self._files.read_at(span[0].info, start, span[-1].offset + span[-1].length - start)
        except OSError:
            return  # whoever asks for one of them is told
        if length > len(members) * _MOST_PER_BYTE:
            return
        ticket = self._ahead.give(members, length)
        self._held += length
        at = 0
        for block in span:
            self._begun[id(block)] = _Begun(
                ticket, block, block.offset - start, at, is_first=block is span[0]
            )
            at += block.content_length

    def close(self) -> None:
        """Close the files and let the thread end."""
        self._begun.clear()
        self._ahead.close()
        self._files.close()


def _adjacent(pieces: Sequence[PlannedBlock | PlainReader]) -> list[PlannedBlock]:
    """The first blocks, as far as they lie next to each other in one file and are no more than a span."""
    span: list[PlannedBlock] = []
    length = 0
    for piece in pieces:
        if not isinstance(piece, PlannedBlock):
            break
        length += piece.content_length
        if span and (length > _SPAN or not _touch(span[-1], piece)):
            break
        span.append(piece)
    return span


def _touch(block: PlannedBlock, following: PlannedBlock) -> bool:
    return following.info is block.info and following.offset == block.offset + block.length
