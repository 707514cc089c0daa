"""EventRecorder: what a bot holds. Recording is a call of about a microsecond; threads do the rest."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from polyrecord import heap
from polyrecord.clock import Clock, SystemClock
from polyrecord.events.latency_data import checked_stages, declared_stages
from polyrecord.events.names import EventType
from polyrecord.events.routes import TELEMETRY, is_named
from polyrecord.format.layout import is_stream
from polyrecord.record.buffer import Buffer
from polyrecord.record.current import SCOPE
from polyrecord.record.encode import as_recorded, check_faithful, rescue
from polyrecord.record.health import Health
from polyrecord.record.hotpath import make_record
from polyrecord.record.item import OVERHEAD, Item
from polyrecord.record.no_room import NoRoom
from polyrecord.record.outcomes import FlushTicket, LossNotice, RecorderStats
from polyrecord.record.policy import Overload, Recover, RetryPolicy, RotatePolicy, SyncPolicy
from polyrecord.record.recorded import DROPPED, RECORDED
from polyrecord.record.registry import hold, hold_started, let_go, register
from polyrecord.record.sessions import Sessions, options_of
from polyrecord.record.typed import Kept, TypedHelpers
from polyrecord.settings.root import archive_root

if TYPE_CHECKING:
    from polyrecord.record.redact import RedactionPolicy


class EventRecorder(TypedHelpers):
    """Records events into an archive; one serves all streams, threads and event loops of a process.

    `record(event_type, data, trace_id=None, intent_id=None, level=None, reason_code=None, stream=None)`
    records an event and is False when it had to be dropped: it never waits, and never raises in production.
    `data` is encoded at the call, so what the bot changes later does not change what was recorded. Without
    a `trace_id` the active TraceContext's is taken. `stream` overrides where the type belongs.

    Nothing touches the disk before the first event. Use it as `with` or `async with`, or call `close()`;
    a recorder that is still open when the interpreter exits is closed then.
    """

    def __init__(
        self,
        root: Path | str | None = None,
        *,
        buffer_size: int | None = None,
        flush_interval: float | None = None,
        buffer_bytes: int | None = None,
        block_bytes: int | None = None,
        rotate: RotatePolicy | None = None,
        sync: SyncPolicy | None = None,
        retry: RetryPolicy | None = None,
        min_free: int | None = None,
        recover: Recover | str | None = None,
        overload: Overload | str | None = None,
        on_loss: Callable[[LossNotice], object] | None = None,
        sample: Mapping[str, float] | None = None,
        index_keys: Iterable[str] | None = None,
        stages: Iterable[str] | None = None,
        bot_id: str | None = None,
        strategy_id: str | None = None,
        config: Mapping[str, Any] | Path | str | None = None,
        metadata: Mapping[str, Any] | None = None,
        local_zone: str | None = None,
        redact: bool | RedactionPolicy | None = None,
        compact: bool | None = None,
        validate: bool | None = None,
        signals: bool = True,
        clock: Clock | None = None,
    ) -> None:
        """Say how to record; nothing is opened yet.

        What is None is taken from the environment and polyrecord.toml (docs/configuration.md), else the
        default. `root`: the archive (the current directory). `buffer_size` events (1000) or `flush_interval`
        seconds (1.0) after the last flush, what is pending goes to the operating system. `buffer_bytes`
        (64 MiB) bounds what waits in memory; beyond it `overload` (`drop_oldest`, `drop_newest`, `priority`,
        `wait`) says what gives way, and `on_loss` is called, on a thread of the recorder's. `min_free` bytes
        (16 MiB; 0: none) of the disk are left alone. `recover`: whose open shards are made whole at the start
        (`boot`, `all`, `never`). `block_bytes` (256 KiB): lines in a block. `sample`: of which types what
        part of the traces is kept. `index_keys`: paths such as `data.market` whose values find their trace.
        `stages`: the latency pipeline. `bot_id` goes on every line; `strategy_id`, the hash of `config` (a
        mapping or a file) and `metadata` into the writer's manifest. `local_zone` adds `ts_local` in that
        zone to each line. `redact`: False, or a RedactionPolicy beside what counts as a secret anyway
        (docs/privacy.md). `compact`: a process in the background makes tables of what was sealed, for fast
        answers. `validate`: raise InvalidEvent for events that break their type's schema (tests and
        development). `signals`: write everything before SIGTERM, SIGINT or SIGHUP end the process, where the
        bot has no handler of its own. Raises ConfigError when an option or a setting is wrong.
        """
        options = options_of(
            buffer_size=buffer_size, flush_interval=flush_interval, buffer_bytes=buffer_bytes,
            block_bytes=block_bytes, rotate=rotate, sync=sync, overload=overload, index_keys=index_keys,
            stages=stages, bot_id=bot_id, strategy_id=strategy_id, validate=validate, metadata=metadata,
            min_free=min_free, recover=recover, sample=sample, local_zone=local_zone,
            redact=redact, compact=compact,
        )  # fmt: skip
        self.root = archive_root(root)
        self.number = next(_numbers)
        clock = clock or SystemClock()
        self._stages = None if options.stages is None else checked_stages(options.stages)
        self._envelope = {"bot_id": str(options.bot_id)} if options.bot_id is not None else None
        self._mono_ns = clock.mono_ns
        self._overload = Overload(options.overload)
        self._buffer = Buffer(options.buffer_bytes, self._overload)
        self._room = NoRoom(self._buffer)
        self._kept_as_repr = 0
        self._refused = 0
        # Reentrant: a bot's own signal handler may close while this thread is in the middle of a flush.
        self._lock = threading.RLock()
        self._started = self._starting = False
        self._signals = signals
        self._closing: FlushTicket | None = None
        self.record = make_record(
            self._buffer, clock, self._envelope, check=self._check if options.validate else None,
            check_stream=is_stream, rescue=self._rescue, no_room=self._no_room,
        )  # fmt: skip
        self._sessions = Sessions(
            self.root, self._buffer, clock, options, config=config, retry=retry, on_loss=on_loss
        )
        self._session = self._sessions.new()
        register(self, EventRecorder._begin_anew, signals=signals)

    @property
    def writer(self) -> str:
        """The id of this session: host, process and start."""
        return self._session.writer

    @property
    def closed(self) -> bool:
        """Whether `close()` was called."""
        return self._closing is not None

    @property
    def stages(self) -> tuple[str, ...]:
        """The declared stages of the latency pipeline, in order."""
        return declared_stages() if self._stages is None else self._stages

    def record_raw(
        self,
        frame: bytes | str,
        *,
        source: str,
        received_ns: int | None = None,
        trace_id: str | None = None,
    ) -> bool:
        """Record a venue's frame byte for byte; False when it had to be dropped. Never waits or raises.

        `received_ns` is when it arrived, in nanoseconds since 1970, where that is not now.
        """
        now = self._mono_ns()
        if trace_id is None and (scope := SCOPE.get()) is not None:
            trace_id = scope.trace_id
        try:
            raw = frame.encode("utf-8", "backslashreplace") if isinstance(frame, str) else bytes(frame)
        except Exception:  # noqa: BLE001 - promise: recording never raises into a strategy
            self._buffer.drop((now, _RAW_FRAME, None, b"", None, None), "unrecordable")
            return False
        item: Item = (now, _RAW_FRAME, trace_id, (raw, source, received_ns), self._envelope, None)
        size = len(raw) + OVERHEAD
        return self._buffer.put(item, size) if size <= self._buffer.room else self._no_room(item, size)

    def log_event(
        self,
        event_type: str,
        data: Any,
        trace_id: str | None = None,
        *,
        intent_id: str | None = None,
        level: str | None = None,
        reason_code: str | None = None,
    ) -> Kept:
        """Record a telemetry event; a type of no known stream goes to `logs/telemetry`."""
        stream = None if isinstance(event_type, str) and is_named(event_type) else TELEMETRY
        return self._keep(
            event_type, data, trace_id,
            intent_id=intent_id, level=level, reason_code=reason_code, stream=stream,
        )  # fmt: skip

    def flush(self) -> FlushTicket:
        """Hand everything recorded so far to the operating system: `await` it, or `.wait()` for it."""
        ticket = FlushTicket()
        with self._lock:
            if self._closing is not None:  # what was recorded before is written when that is done
                return self._closing
            refused = self._session.refusal()
            if self._started and refused is None:
                self._session.expect(ticket)
                self._buffer.items.append(ticket)
                self._session.wake()
                return ticket
        ticket.resolve(refused or self._session.outcome())
        return ticket

    def close(self) -> FlushTicket:
        """Flush and seal everything; what is recorded afterwards is refused. Closing twice is harmless."""
        with self._lock:
            if self._closing is not None:
                return self._closing
            self._closing = FlushTicket(closing=True)
            self._buffer.close()
            self._closing.when_done(lambda _: let_go(self))
            if self._started:
                self._session.hasten()
                self._buffer.items.append(self._closing)
                self._session.wake()
                return self._closing
        self._closing.resolve(self._session.outcome())
        return self._closing

    def stats(self) -> RecorderStats:
        """Counters since the start."""
        return self._session.stats(kept_as_repr=self._kept_as_repr, refused=self._refused)

    def health(self) -> Health:
        """How recording goes now: one word, and why."""
        return self._session.health(started=self._started, closed=self.closed)

    def __enter__(self) -> Self:
        if self._closing is None:
            hold(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close().wait()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _keep(self, event_type: str, data: Any, trace_id: str | None, **fields: Any) -> Kept:
        if self._overload is not Overload.WAIT:
            return RECORDED if self.record(event_type, data, trace_id, **fields) else DROPPED
        return self._room.hold(partial(self.record, event_type, data, trace_id, **fields))

    def _no_room(self, item: Item, size: int) -> bool:
        """The buffer is not open yet, full, or closed."""
        try:
            if not self._started:
                self._start()
            if self._closing is not None:
                self._refused += 1
                return False
            self._session.hurry()
            return self._room.take(item, size)
        except Exception:  # noqa: BLE001 - promise: recording never raises into a strategy
            self._buffer.drop(item, "not_started")
            return False

    def _start(self) -> None:
        """Start the threads at the first event."""
        with self._lock:
            if self._closing is None and not self._started and not self._starting:
                self._starting = True  # a signal handler may record while this thread is in here
                try:
                    self._session.start({"stages": list(self.stages)}, self.record)
                finally:
                    self._starting = False
                self._started = True
                heap.keep(_KEPT)
                self._buffer.open()
                hold_started(self, signals=self._signals)

    def _begin_anew(self) -> None:
        """In a forked child: what is in memory is the parent's to write; the child gets its own identity."""
        self._lock = threading.RLock()
        self._buffer.empty()
        self._started = self._starting = False
        self._session.abandon()
        if self._closing is not None:
            self._closing = FlushTicket(closing=True)
            self._closing.resolve(self._session.outcome())
        self._session = self._sessions.new_in_child()

    def _check(self, event_type: str, data: Any) -> None:
        from polyrecord.events.catalogue import validate

        check_faithful(event_type, data)
        validate(event_type, as_recorded(data), stages=self.stages)

    def _rescue(self, data: Any) -> bytes:
        self._kept_as_repr += 1
        return rescue(data)


_numbers = itertools.count(1)
_RAW_FRAME = EventType.RAW_FRAME.value
_KEPT = 8 << 20  # bytes: what the light events of a burst take is there for the next one
