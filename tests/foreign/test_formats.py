"""Every system's lines become events, whose data is what the line says, byte for byte where it can be."""

from __future__ import annotations

import json
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.foreign import FORMATS
from polyrecord.foreign.formats import choose_format
from polyrecord.foreign.metastacker import is_place, topic_of
from polyrecord.foreign.outcome import Outcome, Parsed, Reject, events_of
from polyrecord.times import format_ts, parse_ts


def parsed(outcome: Outcome) -> Parsed:
    (event,) = events_of(outcome)
    return event


def parse(name: str, line: bytes, path: str | None = None) -> Outcome:
    return choose_format(name, path=PurePath(path) if path else None).parser().parse(line)


class TestPolyarb:
    def test_data_is_kept_byte_for_byte_and_a_time_without_zone_is_utc(self) -> None:
        line = b'{"event_type":"signal","timestamp":"2025-01-31T12:34:56.7","trace_id":"a","data":{"p": 0.1}}'

        event = parsed(parse("polyarb", line))

        assert event == Parsed(parse_ts("2025-01-31T12:34:56.7Z"), "signal", "a", b'{"p": 0.1}')

    def test_a_line_of_metrics_is_a_latency_event_with_all_its_members(self) -> None:
        line = b'{"trace_id":"abc123","risk_to_send_ms":15.80,"timestamp":"2025-01-31T12:34:56"}'

        event = parsed(parse("polyarb", line))

        assert (event.event_type, event.trace_id, event.data) == ("latency", "abc123", line)

    def test_the_trace_may_stand_in_the_data(self) -> None:
        line = b'{"event_type":"signal","timestamp":"2025-01-31T12:34:56","data":{"trace_id":"xyz789"}}'

        assert parsed(parse("polyarb", line)).trace_id == "xyz789"

    def test_what_stands_beside_data_does_not_vanish(self) -> None:
        line = b'{"event_type":"signal","timestamp":"2025-01-31T12:34:56","data":{"a":1},"more":2}'

        assert parsed(parse("polyarb", line)).data == line

    def test_a_line_of_neither_kind_is_rejected(self) -> None:
        outcome = parse("polyarb", b'{"timestamp":"2025-01-31T12:34:56"}')

        assert outcome == Reject("no event type", "there is neither event_type nor a stage ending in _ms")


class TestMetastacker:
    @pytest.mark.parametrize(
        ("stamp", "utc"),
        [
            ('"2025-12-20T05:30:00"', "2025-12-20T00:00:00Z"),
            ('"2025-12-20T05:30:00.123456"', "2025-12-20T00:00:00.123456Z"),
            ('"2025-12-20 05:30:00"', "2025-12-20T00:00:00Z"),
            ('"2025-12-20T05:30:00+05:30"', "2025-12-20T00:00:00Z"),
            ('"2025-12-20T05:30:00+0530"', "2025-12-20T00:00:00Z"),
            ('"2025-12-20T00:00:00Z"', "2025-12-20T00:00:00Z"),
            ("1766188800", "2025-12-20T00:00:00Z"),
            ("1766188800.5", "2025-12-20T00:00:00.5Z"),
        ],
    )
    def test_text_without_a_zone_is_indian_time(self, stamp: str, utc: str) -> None:
        event = parsed(
            parse("metastacker", f'{{"ts_ist":{stamp}}}'.encode(), "x/costs/date=2025-12-20/costs.jsonl")
        )

        assert (format_ts(event.ts_ns), event.event_type) == (format_ts(parse_ts(utc)), "costs")

    @pytest.mark.parametrize(
        "name",
        [
            "signals.jsonl",
            "signals.jsonl.gz",
            "signals_20251220_173045.jsonl.gz",
            "signals_1.jsonl.gz",
            "signals.1.jsonl",
            "signals.jsonl.gz.1",
            "signals.jsonl.3.gz",
        ],
    )
    def test_a_rotated_file_is_of_its_topic(self, name: str) -> None:
        assert topic_of(PurePath(name)) == "signals"

    def test_a_topic_may_have_an_underscore(self) -> None:
        assert topic_of(PurePath("feature_log_20251220_173045.jsonl.gz")) == "feature_log"

    def test_a_snapshot_says_of_which_period_it_is(self) -> None:
        line, path = (
            b'{"ts_ist":"2025-12-20T05:30:00","trade_count":null}',
            "logs/24h/health_snapshot/snapshot.jsonl",
        )

        event = parsed(parse("metastacker", line, path))

        assert event.event_type == "snapshot"
        assert event.data == b'{"period":"24h",' + line[1:]

    @pytest.mark.parametrize(
        "line", [b'{"ts_ist":"2025-12-20T05:30:00","period":"4h"}', b'{ "ts_ist":1766188800}']
    )
    def test_a_period_is_added_only_where_the_line_has_none(self, line: bytes) -> None:
        event = parsed(parse("metastacker", line, "logs/1h/health_snapshot/snapshot.jsonl"))

        data = json.loads(event.data)
        assert data == {"period": "1h", **json.loads(line)}

    @pytest.mark.parametrize(
        ("place", "is_one"),
        [
            ("logs/costs/date=2025-12-20/costs.jsonl.gz", True),
            ("logs/signals/date=2025-12-20/signals_v2.jsonl", True),
            ("logs/costs/date=2025-12-20/risk.jsonl.gz", False),
            ("logs/costs/costs.jsonl.gz", False),
            ("logs/1h/health_snapshot/snapshot.jsonl", True),
            ("logs/2h/health_snapshot/snapshot.jsonl", False),
            ("costs.jsonl", False),
        ],
    )
    def test_a_log_lies_in_a_folder_of_its_topic_and_date(self, place: str, is_one: bool) -> None:
        assert is_place(PurePath(place)) == is_one

    def test_the_line_says_its_type_before_the_file_does(self) -> None:
        line = b'{"ts_ist":"2025-12-20T05:30:00","log_type":"risk"}'

        assert parsed(parse("metastacker", line, "costs.jsonl")).event_type == "risk"


