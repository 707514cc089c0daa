"""Replay: recorded events in recorded order, at any speed, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import aclosing
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from polyrecord.errors import UsageError
from polyrecord.read.absent import was_deleted
from polyrecord.read.archive import Archive, ShardInfo
from polyrecord.read.blocks import lines
from polyrecord.read.chain import Need, NeedBlock, NeedPlan, Reply
from polyrecord.read.decoded import Reading
from polyrecord.read.event import Event
from polyrecord.read.explain import Explain
from polyrecord.read.fetch import Fetcher
from polyrecord.read.load import damaged
from polyrecord.read.match import Matcher
from polyrecord.read.merge import Batch, Steps, merge
from polyrecord.read.order import never_goes_back
from polyrecord.read.pace import Pacer, Speed, check_speed
from polyrecord.read.plan import PlannedBlock, plan_shard
from polyrecord.read.selection import Selection, TraceQuery, read_window
from polyrecord.read.source import Source

if TYPE_CHECKING:
    from polyrecord.read.async_fetch import AsyncFetcher


def replay(
    root: Path | str | None = None,
    *,
    types: Iterable[str] | None = None,
    trace: str | None = None,
    since: str | int | None = None,
    until: str | int | None = None,
    speed: Speed = "max",
) -> Replay:
    """The recorded events of an archive, to be iterated with `for` or `async for`, as often as you like.

    `root` is POLYRECORD_ROOT or the current directory by default; `trace` an id or its beginning. Times are
    ns or text (`2026-11-20T12:00:00Z`, `-3h`, `today`), `since` inclusive, `until` exclusive. `speed` 1 waits
    as long between events as it took then, 10 a tenth of it, `max` not at all. Raises UsageError at once,
    ArchiveMissing at the first event.
    """
    if isinstance(types, str):
        raise UsageError(f"types is a text: {types!r}", hint=f"types=[{types!r}]")
    since_ns, until_ns = read_window(since, until, time.time_ns())
    selection = Selection(since_ns, until_ns, frozenset(types or ()), trace)
    return Replay(Archive(root), selection, speed=speed)


class Replay:
    """A replay that was asked for. `explain` tells what reading it took, over all iterations."""

    def __init__(
        self,
        source: Source,
        selection: Selection,
        *,
        speed: Speed = "max",
        explain: Explain | None = None,
        whole_id_wins: bool = True,
    ) -> None:
        """Touches no file; raises UsageError when the selection or the speed makes no sense.

        Where the trace selected is a whole id that was recorded, longer ones that begin with it are left
        out, unless `whole_id_wins` is False.
        """
        Matcher(selection)
        self._whole_id_wins = whole_id_wins
        self._speed = check_speed(speed)
        self._source = source
        self._selection = selection
        self.explain = explain if explain is not None else Explain()

    def __iter__(self) -> Iterator[Event]:
        return chain.from_iterable(self._portions())

    def lines(self) -> Iterator[bytes]:
        """The recorded lines, byte for byte, without their line feeds."""
        batches = self._batches() if self._speed is not None else self._read(named=False)
        return chain.from_iterable(batch.lines for batch in batches)

    async def __aiter__(self) -> AsyncIterator[Event]:
        reading = Reading()
        async with aclosing(self._batches_async()) as batches:
            async for batch in batches:
                for events in reading.portions(batch.lines, batch.writers):
                    for event in events:
                        yield event

    def _portions(self) -> Iterator[list[Event]]:
        reading = Reading()
        for batch in self._batches():
            yield from reading.portions(batch.lines, batch.writers)

    def _batches(self) -> Iterator[Batch]:
        """Batches when they are due: of single lines where the pace matters."""
        batches = self._read()
        if self._speed is None:
            yield from batches
            return
        pacer = Pacer(self._speed)
        for batch in batches:
            for single, ts_ns in _singles(batch):
                time.sleep(pacer.wait_seconds(ts_ns, time.monotonic_ns()))
                yield single

    async def _batches_async(self) -> AsyncGenerator[Batch, None]:
        import asyncio

        pacer = None if self._speed is None else Pacer(self._speed)
        async with aclosing(self._read_async()) as batches:
            async for batch in batches:
                if pacer is None:
                    yield batch
                    await asyncio.sleep(0)
                    continue
                for single, ts_ns in _singles(batch):
                    await asyncio.sleep(pacer.wait_seconds(ts_ns, time.monotonic_ns()))
                    yield single

    def _read(self, *, named: bool = True) -> Iterator[Batch]:
        """Drive the merge with plain reads."""
        fetcher = Fetcher()
        steps, matcher = self._start(named=named)
        reply: Reply = None
        try:
            while (step := _next(steps, reply)) is not None:
                reply = None
                if isinstance(step, Batch):
                    yield step
                elif isinstance(step, NeedBlock):
                    reply = self._block(fetcher, step)
                else:
                    reply = self._answer(step, matcher)
        finally:
            steps.close()
            fetcher.close()

    async def _read_async(self) -> AsyncGenerator[Batch, None]:
        """Drive the merge without blocking the loop: blocks through aiofiles, the rest in a thread."""
        import asyncio

        from polyrecord.read.async_fetch import AsyncFetcher

        fetcher = AsyncFetcher()
        steps, matcher = await asyncio.to_thread(self._start)
        reply: Reply = None
        try:
            while (step := _next(steps, reply)) is not None:
                reply = None
                if isinstance(step, Batch):
                    yield step
                elif isinstance(step, NeedBlock):
                    reply = await self._block_async(fetcher, step)
                else:
                    reply = await asyncio.to_thread(self._answer, step, matcher)
        finally:
            steps.close()
            await fetcher.close()

    def _start(self, *, named: bool = True) -> tuple[Steps, Matcher]:
        selection = self._selection
        if self._whole_id_wins:
            selection = prefer_exact(self._source, selection, self.explain)
        shards = self._source.shards(selection, self.explain)
        matcher = Matcher(selection)
        siblings = _siblings(self._source, shards)
        return merge(shards, siblings, matcher, self.explain, named=named), matcher

    def _answer(self, need: Need, matcher: Matcher) -> Reply:
        if isinstance(need, NeedPlan):
            return plan_shard(need.info, matcher, self.explain, everything=need.everything)
        assert not isinstance(need, NeedBlock)
        return need.reader.read()

    def _block(self, fetcher: Fetcher, need: NeedBlock) -> bytes | None:
        try:
            return fetcher.fetch(need.block)
        except OSError as error:
            self._lost(need.block, error)
            return None

    async def _block_async(self, fetcher: AsyncFetcher, need: NeedBlock) -> bytes | None:
        try:
            return await fetcher.fetch(need.block)
        except OSError as error:
            self._lost(need.block, error)
            return None

    def _lost(self, block: PlannedBlock, error: OSError) -> None:
        if not was_deleted(block.info, error):
            self.explain.found(damaged(block, f"block cannot be read: {error.strerror}"))


def _next(steps: Steps, reply: Reply) -> Need | Batch | None:
    try:
        return steps.send(reply)
    except StopIteration:
        return None


def _singles(batch: Batch) -> Iterator[tuple[Batch, int]]:
    for line, writer in zip(batch.lines, batch.writers, strict=True):
        yield Batch([line], [writer]), Event(line, writer).ts_ns


def _siblings(source: Source, shards: list[ShardInfo]) -> list[ShardInfo]:
    """All shards of the writers whose times may go back, where several writers have to be merged."""
    writers = {info.name.writer for info in shards}
    going_back = {writer for writer in writers if not never_goes_back(writer)}
    if len(writers) < 2 or not going_back:
        return []
    return [info for info in source.shards() if info.name.writer in going_back]


def prefer_exact(source: Source, selection: Selection, explain: Explain) -> Selection:
    """The selection, made exact when the trace it names is a whole id that was recorded."""
    if selection.trace is None or selection.exact or not TraceQuery(selection.trace).opaque:
        return selection
    exact = replace(selection, exact=True)
    looking = Explain(strict=explain.strict)
    found = next(lines(source, exact, looking), None)
    looking.forget_findings()
    explain.absorb(looking)
    return selection if found is None else exact
