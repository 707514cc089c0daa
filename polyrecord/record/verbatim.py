"""Write lines byte for byte under the writer and the numbers they were recorded with: cuts and merges."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self
from zlib import crc32

import orjson

from polyrecord.format.block import BlockHeader, header_length, pack_block, parse_payload
from polyrecord.format.constants import COVERED_PATHS
from polyrecord.format.layout import check_stream, check_writer
from polyrecord.ids import value_key
from polyrecord.record.blocks import DAY_NS, BlockBuilder
from polyrecord.record.identity import Manifest
from polyrecord.record.keys import TraceKeys
from polyrecord.record.policy import BlockPolicy, RotatePolicy
from polyrecord.record.shards import ShardSet

_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1
_ORDINALS: Final = struct.Struct("<QQ")
_ORDINALS_AT: Final = 32  # in the payload: docs/format.md, section 4
_U32: Final = struct.Struct("<I")
_MOST_ORDINALS: Final = 1 << 62  # whatever was declared lost, ordinals fit 64 bits


@dataclass(frozen=True, slots=True)
class Recorded:
    """A line as it was recorded, with its line feed, and what its block's header has to say of it.

    `paths` are the key paths declared for it, `lost` how many events it declares lost.
    """

    line: bytes
    seq: int
    ts_ns: int
    event_type: str
    trace_id: str | None = None
    paths: tuple[str, ...] = ()
    lost: int = 0


def renumbered(member: bytes, first_ordinal: int, last_ordinal: int) -> bytes:
    """The same block under other ordinals; its lines stay compressed as they are. Raises BadHeader."""
    _, payload = parse_payload(member)
    end = header_length(member)
    start = end - 4 - len(payload)
    changed = bytearray(member)
    _ORDINALS.pack_into(changed, start + _ORDINALS_AT, first_ordinal, last_ordinal)
    _U32.pack_into(changed, end - 4, crc32(memoryview(changed)[: end - 4]))
    return bytes(changed)


class VerbatimWriter:
    """One writer's lines into an archive of their own: same seqs and dates, shards and ordinals from 1.

    Lines of a stream come in the order they were recorded in. One block a stream is held in memory. As a
    context manager it lets go of the files where an error is raised; removing them is the caller's.
    """

    def __init__(
        self,
        root: Path,
        writer: str,
        manifest: Mapping[str, Any],
        *,
        blocks: BlockPolicy | None = None,
        rotate: RotatePolicy | None = None,
    ) -> None:
        """`manifest` is on disk before the first shard; raises UsageError on a bad writer id."""
        self._policy = blocks or BlockPolicy()
        self._shards = _Members(
            root,
            check_writer(writer),
            rotate or RotatePolicy(),
            time.monotonic_ns,
            Manifest(root, writer, manifest).ensure,
        )
        self._streams: dict[str, _Stream] = {}

    def add(self, stream: str, recorded: Recorded) -> None:
        """Take the stream's next line; raises OSError."""
        self._stream(stream).add(recorded)

    def add_block(self, stream: str, member: bytes, header: BlockHeader) -> None:
        """Take a whole block of one date as the stream's next lines, none of them lost; raises OSError."""
        self._stream(stream).add_block(member, header)

    def lose(self, stream: str, count: int) -> None:
        """Leave so many ordinals out: events that the stream lost, or that cannot be read."""
        if count:
            builder = self._stream(stream).builder
            builder.ordinal = min(builder.ordinal + count, _MOST_ORDINALS)

    def finish(self, *, clean: bool) -> tuple[Path, ...]:
        """Seal everything, `clean` if the writer came to an orderly end; the shards, in order of sealing."""
        for stream in self._streams.values():
            stream.finish()
        self._shards.close(clean=clean)
        return tuple(self._shards.sealed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._shards.abandon()

    @property
    def events(self) -> int:
        """Events in the shards; complete after `finish`."""
        return self._shards.events

    def _stream(self, stream: str) -> _Stream:
        known = self._streams.get(stream)
        if known is None:
            known = self._streams[stream] = _Stream(check_stream(stream), self._policy, self._shards)
        return known


class _Members(ShardSet):
    """Shards that take blocks which are packed already."""

    def append(self, stream: str, member: _Member) -> None:
        self._shard(stream, member.day).append(member.data)
        self.blocks += 1
        self.bytes += len(member.data)
        self.events += member.events


@dataclass(frozen=True, slots=True)
class _Member:
    """A packed block on its way to the file."""

    data: bytes
    day: int
    events: int
    first_ordinal: int
    last_ordinal: int


class _Stream:
    """The blocks of one stream; the last is held back, for events may turn out to be lost behind it."""

    def __init__(self, stream: str, policy: BlockPolicy, shards: _Members) -> None:
        self.builder = BlockBuilder(stream, policy)
        self._stream, self._policy, self._shards = stream, policy, shards
        self._paths: tuple[str, ...] = ()
        self._values = _ValuesIn(())
        self._traces = TraceKeys()
        self._held: _Member | None = None

    def add(self, recorded: Recorded) -> None:
        ts = min(max(recorded.ts_ns, _LOWEST), _HIGHEST)
        if recorded.paths != self._paths:
            self._declare(recorded.paths)
        builder = self.builder
        if len(builder) and (builder.full or builder.day != ts // DAY_NS):
            self._cut()
        builder.add(recorded.line, recorded.event_type, recorded.seq, ts, 0, recorded.lost)
        if recorded.trace_id is not None:
            _, key, opaque = self._traces.get(recorded.trace_id)
            builder.add_traces((key,), opaque=opaque)
        if keys := self._values.find(recorded.line):
            builder.add_values(keys)

    def add_block(self, member: bytes, header: BlockHeader) -> None:
        self._cut()
        first = self.builder.ordinal + 1
        last = self.builder.ordinal = first + header.events - 1
        day = header.min_ts // DAY_NS
        self._hold(_Member(renumbered(member, first, last), day, header.events, first, last))

    def finish(self) -> None:
        self._cut()
        held, ordinal = self._held, self.builder.ordinal
        if held is not None and held.last_ordinal < ordinal:
            data = renumbered(held.data, held.first_ordinal, ordinal)
            self._held = _Member(data, held.day, held.events, held.first_ordinal, ordinal)
        self._hold(None)

    def _declare(self, paths: tuple[str, ...]) -> None:
        """Go on with blocks that cover these key paths."""
        self._cut()
        ordinal = self.builder.ordinal
        self.builder = BlockBuilder(self._stream, self._policy, paths)
        self.builder.ordinal = ordinal
        self._paths, self._values = paths, _ValuesIn(paths)

    def _cut(self) -> None:
        if not len(self.builder):
            return
        block = self.builder.cut()
        index = block.index
        data = pack_block(b"".join(block.pieces), index)
        self._hold(_Member(data, block.day, index.events, index.first_ordinal, index.last_ordinal))

    def _hold(self, member: _Member | None) -> None:
        if self._held is not None:
            self._shards.append(self._stream, self._held)
        self._held = member


class _ValuesIn:
    """Finds the value keys of whole lines; decodes one only when a name of a key path occurs in it."""

    __slots__ = ("_needles", "_paths")

    def __init__(self, declared: tuple[str, ...]) -> None:
        self._paths = [path.split(".") for path in dict.fromkeys((*COVERED_PATHS, *declared))]
        # `\u`: a name may be written with escapes. What ends like another is found with it.
        names = {*(f'{parts[-1]}"' for parts in self._paths), "\\u"}
        self._needles = [n.encode() for n in names if not any(n != m and n.endswith(m) for m in names)]

    def find(self, line: bytes) -> list[int]:
        """The keys of a line; none where it is no JSON."""
        if not any(needle in line for needle in self._needles):
            return []
        try:
            document = _decode(line)
        except (ValueError, RecursionError):
            return []
        values = (_at(document, parts) for parts in self._paths)
        return [value_key(str(v)) for v in values if isinstance(v, str | int) and not isinstance(v, bool)]


def _decode(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return json.loads(line)  # lone surrogates


def _at(value: Any, parts: list[str]) -> Any:
    for part in parts:
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value
