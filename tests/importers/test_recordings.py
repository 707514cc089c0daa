"""Real recordings go in and come back byte for byte."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.importers.archives import events, lines_of, run, shards

CRYPTOFEED = {"BINANCE": 272, "BITSTAMP": 780, "DERIBIT": 143, "GEMINI": 914, "KRAKEN": 4_438}
HFTBACKTEST = {"spot_ethusdt_20240808.gz": 33_618, "hyperliquid_btcusd_20250126.gz": 55}


def source_lines(path: Path) -> list[bytes]:
    data = path.read_bytes()
    content = gzip.decompress(data) if path.suffix == ".gz" else data
    return content.removesuffix(b"\n").split(b"\n")


def kept_objects(root: Path) -> Iterator[bytes]:
    """The bytes of `data` in the order of the archive."""
    ordered = sorted(lines_of(root), key=lambda line: int(json.loads(line)["seq"]))
    return (line.partition(b',"data":')[2].removesuffix(b"}\n") for line in ordered)


def test_the_paper_trading_bot_is_kept_whole(recordings: Path, tmp_path: Path) -> None:
    path = recordings / "pm_bot_0xcyda" / "late-entry.jsonl"

    report, rejects = run(tmp_path, path, ts="ts:ms", event_type="type")
    again, _ = run(tmp_path, path, ts="ts:ms", event_type="type")

    assert (report.tally.read, report.tally.kept, report.added, rejects) == (5_043, 5_043, 5_043, [])
    assert again.added == 0
    counts = {
        "orderbook_snapshot": 1_393, "remaining": 1_394, "btc_ticker": 1_394, "market_price": 734,
        "strategy": 126, "slot": 2,
    }  # fmt: skip
    assert report.tally.events_by_type == counts
    assert Counter(event["event_type"] for event in events(tmp_path)) == counts
    assert list(kept_objects(tmp_path)) == source_lines(path)
    assert all(shard.parent.name == "date=2026-04-18" for shard in shards(tmp_path))


def test_its_orders_are_kept_and_its_text_logs_are_rejected_with_a_reason(
    recordings: Path, tmp_path: Path
) -> None:
    folder = recordings / "pm_bot_0xcyda"

    orders, _ = run(tmp_path, folder / "trades.jsonl", event_type="type")
    text, _ = run(tmp_path, folder / "paper-btc-20260418.log")

    assert orders.tally.events_by_type == {"order": 19, "resolution": 1}
    assert (text.tally.kept, text.tally.reasons) == (0, {"not JSON": text.tally.read})


def test_a_day_of_level_changes_in_exchange_time_is_kept_whole(recordings: Path, tmp_path: Path) -> None:
    (path,) = (recordings / "pm_tickscope").glob("*.jsonl.gz")

    report, _ = run(tmp_path, path, ts="timestamp:ms", event_type="event_type", trace="asset_id")

    assert report.tally.kept == 30_000
    assert list(kept_objects(tmp_path)) == source_lines(path)
    kept = events(tmp_path)
    assert all(event["trace_id"] == event["data"]["asset_id"] for event in kept)
    times = [event["ts"] for event in kept]
    assert sum(later < earlier for earlier, later in pairwise(times)) == 391


@pytest.mark.parametrize(("name", "count"), HFTBACKTEST.items())
def test_every_frame_of_hftbacktest_comes_back(
    recordings: Path, tmp_path: Path, name: str, count: int
) -> None:
    path = recordings / "hftbacktest_raw" / name

    report, _ = run(tmp_path, path, "hftbacktest")

    kept = events(tmp_path)
    back = [f"{event['data']['received_ns']} {event['data']['frame']}".encode() for event in kept]
    assert (report.tally.kept, len(kept)) == (count, count)
    assert back == source_lines(path)


@pytest.mark.parametrize(("exchange", "count"), CRYPTOFEED.items())
def test_every_line_of_cryptofeed_comes_back(
    recordings: Path, tmp_path: Path, exchange: str, count: int
) -> None:
    path = recordings / "cryptofeed_raw" / f"{exchange}.jsonl.gz"

    report, _ = run(tmp_path, path, "cryptofeed")

    kept = events(tmp_path)
    assert (report.tally.kept, len(kept)) == (count, count)
    assert [event["data"]["frame"].encode() for event in kept] == source_lines(path)
    assert {event["data"]["source"] for event in kept} == {f"cryptofeed:{exchange}"}


def test_opentelemetry_lines_are_rejected_until_their_time_is_named(recordings: Path, tmp_path: Path) -> None:
    path = recordings / "otlp" / "otel-demo_otlp.jsonl.gz"

    plain, rejects = run(tmp_path / "plain", path)
    span = "resourceSpans.0.scopeSpans.0.spans.0."
    run(tmp_path / "named", path, ts=f"{span}startTimeUnixNano:ns", trace=f"{span}traceId")

    assert (plain.tally.kept, plain.tally.reasons) == (0, {"no timestamp": plain.tally.read})
    assert "name it with --ts" in rejects[0][1].detail
    spans = [line for line in source_lines(path) if line.startswith(b'{"resourceSpans"')]
    assert list(kept_objects(tmp_path / "named")) == spans
    assert all(len(event["trace_id"]) == 32 for event in events(tmp_path / "named"))
