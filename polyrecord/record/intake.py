"""Events as they arrive from one thread: numbered there at once, compressed and written by another.

No buffer and no drain, as EventRecorder has them: whoever hands events over can wait, so nothing is ever
dropped. The caller looks at `full` before it takes more in.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from polyrecord.clock import Clock
from polyrecord.events.routes import TELEMETRY
from polyrecord.format.layout import check_stream
from polyrecord.record.admission import Admission
from polyrecord.record.blocks import DAY_NS, PendingBlock
from polyrecord.record.identity import Manifest, new_writer_id, session_manifest
from polyrecord.record.item import CLOSE, Item
from polyrecord.record.numbering import Numbering
from polyrecord.record.others import recoveries
from polyrecord.record.outcomes import FlushTicket
from polyrecord.record.policy import (
    BlockPolicy,
    DiskPolicy,
    Recover,
    RetryPolicy,
    RotatePolicy,
    SyncMode,
    SyncPolicy,
)
from polyrecord.record.privacy import Privacy
from polyrecord.record.shards import ShardSet
from polyrecord.record.space import FreeSpace
from polyrecord.record.timeline import Timeline, clock_step_data
from polyrecord.record.trouble import TroubleFile
from polyrecord.record.writer import Tick, Writer
from polyrecord.times import SECOND, format_ts

_RECOVERY_SECONDS = 10.0  # a close waits so long for the shards of others
_MAX_BACKLOG = 16 << 20  # bytes of lines handed to the writer and not yet written


Arrived: TypeAlias = tuple[str, bytes, str | None, Mapping[str, str] | None]
"""Type, data as one JSON value, trace id, envelope fields."""


class _Arrival:
    """When the events at hand came: all have the same time. Keeps those that cannot be recorded."""

    def __init__(self) -> None:
        self.mono_ns = self.ts = 0
        self.dropped: list[Item] = []

    def drop(self, item: Item, _: str) -> None:
        self.dropped.append(item)

    def release(self, _: int) -> None:
        """Nothing is counted here."""

    def stamp(self, _: int) -> int:
        return self.ts

    def stamps(self, mono_ns: Iterable[int]) -> list[int]:
        return [self.ts for _ in mono_ns]


class Intake:
    """One session of kind `recorder` that one thread feeds; makes no file before the first event."""

    def __init__(
        self,
        root: Path,
        clock: Clock,
        *,
        flush_seconds: float = 1.0,
        stream: str | None = None,
        bot_id: str | None = None,
        index_keys: Iterable[str] = (),
        rotate: RotatePolicy | None = None,
        sync: SyncPolicy | None = None,
        retry: RetryPolicy | None = None,
        disk: DiskPolicy | None = None,
        privacy: Privacy | None = None,
        recover: Recover = Recover.NEVER,
        manifest: Mapping[str, Any] | None = None,
    ) -> None:
        """`flush_seconds` after it came, an event goes to the operating system. Raises UsageError."""
        privacy = privacy or Privacy()
        started = clock.wall_ns()
        self.writer = new_writer_id(started)
        self._root = root
        self._clock = clock
        self._stream = None if stream is None else check_stream(stream)
        self._bot = {} if bot_id is None else {"bot_id": bot_id}
        self._flush_ns = round(flush_seconds * SECOND)
        rotate, sync = rotate or RotatePolicy(), sync or SyncPolicy()
        options = {"sync": sync, "rotate": rotate, "flush": {"seconds": flush_seconds}, "bot_id": bot_id}
        about = privacy.mapping({**options, **(manifest or {})})
        self._manifest = Manifest(root, self.writer, session_manifest(self.writer, started, about))
        retain = sync.mode is not SyncMode.NEVER
        self._shards = ShardSet(
            root, self.writer, rotate, clock.mono_ns, self._manifest.ensure, retain=retain
        )
        self._lost_blocks: deque[PendingBlock] = deque()
        self._trouble = TroubleFile(root, self.writer, clock.wall_ns, privacy.text)
        self._writer = Writer(
            self._shards, clock, sync, retry or RetryPolicy(), FreeSpace(root, disk or DiskPolicy()),
            self._trouble,
            on_written=lambda _: None, on_lost=self._lost_blocks.append, on_end=self._write_end,
            join_seconds=rotate.join_seconds,
        )  # fmt: skip
        self._numbering = Numbering(self._writer.write, BlockPolicy(), index_keys)
        self._manifest.content["index_keys"] = list(self._numbering.declared_paths)
        self._steps = privacy.steps()
        self._timeline = Timeline(clock)
        self._arrival = _Arrival()
        self._admission = Admission(self._arrival, self._numbering, self._arrival, self._steps)
        self._ticked_ns = clock.mono_ns()
        self._writer.start()
        self._recovered: deque[dict[str, Any]] = deque()
        self._recovery = threading.Thread(
            target=self._recover_dead, args=(recover,), name="polyrecord-recover", daemon=True
        )
        self._recovery.start()

    @property
    def full(self) -> bool:
        """Whether so much waits to be written that nothing more may be taken in."""
        return self._writer.backlog >= _MAX_BACKLOG

    @property
    def waiting(self) -> int:
        """Events taken in and not yet written."""
        return self._numbering.kept - self._shards.events

    @property
    def trouble(self) -> str | None:
        """Why writing fails at the moment; what waits is tried again and again."""
        return self._writer.last_error

    @property
    def stored_bytes(self) -> int:
        """Size of what was written, compressed."""
        return self._shards.bytes

    @property
    def shards(self) -> list[Path]:
        """What was sealed."""
        return self._shards.sealed

    def arrive(self) -> None:
        """The events that follow have arrived now."""
        mono = self._clock.mono_ns()
        step = self._timeline.check()
        ts = self._timeline.stamp(mono)
        self._arrival.mono_ns, self._arrival.ts = mono, ts
        if not self._numbering.pending:
            self._admission.oldest_ns = mono
        if step is not None:
            payload = orjson.dumps(clock_step_data(step)) + CLOSE
            self._numbering.add(ts, format_ts(ts), "clock_step", payload, stream=TELEMETRY)

    def add_all(self, events: Iterable[Arrived]) -> list[int]:
        """Take the next events; the places of those that cannot be recorded."""
        items = [self._item(*event) for event in events]
        self._arrival.dropped.clear()
        self._admission.take(items)
        dropped = {id(item) for item in self._arrival.dropped}
        return [at for at, item in enumerate(items) if id(item) in dropped]

    def _item(
        self, event_type: str, data: bytes, trace_id: str | None, envelope: Mapping[str, str] | None
    ) -> Item:
        fields = {**self._bot, **envelope} if envelope else self._bot
        return self._arrival.mono_ns, event_type, trace_id, data + CLOSE, fields, self._stream

    def keep_time(self) -> float:
        """Do what time asks for; returns the seconds until it asks again."""
        now = self._clock.mono_ns()
        self._keep_ledger(now)
        if self._numbering.pending and now - self._admission.oldest_ns >= self._flush_ns:
            self._numbering.cut()
        if now - self._ticked_ns >= SECOND and not self.full and self.trouble is None:
            self._ticked_ns = now
            self._writer.order(Tick(self._timeline.wall(now) // DAY_NS))
        if not self._numbering.pending:
            return 1.0
        return min(1.0, (self._admission.oldest_ns + self._flush_ns - now) / SECOND)

    def close(self) -> FlushTicket:
        """Write and seal everything; the ticket says how it went. A failing disk is waited for so long."""
        ticket = FlushTicket(closing=True)
        self._recovery.join(_RECOVERY_SECONDS)
        self._keep_ledger(self._clock.mono_ns())
        self._numbering.cut()
        self._writer.hasten()
        self._writer.order(ticket)
        return ticket

    def _recover_dead(self, recover: Recover) -> None:
        self._recovered.extend(recoveries(self._root, recover, self.writer, self._trouble))

    def _keep_ledger(self, now: int) -> None:
        """Declare blocks that were given up, and say whose shards were sealed."""
        while self._lost_blocks:
            self._numbering.give_up(self._timeline.stamp(now), self._lost_blocks.popleft())
        while self._recovered:
            ts = self._timeline.stamp(now)
            if not self._numbering.pending:
                self._admission.oldest_ns = now
            payload = orjson.dumps(self._recovered.popleft()) + CLOSE
            self._numbering.add(ts, format_ts(ts), "recovered", payload, stream=TELEMETRY)

    def _write_end(self) -> None:
        if self._shards.events:
            ended = format_ts(self._clock.wall_ns())
            self._manifest.write(ended=ended, streams=self._shards.totals)
