"""Lines gather here until they are cut into a block; one builder per stream. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from polyrecord.format.block import BlockIndex, cut_name
from polyrecord.format.constants import OPAQUE
from polyrecord.record.policy import BlockPolicy
from polyrecord.times import SECOND

DAY_NS = 86_400 * SECOND
_FIXED_INDEX = 96  # bytes of a header without names and keys


@dataclass(frozen=True, slots=True)
class PendingBlock:
    """A cut block on its way to the writer; `charge` bytes go back to the buffer when it is written."""

    stream: str
    day: int  # days since 1970-01-01
    pieces: list[bytes]  # of one or more whole lines each
    index: BlockIndex
    charge: int


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive events of one stream: what a block takes of them."""

    lines: bytes
    types: Mapping[str, int]
    seqs: Sequence[int]
    stamps: Sequence[int]
    charge: int
    trace_keys: Iterable[int] = ()
    opaque: bool = False
    value_keys: Collection[int] = ()


class BlockBuilder:
    """The lines of one stream since the last cut, and what the block's header will say of them."""

    __slots__ = (
        "_events", "_flags", "_last_ordinal", "_last_seq", "_lost", "_max_ts", "_min_ts", "_names_bytes",
        "_paths", "_pieces", "_policy", "_size", "_trace_keys", "_types", "_value_keys", "charge", "day",
        "first_ordinal", "first_seq", "ordinal", "stream",
    )  # fmt: skip

    def __init__(self, stream: str, policy: BlockPolicy, paths: tuple[str, ...] = ()) -> None:
        self.stream = stream
        self.ordinal = 0  # of the last event of this stream, kept or lost
        self._policy = policy
        self._paths = paths
        self._reset()

    def _reset(self) -> None:
        self._events = 0
        self._pieces: list[bytes] = []
        self._types: dict[str, int] = {}
        self._trace_keys: set[int] = set()
        self._value_keys: set[int] = set()
        self._size = self._flags = self._lost = self.charge = 0
        self._names_bytes = _FIXED_INDEX + sum(len(path.encode()) + 1 for path in self._paths)
        self.first_seq = self._last_seq = self.first_ordinal = self._last_ordinal = 0
        self._min_ts = self._max_ts = 0
        self.day = -1

    def __len__(self) -> int:
        return self._events

    @property
    def full(self) -> bool:
        """Whether the block must be cut before anything else is added."""
        policy = self._policy
        index_bytes = self._names_bytes + 4 * (len(self._trace_keys) + len(self._value_keys))
        return self._size >= policy.content_bytes or index_bytes >= policy.index_bytes

    def add(self, line: bytes, event_type: str, seq: int, ts: int, charge: int, lost: int = 0) -> None:
        """Take one line (with its line feed) as the stream's next event."""
        self.ordinal += 1
        if not self._events:
            self.day = ts // DAY_NS
            self.first_seq, self.first_ordinal = seq, self.ordinal
            self._min_ts = self._max_ts = ts
        elif ts > self._max_ts:
            self._max_ts = ts
        elif ts < self._min_ts:
            self._min_ts = ts
        self._events += 1
        self._pieces.append(line)
        self._size += len(line)
        self._last_seq, self._last_ordinal = seq, self.ordinal
        self._lost += lost
        self.charge += charge
        self._add_type(event_type, 1)

    def add_all(self, run: Run) -> None:
        """Take several events in order; none of them is before what was added already."""
        events = len(run.seqs)
        if not self._events:
            self.day = run.stamps[0] // DAY_NS
            self.first_seq, self.first_ordinal = run.seqs[0], self.ordinal + 1
            self._min_ts = self._max_ts = run.stamps[0]
        self.ordinal += events
        self._events += events
        self._pieces.append(run.lines)
        self._size += len(run.lines)
        self._max_ts = max(self._max_ts, run.stamps[-1])
        self._last_seq, self._last_ordinal = run.seqs[-1], self.ordinal
        self.charge += run.charge
        for event_type, count in run.types.items():
            self._add_type(event_type, count)
        self.add_traces(run.trace_keys, opaque=run.opaque)
        self.add_values(run.value_keys)

    def _add_type(self, event_type: str, events: int) -> None:
        count = self._types.get(event_type)
        if count is None:
            self._names_bytes += len(cut_name(event_type)) + 5
            count = 0
        self._types[event_type] = count + events

    def knows(self, event_type: str) -> bool:
        """Whether the block has events of a type already."""
        return event_type in self._types

    def add_traces(self, keys: Iterable[int], *, opaque: bool) -> None:
        """Index what was just added under trace keys; `opaque` if one of the ids is."""
        if opaque:
            self._flags |= OPAQUE
        self._trace_keys.update(keys)

    def add_values(self, keys: Iterable[int]) -> None:
        """Index what was just added under value keys."""
        self._value_keys.update(keys)

    def cut(self) -> PendingBlock:
        """Everything since the last cut as one block; there must be something."""
        index = BlockIndex(
            events=self._events, first_seq=self.first_seq, last_seq=self._last_seq,
            first_ordinal=self.first_ordinal, last_ordinal=self._last_ordinal,
            min_ts=self._min_ts, max_ts=self._max_ts, types=self._types, lost=self._lost,
            flags=self._flags, paths=self._paths, trace_keys=sorted(self._trace_keys),
            value_keys=sorted(self._value_keys),
        )  # fmt: skip
        block = PendingBlock(self.stream, self.day, self._pieces, index, self.charge)
        self._reset()
        return block
