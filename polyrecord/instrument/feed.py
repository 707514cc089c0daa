"""Watching a feed for what it leaves out: gaps, reconnects and silence become events (docs/feeds.md)."""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Hashable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from polyrecord.clock import Clock, SystemClock
from polyrecord.errors import ConfigError
from polyrecord.instrument.feed_rules import Rule, Step
from polyrecord.times import SECOND, format_ts

if TYPE_CHECKING:
    from polyrecord.record.recorder import EventRecorder

LOG: Final = logging.getLogger("polyrecord")
_NEVER: Final = -(1 << 62)  # before any time there is: whatever comes next is looked at
_RESTARTED: Final = 100  # old messages in a row until the venue is taken to have begun to number anew
_MILLION: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class FeedStats:
    """What a monitor saw so far; `missing` counts messages left out, `forgotten` tokens let go."""

    gaps: int
    missing: int
    duplicates: int
    out_of_order: int
    silences: int
    reconnects: int
    forgotten: int
    errors: int


@dataclass(slots=True)
class _Down:
    """A connection that is lost: since when, when the last message came, why, tries until it is back."""

    since: int
    heard: int
    reason: str | None = None
    attempts: int = 1


class FeedMonitor:
    """Notices what one connection leaves out and records it; one object for each connection.

    Call `message()` for each message, `snapshot()` for each whole book, `disconnected()` and `connected()`;
    `check()` or `watch()` notices silence while nothing comes. Nothing here raises into a strategy.
    """

    def __init__(
        self,
        recorder: EventRecorder | None = None,
        source: str = "feed",
        *,
        next_expected: Rule | None = None,
        stale_after: float = 5.0,
        most_tokens: int = 10_000,
        clock: Clock | None = None,
    ) -> None:
        """`next_expected`: the venue's numbering (polyrecord.instrument.feed_rules has some).

        A feed without a message for `stale_after` seconds is stale. Numbers of `most_tokens` tokens are
        remembered; of more, those seen first are forgotten. Without a `recorder` the default one records.
        Raises ConfigError.
        """
        if stale_after <= 0 or most_tokens < 1:
            raise ConfigError("stale_after and most_tokens must be above 0")
        clock = clock or SystemClock()
        self.source = source
        self.stale = False
        self._recorder = recorder
        self._rule = next_expected
        self._stale_seconds = stale_after
        self._stale_ns = round(stale_after * SECOND)
        self._most = most_tokens
        self._mono_ns, self._wall_ns = clock.mono_ns, clock.wall_ns
        self._lock = threading.Lock()  # never taken while all is well
        self._heard = _NEVER
        self._tokens: dict[Hashable, list[int]] = {}  # last number, when it came, old messages since
        self._awaited: dict[str, tuple[int, int, bool]] = {}  # since when, until when, whether told
        self._down: _Down | None = None
        self._counts = dict.fromkeys(FeedStats.__slots__, 0)

    def message(self, token_id: Hashable = None, sequence: Any = None) -> bool:
        """A message has come; False at a gap: the book is wrong until its next snapshot.

        `sequence` is what the venue's rule takes; messages without one only show that the feed lives.
        """
        now, heard = self._mono_ns(), self._heard
        self._heard = now
        try:
            if now - heard > self._stale_ns:
                self._resume(now, heard)
            if sequence is None or self._rule is None:
                return True
            seen = self._tokens.get(token_id)
            if seen is None:
                self._remember(token_id, self._rule(0, sequence)[2], now)
                return True
            step = self._rule(seen[0], sequence)
            if step[0] != step[1]:
                return self._irregular(token_id, seen, step, now)
            seen[:] = step[2], now, 0
        except Exception as error:  # noqa: BLE001 - see _failed
            self._failed("a message", error)
        return True

    def snapshot(self, token_id: Hashable = None, sequence: int | None = None) -> None:
        """A whole book has come: numbers go on from `sequence`, the last that it covers."""
        self.message()
        try:
            self._tokens.pop(token_id, None)
            if sequence is not None:
                self._remember(token_id, sequence, self._heard)
            if self._awaited:
                self._arrived(str(token_id), self._heard)
        except Exception as error:  # noqa: BLE001 - see _failed
            self._failed("a snapshot", error)

    def expect_snapshot(self, token_id: str, within: float = 10.0) -> None:
        """A subscription was sent whose book should come `within` seconds; if it does not, it is recorded."""
        now = self._mono_ns()
        if len(self._awaited) < self._most:
            self._awaited[str(token_id)] = (now, now + round(within * SECOND), False)

    def disconnected(self, reason: str | None = None) -> None:
        """The connection is lost, or another try to have it back has failed."""
        with self._lock:
            if self._down is None:
                text = None if reason is None else str(reason)
                self._down = _Down(self._mono_ns(), self._heard, text, attempts=0)
            self._down.attempts += 1
            self._heard, self.stale = _NEVER, False

    def connected(self) -> None:
        """The connection is there. After a loss numbers begin anew: what was missed is the `reconnect`."""
        try:
            self._connect(self._mono_ns(), self._heard)
        except Exception as error:  # noqa: BLE001 - see _failed
            self._failed("a connection", error)

    def check(self) -> bool:
        """Look whether the feed has been silent for too long, now and then; True while it is stale."""
        try:
            now, heard = self._mono_ns(), self._heard
            if heard != _NEVER and now - heard > self._stale_ns and not self.stale:
                self._go_stale(now, heard)
            for token_id, (since, until, told) in list(self._awaited.items()):
                if now >= until and not told:
                    self._awaited[token_id] = (since, until, True)
                    self._record("stale", "no_snapshot", now, since, token_id)
        except Exception as error:  # noqa: BLE001 - see _failed
            self._failed("a check", error)
        return self.stale

    @asynccontextmanager
    async def watch(self) -> AsyncIterator[FeedMonitor]:
        """Checks in a task of the running loop while the block lasts: `async with monitor.watch():`."""
        import asyncio  # a bot without an event loop does not load it

        async def look() -> None:
            while True:
                await asyncio.sleep(min(self._stale_seconds / 4, 1.0))
                self.check()

        task = asyncio.create_task(look(), name=f"polyrecord-watch-{self.source}")
        try:
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def stats(self) -> FeedStats:
        """Counters since the start."""
        return FeedStats(**self._counts)

    def _remember(self, token_id: Hashable, end: int, now: int) -> None:
        if len(self._tokens) >= self._most and token_id not in self._tokens:
            del self._tokens[next(iter(self._tokens))]
            self._counts["forgotten"] += 1
        self._tokens[token_id] = [end, now, 0]

    def _irregular(self, token_id: Hashable, seen: list[int], step: Step, now: int) -> bool:
        """A message out of its turn: a gap, an old one again, or numbers that begin anew."""
        expected, received, end, missing = step
        old = received < expected
        if old:
            self._counts["duplicates" if end == seen[0] else "out_of_order"] += 1
            seen[2] += 1
            if seen[2] < _RESTARTED:
                return True
        since = seen[1]
        seen[:] = end, now, 0
        missing = None if old else missing
        self._counts["gaps"] += 1
        self._counts["missing"] += missing or 0
        numbers = {"expected": expected, "received": received, "missing": missing}
        self._record("gap", "restart" if old else "sequence", now, since, token_id, numbers)
        return False

    def _resume(self, now: int, heard: int) -> None:
        """The first message of all, the first after a silence, or one on a connection nobody announced."""
        if heard == _NEVER:
            self._connect(now, heard)
            return
        with self._lock:
            self._counts["silences"] += not self.stale
            self.stale = False
        self._record("gap", "silence", now, heard)

    def _go_stale(self, now: int, heard: int) -> None:
        with self._lock:
            if self.stale or self._heard != heard:
                return
            self.stale = True
            self._counts["silences"] += 1
        self._record("stale", "silence", now, heard)

    def _arrived(self, token_id: str, now: int) -> None:
        since, _, told = self._awaited.pop(token_id, (0, 0, False))
        if told:
            self._record("gap", "no_snapshot", now, since, token_id)

    def _connect(self, now: int, heard: int) -> None:
        """Begin anew. `heard`: when the last message came, for a loss that nobody told of."""
        with self._lock:
            down, self._down = self._down, None
            self._heard, self.stale = now, False
            if down is None:
                if heard == _NEVER:
                    return  # the first connection
                down = _Down(heard, heard)
            self._tokens.clear()
            self._awaited.clear()
            self._counts["reconnects"] += 1
        data = {
            "source": self.source,
            "reason": down.reason,
            "attempt": down.attempts,
            "down_ms": (now - down.since) / _MILLION,
            "since_ts": None if down.heard == _NEVER else self._text(down.heard, now),
            "until_ts": self._text(now, now),
        }
        self._tell("reconnect", data)

    def _record(
        self,
        event_type: str,
        reason: str,
        now: int,
        since: int,
        token_id: Hashable = None,
        numbers: Mapping[str, int | None] | None = None,
    ) -> None:
        """Record a gap, or a silence that goes on; `since` is when the last message came."""
        data: dict[str, Any] = {"source": self.source, "reason": reason}
        if token_id is not None:
            data["token_id"] = str(token_id)
        data |= {**(numbers or {}), "silent_ms": (now - since) / _MILLION, "since_ts": self._text(since, now)}
        if event_type == "gap":
            data["until_ts"] = self._text(now, now)
        self._tell(event_type, data)

    def _text(self, moment: int, now: int) -> str:
        return format_ts(self._wall_ns() - (now - moment))

    def _tell(self, event_type: str, data: dict[str, Any]) -> None:
        if self._recorder is None:
            from polyrecord.record.default import default_recorder

            self._recorder = default_recorder()
        self._recorder.record(event_type, data)

    def _failed(self, what: str, error: Exception) -> None:
        """Count what a rule or a recorder raised, and say it once: messages come by the thousand."""
        self._counts["errors"] += 1
        if self._counts["errors"] == 1:
            message = "the monitor of %s failed at %s; more of this is only counted"
            LOG.error(message, self.source, what, exc_info=error)
