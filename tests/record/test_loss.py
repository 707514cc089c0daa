"""Overload: what gives way is counted, declared, and covered to the last number."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from polyrecord.errors import ConfigError
from polyrecord.events.names import EventType
from polyrecord.record.buffer import Buffer
from polyrecord.record.item import OVERHEAD, Item, item_size
from polyrecord.record.policy import Overload
from polyrecord.record.recorder import EventRecorder
from polyrecord.testing import read_lines
from tests.record.archives import assert_accounted, blocks, of_type

PAYLOAD = b'{"n":1}\n'


def event(number: int, event_type: str = "signal") -> Item:
    return (number, event_type, None, PAYLOAD, None, None)


def opened(limit: int, overload: Overload) -> Buffer:
    buffer = Buffer(limit * (OVERHEAD + len(PAYLOAD)), overload)
    buffer.open()
    return buffer


def times(buffer: Buffer) -> list[int]:
    return [item[0] for item in buffer.items if isinstance(item, tuple)]


def test_the_oldest_events_give_way() -> None:
    buffer = opened(10, Overload.DROP_OLDEST)
    assert all(buffer.put(event(number), item_size(event(number))) for number in range(1, 26))
    assert times(buffer) == list(range(16, 26))
    loss = buffer.drops.take()
    assert loss is not None
    assert (loss.count, loss.since_mono, loss.until_mono, buffer.drops.total) == (15, 1, 15, 15)


def test_the_newest_events_give_way() -> None:
    buffer = opened(10, Overload.DROP_NEWEST)
    kept = [buffer.put(event(number), item_size(event(number))) for number in range(1, 26)]
    assert kept == [True] * 10 + [False] * 15
    assert times(buffer) == list(range(1, 11))
    loss = buffer.drops.take()
    assert loss is not None
    assert (loss.count, loss.since_mono, loss.until_mono) == (15, 11, 25)
    assert buffer.drops.take() is None


@pytest.mark.parametrize("overload", list(Overload))
def test_an_event_larger_than_the_buffer_gives_way_itself(overload: Overload) -> None:
    buffer = opened(2, overload)
    assert buffer.put(event(1), item_size(event(1)))
    huge: Item = (2, "signal", None, b"x" * 10_000, None, None)
    assert not buffer.put(huge, item_size(huge))
    assert times(buffer) == [1]


def test_a_closed_buffer_drops_the_newcomer_and_keeps_what_it_has() -> None:
    """A thread that was on its way in when another one closed the recorder."""
    buffer = opened(10, Overload.DROP_OLDEST)
    assert buffer.put(event(1), item_size(event(1)))
    buffer.close()
    assert not buffer.put(event(2), item_size(event(2)))
    assert times(buffer) == [1]
    assert buffer.drops.total == 1


@pytest.mark.parametrize("overload", ["drop_oldest", "drop_newest"])
def test_whatever_is_lost_from_many_threads_is_declared(tmp_path: Path, overload: str) -> None:
    """The root is a file at first: nothing is written, the buffer fills, then everything flows."""
    root = tmp_path / "archive"
    root.write_text("in the way")
    types = ("signal", EventType.TRADE, "latency", "made up")

    def work(name: int) -> None:
        for number in range(3000):
            recorder.record(types[number % 4], {"thread": name, "n": number})

    recorder = EventRecorder(root, overload=overload, buffer_bytes=600_000)
    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    root.unlink()
    assert recorder.close().wait(20).ok
    stats = recorder.stats()
    losses = of_type(read_lines(root), "loss")
    assert stats.dropped == sum(loss["data"]["count"] for loss in losses) > 0
    assert len(read_lines(root)) - len(losses) == 12_000 - stats.dropped
    assert {loss["data"]["reason"] for loss in losses} == {"buffer_full"}
    assert_accounted(root)


def test_the_typed_helpers_lose_events_as_any_other(tmp_path: Path) -> None:
    """They name types by enum members, which are no plain text."""
    root = tmp_path / "archive"
    root.write_text("in the way")
    recorder = EventRecorder(root, buffer_bytes=2000)
    for _ in range(50):
        recorder.record_trade("t", "0.5", "1", "BUY")
        recorder.record_signal(strategy="s")
    root.unlink()
    assert recorder.close().wait(20).ok
    (loss, *more) = of_type(read_lines(root), "loss")
    assert set(loss["data"]["event_types"]) <= {"trade", "signal"}
    assert sum(entry["data"]["count"] for entry in (loss, *more)) == recorder.stats().dropped > 0
    assert_accounted(root)


def test_a_bad_stream_is_declared_as_a_loss(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        assert recorder.record("signal", {})
        assert not recorder.record("signal", {}, stream="../../etc")
        assert recorder.record("signal", {})
    (loss,) = of_type(read_lines(tmp_path), "loss")
    assert (loss["data"]["count"], loss["data"]["event_types"]) == (1, {"signal": 1})
    assert_accounted(tmp_path)


def test_coverage_is_known_from_headers_alone(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        for _ in range(5):
            recorder.record("signal", {}, stream="nowhere")
        recorder.record("signal", {})
    assert sum(block.header.lost for block in blocks(tmp_path)) == 5


@pytest.mark.parametrize("options", [{"buffer_bytes": 0}, {"buffer_size": 0}, {"flush_interval": 0},
                                     {"block_bytes": -1}, {"flush_interval": float("nan")}])  # fmt: skip
def test_a_size_or_time_that_is_not_positive_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must be positive"):
        EventRecorder(**options)  # type: ignore[arg-type]
