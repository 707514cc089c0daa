"""What one look at a shard found, for what is worked out over all shards of a writer."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from polyrecord.format.layout import ShardName
from polyrecord.upkeep.problems import Problem


@dataclass(frozen=True, slots=True)
class Span:
    """Events with consecutive ordinals; `events` are fewer where some were lost inside."""

    first: int
    last: int
    events: int
    path: PurePosixPath
    offset: int


@dataclass(slots=True)
class ShardFacts:
    """What one look at a shard found. `events` are those in whole blocks, `plain` those in no block of ours.

    `gone` are ordinals of events whose loss is among the problems; `ends` is seq and time of each block.
    """

    name: ShardName
    size: int = 0
    blocks: int = 0
    events: int = 0
    plain: int = 0
    torn_bytes: int = 0
    clean: bool = False
    lost: int = 0
    lost_by_stream: Counter[str] = field(default_factory=Counter)
    spans: list[Span] = field(default_factory=list)
    gone: list[Span] = field(default_factory=list)
    ends: list[tuple[int, int]] = field(default_factory=list)
    seqs: array[int] = field(default_factory=lambda: array("Q"))
    problems: list[Problem] = field(default_factory=list)
