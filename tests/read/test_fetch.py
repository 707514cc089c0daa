"""Reading block by block: the fast way gives what the patient one does, and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyrecord.read import chain, sift
from polyrecord.read.archive import Archive, ShardInfo
from polyrecord.read.blocks import chunks
from polyrecord.read.event import Event
from polyrecord.read.explain import Explain
from polyrecord.read.files import OpenFiles
from polyrecord.read.lines import are_regular
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.times import SECOND
from tests.read.archives import NOON, ArchiveMaker, Given

WRITERS = ("20261120t120000.host.1.aaaa", "20261120t120000.host.2.bbbb")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Has every line looked at on its own, or not."""
    usual = are_regular

    def turn(on: bool) -> None:
        for module in (chain, sift):
            monkeypatch.setattr(module, "are_regular", (lambda *_, **__: False) if on else usual)

    return turn


def busy(maker: ArchiveMaker, events: int = 400) -> list[Path]:
    """Two writers whose events of two streams alternate, a dozen blocks and more in each shard."""
    paths: list[Path] = []
    for at, writer in enumerate(WRITERS):
        given = (
            Given(NOON + n * SECOND + at, ("signal", "trade")[n % 2], b'{"n":%d,"pad":"%s"}' % (n, b"x" * 60))
            for n in range(events)
        )
        paths += maker.write(given, writer)
    return paths


def everything(maker: ArchiveMaker) -> tuple[Any, ...]:
    """What replay and chunks give, and what they say of it; paths told by their names."""
    replayed, cut = Explain(), Explain()
    lines = list(Replay(Archive(maker.root), Selection(), explain=replayed).lines())
    pieces = list(chunks(Archive(maker.root), Selection(), cut))
    return lines, pieces, told(replayed), told(cut)


def told(explain: Explain) -> tuple[Any, ...]:
    """What was read and kept, and the findings."""
    names = ("blocks_read", "bytes_inflated", "bytes_read", "lines_read", "lines_kept", "torn_bytes")
    return tuple(getattr(explain, name) for name in names), [
        (finding.path.name, finding.offset, finding.bytes, finding.events, finding.reason, finding.counted)
        for finding in explain.damage
    ]


def open_files() -> int:
    """How many descriptors this process has open."""
    return len(list(Path("/dev/fd").iterdir()))


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_damaged_the_answer_is_that_of_looking_at_every_line(
    new_archive: Callable[[], ArchiveMaker], patient: Callable[[bool], None], data: st.DataObject
) -> None:
    maker = new_archive()
    for path in busy(maker, 120):
        content = bytearray(path.read_bytes())
        for _ in range(data.draw(st.integers(0, 3))):
            at = data.draw(st.integers(0, len(content) - 1))
            content[at] = data.draw(st.integers(0, 255))
        end = data.draw(st.sampled_from([len(content), len(content) - 1, len(content) // 2]))
        path.write_bytes(content[:end])
    patient(True)
    alone = everything(maker)
    patient(False)
    assert everything(maker) == alone


@pytest.mark.parametrize("taken", [0, 1, 50, None])
def test_an_iterator_closes_its_files_wherever_it_is_left(archive: ArchiveMaker, taken: int | None) -> None:
    busy(archive)
    before = open_files()
    for iterate in (_lines, _events, _chunks):
        iterator = iterate(archive)
        for _ in range(taken if taken is not None else 10_000):
            next(iterator, None)
        del iterator
    assert open_files() == before


def _lines(maker: ArchiveMaker) -> Iterator[object]:
    return Replay(Archive(maker.root), Selection()).lines()


def _events(maker: ArchiveMaker) -> Iterator[object]:
    return iter(Replay(Archive(maker.root), Selection()))


def _chunks(maker: ArchiveMaker) -> Iterator[object]:
    return chunks(Archive(maker.root), Selection(), Explain())


def test_two_iterations_at_a_time_do_not_meet(archive: ArchiveMaker) -> None:
    busy(archive)
    expected = archive.read()
    first, second = _lines(archive), _lines(archive)
    pairs = list(zip(first, second, strict=True))
    assert [line for line, _ in pairs] == [line for _, line in pairs] == expected


def test_after_a_fork_both_processes_read_on_to_the_end(archive: ArchiveMaker) -> None:
    busy(archive)
    lines = Replay(Archive(archive.root), Selection()).lines()
    begun = [next(lines) for _ in range(20)]
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writable, digest([*begun, *lines]))
        os._exit(0)
    os.close(writable)
    assert digest([*begun, *lines]) == digest(archive.read())
    with os.fdopen(readable, "rb") as pipe:
        assert pipe.read() == digest(archive.read())
    assert os.waitpid(child, 0)[1] == 0


def digest(lines: list[bytes]) -> bytes:
    """A text of fixed length that tells lists of lines apart."""
    return sha256(b"\n".join(lines)).digest()


async def test_an_async_replay_gives_the_same_and_leaves_nothing_behind(archive: ArchiveMaker) -> None:
    busy(archive)
    replay = Replay(Archive(archive.root), Selection())
    assert [event.line async for event in replay] == archive.read()
    before = open_files()
    for taken in (0, 1, 50):
        events = cast("AsyncGenerator[Event, None]", aiter(replay))
        for _ in range(taken):
            await anext(events)
        await events.aclose()
    assert open_files() == before


async def test_an_async_replay_that_is_cancelled_while_it_reads_leaves_nothing_behind(
    archive: ArchiveMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy(archive)
    begun, go_on = threading.Event(), threading.Event()
    read_at = OpenFiles.read_at

    def slow(self: OpenFiles, info: ShardInfo, offset: int, length: int) -> bytes:
        begun.set()
        go_on.wait(10)
        return read_at(self, info, offset, length)

    monkeypatch.setattr(OpenFiles, "read_at", slow)
    before = open_files()
    reading = asyncio.create_task(_count(Replay(Archive(archive.root), Selection())))
    await asyncio.to_thread(begun.wait, 10)
    reading.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert open_files() == before


async def _count(replay: Replay) -> int:
    events = cast("AsyncGenerator[Event, None]", aiter(replay))
    try:
        return len([event async for event in events])
    finally:
        await events.aclose()
