"""Lines gather here until they are cut into a block; one builder per stream. Pure."""

from __future__ import annotations

from collections.abc import Iterable
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
    lines: list[bytes]
    index: BlockIndex
    charge: int


class BlockBuilder:
    """The lines of one stream since the last cut, and what the block's header will say of them."""

    __slots__ = (
        "_flags", "_index_bytes", "_last_ordinal", "_last_seq", "_lines", "_lost", "_max_ts", "_min_ts",
        "_paths", "_policy", "_size", "_trace_keys", "_types", "_value_keys", "charge", "day",
        "first_ordinal", "first_seq", "ordinal", "stream",
    )  # fmt: skip

    def __init__(self, stream: str, policy: BlockPolicy, paths: tuple[str, ...] = ()) -> None:
        self.stream = stream
        self.ordinal = 0  # of the last event of this stream, kept or lost
        self._policy = policy
        self._paths = paths
        self._reset()

    def _reset(self) -> None:
        self._lines: list[bytes] = []
        self._types: dict[str, int] = {}
        self._trace_keys: set[int] = set()
        self._value_keys: set[int] = set()
        self._size = self._flags = self._lost = self.charge = 0
        self._index_bytes = _FIXED_INDEX + sum(len(path.encode()) + 1 for path in self._paths)
        self.first_seq = self._last_seq = self.first_ordinal = self._last_ordinal = 0
        self._min_ts = self._max_ts = 0
        self.day = -1

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def full(self) -> bool:
        """Whether the block must be cut before anything else is added."""
        policy = self._policy
        return self._size >= policy.content_bytes or self._index_bytes >= policy.index_bytes

    def add(self, line: bytes, event_type: str, seq: int, ts: int, charge: int, lost: int = 0) -> None:
        """Take one line (with its line feed) as the stream's next event."""
        self.ordinal += 1
        if not self._lines:
            self.day = ts // DAY_NS
            self.first_seq, self.first_ordinal = seq, self.ordinal
            self._min_ts = self._max_ts = ts
        elif ts > self._max_ts:
            self._max_ts = ts
        elif ts < self._min_ts:
            self._min_ts = ts
        self._lines.append(line)
        self._size += len(line)
        self._last_seq, self._last_ordinal = seq, self.ordinal
        self._lost += lost
        self.charge += charge
        count = self._types.get(event_type)
        if count is None:
            self._index_bytes += len(cut_name(event_type)) + 5
            count = 0
        self._types[event_type] = count + 1

    def add_trace(self, key: int, *, opaque: bool) -> None:
        """Index the line just added under a trace key."""
        if opaque:
            self._flags |= OPAQUE
        if key not in self._trace_keys:
            self._trace_keys.add(key)
            self._index_bytes += 4

    def add_values(self, keys: Iterable[int]) -> None:
        """Index the line just added under value keys."""
        for key in keys:
            if key not in self._value_keys:
                self._value_keys.add(key)
                self._index_bytes += 4

    def cut(self) -> PendingBlock:
        """Everything since the last cut as one block; there must be something."""
        index = BlockIndex(
            events=len(self._lines), first_seq=self.first_seq, last_seq=self._last_seq,
            first_ordinal=self.first_ordinal, last_ordinal=self._last_ordinal,
            min_ts=self._min_ts, max_ts=self._max_ts, types=self._types, lost=self._lost,
            flags=self._flags, paths=self._paths, trace_keys=sorted(self._trace_keys),
            value_keys=sorted(self._value_keys),
        )  # fmt: skip
        block = PendingBlock(self.stream, self.day, self._lines, index, self.charge)
        self._reset()
        return block
