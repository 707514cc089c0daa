"""Replay order (docs/format.md, section 7), filters, speed, memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from polyrecord.errors import ArchiveMissing, UsageError
from polyrecord.read.archive import Archive
from polyrecord.read.event import Event
from polyrecord.read.pace import Pacer
from polyrecord.read.replay import Replay, replay
from polyrecord.read.selection import Selection
from polyrecord.times import SECOND, format_ts
from tests.read.archives import NOON, RECORDER, ArchiveMaker, Given, open_again

TYPES = ("signal", "orderbook_delta", "latency", "loss")
TRACES = (
    None,
    "4f1c0000-0000-4000-8000-000000000001",
    "4F1C00000000400080000000000000AA",
    "order-1",
    "order-10",
    "4f1c-x",
)

wild = st.builds(
    Given,
    ts=st.integers(0, 40).map(lambda at: NOON - 20 * 3600 * SECOND + at * 3600 * SECOND),
    event_type=st.sampled_from(TYPES),
    data=st.sampled_from([b"{}", b'{"order_id":"A-7"}', b'{"ts":"x","seq":1,"trace_id":"order-1"}']),
    trace_id=st.sampled_from(TRACES),
)
sessions = st.lists(
    st.tuples(st.booleans(), st.lists(wild, max_size=25), st.integers(1, 600)), min_size=1, max_size=4
)


def write_sessions(maker: ArchiveMaker, made: list[tuple[bool, list[Given], int]]) -> None:
    """Each session by a writer of its own: recorders, whose time never goes back, and imports."""
    for number, (is_recorder, events, block_bytes) in enumerate(made):
        writer = f"2026112{number}t000000.h.1.aaaa" if is_recorder else f"import.{number:016x}"
        ordered = sorted(events, key=lambda event: event.ts) if is_recorder else events
        maker.write(ordered, writer, block_bytes=block_bytes, shard_events=7)


def any_examples(function: Callable[..., None]) -> Callable[..., None]:
    """Archives are made by a fixture that gives each example its own."""
    return settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])(function)


@any_examples
@given(made=sessions)
def test_replay_gives_every_line_in_the_order_of_the_specification(
    new_archive: Callable[[], ArchiveMaker], made: list[tuple[bool, list[Given], int]]
) -> None:
    maker = new_archive()
    write_sessions(maker, made)
    expected = maker.read()
    if not expected:
        with pytest.raises(ArchiveMissing):
            list(replay(maker.root))
        return
    assert [event.line for event in replay(maker.root)] == expected
    assert list(replay(maker.root).lines()) == expected

    async def collect() -> list[bytes]:
        return [event.line async for event in replay(maker.root)]

    assert asyncio.run(collect()) == expected


def wants(selection: Selection) -> Callable[[bytes], bool]:
    """The line filter, by parsing all of each line and comparing text the simple way."""

    def bare(text: str) -> str:
        plain = text.lower().replace("-", "")
        return plain if set(plain) <= set("0123456789abcdef") else text.lower()

    def fits_trace(trace_id: str | None, asked: str) -> bool:
        if trace_id is None:
            return False
        if bare(trace_id) == bare(asked):
            return True
        if selection.exact:
            return False
        is_opaque = bare(trace_id) == trace_id.lower() and not set(bare(trace_id)) <= set("0123456789abcdef")
        return (
            trace_id.lower().startswith(asked.lower())
            if is_opaque
            else bare(trace_id).startswith(bare(asked))
        )

    def wanted(line: bytes) -> bool:
        event = Event(line, "")
        return (
            (selection.since_ns is None or event.ts_ns >= selection.since_ns)
            and (selection.until_ns is None or event.ts_ns < selection.until_ns)
            and (not selection.types or event.event_type in selection.types)
            and (selection.trace is None or fits_trace(event.trace_id, selection.trace))
            and (selection.value is None or event.data.get("order_id", "").lower() == selection.value.lower())
        )

    return wanted


moments = st.none() | st.integers(-21, 22).map(lambda at: NOON + at * 3600 * SECOND)
selections = st.builds(
    Selection,
    since_ns=moments,
    until_ns=moments,
    types=st.frozensets(st.sampled_from(TYPES), max_size=2),
    trace=st.none()
    | st.sampled_from(["4f1c", "4f1c0000-0000-4000-8000-000000000001", "ORDER-1", "order", "4"]),
    value=st.none() | st.sampled_from(["a-7", "A-7", "nothing"]),
    exact=st.booleans(),
)


@any_examples
@given(made=sessions, selection=selections)
def test_pruning_and_filters_never_change_what_is_found_nor_its_order(
    new_archive: Callable[[], ArchiveMaker],
    made: list[tuple[bool, list[Given], int]],
    selection: Selection,
) -> None:
    """Also where an import's times go back and the latest time stands in an event that is not selected."""
    maker = new_archive()
    write_sessions(maker, made)
    everything = maker.read()
    if not everything:
        return
    asked = selection
    if selection.trace and any(map(wants(replace(selection, exact=True)), everything)):
        asked = replace(selection, exact=True)  # a whole id wins over longer ones
    expected = [line for line in everything if wants(asked)(line)]
    assert list(Replay(Archive(maker.root), selection).lines()) == expected


