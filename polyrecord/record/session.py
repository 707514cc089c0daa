"""One recorder session: a writer id, and the drain and writer threads that serve it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from polyrecord.clock import Clock
from polyrecord.record.blocks import PendingBlock
from polyrecord.record.buffer import Buffer
from polyrecord.record.compacting import Compacting
from polyrecord.record.drain import Drain
from polyrecord.record.health import Health, HealthState
from polyrecord.record.identity import Manifest, new_writer_id, session_manifest
from polyrecord.record.numbering import Numbering
from polyrecord.record.others import recoveries
from polyrecord.record.outcomes import FlushOutcome, FlushTicket, LossNotice, RecorderStats
from polyrecord.record.policy import (
    BlockPolicy,
    DiskPolicy,
    FlushPolicy,
    Recover,
    RetryPolicy,
    RotatePolicy,
    SyncMode,
    SyncPolicy,
)
from polyrecord.record.shards import ShardSet
from polyrecord.record.space import FreeSpace
from polyrecord.record.steps import Steps
from polyrecord.record.trouble import TroubleFile
from polyrecord.record.writer import Writer
from polyrecord.times import format_ts


class Session:
    """Joins buffer, numbering, shards and the two threads; makes no file and no thread before `start`."""

    def __init__(
        self,
        root: Path,
        buffer: Buffer,
        clock: Clock,
        *,
        flush: FlushPolicy,
        blocks: BlockPolicy,
        rotate: RotatePolicy,
        sync: SyncPolicy,
        retry: RetryPolicy,
        disk: DiskPolicy,
        recover: Recover,
        compact: bool,
        index_keys: Iterable[str],
        steps: Callable[[], Steps],
        redact: Callable[[str], str],
        on_loss: Callable[[LossNotice], object] | None,
        manifest: Mapping[str, Any],
    ) -> None:
        started = clock.wall_ns()
        self.writer = new_writer_id(started)
        self._root = root
        self._buffer = buffer
        self._clock = clock
        self._recover = recover
        self._steps = steps()
        self._trouble = TroubleFile(root, self.writer, clock.wall_ns, redact)
        options = {"sync": sync, "rotate": rotate, "flush": flush, **manifest}
        self._manifest = Manifest(root, self.writer, session_manifest(self.writer, started, options))
        self._shards = ShardSet(
            root, self.writer, rotate, clock.mono_ns, self._manifest.ensure,
            retain=sync.mode is not SyncMode.NEVER,
        )  # fmt: skip
        self._writer = Writer(
            self._shards, clock, sync, retry, FreeSpace(root, disk), self._trouble,
            on_written=buffer.release, join_seconds=rotate.join_seconds, on_lost=self._lose,
            on_end=self._write_end, compacting=Compacting(root) if compact else None,
        )  # fmt: skip
        self._numbering = Numbering(self._writer.write, blocks, index_keys)
        self._drain = Drain(buffer, self._numbering, self._writer, flush, clock, self._steps, on_loss)
        self._manifest.content["index_keys"] = list(self._numbering.declared_paths)

    def start(self, manifest: Mapping[str, Any], recovered: Callable[[str, dict[str, Any]], object]) -> None:
        """Start the threads; `manifest` is what became known since, `recovered` records what was made whole.

        Raises RuntimeError when the system has no threads left; it may be called again.
        """
        self._manifest.content.update(manifest)
        self._writer.start()
        self._drain.start()
        if self._recover is not Recover.NEVER:
            threading.Thread(
                target=self._recover_dead, args=(recovered,), name="polyrecord-recover", daemon=True
            ).start()

    def _recover_dead(self, recovered: Callable[[str, dict[str, Any]], object]) -> None:
        """Seal what writers that are dead left open; beside the recording, which need not wait for it."""
        for data in recoveries(self._root, self._recover, self.writer, self._trouble):
            recovered("recovered", data)

    def _lose(self, block: PendingBlock) -> None:
        self._drain.lost_blocks.append(block)

    def _write_end(self) -> None:
        if self._shards.events:
            ended = format_ts(self._clock.wall_ns())
            self._manifest.write(ended=ended, streams=self._shards.totals)

    def expect(self, ticket: FlushTicket) -> None:
        """Know of a flush that is on its way through the buffer."""
        self._writer.expect(ticket)

    def refusal(self) -> FlushOutcome | None:
        """What whoever wants to flush is told at once, or None."""
        return self._writer.refusal()

    def hasten(self) -> None:
        """A close has begun: a failing disk is waited for only so long from now on."""
        self._drain.hasten()
        self._writer.hasten()

    def abandon(self) -> None:
        """Let go of the files without writing, unlocking or removing anything: they are another process's."""
        self._shards.abandon()

    def wake(self) -> None:
        """Let the drain look at the buffer now."""
        self._drain.wake()

    def hurry(self) -> None:
        """The buffer is full: let the drain make room, unless the disk keeps it from that."""
        if not self._writer.stuck:
            self._drain.wake()

    def outcome(self) -> FlushOutcome:
        """How things stand, as a flush would answer."""
        return self._writer.outcome(durable=not self._shards.unsynced)

    def health(self, *, started: bool, closed: bool) -> Health:
        """How recording goes now."""
        state = self._writer.health() if started else HealthState.IDLE
        if closed and state in {HealthState.IDLE, HealthState.OK}:
            state = HealthState.CLOSED
        return Health(
            state=state,
            error=self._writer.last_error,
            failures=self._writer.failures,
            waiting_bytes=self._buffer.used,
            dropped=self._buffer.drops.total + self._writer.given_up,
        )

    def stats(self, *, kept_as_repr: int, refused: int) -> RecorderStats:
        """All counters."""
        given_up = self._writer.given_up
        return RecorderStats(
            recorded=self._numbering.kept + self._buffer.waiting,
            written=self._shards.events,
            dropped=self._buffer.drops.total + given_up,
            dropped_by={**self._buffer.drops.by_reason, **({"write_error": given_up} if given_up else {})},
            sampled_out=self._steps.sampled_out,
            buffered_bytes=self._buffer.used,
            blocks=self._shards.blocks,
            bytes=self._shards.bytes,
            shards_sealed=len(self._shards.sealed),
            kept_as_repr=kept_as_repr,
            refused=refused,
            write_errors=self._writer.errors,
            last_error=self._writer.last_error,
        )
