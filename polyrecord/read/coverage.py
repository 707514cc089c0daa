"""What an archive can prove to be whole, from headers alone (docs/format.md, section 7)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeAlias

import orjson

from polyrecord.format.layout import manifest_path
from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain
from polyrecord.read.files import ShardFile
from polyrecord.read.order import never_goes_back
from polyrecord.read.selection import Selection
from polyrecord.read.shard import RawRecord, open_shard
from polyrecord.read.source import Source

_EVENTS, _FIRST, _LAST, _MIN_TS, _MAX_TS, _LOST = 3, 7, 8, 9, 10, 11
_LEDGER_STREAM = "logs/telemetry"
_Place: TypeAlias = tuple[str, str]  # writer, stream


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of what was to be recorded is here.

    `events` are kept, in whole blocks; `lost` were declared lost by their writer, `unknown` are missing
    without a word. `unclean` are writers that are gone without an orderly end: they may have lost up to their
    flush interval after their last block. Plain gzip and text have no headers and are not counted: where
    damage made a block of ours look like plain gzip, its events are `unknown` here although they are read.
    """

    events: int
    lost: int
    unknown: int
    unclean: tuple[str, ...] = ()

    @property
    def ratio(self) -> float:
        """Kept of all, 0 to 1; 1 when there was nothing to keep."""
        total = self.events + self.lost + self.unknown
        return self.events / total if total else 1.0


def coverage(source: Source, selection: Selection | None = None, explain: Explain | None = None) -> Coverage:
    """Coverage of the blocks in a selection's window and streams; event types make no difference.

    Losses are declared per writer: where only some streams are selected, no more of them count than are
    missing there.
    """
    wanted = selection or Selection()
    window = replace(wanted, types=frozenset(), trace=None, value=None)
    ledger = _Ledger(source, window, explain if explain is not None else Explain())
    return ledger.coverage()


@dataclass(slots=True)
class _Span:
    """The blocks of one (writer, stream) in the window: events, and the ordinals they span."""

    events: int = 0
    first: int = 1 << 64
    last: int = 0

    def add(self, record: RawRecord, *, from_start: bool) -> None:
        self.events += record[_EVENTS]
        self.first = 1 if from_start else min(self.first, record[_FIRST])
        self.last = max(self.last, record[_LAST])

    @property
    def missing(self) -> int:
        return max(self.last - self.first + 1 - self.events, 0)


class _Ledger:
    """Adds up headers per writer and stream."""

    def __init__(self, source: Source, window: Selection, explain: Explain) -> None:
        self._source, self._window, self._explain = source, window, explain
        self._spans: dict[_Place, _Span] = defaultdict(_Span)
        self._declared: dict[str, int] = defaultdict(int)

    def coverage(self) -> Coverage:
        streams = self._window.streams and self._window.streams | {_LEDGER_STREAM}
        shards = self._source.shards(replace(self._window, streams=streams), self._explain)
        for info in shards:
            self._add(info)
        missing: dict[str, int] = defaultdict(int)
        for place, span in self._spans.items():
            missing[place[0]] += max(span.missing - self._outside(place, span), 0)
        lost, unknown = self._split(missing)
        events = sum(span.events for span in self._spans.values())
        return Coverage(events, lost, unknown, unclean_writers(self._source, shards, self._explain))

    def _add(self, info: ShardInfo) -> None:
        index = open_shard(info, self._explain)
        if index is None:
            return
        writer, stream = info.name.writer, info.name.stream
        counted = self._window.takes_stream(stream)
        for number, record in enumerate(index.records()):
            if not self._in_window(record):
                continue
            self._declared[writer] += record[_LOST]
            if counted:
                # Ordinals begin with 1, so the very first block tells what was lost before it.
                begins = number == 0 and info.name.number == 1
                self._spans[writer, stream].add(record, from_start=begins)

    def _in_window(self, record: RawRecord) -> bool:
        if record[_MAX_TS] < self._window.lowest_ns:
            return False
        return self._window.until_ns is None or record[_MIN_TS] < self._window.highest_ns

    def _outside(self, place: _Place, span: _Span) -> int:
        """Events with ordinals of the span in blocks outside the window: times may have gone back."""
        unbounded = self._window.since_ns is None and self._window.until_ns is None
        if unbounded or not span.missing or never_goes_back(place[0]):
            return 0
        explain = Explain(strict=self._explain.strict)
        events = 0
        for info in self._source.shards(Selection(streams=frozenset({place[1]})), explain):
            index = open_shard(info, explain) if info.name.writer == place[0] else None
            for record in index.records() if index is not None else ():
                inside = record[_FIRST] <= span.last and record[_LAST] >= span.first
                events += record[_EVENTS] if inside and not self._in_window(record) else 0
        self._explain.absorb(explain)
        return events

    def _split(self, missing: dict[str, int]) -> tuple[int, int]:
        """Events lost as declared, and missing without a word."""
        lost = unknown = 0
        for writer in missing.keys() | self._declared.keys():
            declared = self._declared.get(writer, 0)
            if self._window.streams:
                declared = min(declared, missing.get(writer, 0))
            lost += declared
            unknown += max(missing.get(writer, 0) - declared, 0)
        return lost, unknown


def unclean_writers(source: Source, shards: Iterable[ShardInfo], explain: Explain) -> tuple[str, ...]:
    """The writers of these shards that are gone without an orderly end.

    Such a writer has an open shard that nobody holds, or neither a last shard of a stream that says it is
    clean nor a manifest that says it ended: rotation may have sealed all shards before an orderly close.
    """
    mine = {info.name.writer for info in shards}
    theirs: dict[str, dict[str, ShardInfo]] = defaultdict(dict)
    for info in source.shards():
        if info.name.writer in mine:
            theirs[info.name.writer][f"{info.name.stream} {info.name.sealed}"] = info
    ends = {writer: list(last.values()) for writer, last in theirs.items()}
    return tuple(sorted(writer for writer in ends if _is_unclean(source, writer, ends[writer], explain)))


def _is_unclean(source: Source, writer: str, last: list[ShardInfo], explain: Explain) -> bool:
    is_open = [info for info in last if not info.name.sealed]
    if is_open:
        return not any(map(_is_held, is_open))
    clean = [_is_clean(info, explain) for info in last]
    if None in clean:
        return True
    return not (any(clean) or _has_ended(source, writer))


def _has_ended(source: Source, writer: str) -> bool:
    """Whether the writer's manifest says that it ended; one that cannot be read says nothing."""
    try:
        manifest = orjson.loads((source.root / manifest_path(writer)).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return False
    return isinstance(manifest, dict) and manifest.get("ended") is not None


def _is_clean(info: ShardInfo, explain: Explain) -> bool | None:
    """Whether a sealed shard ends an orderly session; None when its end is gone, and maybe events with it.

    One that ends plain cannot say and is taken for it.
    """
    index = open_shard(info, Explain(strict=explain.strict))
    if index is None:
        return None
    if index.footer is None:
        return True if index.ends_plain else None
    return index.footer.clean


def _is_held(info: ShardInfo) -> bool:
    """Whether a living process has the shard locked; taken for granted where locks do not exist."""
    try:
        import fcntl
    except ImportError:  # pragma: no cover
        return True
    try:
        with ShardFile(info) as file:
            fcntl.flock(file.descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