def test_replaying_twice_gives_the_same(archive: ArchiveMaker) -> None:
    archive.signals(50)
    asked = replay(archive.root)
    assert [e.line for e in asked] == [e.line for e in asked]


def test_one_block_per_stream_of_each_active_writer_is_in_memory(archive: ArchiveMaker) -> None:
    """Two writers at the same time with three streams each, and twenty later writers one after the other."""
    for writer in ("20261120t000001.a.1.aaaa", "20261120t000002.b.1.aaaa"):
        archive.write(
            [Given(NOON + at * SECOND, event_type=TYPES[at % 3]) for at in range(300)],
            writer,
            block_bytes=500,
        )
    for day in range(20):
        archive.write(
            [Given(NOON + (day + 1) * 1000 * SECOND + at) for at in range(50)],
            f"20261121t0000{day:02}.c.1.aaaa",
            block_bytes=500,
        )
    asked = replay(archive.root)
    assert list(asked.lines()) == archive.read()
    assert asked.explain.blocks_read > 100
    assert asked.explain.blocks_held_most == 6
    assert asked.explain.blocks_held == 0


def test_a_later_shard_is_not_opened_before_it_is_needed(archive: ArchiveMaker) -> None:
    archive.signals(100, shard_events=10)
    asked = replay(archive.root)
    lines = asked.lines()
    next(lines)
    assert asked.explain.shards_opened == 1
    assert asked.explain.shards_found >= 5


def test_many_writers_need_few_open_files(archive: ArchiveMaker) -> None:
    """More writers at once than files are kept open."""
    for number in range(80):
        archive.write(
            [Given(NOON + at * 80 + number) for at in range(6)],
            f"20261120t000000.h{number}.1.aaaa",
            block_bytes=200,
        )
    assert list(replay(archive.root).lines()) == archive.read()


def test_a_recorder_whose_times_go_back_against_its_word_stops_nothing(archive: ArchiveMaker) -> None:
    for number in (1, 2, 3):
        events = [Given(NOON + (at * 7 * number) % 50) for at in range(40)]
        archive.write(events, f"20261120t000000.h.{number}.aaaa", block_bytes=400)
    assert sorted(replay(archive.root).lines()) == sorted(archive.read())


def test_an_open_shard_is_replayed_and_may_be_sealed_meanwhile(archive: ArchiveMaker) -> None:
    first, *_ = archive.signals(40)
    lying_open = open_again(first)
    lines = replay(archive.root).lines()
    got = [next(lines)]
    lying_open.rename(first)
    assert [*got, *lines] == archive.read()


def test_a_shard_sealed_between_listing_and_opening_is_found(archive: ArchiveMaker) -> None:
    first, *_ = archive.signals(5)
    lying_open = open_again(first)
    infos = Archive(archive.root).shards()
    lying_open.rename(first)
    from polyrecord.read.explain import Explain
    from polyrecord.read.shard import open_shard

    index = open_shard(infos[0], Explain(strict=True))
    assert index is not None
    assert sum(index.types.values()) == 5


