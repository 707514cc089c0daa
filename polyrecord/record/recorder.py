"""EventRecorder: what a bot holds. Recording is a call of about a microsecond; threads do the rest."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from polyrecord import heap
from polyrecord.clock import Clock, SystemClock
from polyrecord.errors import ConfigError
from polyrecord.events.latency_data import checked_stages, declared_stages
from polyrecord.events.names import EventType
from polyrecord.events.routes import TELEMETRY, is_named
from polyrecord.format.compress import load
from polyrecord.format.layout import is_stream
from polyrecord.record.buffer import OVERHEAD, Buffer, Item
from polyrecord.record.current import SCOPE
from polyrecord.record.encode import as_recorded, check_faithful, rescue
from polyrecord.record.health import Health
from polyrecord.record.hotpath import make_record
from polyrecord.record.identity import config_hash
from polyrecord.record.options import Options
from polyrecord.record.outcomes import FlushTicket, LossNotice, RecorderStats
from polyrecord.record.policy import (
    BlockPolicy,
    DiskPolicy,
    FlushPolicy,
    Overload,
    Recover,
    RetryPolicy,
    RotatePolicy,
    SyncPolicy,
)
from polyrecord.record.privacy import Privacy, forget_patterns
from polyrecord.record.recorded import DROPPED, RECORDED
from polyrecord.record.session import Session
from polyrecord.record.signals import forget_signals, handle_signals
from polyrecord.record.typed import Kept, TypedHelpers
from polyrecord.record.waiting import Held, Waiting
from polyrecord.settings.recorder import recorder_settings
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
        options = Options.of(
            recorder_settings(),
            buffer_size=buffer_size, flush_interval=flush_interval, buffer_bytes=buffer_bytes,
            block_bytes=block_bytes, rotate=rotate, sync=sync, overload=overload, index_keys=index_keys,
            stages=stages, bot_id=bot_id, strategy_id=strategy_id, validate=validate, metadata=metadata,
            min_free=min_free, recover=recover, sample=sample, local_zone=local_zone,
            redact=redact, compact=compact,
        )  # fmt: skip
        _check_positive(
            buffer_size=options.buffer_size, flush_interval=options.flush_interval,
            buffer_bytes=options.buffer_bytes, block_bytes=options.block_bytes,
        )  # fmt: skip
        if not isinstance(options.min_free, int) or options.min_free < 0:
            raise ConfigError(f"min_free must be bytes, 0 or more, not {options.min_free!r}")
        self.root = archive_root(root)
        self.number = next(_numbers)
        clock = clock or SystemClock()
        self._stages = None if options.stages is None else checked_stages(options.stages)
        self._envelope = {"bot_id": str(options.bot_id)} if options.bot_id is not None else None
        self._mono_ns = clock.mono_ns
        self._overload = _one_of(Overload, options.overload, "overload")
        self._buffer = Buffer(options.buffer_bytes, self._overload)
        self._held = Held()
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
        about = {
            "bot_id": options.bot_id, "strategy_id": options.strategy_id, "config_hash": config_hash(config),
            "overload": self._overload, "sampling": dict(options.sample),
        }  # fmt: skip
        self._privacy = privacy = Privacy.of(options)
        self._new_session = partial(
            Session, self.root, self._buffer, clock,
            flush=FlushPolicy(options.buffer_size, options.flush_interval),
            blocks=BlockPolicy(options.block_bytes),
            rotate=options.rotate, sync=options.sync, retry=retry or RetryPolicy(),
            disk=DiskPolicy(options.min_free), recover=_one_of(Recover, options.recover, "recover"),
            compact=options.compact, index_keys=tuple(options.index_keys), steps=privacy.steps,
            redact=privacy.text, on_loss=on_loss,
            manifest=privacy.mapping({**about, "metadata": dict(options.metadata)}),
        )  # fmt: skip
        self._session = self._new_session()
        # Here and not on the threads that need it: what a thread imports at a fork no child can import.
        load()
        if options.recover != Recover.NEVER:
            import polyrecord.record.recovery  # noqa: F401
        _recorders.add(self)
        if signals:
            handle_signals(close_all)

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
            event_type,
            data,
            trace_id,
            intent_id=intent_id,
            level=level,
            reason_code=reason_code,
            stream=stream,
        )

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
            self._closing.when_done(lambda _: _open_recorders.discard(self))
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
            _open_recorders.add(self)
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
        held = self._held
        held.wanted, held.event = True, None
        try:
            if self.record(event_type, data, trace_id, **fields):
                return RECORDED
        finally:
            held.wanted = False
        return DROPPED if held.event is None else Waiting(self._buffer, *held.event)

    def _no_room(self, item: Item, size: int) -> bool:
        """The buffer is not open yet, full, or closed."""
        try:
            if not self._started:
                self._start()
            if self._closing is not None:
                self._refused += 1
                return False
            self._session.hurry()
            if not self._held.wanted:
                return self._buffer.put(item, size)
            if self._buffer.offer(item, size):
                return True
            self._held.event = item, size
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
                _open_recorders.add(self)
                _close_at_end_of_child()
                if self._signals:
                    handle_signals(close_all)

    def _begin_anew(self) -> None:
        """In a forked child: what is in memory is the parent's to write; the child gets its own identity."""
        self._lock = threading.RLock()
        self._buffer.empty()
        self._started = self._starting = False
        self._session.abandon()
        self._privacy.begin_anew()
        if self._closing is not None:
            self._closing = FlushTicket(closing=True)
            self._closing.resolve(self._session.outcome())
        self._session = self._new_session()

    def _check(self, event_type: str, data: Any) -> None:
        from polyrecord.events.catalogue import validate

        check_faithful(event_type, data)
        validate(event_type, as_recorded(data), stages=self.stages)

    def _rescue(self, data: Any) -> bytes:
        self._kept_as_repr += 1
        return rescue(data)


