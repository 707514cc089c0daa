"""Shards that can be copied as they are: what tells them apart, and that every block of them is whole."""

from __future__ import annotations

from collections.abc import Mapping

from polyrecord.format.block import BadHeader, parse_header
from polyrecord.format.content import BadBlock, inflate
from polyrecord.format.directory import BlockRecord, Directory, Footer, agrees
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.files import ShardFile
from polyrecord.read.shard import open_shard, read_index


def distinct(shards: Mapping[int, list[ShardInfo]]) -> dict[int, list[ShardInfo]]:
    """The shards without the sources all of whose shards another has too, by their fingerprints."""
    if len(shards) == 1:
        return dict(shards)
    contents = {number: _contents(chain) for number, chain in shards.items()}
    left = dict(shards)
    for number in sorted(shards, reverse=True):
        mine = contents[number]
        others = [contents[other] for other in left if other != number]
        if mine is not None and any(other is not None and mine <= other for other in others):
            del left[number]
    return left


def _contents(chain: list[ShardInfo]) -> frozenset[tuple[str, bytes]] | None:
    """Names and fingerprints of sealed shards; None when one has none."""
    found = set()
    for info in chain:
        index = open_shard(info, Explain()) if info.name.sealed else None
        if index is None or index.footer is None:
            return None
        found.add((str(info.name.path), index.footer.fingerprint))
    return frozenset(found)


def checked(info: ShardInfo) -> Footer | None:
    """The footer of a sealed shard all of whose blocks are what directory and CRCs say; else None."""
    if not info.name.sealed:
        return None
    try:
        with ShardFile(info) as file:
            index = read_index(info, file, Explain())
            if index.footer is None or not isinstance(index.table, Directory):
                return None
            at = 0
            for record in index.table.records():
                if record.offset != at:
                    return None
                _check_block(record, file.read_at(record.offset, record.member_length))
                at += record.member_length
    except (OSError, BadHeader, BadBlock):
        return None
    return index.footer if at == index.footer.directory_offset else None


def _check_block(record: BlockRecord, member: bytes) -> None:
    """Raises BadHeader or BadBlock unless the block is whole and what the directory says."""
    header = parse_header(member)
    inflate(member, header)
    for name in ("content_length", "events", "first_seq", "last_seq", "first_ordinal", "last_ordinal",
                 "min_ts", "max_ts", "lost"):  # fmt: skip
        if getattr(header, name) != getattr(record, name):
            raise BadBlock(f"{name} differs from the directory")
    if not agrees(record, header):
        raise BadBlock("flags differ from the directory")
    if int.from_bytes(member[-8:-4], "little") != record.content_crc:
        raise BadBlock("content CRC differs from the directory")
