"""Selected lines of whole shards, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator

from polyrecord.read.absent import tell_absent
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.fetch import Fetcher
from polyrecord.read.lines import are_regular
from polyrecord.read.load import damaged, load, load_split
from polyrecord.read.match import Matcher
from polyrecord.read.plain import PlainReader
from polyrecord.read.plan import Piece, PlannedBlock, ShardPlan, plan_shard
from polyrecord.read.selection import Selection
from polyrecord.read.sift import Sifted, sift_block, sift_plain
from polyrecord.read.source import Source

__all__ = [
    "Piece", "PlannedBlock", "ShardPlan", "Sifted", "chunks", "chunks_of_shard", "damaged", "lines", "load",
    "plan_shard", "sift_block", "sift_plain",
]  # fmt: skip


def chunks(source: Source, selection: Selection, explain: Explain) -> Iterator[bytes]:
    """The selected lines, each ended by a line feed, a block at a time; unordered across shards.

    A block that is selected whole is given as it was inflated: the fast way to feed another program.
    """
    matcher = Matcher(selection)
    for info in source.shards(selection, explain):
        yield from chunks_of_shard(info, matcher, explain)


def chunks_of_shard(info: ShardInfo, matcher: Matcher, explain: Explain) -> Iterator[bytes]:
    """The selected lines of one shard in file order, as `chunks` gives them."""
    pieces = plan_shard(info, matcher, explain).pieces
    for piece, member in _fetched(info, pieces, explain):
        if isinstance(piece, PlannedBlock):
            yield from _block_chunk(piece, member, matcher, explain)
        else:
            yield from _plain_chunks(piece, matcher, explain)


def _block_chunk(planned: PlannedBlock, member: bytes, matcher: Matcher, explain: Explain) -> Iterator[bytes]:
    split = matcher.selection.text is None
    header, content, ended = load_split(planned, member, matcher, explain, split=split)
    if ended is not None and matcher.takes_all_of(header) and are_regular(ended, ended=True):
        explain.lines_read += header.events
        explain.lines_kept += header.events
        yield content
    elif content:
        yield _join(sift_block(planned, header, content, matcher, explain).lines)


def _plain_chunks(reader: PlainReader, matcher: Matcher, explain: Explain) -> Iterator[bytes]:
    while lines := reader.read():
        yield _join(sift_plain(reader, lines, matcher, explain).lines)


def _fetched(info: ShardInfo, pieces: list[Piece], explain: Explain) -> Iterator[tuple[Piece, bytes]]:
    """The pieces with their bytes; of plain regions, which read for themselves, without."""
    if not pieces:
        return
    fetcher = Fetcher()
    try:
        for piece in pieces:
            yield piece, fetcher.fetch(piece) if isinstance(piece, PlannedBlock) else b""
    except OSError as error:
        tell_absent(info, error, explain)
    finally:
        fetcher.close()


def _join(lines: list[bytes]) -> bytes:
    return b"\n".join([*lines, b""])


def lines(source: Source, selection: Selection, explain: Explain) -> Iterator[bytes]:
    """The selected lines without their line feeds, in file order within a shard, unordered across shards."""
    for chunk in chunks(source, selection, explain):
        if chunk:
            yield from chunk[:-1].split(b"\n")
