"""What becomes of data: docs/format.md section 2 row by row, hostile objects, typed helpers."""

from __future__ import annotations

import base64
import datetime
import json
import sys
from collections import OrderedDict, UserDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import InvalidEvent
from polyrecord.record.admission import encode_frame
from polyrecord.record.encode import decimal_text, encode_special, money_text, rescue
from polyrecord.record.item import CLOSE
from polyrecord.record.recorder import EventRecorder
from polyrecord.testing import read_lines


@dataclass
class Point:
    x: int
    y: Decimal


class OldKind(str, Enum):  # noqa: UP042 - the way bots wrote it before StrEnum
    SIGNAL = "signal"


class Colour(Enum):
    RED = "red"


class Kind(StrEnum):
    MADE_UP = "made_up"


class Opaque:
    def __repr__(self) -> str:
        return "<opaque>"


class Hostile:
    def __repr__(self) -> str:
        raise RuntimeError("no")

    __str__ = __repr__

    def __hash__(self) -> int:
        return 7

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no")


class HostileMapping(UserDict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("no")


class HostileClass:
    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise RuntimeError("no")


def written(data: Any) -> tuple[Any, int]:
    """What a recorder writes for `data`, and how often it had to take a repr."""
    try:
        return orjson.loads(orjson.dumps(data, encode_special)), 0
    except Exception:  # noqa: BLE001 - as record() does
        return orjson.loads(rescue(data)), 1


def circular() -> dict[str, Any]:
    data: dict[str, Any] = {"a": 1}
    data["self"] = data
    return data


def nested(levels: int, make: Callable[[Any], Any] = lambda inner: [inner]) -> Any:
    data: Any = 1
    for _ in range(levels):
        data = make(data)
    return data


@pytest.mark.parametrize(
    ("given_", "line", "reprs"),
    [
        (float("nan"), None, 0),
        (float("inf"), None, 0),
        (Decimal("0.0000001"), "0.0000001", 0),
        (Decimal("1E+3"), "1000", 0),
        (Decimal("-1.10"), "-1.10", 0),
        (Decimal("NaN"), "NaN", 0),
        (Decimal("Infinity"), "Infinity", 0),
        (Decimal("-Infinity"), "-Infinity", 0),
        (datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC), "2026-11-20T12:00:00+00:00", 0),
        (datetime.date(2026, 11, 20), "2026-11-20", 0),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007", 0),
        (Colour.RED, "red", 0),
        (Point(1, Decimal("0.10")), {"x": 1, "y": "0.10"}, 0),
        (2**64 - 1, 2**64 - 1, 0),
        (-(2**63), -(2**63), 0),
        (2**64, {"__repr__": "int 18446744073709551616"}, 1),
        (-(2**63) - 1, {"__repr__": "int -9223372036854775809"}, 1),
        (b"ab", {"__repr__": "bytes b'ab'"}, 1),
        ({1}, {"__repr__": "set {1}"}, 1),
        (Opaque(), {"__repr__": "Opaque <opaque>"}, 1),
        ("\ud800 \udfff", "\\ud800 \\udfff", 1),
        (np.float64(0.1), 0.1, 0),
        (np.int64(7), 7, 0),
        (np.array([1, 2]), [1, 2], 0),
        ((1, 2), [1, 2], 0),
        ("é ☃ \U0001f600 \x00 \n", "é ☃ \U0001f600 \x00 \n", 0),
    ],
    ids=repr,
)
def test_the_table_of_the_specification(given_: Any, line: Any, reprs: int) -> None:
    assert written({"v": given_}) == ({"v": line}, reprs)
    assert written(given_) == (line, reprs)


def test_a_long_repr_is_cut_at_a_thousand_characters() -> None:
    value, _ = written({"v": set(range(10_000))})
    assert len(value["v"]["__repr__"]) == 1000
    assert value["v"]["__repr__"].startswith("set {0, 1, 2, ")


def test_a_circle_is_broken_where_it_closes() -> None:
    assert written(circular()) == ({"a": 1, "self": {"__repr__": "circular dict"}}, 1)


def test_one_object_twice_is_no_circle() -> None:
    shared = {"a": {1}}
    marker = {"__repr__": "set {1}"}
    assert written([shared, shared])[0] == [{"a": marker}, {"a": marker}]


@pytest.mark.parametrize("levels", [201, 300, 5000, 100_000])
def test_nesting_beyond_200_levels_ends_in_a_marker(levels: int) -> None:
    value, _ = written(nested(max(levels, 260)))
    for _ in range(200):
        (value,) = value
    assert value == {"__repr__": "deep list"}


