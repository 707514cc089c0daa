"""A shard made anew of the good parts of a damaged one; writer, seqs and ordinals stay what they were."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson

from polyrecord.format.block import header_length, parse_header
from polyrecord.format.block_keys import BlockKeys
from polyrecord.format.constants import UNINDEXED
from polyrecord.format.content import inflate
from polyrecord.format.layout import QUARANTINE
from polyrecord.format.resync import ReadAt
from polyrecord.read.order import never_goes_back
from polyrecord.record.files import sync_directory, write_atomically
from polyrecord.record.line_keys import keys_of
from polyrecord.record.recovery.quarantine import stem
from polyrecord.record.shard_file import ShardFile
from polyrecord.record.verbatim import renumbered
from polyrecord.times import format_ts
from polyrecord.upkeep.parts import Parts, blocks_of
from polyrecord.upkeep.shard_facts import ShardFacts


def write_mended(place: Path | None, facts: ShardFacts, parts: Parts, read_at: ReadAt) -> None:
    """Write a shard of these parts into an archive; without one they are only read. Raises OSError."""
    members = _members(facts, parts, read_at)
    if place is None:
        for _ in members:
            pass
        return
    clean = facts.clean and not any(problem.loses for problem in facts.problems)
    shard = ShardFile(place, replace(facts.name, sealed=False), 0)
    for member in members:
        shard.append(member, _unlisted(member))
    sync_directory(shard.seal(clean=clean).parent)


def note_removed(place: Path, facts: ShardFacts) -> None:
    """Leave word in an archive of a shard of which nothing could be kept; raises OSError."""
    name = facts.name
    about = {
        "path": str(name.as_sealed().path), "removed": True, "reason": "nothing of it could be read",
        "at": format_ts(time.time_ns()), "bytes": facts.size,
    }  # fmt: skip
    write_atomically(place / QUARANTINE / name.writer / f"{stem(name)}0.json", orjson.dumps(about))


def _members(facts: ShardFacts, parts: Parts, read_at: ReadAt) -> Iterator[bytes]:
    """The blocks; the last has as many ordinals that what is lost behind it stays known."""
    declares = never_goes_back(facts.name.writer)
    highest = max((span.last for span in facts.gone), default=0)
    for number, part in enumerate(parts.kept, 1):
        members = (
            blocks_of(part, declares=declares) if part.lines else iter([read_at(part.offset, part.length)])
        )
        if number < len(parts.kept) or highest <= part.last_ordinal:
            yield from members
            continue
        *some, last = members
        yield from some
        first = parse_header(last[: header_length(last)]).first_ordinal
        yield renumbered(last, first, highest)


def _unlisted(member: bytes) -> BlockKeys | None:
    """The keys of a block whose header lists none."""
    header = parse_header(member)
    return keys_of(inflate(member, header), header) if header.flags & UNINDEXED else None
