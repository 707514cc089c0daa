"""What a line of another program becomes: its event, with the data byte for byte, or the reason why not."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.foreign.repair import repair
from polyrecord.record.compose import ENVELOPE
from polyrecord.record.splitting import LineSplitter, RawLine, TooLong
from polyrecord.record.wire import BadLine, WireEvent, WireReader

TRACE = "4f1c09aa-37d2-4b8e-9d55-0a6be0c1d2e3"
SPAN = "00f067aa0ba902b7"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=6), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
MEMBERS = st.sampled_from(["ts", "level", "trace_id", "span_id", 'a"b', "bot_id"]) | NAMES
FREE_NAMES = NAMES.filter(lambda name: name.strip(" ") == name and not set(name) & set("\t\r\n"))


def read(line: str | bytes) -> WireEvent:
    event = WireReader(repair).read(line.encode() if isinstance(line, str) else line)
    assert event is not None
    return event


def refused(line: str | bytes) -> str:
    with pytest.raises(BadLine) as caught:
        read(line)
    return str(caught.value)


def test_of_an_envelope_the_data_stays_byte_for_byte() -> None:
    data = b'{"price": 0.10, "n":1e2,  "s":"\\u00e9"}'
    line = b'{"event_type": "fill", "trace_id": "%b", "data": %b }' % (TRACE.encode(), data)
    assert read(line) == ("fill", data, TRACE, None, 0)


def test_the_members_of_an_envelope_are_its_fields() -> None:
    fields = {
        "span_id": SPAN, "parent_span_id": SPAN[::-1], "bot_id": "b", "intent_id": "i", "level": "warning",
        "reason_code": "R1",
    }  # fmt: skip
    line = json.dumps({"data": [1], "event_type": "x", **fields, "trace_id": "t"})
    assert read(line) == ("x", b"[1]", "t", fields, 0)


def test_a_flat_object_is_the_data_as_it_stands() -> None:
    line = f'{{"event_type":"signal", "trace_id":"{TRACE}","bot_id":"b","price":0.50,"level":30}}'
    assert read(line) == ("signal", line.encode(), TRACE, {"bot_id": "b"}, 0)


def test_after_a_type_and_a_tab_any_value_is_the_data() -> None:
    assert read('latency\t{"book_ms":1.50, "trace_id":"t"}\r\n') == (
        "latency", b'{"book_ms":1.50, "trace_id":"t"}', "t", None, 0,
    )  # fmt: skip
    assert read("note\t 12.0 ") == ("note", b"12.0", None, None, 0)
    assert read('note\t"a\\tb"')[1] == b'"a\\tb"'
    assert read('a note \t{"event_type":"other"}')[0] == "a note"


def test_empty_texts_and_nulls_of_the_envelope_are_no_values() -> None:
    """A Go struct writes them for what it has not."""
    line = '{"event_type":"x","trace_id":"","span_id":"","bot_id":null,"level":"","data":null}'
    assert read(line) == ("x", b"null", None, None, 0)


def test_a_member_without_a_place_is_kept_in_the_data_under_a_name_that_says_so() -> None:
    line = '{"ts":1732099200.120,"event_type":"x","data":{"n":1},"seq":7,"level":30,"span_id":"XYZ"}'
    assert read(line)[1] == (
        b'{"n":1,"source_ts":1732099200.120,"source_seq":7,"source_level":30,"source_span_id":"XYZ"}'
    )
    assert read('{"event_type":"x","host":"h","data":{ }}')[1] == b'{"source_host":"h"}'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("hello", "not JSON: unexpected character, expected a JSON value at column 1"),
        ('{"event_type":"x",', "not JSON: unexpected end of data at column 19"),
        ('{"event_type":"x","data":{"a":01}}', "not JSON: "),
        ("{'event_type':'x'}", "not JSON: "),
        ("[1]", "no event_type: a list, not an object"),
        ("12", "no event_type: a number, not an object"),
        ("{}", "no event_type"),
        ('{"event_type":"","data":1}', "no event_type: it is empty"),
        ('{"event_type":5,"data":1}', "no event_type: it is a number"),
        (" \t5", "no event_type: nothing before the tab"),
        ("x\t", "not JSON: "),
        ("x\t{} {}", "not JSON: "),
        ('{"event_type":"x","trace_id":7,"data":{}}', "trace_id is not a string: it is a number"),
        ('{"event_type":"x","trace_id":["t"]}', "trace_id is not a string: it is a list"),
        (b'{"event_type":"x","s":"\xff"}', "not UTF-8: at byte 24"),
        (b'{"event_type":"x","data":"\xff"}', "not UTF-8: at byte 27"),
        (b'{"event_type":"\xff","data":1}', "not UTF-8: at byte 16"),
        (b"\xff\t1", "not UTF-8: at byte 1"),
        ('{"event_type":"x","data":1,"data":2}', "a member twice: 'data'"),
        ('{"event_type":"x","event_type":"y","data":2}', "a member twice: 'event_type'"),
        ('{"event_type":"x","a":1,"a":1,"data":{}}', "a member twice: 'a'"),
        ('{"event_type":"x","data":5,"host":"h"}', "a member beside data: 'host', and data is a number"),
        (
            '{"event_type":"x","data":{"source_ts":1},"ts":2}',
            "a member beside data: 'ts', and data has 'source_ts'",
        ),
        ('{"event_type":"x","data":' + "[" * 2_000 + "]" * 2_000 + "}", "not JSON: "),
    ],
)
def test_a_line_that_is_no_event_says_why(line: str | bytes, reason: str) -> None:
    assert refused(line).startswith(reason)


def test_a_name_in_the_data_is_no_second_member() -> None:
    line = '{"event_type":"x","data":{"data":{"data":"\\"data\\":1"},"event_type":"y"},"trace_id":"a\\"b"}'
    event = read(line)
    assert event[:3] == ("x", b'{"data":{"data":"\\"data\\":1"},"event_type":"y"}', 'a"b')


def test_what_json_cannot_carry_is_kept_as_text_as_an_import_does() -> None:
    assert read('{"event_type":"x","data":{"a":NaN,"b":-Infinity,"c":1e400}}') == (
        "x", b'{"a":"NaN","b":"-Infinity","c":"1e400"}', None, None, 3,
    )  # fmt: skip
    assert read('x\t"\\ud800"')[1] == b'"\\\\ud800"'


def test_blank_lines_and_a_byte_order_mark_are_no_events() -> None:
    reader = WireReader(repair)
    assert [reader.read(line) for line in (b"", b" \t ", b"\r")] == [None] * 3
    assert read(b'\xef\xbb\xbf{"event_type":"x"}')[1] == b'{"event_type":"x"}'


@pytest.mark.parametrize("line", ['{"event_type":"x","data":12}', 'x\t"a"', "x\ttrue", "x\t[1]"])
def test_a_last_line_without_a_line_feed_counts_when_it_is_whole(line: str) -> None:
    assert WireReader(repair).read_last(line.encode()) == read(line)


@pytest.mark.parametrize("line", ['{"event_type":"x","data":12', "x\t12", "x\t1.", "x\ttru", "{", "x"])
def test_a_last_line_that_may_go_on_is_cut_off(line: str) -> None:
    with pytest.raises(BadLine, match="cut off: no line feed"):
        WireReader(repair).read_last(line.encode())


@given(NAMES, JSON, st.booleans(), st.text(st.characters(codec="utf-8"), max_size=20), st.booleans())
def test_any_value_comes_through_an_envelope(
    name: str, value: Any, compact: bool, trace: str, ascii_only: bool
) -> None:
    document = {"event_type": name, "data": value, "trace_id": trace}
    separators = (",", ":") if compact else (" , ", " : ")
    line = json.dumps(document, separators=separators, ensure_ascii=ascii_only).encode()
    event_type, data, trace_id, envelope, rewritten = read(line)
    assert data == json.dumps(value, separators=separators, ensure_ascii=ascii_only).encode()
    assert (event_type, trace_id, envelope, rewritten) == (name, trace or None, None, 0)


@given(FREE_NAMES, JSON)
def test_any_value_comes_after_a_tab(name: str, value: Any) -> None:
    if name.startswith(("{", "\ufeff")) or not name.encode().strip(b" \t\r\n"):
        return
    line = f"{name}\t{json.dumps(value)}"
    if isinstance(value, dict) and not isinstance(value.get("trace_id"), str | None):
        return
    assert read(line)[:2] == (name, json.dumps(value).encode())


@given(st.dictionaries(MEMBERS, JSON, max_size=5))
def test_no_member_of_an_object_vanishes(members: dict[str, Any]) -> None:
    """Whatever stands beside the data is in the envelope, in the data, or the line is refused."""
    document = {**members, "event_type": "x", "data": {"n": 1}}
    line = orjson.dumps(document, option=orjson.OPT_PASSTHROUGH_SUBCLASS) if _fits(members) else None
    if line is None:
        return
    try:
        _, data, trace_id, envelope, _ = read(line)
    except BadLine as bad:
        assert bad.reason == "trace_id is not a string"  # noqa: PT017 - the only one there can be
        return
    found = json.loads(data)
    lifted = {**(envelope or {}), **({} if trace_id is None else {"trace_id": trace_id})}
    for name, value in document.items():
        if name in {"event_type", "data"} or (value in (None, "") and name in ("trace_id", *ENVELOPE)):
            continue
        assert {**found, **{f"source_{key}": text for key, text in lifted.items()}}[f"source_{name}"] == value


def _fits(members: dict[str, Any]) -> bool:
    try:
        orjson.dumps(members)
    except (TypeError, ValueError):  # an integer beyond 64 bits
        return False
    return True


def cut(chunks: list[bytes], longest: int = 100) -> list[RawLine]:
    splitter = LineSplitter(longest)
    lines = [line for chunk in chunks for line in splitter.feed(chunk)]
    rest = splitter.rest()
    return lines if rest is None else [*lines, rest]


@given(st.lists(st.binary(max_size=12).map(lambda text: text.replace(b"\xff", b"\n")), max_size=12))
def test_lines_are_the_same_however_the_input_comes(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    expected = whole.split(b"\n")
    assert cut(chunks, longest=144) == (expected if expected[-1] else expected[:-1])


@given(st.lists(st.sampled_from([b"a", b"b" * 7, b"\n", b"c\n", b"dd\neee\n", b"f" * 30]), max_size=20))
def test_a_line_over_the_limit_is_told_by_its_size_and_the_others_are_whole(chunks: list[bytes]) -> None:
    expected = [
        line if len(line) <= 10 else TooLong(len(line), line[:10]) for line in b"".join(chunks).split(b"\n")
    ]
    assert cut(chunks, longest=10) == (expected if expected[-1] != b"" else expected[:-1])


def test_of_a_long_line_little_is_held() -> None:
    splitter = LineSplitter(100_000)
    for _ in range(100):
        splitter.feed(b"x" * 65_536)
        assert len(splitter._held) <= 100_000 + 65_536
    assert splitter.feed(b"\nnext\n") == [TooLong(6_553_600, b"x" * 1_000), b"next"]