def test_a_polytraders_decision_fills_the_envelope_and_keeps_its_line() -> None:
    line = (
        b'{"ts":"2026-05-09T05:51:12Z","level":"INFO","bot_id":"risk.liquidity_guard","intent_id":"01HZ",'
        b'"decision":"RESHAPE_REQUIRED","reason_code":"INSUFFICIENT_VISIBLE_DEPTH","metrics":{"pct":0.356},'
        b'"trace_id":"8a3","span_id":"f12"}'
    )

    event = parsed(parse("polytraders", line))

    assert (event.event_type, event.trace_id, event.data) == ("decision", "8a3", line)
    assert event.envelope == {
        "span_id": "f12",
        "bot_id": "risk.liquidity_guard",
        "intent_id": "01HZ",
        "level": "INFO",
        "reason_code": "INSUFFICIENT_VISIBLE_DEPTH",
    }


@pytest.mark.parametrize(
    ("written", "event_type"),
    [("PRICE_CHANGE", "orderbook_delta"), ("LAST_TRADE", "trade"), ("TICK_SIZE", "tick_size")],
)
def test_ticks_keep_their_prices_as_they_are_written(written: str, event_type: str) -> None:
    line = b'{"timestamp":"1780796701304","price":0.210,"event_type":"%s","asset_id":"92"}' % written.encode()

    event = parsed(parse("tickscope", line))

    assert (event.ts_ns, event.event_type, event.data) == (1_780_796_701_304_000_000, event_type, line)


SPAN = {
    "traceId": "5B8EFFF798038103D269B633813FC60C",
    "spanId": "EEE19B7EC3C1B174",
    "parentSpanId": "EEE19B7EC3C1B173",
    "name": "send",
    "kind": 2,
    "startTimeUnixNano": "1544712660000000000",
    "endTimeUnixNano": "1544712661500000000",
    "attributes": [
        {"key": "n", "value": {"intValue": "7"}},
        {
            "key": "l",
            "value": {
                "arrayValue": {
                    "values": [
                        {"boolValue": True},
                        {"kvlistValue": {"values": [{"key": "k", "value": {"doubleValue": 0.5}}]}},
                    ]
                }
            },
        },
    ],
}


class TestOtlp:
    def test_a_line_of_several_spans_is_several_events(self) -> None:
        line = {
            "resourceSpans": [
                {
                    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "bot"}}]},
                    "scopeSpans": [{"scope": {"name": "lib"}, "spans": [SPAN, SPAN]}],
                }
            ]
        }

        first, second = events_of(parse("otlp", json.dumps(line).encode()))

        assert first == second
        assert (first.ts_ns, first.event_type, first.trace_id) == (
            1_544_712_660_000_000_000,
            "span",
            "5B8EFFF798038103D269B633813FC60C",
        )
        assert first.envelope == {"span_id": "EEE19B7EC3C1B174", "parent_span_id": "EEE19B7EC3C1B173"}
        data = json.loads(first.data)
        assert data["attributes"] == {"n": 7, "l": [True, {"k": 0.5}]}
        assert (data["duration_ms"], data["resource"], data["scope"]) == (
            1500.0,
            {"service.name": "bot"},
            "lib",
        )

    @pytest.mark.parametrize(
        "line", [b"{}", b'{"resourceSpans":7}', b'{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}']
    )
    def test_what_is_not_of_the_form_is_rejected(self, line: bytes) -> None:
        assert isinstance(parse("otlp", line), Reject)


class TestCsv:
    def test_the_first_line_names_the_fields_and_every_value_stays_text(self) -> None:
        parser = choose_format("csv").parser()

        assert parser.parse(b"time_seconds,price,note") == ()
        event = parsed(parser.parse(b'1625097621.647,2278.150,"a, ""b"""'))

        assert (event.ts_ns, event.event_type) == (1_625_097_621_647_000_000, "row")
        assert json.loads(event.data) == {
            "time_seconds": "1625097621.647",
            "price": "2278.150",
            "note": 'a, "b"',
        }

    def test_a_row_of_another_length_is_rejected(self) -> None:
        parser = choose_format("csv").parser()
        parser.parse(b"ts,price")

        assert parser.parse(b"1625097621") == Reject("not a row", "1 fields where 2 are named")


@given(name=st.sampled_from(FORMATS), line=st.binary(max_size=60).filter(lambda line: b"\n" not in line))
def test_no_line_whatever_it_holds_makes_a_parser_fail(name: str, line: bytes) -> None:
    parser = choose_format(name).parser()

    for _ in range(2):
        for event in events_of(parser.parse(line)) if not isinstance(parser.parse(line), Reject) else ():
            assert b"\n" not in event.data
            json.loads(event.data)


@given(
    name=st.sampled_from([name for name in FORMATS if name not in {"csv", "hftbacktest"}]),
    value=st.dictionaries(
        st.sampled_from(
            ["ts", "timestamp", "event_type", "data", "trace_id", "price", "decision", "resourceSpans"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=3
        ),
    ),
)
def test_no_object_whatever_it_holds_makes_a_parser_fail(name: str, value: dict[str, object]) -> None:
    outcome = parse(name, json.dumps(value).encode())

    for event in () if isinstance(outcome, Reject) else events_of(outcome):
        json.loads(event.data)
        assert event.event_type
