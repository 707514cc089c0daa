"""Which blocks of a shard a selection needs: everything that can be told without inflating. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from polyrecord.format import constants as c
from polyrecord.format.block import BlockHeader
from polyrecord.format.block_keys import BlockKeys
from polyrecord.format.directory import Directory
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection, TraceQuery, ValueQuery
from polyrecord.read.shard import RawRecord, has_trace_key, has_value_key
from polyrecord.read.where import Conditions

_FLAGS, _MIN_TS, _MAX_TS, _TYPES = 4, 9, 10, 13
_ALL_TYPES = (1 << 64) - 1


class BlockTable(Protocol):
    """A shard's blocks as its directory, or its headers, list them."""

    @property
    def has_keys(self) -> bool:
        """Whether the two questions for keys can be answered."""

    def raw_records(self) -> Iterator[RawRecord]:
        """All block records in file order."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Declared key paths that every block of the shard lists."""

    def type_mask(self, names: frozenset[str]) -> int:
        """Bits of a record's types behind which these event types may stand."""

    def blocks_with_trace_range(self, low: int, high: int) -> set[int]:
        """Numbers of the blocks that hold a trace key from `low` to `high`."""

    def blocks_with_value(self, key: int) -> set[int]:
        """Numbers of the blocks that hold a value key."""


KeysAt = Callable[[RawRecord], BlockKeys | None]
"""Reads the keys of a record's block from its header; None when that is damaged: it is not skipped then."""


@dataclass(frozen=True, slots=True)
class KeyQuery:
    """The part of a selection that index keys can answer."""

    trace: TraceQuery | None
    value: ValueQuery | None
    where: Conditions = ()

    def asked_of(self, table: BlockTable) -> bool:
        """Whether a shard's keys can rule anything out."""
        return self.trace is not None or self.value is not None or bool(self._where_keys(table.paths))

    @property
    def trace_flags(self) -> int:
        """Flags of blocks that may hold the trace whatever their keys say."""
        return c.UNINDEXED | (c.OPAQUE if self.trace is not None and self.trace.opaque else 0)

    def tables(self, table: BlockTable) -> Callable[[int, int], bool]:
        """A test of (block number, flags) by the directory's key tables, which may name too many."""
        tests = self._tests(table)
        return lambda number, flags: all(number in hits or flags & always for hits, always in tests)

    def hits(self, table: Directory) -> tuple[list[int], list[int]]:
        """The numbers of the blocks that pass the same test, and how many lines each of all holds."""
        tests = self._tests(table)
        marks = list(table.events_and_flags())
        maybe = {number for number, (_, flags) in enumerate(marks) if flags}.union(
            *(hits for hits, _ in tests)
        )
        passed = [n for n in maybe if all(n in hits or marks[n][1] & always for hits, always in tests)]
        return sorted(passed), [events for events, _ in marks]

    def _tests(self, table: BlockTable) -> list[tuple[set[int], int]]:
        """For each key asked for the blocks that list it, and the flags of those that may hold it anyhow."""
        tests: list[tuple[set[int], int]] = []
        if self.trace is not None:
            hits = table.blocks_with_trace_range(*self.trace.keys) if self.trace.keys else set()
            tests.append((hits, self.trace_flags))
        if self.value is not None:
            tests.append((table.blocks_with_value(self.value.key), c.UNINDEXED))
        keys = self._where_keys(table.paths)
        return tests + [(table.blocks_with_value(key), c.UNINDEXED) for key in keys]

    def flags(self, flags: int) -> bool | None:
        """The same test by a block's flags alone; None when they do not decide it."""
        if flags & c.UNINDEXED:
            return True
        if self.trace is None or self.where:
            return None
        if not flags & self.trace_flags:
            return False if self.trace.keys is None else None
        return True if self.value is None else None

    def _where_keys(self, paths: tuple[str, ...]) -> list[int]:
        """The keys that conditions ask for, of those whose paths are indexed."""
        return [key for condition in self.where if (key := condition.key_in(paths)) is not None]

    def header(self, header: BlockKeys | BlockHeader) -> bool:
        """The same test by a block's own keys, where its flags did not decide; those it lists."""
        if header.flags & c.UNINDEXED:
            return True
        if self.value is not None and not has_value_key(header, self.value.key):
            return False
        if not all(has_value_key(header, key) for key in self._where_keys(header.paths)):
            return False
        if self.trace is None or header.flags & self.trace_flags:
            return True
        return self.trace.keys is not None and has_trace_key(header, *self.trace.keys)


def needed(
    table: BlockTable, selection: Selection, keys: KeyQuery, keys_at: KeysAt, explain: Explain
) -> Iterator[tuple[bool, RawRecord]]:
    """Every block record in file order, each with whether the selection needs it."""
    by_key = keys.asked_of(table)
    wanted = keys.tables(table) if by_key and table.has_keys else None
    mask = table.type_mask(selection.type_names) if selection.types else _ALL_TYPES
    low, high = selection.lowest_ns, selection.highest_ns
    for number, record in enumerate(table.raw_records()):
        keep = False
        if record[_MAX_TS] < low or (record[_MIN_TS] >= high and selection.until_ns is not None):
            explain.skipped_by_time += 1
        elif selection.types and not record[_TYPES] & mask:
            explain.skipped_by_type += 1
        elif by_key and not (
            (wanted is None or wanted(number, record[_FLAGS])) and by_header(record, keys, keys_at)
        ):
            explain.skipped_by_key += 1
        else:
            keep = True
        yield keep, record


def by_header(record: RawRecord, keys: KeyQuery, keys_at: KeysAt) -> bool:
    """The test by a block's flags, or by its header where they do not decide."""
    decided = keys.flags(record[_FLAGS])
    if decided is not None:
        return decided
    header = keys_at(record)
    return header is None or keys.header(header)
