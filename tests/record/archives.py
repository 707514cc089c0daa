"""Looks at what a recorder left on disk: blocks with their lines, shards with their names."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from polyrecord.format.block import BlockHeader
from polyrecord.format.constants import FOOTER_SIZE
from polyrecord.format.content import inflate
from polyrecord.format.directory import Footer, parse_footer
from polyrecord.format.layout import ShardName, parse_shard_path
from polyrecord.format.scan import Block, scan
from polyrecord.testing import shard_files


@dataclass(frozen=True)
class Read:
    """One block of an archive: the shard it is in, its header, its events."""

    shard: ShardName
    header: BlockHeader
    events: list[dict[str, Any]]


def name_of(root: Path, path: Path) -> ShardName:
    """The shard a file is, by its place."""
    name = parse_shard_path(PurePosixPath(path.relative_to(root)))
    assert name is not None, path
    return name


def names(root: Path) -> list[ShardName]:
    """All shards, by stream, writer and number."""
    return sorted(name_of(root, path) for path in shard_files(root))


def blocks(root: Path) -> list[Read]:
    """All blocks, shard by shard; nothing else may stand between them."""
    found = []
    for path in shard_files(root):
        data, name = path.read_bytes(), name_of(root, path)
        for part in scan(lambda at, length, data=data: data[at : at + length], len(data)):  # type: ignore[misc]
            assert type(part).__name__ in {"Block", "Ending"}, part
            if isinstance(part, Block):
                content = inflate(data[part.offset :][: part.header.member_length], part.header)
                found.append(Read(name, part.header, [json.loads(line) for line in content.splitlines()]))
    return found


def footers(root: Path) -> dict[ShardName, Footer]:
    """The footers of all shards that are sealed."""
    return {
        name_of(root, path): parse_footer(path.read_bytes()[-FOOTER_SIZE:])
        for path in shard_files(root)
        if name_of(root, path).sealed
    }


def of_type(events: list[dict[str, Any]], event_type: str) -> list[dict[str, Any]]:
    """The events of one type."""
    return [event for event in events if event["event_type"] == event_type]


def assert_accounted(root: Path) -> None:
    """Every seq, and every ordinal of every stream, is an event or covered by exactly one loss event.

    The headers' `lost` sums say the same. For an archive of one writer.
    """
    read = blocks(root)
    seqs = [event["seq"] for block in read for event in block.events]
    losses = [event["data"] for block in read for event in block.events if event["event_type"] == "loss"]
    for loss in losses:
        assert loss["count"] == loss["last_seq"] - loss["first_seq"] + 1
        assert loss["count"] == sum(loss["event_types"].values())
        assert loss["count"] == sum(stream["count"] for stream in loss["streams"].values())
        seqs += range(loss["first_seq"], loss["last_seq"] + 1)
    assert sorted(seqs) == list(range(1, len(seqs) + 1))
    assert sum(block.header.lost for block in read) == sum(loss["count"] for loss in losses)
    streams = {block.shard.stream for block in read} | {name for loss in losses for name in loss["streams"]}
    for stream in streams:
        assert_ordinals(stream, read, losses)


def assert_ordinals(stream: str, read: list[Read], losses: list[dict[str, Any]]) -> None:
    """Per stream, events kept and events declared lost add up to the ordinals, and jumps are declared."""
    mine = sorted(
        (block.header for block in read if block.shard.stream == stream), key=lambda h: h.first_ordinal
    )
    declared: set[int] = set()
    for loss in losses:
        if stream in loss["streams"]:
            span = loss["streams"][stream]
            ordinals = range(span["first_ordinal"], span["last_ordinal"] + 1)
            assert span["count"] == len(ordinals)
            assert declared.isdisjoint(ordinals)
            declared.update(ordinals)
    last = 0
    for header in mine:
        assert header.first_ordinal > last
        assert set(range(last + 1, header.first_ordinal)) <= declared
        inside = declared & set(range(header.first_ordinal, header.last_ordinal + 1))
        assert header.last_ordinal - header.first_ordinal + 1 - header.events == len(inside)
        last = header.last_ordinal
    kept = sum(header.events for header in mine)
    assert kept + len(declared) == max(last, max(declared, default=0))
