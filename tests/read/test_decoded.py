"""Events of a replay are what an Event read on its own is, whatever the line."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.read import decoded
from polyrecord.read.decoded import AT_ONCE, Reading
from polyrecord.read.event import Event, NotAnEvent
from polyrecord.read.lines import are_regular, ended_lines, is_regular, split_lines

NAMES = (
    "line", "writer", "ts", "ts_ns", "seq", "event_type", "trace_id", "span_id", "parent_span_id", "bot_id",
    "intent_id", "level", "reason_code", "data",
)  # fmt: skip
TS = "2026-11-20T12:00:00.000000001Z"


def line(**members: Any) -> bytes:
    """An event line of ours with these further members."""
    return json.dumps(
        {"ts": TS, "seq": 1, "event_type": "x", **members}, separators=(",", ":"), ensure_ascii=False
    ).encode("utf-8", "backslashreplace")


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 80), 1 << 80) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
members = st.dictionaries(
    st.sampled_from([*NAMES[2:], "line, no member", "writer, no member", "_data", "more"]), values, max_size=4
)
any_lines = st.lists(members.map(lambda given: line(**given)) | st.binary(max_size=20), max_size=6)


def seen(event: Event) -> list[object]:
    """Every attribute, or the reason why there is none."""
    found: list[object] = []
    for name in NAMES:
        try:
            value = getattr(event, name)
            found.append((type(value), repr(value)))
        except (NotAnEvent, ValueError) as error:
            found.append(str(error))
    return found


def read(lines: list[bytes], *, whole: bool) -> Iterator[Event]:
    """Events as a replay gives them, `data` read with the envelope or when asked."""
    reading = Reading()
    reading._whole = int(whole) * 100
    for events in reading.portions(lines, ["w"] * len(lines)):
        yield from events


@given(lines=any_lines, whole=st.booleans())
def test_every_attribute_is_that_of_an_event_read_on_its_own(lines: list[bytes], whole: bool) -> None:
    events = list(read(lines, whole=whole))
    assert [seen(event) for event in events] == [seen(Event(line, "w")) for line in lines]
    assert all(isinstance(event, Event) for event in events)


@pytest.mark.parametrize("whole", [False, True])
def test_data_is_the_same_object_every_time(whole: bool) -> None:
    (event,) = read([line(data={"n": 1})], whole=whole)
    assert event.data == {"n": 1}
    assert event.data is event.data
    assert event.envelope.event_type == "x"
    assert repr(event) == repr(Event(event.line, "w"))


def test_an_integer_beyond_64_bits_is_kept_exactly() -> None:
    number = 70_000_000_000_000_000_000_000_000_000_000_001
    for whole in (False, True):
        (event,) = read([line(data={"token": number})], whole=whole)
        assert event.data == {"token": number}
    assert Event(line(data=number), "w").data == number


def test_data_is_read_with_the_envelope_once_most_events_were_asked_for_it() -> None:
    lines = [line(data={"n": n}) for n in range(5 * AT_ONCE)]
    kinds, found = [], []
    for events in Reading().portions(lines, ["w"] * len(lines)):
        kinds.append(type(events[0]).__name__)
        found += [event.data["n"] for event in events]
    assert kinds == ["_Lazy"] + ["_Whole"] * 4
    assert found == list(range(len(lines)))


def test_data_that_few_are_asked_for_stays_as_it_is_written() -> None:
    lines = [line(data={"n": n}) for n in range(5 * AT_ONCE)]
    for events in Reading().portions(lines, ["w"] * len(lines)):
        assert type(events[0]).__name__ == "_Lazy"
        _ = [event.data for event in events[::4]]


def test_whether_data_is_wanted_is_found_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoded, "_LOOK_AGAIN", 2)
    lines = [line(data={"n": n}) for n in range(6 * AT_ONCE)]
    kinds = []
    for events in Reading().portions(lines, ["w"] * len(lines)):
        kinds.append(type(events[0]).__name__)
        if len(kinds) < 3:
            _ = [event.data for event in events]
    assert kinds == ["_Lazy", "_Whole", "_Whole", *["_Lazy"] * 3]


regular_lines = st.builds(
    lambda seq, rest: b'{"ts":"%s","seq":%d,"%s}' % (TS.encode(), seq, rest),
    st.integers(0, 1200), st.binary(max_size=4).filter(lambda rest: b"\n" not in rest),
)  # fmt: skip
odd_lines = st.binary(max_size=60).filter(lambda odd: b"\n" not in odd)


@given(
    lines=st.lists(regular_lines | odd_lines, max_size=5),
    at=st.integers(0, 60),
    byte=st.binary(min_size=1, max_size=1),
)
def test_lines_are_regular_together_where_each_of_them_is(lines: list[bytes], at: int, byte: bytes) -> None:
    if lines and byte != b"\n":
        lines[0] = lines[0][:at] + byte + lines[0][at + 1 :]
    ended = [one + b"\n" for one in lines]
    assert are_regular(lines) == are_regular(ended, ended=True) == is_regular(b"".join(ended))


contents = st.lists(st.sampled_from([b"", b"a", b"\n", b"\r", b"\r\n", b"\x0b", b"\x85"])).map(b"".join)


@given(content=contents)
def test_a_content_is_split_at_line_feeds_alone(content: bytes) -> None:
    assert split_lines(content) == content.split(b"\n")[:-1]
    assert b"".join(ended_lines(content)) == content
    assert len(ended_lines(content + b"\n")) == content.count(b"\n") + 1


@pytest.mark.parametrize("whole", [False, True])
def test_an_event_that_is_pickled_is_an_event_of_the_same_line(whole: bool) -> None:
    (event,) = read([line(data={"n": 1}, trace_id="t")], whole=whole)
    assert seen(pickle.loads(pickle.dumps(event))) == seen(event)


def test_threads_that_read_at_the_same_time_have_each_their_own_lines() -> None:
    """Whoever finds another thread at it reads its events one by one."""
    lines = [line(data={"n": n}) for n in range(50)]
    assert decoded._making.acquire(blocking=False)
    try:
        events = list(read(lines, whole=False))
    finally:
        decoded._making.release()
    assert {type(event) for event in events} == {Event}
    assert [seen(event) for event in events] == [seen(event) for event in read(lines, whole=False)]


def test_nothing_of_what_could_not_be_read_is_left_for_those_that_come_later() -> None:
    whole, broken = line(data={"n": 1}), line(data={"n": 2})[:-3]
    for lines in ([whole, broken], [whole + whole], [whole]):
        events = list(read(lines, whole=False))
        assert [event.line for event in events] == lines
    assert len(decoded._lines) == len(decoded._writers) == 0


def test_a_member_named_as_what_is_no_member_changes_nothing() -> None:
    odd = line(data={"n": 1}, **{"line, no member": "x", "writer, no member": "y"})
    (event,) = read([odd], whole=False)
    assert (event.line, event.writer, event.data) == (odd, "w", {"n": 1})
