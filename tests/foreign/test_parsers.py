"""Lines of foreign logs become events, or rejects with a reason."""

from __future__ import annotations

import json
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import UsageError
from polyrecord.foreign.cryptofeed import CryptofeedParser
from polyrecord.foreign.fields import pick
from polyrecord.foreign.generic import GenericParser, Mapping, parse_mapping
from polyrecord.foreign.hftbacktest import HftbacktestParser
from polyrecord.foreign.outcome import Parsed, Reject

T = 1_776_550_428_425
FRAMES = st.binary(min_size=1).filter(lambda frame: b"\n" not in frame and frame.strip() != b"")


def parsed(outcome: Parsed | Reject) -> Parsed:
    assert isinstance(outcome, Parsed), outcome
    return outcome


def rejected(outcome: Parsed | Reject) -> Reject:
    assert isinstance(outcome, Reject), outcome
    return outcome


def generic(
    line: bytes, ts: str | None = None, event_type: str | None = None, trace: str | None = None
) -> Parsed | Reject:
    return GenericParser(parse_mapping(ts, event_type, trace)).parse(line)


class TestGeneric:
    def test_the_object_is_kept_byte_for_byte(self) -> None:
        line = (
            b'{"ts": 1776550428425,"p" :0.10,"q":12e0, "s":"\\u00e9\\/\xc3\xa9", "p": 1.000000000000000001}'
        )

        event = parsed(generic(b"  " + line + b" \t\r", "ts:ms"))

        assert event == Parsed(T * 10**6, "imported", None, line)

    def test_type_and_trace_come_from_their_fields(self) -> None:
        line = b'{"ts":1776550428425,"type":"tick","ctx":{"ids":["a","4F1C"]}}'

        event = parsed(generic(line, "ts:ms", "type", "ctx.ids.1"))

        assert (event.event_type, event.trace_id) == ("tick", "4F1C")

    @pytest.mark.parametrize("value", [b"null", b'""', b"true", b"{}", b"[]"])
    def test_a_type_or_trace_that_is_no_name_is_none(self, value: bytes) -> None:
        event = parsed(generic(b'{"ts":1776550428,"type":%b}' % value, "ts:s", "type", "type"))

        assert (event.event_type, event.trace_id) == ("imported", None)

    def test_numbers_are_names_with_all_their_digits(self) -> None:
        line = b'{"ts":1776550428,"type":7,"order":123456789012345678901234567890}'

        event = parsed(generic(line, "ts:s", "type", "order"))

        assert (event.event_type, event.trace_id) == ("7", "123456789012345678901234567890")

    def test_a_float_time_is_read_from_its_text(self) -> None:
        """As a double it would be 1633998511.1329211 or so."""
        event = parsed(generic(b'{"a":{"t":1633998511.132921123}}', "a.t:s"))

        assert event.ts_ns == 1_633_998_511_132_921_123

    @pytest.mark.parametrize(
        "line",
        [
            b'{"timestamp":"1776550428425"}',
            b'{"ts":"soon","time":1776550428.425}',
            b'{"id":1,"@timestamp":"2026-04-18T22:13:48.425Z"}',
            b'{"ts":null,"ts_ns":1776550428425000000}',
        ],
    )
    def test_without_a_mapping_the_first_usable_common_name_is_the_time(self, line: bytes) -> None:
        assert parsed(generic(line)).ts_ns == T * 10**6

    def test_values_json_cannot_carry_are_counted(self) -> None:
        event = parsed(generic(b'{"ts":1776550428,"a":NaN,"b":[-Infinity,"NaN"]}', "ts:s"))

        assert (event.data, event.rewritten) == (b'{"ts":1776550428,"a":"NaN","b":["-Infinity","NaN"]}', 2)

    def test_a_byte_order_mark_is_no_part_of_the_line(self) -> None:
        assert parsed(generic(b'\xef\xbb\xbf{"ts":1776550428}')).data == b'{"ts":1776550428}'

    def test_a_bare_carriage_return_between_members_becomes_a_space(self) -> None:
        """The line format allows no line break but the last."""
        assert parsed(generic(b'{"ts":1776550428,\r"a":"\\r"}')).data == b'{"ts":1776550428, "a":"\\r"}'

    @pytest.mark.parametrize(
        ("line", "ts", "reason"),
        [
            (b"[2026-04-18T11:09:13Z] [startup] Starting", None, "not JSON"),
            (b'{"ts":1', None, "not JSON"),
            (b'{"ts":1776550428}{"ts":1776550428}', None, "not JSON"),
            (b'{"ts":1776550428,"a":nan}', None, "not JSON"),
            (b'{"ts":1776550428,"a":"\xff"}', None, "not JSON"),
            (b"[" * 5000, None, "not JSON"),
            (b"[1]", None, "not a JSON object"),
            (b"NaN", None, "not a JSON object"),
            (b"{}", None, "no timestamp"),
            (b'{"ts":1776550428}', "at:s", "no timestamp"),
            (b'{"ts":{"a":1}}', "ts:s", "unusable timestamp"),
            (b'{"ts":NaN}', "ts:s", "unusable timestamp"),
            (b'{"ts":12}', None, "unusable timestamp"),
            (b'{"ts":1e300}', "ts:s", "unusable timestamp"),
        ],
    )
    def test_what_is_no_event_says_why(self, line: bytes, ts: str | None, reason: str) -> None:
        reject = rejected(generic(line, ts))

        assert reject.reason == reason
        assert 0 < len(reject.detail) < 200

    def test_a_ten_megabyte_line_is_an_event(self) -> None:
        line = b'{"ts":1776550428.5,"a":"%b"}' % (b"x" * 10_000_000)

        assert parsed(generic(line)).data == line

    def test_a_deep_object_with_a_float_time_is_an_event(self) -> None:
        line = b'{"ts":1776550428.5,"a":%b%b}' % (b"[" * 1000, b"]" * 1000)

        assert parsed(generic(line)).ts_ns == 1_776_550_428_500_000_000