def test_events_show_their_members(archive: ArchiveMaker) -> None:
    archive.write([Given(NOON + 7, data=b'{"price":"0.5"}', trace_id="4F1C-aa", intent_id="i-1")])
    (event,) = replay(archive.root)
    assert (event.ts_ns, event.ts, event.seq) == (NOON + 7, format_ts(NOON + 7), 1)
    assert (event.event_type, event.trace_id, event.intent_id) == ("signal", "4F1C-aa", "i-1")
    assert (event.level, event.bot_id, event.span_id, event.parent_span_id) == (None, None, None, None)
    assert event.data == {"price": "0.5"}
    assert event.writer == RECORDER
    assert event.line == archive.read()[0]


def test_windows_are_since_inclusive_until_exclusive(archive: ArchiveMaker) -> None:
    archive.signals(10)
    asked = replay(archive.root, since=NOON + 2 * SECOND, until=format_ts(NOON + 5 * SECOND))
    assert [event.data["n"] for event in asked] == [2, 3, 4]


@pytest.mark.parametrize("speed", [0, -5, "fast", float("nan"), float("inf"), True])
def test_a_speed_that_makes_no_sense_is_refused_at_once(speed: float | str) -> None:
    with pytest.raises(UsageError, match="not a speed"):
        replay("/nowhere", speed=speed)


@pytest.mark.parametrize(("since", "until"), [(5, 5), (6, 5), ("2026-11-21", "2026-11-20")])
def test_an_empty_window_is_refused_at_once(since: str | int, until: str | int) -> None:
    with pytest.raises(UsageError, match="window is empty"):
        replay("/nowhere", since=since, until=until)


def test_an_unreadable_time_and_an_empty_trace_are_refused_at_once() -> None:
    with pytest.raises(UsageError, match="not a time"):
        replay("/nowhere", since="soonish")
    with pytest.raises(UsageError, match="trace id is empty"):
        replay("/nowhere", trace="")
    with pytest.raises(UsageError, match="types is a text"):
        replay("/nowhere", types="signal")


def test_the_pacer_keeps_gaps_and_ignores_steps_back() -> None:
    pacer = Pacer(2.0)
    now = 1_000 * SECOND
    assert pacer.wait_seconds(NOON, now) == 0
    assert pacer.wait_seconds(NOON + 10 * SECOND, now) == 5
    assert pacer.wait_seconds(NOON + 4 * SECOND, now) == 5
    assert pacer.wait_seconds(NOON + 12 * SECOND, now) == 6
    assert pacer.wait_seconds(NOON + 12 * SECOND, now + 7 * SECOND) == 0


def test_a_late_event_does_not_shift_those_after_it() -> None:
    pacer = Pacer(1.0)
    pacer.wait_seconds(NOON, 0)
    assert pacer.wait_seconds(NOON + SECOND, 3 * SECOND) == 0
    assert pacer.wait_seconds(NOON + 5 * SECOND, 3 * SECOND) == 2


class FakeTime:
    """A monotonic clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic_ns(self) -> int:
        return round(self.now * 1e9)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.now += seconds


def test_replay_sleeps_as_long_as_it_took_then(
    archive: ArchiveMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.signals(11)
    fake = FakeTime()
    monkeypatch.setattr("polyrecord.read.replay.time", fake)
    asked = Replay(Archive(archive.root), Selection(), speed=0.5)
    seen = [(event.data["n"], fake.now) for event in asked]
    assert seen == [(n, 2.0 * n) for n in range(11)]


async def test_async_replay_sleeps_as_long_as_it_took_then(
    archive: ArchiveMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.signals(11)
    fake = FakeTime()
    monkeypatch.setattr("polyrecord.read.replay.time", fake)
    monkeypatch.setattr("asyncio.sleep", fake.sleep_async)
    asked = Replay(Archive(archive.root), Selection(), speed=10)
    seen = [(event.data["n"], fake.now) async for event in asked]
    assert [n for n, _ in seen] == list(range(11))
    assert [at for _, at in seen] == pytest.approx([0.1 * n for n in range(11)])


async def test_an_async_replay_may_be_left_early(archive: ArchiveMaker) -> None:
    archive.signals(100)
    stream = aiter(replay(archive.root))
    first = await anext(stream)
    await stream.aclose()  # type: ignore[attr-defined]
    assert first.line == archive.read()[0]
