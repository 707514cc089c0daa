"""One shard, every byte of it: blocks, their lines, directory, footer, and what stands between."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from polyrecord.format import constants as c
from polyrecord.format.block import BadHeader
from polyrecord.format.block_keys import BlockKeys
from polyrecord.format.content import inflate
from polyrecord.format.directory import Directory, Footer, join_pieces, parse_footer
from polyrecord.format.directory_builder import DirectoryBuilder
from polyrecord.format.layout import ShardName
from polyrecord.format.resync import ReadAt
from polyrecord.format.scan import HEADER_DAMAGED, Block, Damage, Ending, Padding, Plain, Torn, scan
from polyrecord.read.archive import ShardInfo
from polyrecord.record.line_keys import keys_of
from polyrecord.record.recovery.survey import is_whole, mended_lines
from polyrecord.record.regular import read_at
from polyrecord.upkeep.damage_cost import DamageCost, Region
from polyrecord.upkeep.directory_check import differences
from polyrecord.upkeep.shard_facts import ShardFacts
from polyrecord.upkeep.shard_tally import ShardTally

_MOST_LINES: Final = 128 << 20  # bytes; larger blocks are checked by their sums only
_EMPTY: Final = c.EMPTY_DEFLATE + bytes(8)  # what a member of the end holds: nothing, CRC32 0, ISIZE 0
OnBytes = Callable[[int], None]


def check_shard(root: Path, name: ShardName, descriptor: int, on_bytes: OnBytes) -> ShardFacts:
    """Look at a shard that is open, up to the size it has now; raises OSError where it cannot be read."""
    reading: ReadAt = partial(read_at, descriptor)
    tally = ShardTally(ShardInfo(root, name), reading, os.fstat(descriptor).st_size)
    return _Check(tally, on_bytes).run()


class _Check:
    """One walk over a shard."""

    def __init__(self, tally: ShardTally, on_bytes: OnBytes) -> None:
        self._tally, self._name, self._on_bytes = tally, tally.name, on_bytes
        self._read, self._size = tally.read_at, tally.size
        self._builder = DirectoryBuilder()
        self._regions: list[Region] = []
        self._bad: list[Block] = []
        self._end = self._endings = 0  # where the last block ends, and whether a member of the end was seen
        self._ordinal: int | None = 0 if self._name.number == 1 else None
        self._directory_at: int | None = None

    def run(self) -> ShardFacts:
        for found in scan(self._read, self._size):
            if isinstance(found, Block):
                self._block(found)
                self._on_bytes(found.header.member_length)
            elif isinstance(found, Damage) and found.block is not None and self._mended(found.block):
                self._on_bytes(found.length)
            else:
                self._other(found)
                self._on_bytes(found.length)
        directory = self._directory() if self._name.sealed else None
        cost = DamageCost(self._tally, directory, self._directory_at)
        cost.of_blocks(self._bad)
        cost.of_regions(self._regions)
        return self._tally.facts

    # -- blocks ----------------------------------------------------------------------------------------------

    def _block(self, block: Block) -> None:
        keys: BlockKeys | None = None
        if is_whole(self._read, block):
            keys = self._whole(block)
        else:
            self._bad.append(block)
        self._list(block, keys)
        self._passed(block)

    def _whole(self, block: Block) -> BlockKeys | None:
        """Look into a block that is whole; its keys where the header does not list them."""
        header, tally = block.header, self._tally
        if tally.facts.spans and header.first_seq <= tally.last_seq:
            tally.problem(block.offset, header.member_length, "seq does not grow from block to block")
        tally.count(block.offset, header)
        if header.content_length > _MOST_LINES:
            tally.facts.lost += header.lost
            tally.facts.seqs.extend(
                range(header.first_seq, header.last_seq + 1) if header.events == 1 else ()
            )
            return None
        content = inflate(self._read(block.offset, header.member_length), header)
        tally.lines(block.offset, header, content)
        return keys_of(content, header) if header.flags & c.UNINDEXED else None

    def _mended(self, block: Block) -> bool:
        """Whether a block's lines are whole although its header is damaged; if so they are counted."""
        header = block.header
        content = mended_lines(self._read, block)
        if content is None or not header.first_ordinal:
            return False
        self._list(block, None)
        self._tally.problem(block.offset, header.member_length, HEADER_DAMAGED)
        self._tally.count(block.offset, header)
        self._tally.lines(block.offset, header, content)
        self._passed(block)
        return True

    def _list(self, block: Block, keys: BlockKeys | None) -> None:
        """Take a block into the directory as it should be."""
        header = block.header
        trailer = self._read(block.offset + header.member_length - 8, 4)
        self._builder.add(block.offset, header, int.from_bytes(trailer, "little"), keys)
        self._tally.know(block.offset, header)

    def _passed(self, block: Block) -> None:
        header = block.header
        self._ordinal, self._end = header.last_ordinal, block.offset + header.member_length

    # -- what is no block ------------------------------------------------------------------------------------

    def _other(self, found: Ending | Plain | Torn | Damage | Padding) -> None:
        if isinstance(found, Ending):
            self._ending(found)
        elif isinstance(found, Torn) and not self._name.sealed:
            self._tally.facts.torn_bytes += found.length
        elif isinstance(found, Padding):
            self._padding(found)
        else:
            self._region(found)

    def _ending(self, found: Ending) -> None:
        self._endings += 1
        if found.kind == c.KIND_DIRECTORY and self._directory_at is None:
            self._directory_at = found.offset
        if self._read(found.offset + found.length - len(_EMPTY), len(_EMPTY)) != _EMPTY:
            what = "directory member is not empty; gzip programs refuse the file"
            self._tally.problem(found.offset, found.length, what)

    def _padding(self, found: Padding) -> None:
        if self._name.sealed:
            what = "zero bytes after the end; several tools refuse the file"
            self._tally.problem(found.offset, found.length, what)
        else:
            self._tally.facts.torn_bytes += found.length

    def _region(self, found: Plain | Torn | Damage) -> None:
        reason = found.reason if isinstance(found, Damage) else "last member is cut short"
        plain = found if isinstance(found, Plain) else None
        hidden = found.block if isinstance(found, Damage) else None
        self._regions.append(Region(found.offset, found.length, reason, self._ordinal, plain, hidden))
        self._ordinal = None if plain is not None else self._ordinal

    # -- the end of a sealed shard ---------------------------------------------------------------------------

    def _directory(self) -> Directory | None:
        """The directory if it can be used; what is wrong with it is told."""
        if not self._size:
            self._tally.problem(0, 0, "sealed shard is empty", events=None, loses=True)
            return None
        if not self._tally.headers and not self._endings and self._regions:
            return None  # no shard of ours, or nothing is left of it
        try:
            footer = parse_footer(self._read(max(self._size - c.FOOTER_SIZE, 0), c.FOOTER_SIZE))
            length = max(self._size - c.FOOTER_SIZE - footer.directory_offset, 0)
            directory = Directory(join_pieces(self._read(footer.directory_offset, length), footer))
        except BadHeader:
            self._no_directory()
            return None
        self._tally.facts.clean = footer.clean
        self._compare(directory, footer)
        return directory

    def _no_directory(self) -> None:
        ends_plain = self._regions and self._regions[-1].plain is not None
        if not ends_plain or self._endings:
            state = "damaged" if self._endings else "missing"
            what = f"directory or footer is {state}; read block by block"
            self._tally.problem(self._end, self._size - self._end, what)

    def _compare(self, directory: Directory, footer: Footer) -> None:
        """Directory and footer against the blocks: one comparison where all is as our writer writes it."""
        headers, start = self._tally.headers, footer.directory_offset
        own = self._builder.ending(clean=footer.clean) if headers else b""
        if self._read(start, self._size - start) != own:
            for offset, length, what in differences(directory, footer, own, headers, self._read):
                self._tally.problem(offset, length, what)
