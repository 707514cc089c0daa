"""A format is told by the first lines of a log; what they do not say is told by its place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path, PurePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.foreign.content import HEAD, read_head
from polyrecord.foreign.detect import detect, fields_of, is_own_line
from polyrecord.foreign.outcome import Reject, events_of
from tests.foreign.days import metastacker_day, polyarb_day, polytraders_day

BOT = PurePath("bot.log")
TICK = b'{"timestamp":"1780796701304","price":0.2,"size":1,"side":"ASK","event_type":"A","asset_id":"9"}'
HEADS: list[tuple[str | None, bytes]] = [
    ("polyarb", b'{"event_type":"signal","timestamp":"2025-01-31T12:34:56.789","data":{}}'),
    ("polyarb", b'{"trace_id":"a","risk_to_send_ms":1.5,"end_to_end_ms":3,"timestamp":"2025-01-31T12:34"}'),
    ("metastacker", b'{"ts_ist":"2025-12-20T05:30:00","x":1}'),
    ("metastacker", b'{"decision_time_ist":"2025-12-20T05:30:00","side":"BUY"}'),
    ("polytraders", b'{"ts":"2026-05-09T05:51:12Z","bot_id":"risk.a","decision":"APPROVE"}'),
    ("hftbacktest", b'1723161254024619568 {"stream":"ethusdt@bookTicker"}'),
    ("cryptofeed", b'{"t":"header","format":2,"exchange":"BINANCE","recorded":1633998511.1}'),
    ("cryptofeed", b'{"t":"recv","conn":"BINANCE.ws.1","ts":1633998512.3,"data":"{}"}'),
    ("tickscope", TICK),
    ("otlp", b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1544712660000000000"}]}]}]}'),
    ("csv", b"time_seconds,price\n1625097621.647,2278.15"),
    ("csv", b'\xef\xbb\xbfid,ts,"the note"\r\n7,1625097621,"a, b"'),
    ("generic", b'{"ts":1776550428425,"type":"tick"}'),
    ("generic", b'not JSON\n{"time":"2026-04-18T22:13:48Z"}'),
    ("generic", b"\0" * 9 + b'{"ts":1776550428425}'),
    (None, b""),
    (None, b"hello\nworld"),
    (None, b"Hello, world\nhow, are you"),
    (None, b'{"a":1}'),
    (None, b'{"ts":12}'),
    (None, b"[1,2]\n[3,4]"),
    (None, b"\x00\x01\x02"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "head"), HEADS, ids=[f"{name}-{n}" for n, (name, _) in enumerate(HEADS)])
def test_a_format_is_told_by_its_first_lines(name: str | None, head: bytes) -> None:
    found = detect(BOT, head + b"\n")

    assert (found and found.name) == name


@given(st.sampled_from([pair for pair in HEADS if pair[0]]), st.binary(max_size=40))
def test_what_is_detected_reads_what_it_was_detected_by_whatever_follows(
    pair: tuple[str, bytes], noise: bytes
) -> None:
    content = pair[1] + b"\n" + noise

    found = detect(BOT, content)

    assert found is not None
    parser = found.parser()
    outcomes = [parser.parse(line.strip(b"\0")) for line in content.split(b"\n")]
    assert any(events_of(outcome) for outcome in outcomes if not isinstance(outcome, Reject))


@given(st.binary(max_size=200))
def test_nothing_makes_detection_fail(head: bytes) -> None:
    assert detect(BOT, head) == detect(BOT, head)
    assert is_own_line(head) in (True, False)


def test_a_cut_last_line_does_not_matter(tmp_path: Path) -> None:
    line = b'{"ts":1776550428425,"type":"tick","text":"%b"}\n' % (b"x" * 40_000)
    (tmp_path / "bot.gz").write_bytes(gzip.compress(line * 9))

    head = read_head(tmp_path / "bot.gz")

    assert len(head) == HEAD
    assert (found := detect(BOT, head)) is not None
    assert found.name == "generic"


def test_named_fields_make_it_json_lines_or_csv() -> None:
    frame = b'{"ts_ist":"2025-12-20T05:30:00","at":{"ms":1776550428425}}\n'

    lines, rows = detect(BOT, frame, ts="at.ms:ms"), detect(BOT, b"when,price\n1776550428,1\n", ts="when:s")

    assert lines is not None
    assert rows is not None
    assert (lines.identity, rows.identity) == (
        "generic ts=at.ms:ms type= trace=",
        "csv ts=when:s type= trace=",
    )


def test_a_topic_that_the_lines_do_not_say_comes_from_the_place() -> None:
    head = b'{"ts_ist":"2025-12-20T05:30:00"}\n'

    dated = detect(PurePath("logs/costs/date=2025-12-20/costs_20251220_173045.jsonl.gz"), head)
    hourly = detect(PurePath("logs/1h/health_snapshot/snapshot.jsonl"), head)

    assert dated is not None
    assert hourly is not None
    assert (dated.identity, hourly.identity) == ("metastacker costs", "metastacker snapshot 1h")


@pytest.mark.parametrize("day", [polyarb_day, metastacker_day, polytraders_day])
def test_every_file_of_a_generated_day_is_told_by_its_content(day: Any, tmp_path: Path) -> None:
    day(tmp_path)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]

    found = {path: detect(PurePath("anything"), read_head(path)) for path in files}

    assert {chosen and chosen.name for chosen in found.values()} == {day.__name__.removesuffix("_day")}


def test_lines_of_ours_are_known() -> None:
    line = b'{"ts":"2026-04-18T22:13:48.425000000Z","seq":1,"event_type":"note","data":{}}\n'

    assert is_own_line(line)
    assert is_own_line(b"\n" + line[:-9] + b"\n" + line)
    assert not is_own_line(line.replace(b"000000Z", b"Z"))
    assert not is_own_line(line.replace(b'"seq":1,', b""))
    assert not is_own_line(b"")


@pytest.mark.parametrize(
    ("head", "fields"),
    [
        (b'{"type":"tick","ts":1,"trace":"a"}', ("ts", "type", "trace")),
        (b'{"kind":"tick","type":7,"@timestamp":"x"}', ("@timestamp", "kind", None)),
        (b'{"a":1}', (None, None, None)),
        (b"price,time_seconds,trace_id\n1,2,3", ("time_seconds", None, "trace_id")),
    ],
)
def test_the_usual_fields_of_a_log_can_be_named(head: bytes, fields: tuple[str | None, ...]) -> None:
    assert fields_of(head + b"\n") == fields


def test_a_number_is_read_from_its_text_wherever_it_stands() -> None:
    line = {"a": {"ts": 1.25}, "text": '"ts": 3', "ts": 1776550428.123456789}
    text = json.dumps(line).replace("1776550428.1234567", "1776550428.123456789").encode()

    found = detect(BOT, text + b"\n")

    assert found is not None
    (event,) = events_of(found.parser().parse(text))
    assert event.ts_ns == 1_776_550_428_123_456_789