class TestMapping:
    def test_field_and_unit_are_split_at_the_last_colon(self) -> None:
        assert parse_mapping("a:b:ms", None, None) == Mapping("a:b", "ms")
        assert parse_mapping("a.b", "t", "x") == Mapping("a.b", "auto", "t", "x")

    @pytest.mark.parametrize("ts", ["ts:minutes", "ts:", ":ms", ""])
    def test_an_unknown_unit_is_refused(self, ts: str) -> None:
        with pytest.raises(UsageError, match="--ts"):
            parse_mapping(ts, None, None)

    def test_different_mappings_have_different_labels(self) -> None:
        mappings = [(None, None, None), ("ts", None, None), ("ts:ms", None, None), ("ts:ms", "a", None),
                    ("ts:ms", None, "a"), ("ts:ms", "a", "a")]  # fmt: skip

        assert len({parse_mapping(*mapping).label for mapping in mappings}) == len(mappings)

    @pytest.mark.parametrize(
        ("path", "expected"),
        [("a", {"b": [1, {"c": 2}]}), ("a.b.0", 1), ("a.b.1.c", 2), ("a.b.7", None), ("a.x.c", None),
         ("d.e", 3), ("n.x", None), ("a.b.-1", None), ("", None)],
    )  # fmt: skip
    def test_a_path_goes_through_objects_and_lists(self, path: str, expected: object) -> None:
        assert pick({"a": {"b": [1, {"c": 2}]}, "d.e": 3, "n": None}, path) == expected


class TestHftbacktest:
    @given(FRAMES, st.integers(0, 2**63 - 1))
    def test_the_frame_comes_back_byte_for_byte(self, frame: bytes, ns: int) -> None:
        event = parsed(HftbacktestParser().parse(b"%d %b" % (ns, frame)))

        data = json.loads(event.data)
        kept = data["frame"].encode() if "frame" in data else b64decode(data["frame_b64"])
        assert (kept, data["received_ns"], data["source"]) == (frame, ns, "hftbacktest")
        assert (event.ts_ns, event.event_type, event.trace_id) == (ns, "raw_frame", None)
        assert b"\n" not in event.data
        assert b"\r" not in event.data

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (b'{"a":1}', "no local time"),
            (b"-5 x", "no local time"),
            (b"9999999999999999999 x", "no local time"),
            (b"1723161254024619568", "no frame"),
            (b"1723161254024619568 ", "no frame"),
        ],
    )
    def test_what_is_no_frame_says_why(self, line: bytes, reason: str) -> None:
        assert rejected(HftbacktestParser().parse(line)).reason == reason

    def test_only_a_frame_of_whole_json_is_surely_whole(self) -> None:
        assert HftbacktestParser().is_whole(b'1 {"a":1}')
        assert not HftbacktestParser().is_whole(b'1 {"a":1')
        assert not HftbacktestParser().is_whole(b"1 12")


class TestCryptofeed:
    def test_every_line_is_a_frame_and_the_header_names_the_source(self) -> None:
        parser = CryptofeedParser()
        header = b'{"t":"header","format":2,"exchange":"BINANCE","recorded":1633998511.132921}'
        line = b'{"t":"recv","conn":"X.ws.1","ts":1633998512.320639,"data":"{\\"a\\":1}"}'

        first, second = parsed(parser.parse(header)), parsed(parser.parse(line))

        assert first.ts_ns == 1_633_998_511_132_921_000
        assert json.loads(first.data) == {
            "source": "cryptofeed:BINANCE", "received_ns": first.ts_ns, "kind": "header",
            "frame": header.decode(),
        }  # fmt: skip
        assert second.ts_ns == 1_633_998_512_320_639_000
        assert json.loads(second.data) == {
            "source": "cryptofeed:BINANCE", "received_ns": second.ts_ns, "conn": "X.ws.1", "kind": "recv",
            "frame": line.decode(),
        }  # fmt: skip

    def test_without_a_header_the_connection_names_the_source(self) -> None:
        event = parsed(CryptofeedParser().parse(b'{"conn":"KRAKEN.ws.48","ts":1618678132.5}'))

        assert json.loads(event.data)["source"] == "cryptofeed:KRAKEN"

    @pytest.mark.parametrize(
        ("line", "reason"),
        [(b"x", "not JSON"), (b"1", "not a JSON object"), (b"{}", "no timestamp"),
         (b'{"ts":"x"}', "unusable timestamp")],
    )  # fmt: skip
    def test_what_is_no_line_of_cryptofeed_says_why(self, line: bytes, reason: str) -> None:
        assert rejected(CryptofeedParser().parse(line)).reason == reason
