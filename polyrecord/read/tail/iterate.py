"""Following an archive from code: `for` and `async for` over its events as they are flushed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Final

from polyrecord.errors import UsageError
from polyrecord.read.event import Event
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection, read_window
from polyrecord.read.tail.cursor import Cursor, cursor_path
from polyrecord.read.tail.feed import Feed, FeedBatch
from polyrecord.settings.root import archive_root

POLL_SECONDS: Final = 0.15


def follow(
    root: Path | str | None = None,
    *,
    types: Iterable[str] | None = None,
    trace: str | None = None,
    since: str | int | None = None,
    cursor: str | None = None,
    from_start: bool = False,
) -> Follow:
    """The events of an archive as they are flushed, without end, to be iterated with `for` or `async for`.

    It begins now, or at `since`, or with `from_start` at the first event; with `cursor` where the reader of
    that name stopped: behind the last event it took. The position is kept after each batch and when the
    iteration is closed, so only a crash brings the batch under way a second time. The archive need not be
    there yet. Raises UsageError.
    """
    if isinstance(types, str):
        raise UsageError(f"types is a text: {types!r}", hint=f"types=[{types!r}]")
    since_ns, _ = read_window(since, None, time.time_ns())
    selection = Selection(since_ns, None, frozenset(types or ()), trace)
    place = archive_root(root)
    everything = from_start or since is not None
    return Follow(
        place, selection, None if cursor is None else cursor_path(place, cursor), everything=everything
    )


class Follow:
    """A following that was asked for; each iteration is one of its own. `explain` tells what it met."""

    def __init__(self, root: Path, selection: Selection, cursor: Path | None, *, everything: bool) -> None:
        self.explain = Explain()
        self._root, self._selection = root, selection
        self._cursor, self._everything = cursor, everything

    def __iter__(self) -> Iterator[Event]:
        position = self._begin()
        try:
            while True:
                for batch in position.feed.poll():
                    yield from position.events(batch)
                time.sleep(POLL_SECONDS)
        finally:
            position.close()

    async def __aiter__(self) -> AsyncIterator[Event]:
        import asyncio

        position = await asyncio.to_thread(self._begin)
        try:
            while True:
                batches = position.feed.poll()
                while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                    for event in position.events(batch):
                        yield event
                await asyncio.sleep(POLL_SECONDS)
        finally:
            position.close()

    def _begin(self) -> _Position:
        cursor = None if self._cursor is None else Cursor(self._cursor)
        feed = Feed(self._root, self._selection, self.explain, None if cursor is None else cursor.positions)
        if not self._everything and (cursor is None or cursor.is_new):
            feed.skip(exactly=cursor is not None)
            if cursor is not None:
                cursor.move(feed.positions)
                cursor.save()
        return _Position(feed, cursor)


class _Position:
    """A feed, and the cursor that goes with it."""

    def __init__(self, feed: Feed, cursor: Cursor | None) -> None:
        self.feed = feed
        self._cursor = cursor

    def events(self, batch: FeedBatch) -> Iterator[Event]:
        """The events of a batch; those that were taken are behind the cursor, however the iteration ends."""
        taken = 0
        try:
            for line, (writer, _) in zip(batch.lines, batch.places, strict=True):
                taken += 1
                yield Event(line, writer)
        finally:
            if self._cursor is not None:
                self._cursor.move(batch.moved_by(taken))
                if batch.lines:
                    self._cursor.save()

    def close(self) -> None:
        """Keep the position as it is now."""
        if self._cursor is not None:
            self._cursor.close()
