"""One recorder session: a writer id, and the drain and writer threads that serve it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from polyrecord.clock import Clock
from polyrecord.record.buffer import Buffer
from polyrecord.record.drain import Drain
from polyrecord.record.identity import new_writer_id, session_manifest, write_manifest
from polyrecord.record.numbering import Numbering
from polyrecord.record.outcomes import FlushOutcome, RecorderStats
from polyrecord.record.policy import BlockPolicy, FlushPolicy, RetryPolicy, RotatePolicy, SyncPolicy
from polyrecord.record.shards import ShardSet
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
        index_keys: Iterable[str],
        manifest: Mapping[str, Any],
    ) -> None:
        started = clock.wall_ns()
        self.writer = new_writer_id(started)
        self._root = root
        self._buffer = buffer
        self._clock = clock
        self._shards = ShardSet(root, self.writer, rotate, clock.mono_ns, self._write_manifest)
        self._writer = Writer(self._shards, clock, sync, retry, buffer.release, self._write_end)
        self._numbering = Numbering(self._writer.write, blocks, index_keys)
        self._drain = Drain(buffer, self._numbering, self._writer, flush, clock)
        options = {"index_keys": list(self._numbering.declared_paths), "sync": sync, "rotate": rotate}
        self._manifest = session_manifest(self.writer, started, {**options, "flush": flush, **manifest})

    def start(self, manifest: Mapping[str, Any]) -> None:
        """Start the threads; `manifest` is what became known since."""
        self._manifest.update(manifest)
        self._writer.start()
        self._drain.start()

    def _write_manifest(self) -> None:
        write_manifest(self._root, self.writer, self._manifest)

    def _write_end(self) -> None:
        if self._shards.events:
            self._manifest["ended"] = format_ts(self._clock.wall_ns())
            self._write_manifest()

    def hasten(self) -> None:
        """A close has begun: a failing disk is waited for only so long from now on."""
        self._writer.hasten()

    def abandon(self) -> None:
        """Let go of the files without writing, unlocking or removing anything: they are another process's."""
        self._shards.abandon()

    def wake(self) -> None:
        """Let the drain look at the buffer now."""
        self._drain.wake()

    def outcome(self) -> FlushOutcome:
        """How things stand, as a flush would answer."""
        return self._writer.outcome(durable=not self._shards.unsynced)

    def stats(self, *, kept_as_repr: int, refused: int) -> RecorderStats:
        """All counters."""
        return RecorderStats(
            recorded=self._numbering.kept + len(self._buffer.items),
            written=self._shards.events,
            dropped=self._buffer.dropped + self._writer.given_up,
            buffered_bytes=self._buffer.used,
            blocks=self._shards.blocks,
            bytes=self._shards.bytes,
            shards_sealed=len(self._shards.sealed),
            kept_as_repr=kept_as_repr,
            refused=refused,
            write_errors=self._writer.errors,
            last_error=self._writer.last_error,
        )