def test_nesting_of_200_levels_is_kept() -> None:
    assert written(nested(200)) == (nested(200), 0)


def test_what_can_only_not_be_held_together_is_kept_as_a_repr() -> None:
    """150 lists around 150 dataclasses: each half fits, the whole is beyond what can be encoded."""

    @dataclass
    class Node:
        inner: Any

    value, reprs = written({"bad": {1}, "deep": nested(150, lambda inner: [inner]), "d": Decimal("0.1")})
    assert (value["d"], reprs) == ("0.1", 1)
    value, _ = written([nested(120, lambda inner: [inner]), nested(190, lambda _: [nested(150, Node)])])
    assert json.dumps(value)


@pytest.mark.parametrize(
    ("key", "text"),
    [(1, "1"), (None, "None"), (("a", 1), "('a', 1)"), (Decimal("0.1"), "0.1"), (Kind.MADE_UP, "made_up"),
     ("\ud800", "\\ud800"), (Hostile(), "<Hostile>")],
    ids=["int", "None", "tuple", "Decimal", "enum", "surrogate", "hostile"],
)  # fmt: skip
def test_a_key_that_is_no_plain_string_becomes_one(key: Any, text: str) -> None:
    assert written({key: 1}) == ({text: 1}, 1)


@pytest.mark.parametrize(
    ("value", "kept"),
    [(OrderedDict(a=1), {"a": 1}), (UserDict({"a": {1}}), {"a": {"__repr__": "set {1}"}})],
    ids=["OrderedDict", "UserDict"],
)
def test_other_mappings_are_objects(value: Any, kept: Any) -> None:
    assert written(value)[0] == kept


HOSTILE = [
    Hostile(), {"v": Hostile()}, {Hostile(): 1}, [Hostile()], HostileMapping(a=1), {"v": HostileMapping(a=1)},
    HostileClass(), {"v": HostileClass()}, circular(), nested(100_000), 10**5000, {"v": 10**5000},
    {"v": "\ud800"}, float("nan"), object, print, sys, (n for n in range(3)), memoryview(b"x"), lambda: 0,
    Decimal("sNaN"), ValueError("x"), {1: {2: {3: {4}}}}, np.datetime64("2026-11-20"), 1j, ...,
]  # fmt: skip