_numbers = itertools.count(1)
_RAW_FRAME = EventType.RAW_FRAME.value
_recorders: weakref.WeakSet[EventRecorder] = weakref.WeakSet()
# Until a close is done. Strong: a recorder that a function made and forgot still holds what is to be written.
_open_recorders: set[EventRecorder] = set()
_AT_EXIT_SECONDS = 10.0
_KEPT = 8 << 20  # bytes: what the light events of a burst take is there for the next one


def open_recorders() -> list[EventRecorder]:
    """The recorders of this process that are recording, in no order."""
    return [recorder for recorder in list(_open_recorders) if not recorder.closed]


def close_all() -> None:
    """Close what a bot left open, as its interpreter exits; a hung disk must not hold it for ever.

    Waits for closes under way too: the end of a process may come from two sides.
    """
    tickets = [recorder.close() for recorder in list(_open_recorders)]
    for ticket in tickets:
        with contextlib.suppress(TimeoutError):
            ticket.wait(_AT_EXIT_SECONDS)


atexit.register(close_all)


def _close_at_end_of_child() -> None:
    """Children of multiprocessing end without the interpreter's exit handlers, but call its own."""
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is not None and process is not None and process.parent_process() is not None:
        util.Finalize(None, close_all, exitpriority=1)


def _in_forked_child() -> None:
    forget_signals()
    forget_patterns()
    _open_recorders.clear()
    for recorder in list(_recorders):
        with contextlib.suppress(Exception):  # what one of them meets must not keep the others from it
            recorder._begin_anew()  # noqa: SLF001 - of this module


os.register_at_fork(after_in_child=_in_forked_child)


_Choice = TypeVar("_Choice", bound=StrEnum)


def _one_of(choices: type[_Choice], value: str, option: str) -> _Choice:
    try:
        return choices(value)
    except ValueError:
        hint = f"one of {', '.join(choices)}"
        raise ConfigError(f"{option} cannot be {value!r}", hint=hint) from None


def _check_positive(**options: float) -> None:
    for name, value in options.items():
        if not value > 0:
            raise ConfigError(f"{name} must be positive, not {value!r}")