def test_no_object_raises_into_the_bot_and_each_is_kept(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        for number, data in enumerate(HOSTILE):
            assert recorder.record("signal", data, trace_id=f"{number:04x}")
    assert [event["trace_id"] for event in read_lines(tmp_path)] == [f"{n:04x}" for n in range(len(HOSTILE))]
    assert recorder.stats().kept_as_repr > 10
    assert recorder.stats().dropped == 0


def test_no_argument_raises_into_the_bot(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        for odd in (7, None, ["list"], {"a": 1}, b"bytes", Kind.MADE_UP, "\ud800", "", "a\nb", "x" * 10_000):
            recorder.record(odd, {})  # type: ignore[arg-type]
            recorder.record("signal", {}, odd)  # type: ignore[arg-type]
            recorder.record("signal", {}, intent_id=odd, level=odd, reason_code=odd)  # type: ignore[arg-type]
            recorder.record("signal", {}, stream=odd)  # type: ignore[arg-type]
            recorder.log_event(odd, {})  # type: ignore[arg-type]
            recorder.record_raw(odd, source=odd)  # type: ignore[arg-type]
            recorder.record_trade(odd, odd, odd, odd)  # type: ignore[arg-type]
            recorder.record_latency(odd, a_ms=odd)  # type: ignore[arg-type]
        recorder.record("signal", {"last": True})
    events = read_lines(tmp_path)
    assert [event["data"] for event in events if event["event_type"] == "signal"][-1] == {"last": True}
    assert {event["event_type"] for event in events} >= {"7", "None", "made_up", "\\ud800", "a\nb"}


def test_hostile_arguments_cost_themselves_and_nothing_else(tmp_path: Path) -> None:
    hostile: Any = Hostile()
    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {"n": 1})
        recorder.record(hostile, {})
        recorder.record("signal", {}, hostile)
        recorder.record("signal", {}, intent_id=hostile)
        recorder.record("signal", {}, stream=hostile)
        recorder.log_event(hostile, {})
        recorder.record_raw(hostile, source="venue")
        recorder.record_raw(b"x", source=hostile)
        recorder.record_trade(hostile, hostile, hostile, hostile)
        recorder.record("signal", {"n": 2})
    events = read_lines(tmp_path)
    assert [event["data"]["n"] for event in events if "n" in event["data"]] == [1, 2]
    assert recorder.stats().dropped + recorder.stats().refused >= 3


def test_what_the_bot_changes_later_does_not_change_what_was_recorded(tmp_path: Path) -> None:
    data, book, frame = {"price": "0.5"}, [{"price": "0.5", "size": "1"}], bytearray(b"frame")
    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", data)
        recorder.record_orderbook_snapshot("t", book, book)
        recorder.record_raw(frame, source="venue")  # type: ignore[arg-type]
        data["price"] = "9"
        book.clear()
        frame[:] = b"xxxxx"
    signal, snapshot, raw = read_lines(tmp_path)
    assert signal["data"] == {"price": "0.5"}
    assert snapshot["data"]["bids"] == [{"price": "0.5", "size": "1"}]
    assert raw["data"]["frame"] == "frame"


@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
def test_a_frame_comes_back_byte_for_byte(frame: bytes) -> None:
    data = json.loads(encode_frame(frame, "venue", 7).removesuffix(CLOSE))
    assert (data["source"], data["received_ns"]) == ("venue", 7)
    text = data.get("frame")
    assert (base64.b64decode(data["frame_b64"]) if text is None else text.encode()) == frame


@given(st.decimals())
def test_a_decimal_is_kept_exactly_and_without_an_exponent(value: Decimal) -> None:
    if value.is_finite() and -2000 < value.adjusted() < 2000:
        text = decimal_text(value)
        assert Decimal(text) == value
        assert "E" not in text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0.1, "0.1"), (1e-7, "0.0000001"), (1e22, "10000000000000000000000"), (7, "7"), ("0.10", "0.10"),
     (Decimal("0.10"), "0.10"), (None, None), (np.float64(0.1), "0.1"), (np.float32(0.5), "0.5"),
     (np.int64(3), "3"), (float("nan"), "NaN"), (float("-inf"), "-Infinity")],
)  # fmt: skip
def test_money_is_decimal_text(amount: Any, text: str | None) -> None:
    assert money_text(amount) == text


def test_a_line_has_the_members_that_were_given_in_their_order(tmp_path: Path) -> None:
    with EventRecorder(tmp_path, bot_id="bot-1") as recorder:
        recorder.record("signal", {"n": 1}, "ABC", intent_id="i", level="info", reason_code="R")
        recorder.record("signal", [1])
    full, plain = read_lines(tmp_path)
    assert list(full) == [
        "ts", "seq", "event_type", "trace_id", "bot_id", "intent_id", "level", "reason_code", "data",
    ]  # fmt: skip
    assert full["trace_id"] == "ABC"
    assert list(plain) == ["ts", "seq", "event_type", "bot_id", "data"]


def bad_events() -> Iterator[tuple[str, Any]]:
    yield "trade", {"token_id": "t"}
    yield "trade", {"token_id": "t", "price": 0.5, "size": "1", "side": "BUY"}
    yield "made_up", {"v": float("nan")}
    yield "made_up", {"v": {1}}
    yield "made_up", {1: 2}
    yield "made_up", circular()
    yield "made_up", {"v": "\ud800"}


@pytest.mark.parametrize(("event_type", "data"), list(bad_events()), ids=lambda value: str(value)[:30])
def test_with_validation_an_event_that_would_not_be_kept_as_it_is_raises(
    tmp_path: Path, event_type: str, data: Any
) -> None:
    with EventRecorder(tmp_path, validate=True) as recorder:
        with pytest.raises(InvalidEvent):
            recorder.record(event_type, data)
        assert recorder.record("made_up", {"fine": 1})
    assert len(read_lines(tmp_path)) == 1


@pytest.mark.parametrize(
    ("given_type", "kept"),
    [("", "unnamed"), (7, "7"), (Colour.RED, "Colour.RED"), (OldKind.SIGNAL, "signal")],
)
def test_an_event_type_is_text_and_never_empty(tmp_path: Path, given_type: Any, kept: str) -> None:
    with EventRecorder(tmp_path, bot_id=5) as recorder:  # type: ignore[arg-type]
        assert recorder.record(given_type, {})
    assert [(line["event_type"], line["bot_id"]) for line in read_lines(tmp_path)] == [(kept, "5")]
