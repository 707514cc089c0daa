"""A sealed day of a million events: what a question has to open, told by `--explain`, not by a clock."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polyrecord.record.bulk import BulkWriter
from polyrecord.times import SECOND, format_ts, parse_ts

START = parse_ts("2026-11-20T00:00:00Z")
EVENTS = 1_000_000
PER_TICK = 10  # eight books, a signal and a latency
TICKS = EVENTS // PER_TICK
STEP = 86_400 * SECOND // TICKS
BOOK = b'{"token_id":"7132","bids":[{"price":"0.48","size":"10"}],"asks":[{"price":"0.51","size":"7"}]}'


def trace_of(tick: int) -> str:
    return f"{random.Random(tick).getrandbits(128):032x}"


def latency_of(tick: int) -> float:
    return (tick * 7919 % 10_007) / 100


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("million")
    with BulkWriter(root, "bulk.1") as writer:
        for tick in range(TICKS):
            ts, trace = START + tick * STEP, trace_of(tick)
            for number in range(PER_TICK - 2):
                writer.add(ts + number, "orderbook_snapshot", BOOK)
            writer.add(ts + 8, "signal", b'{"strategy":"atomic","expected_profit":"0.03"}', trace_id=trace)
            stages = b'{"ws_to_book_update_ms":%.2f,"end_to_end_ms":null}' % latency_of(tick)
            writer.add(ts + 9, "latency", stages, trace_id=trace)
    return root


def ask(archive: Path, *arguments: str) -> tuple[dict[str, Any], dict[str, int]]:
    """The JSON answer of a command, and its counters."""
    command = [sys.executable, "-m", "polyrecord", *arguments]
    options = ["--root", str(archive), "--format", "json", "--explain"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    counters = next(line for line in done.stderr.splitlines() if line.startswith("{"))
    return json.loads(done.stdout), json.loads(counters)


def test_a_trace_opens_fewer_than_one_block_in_a_hundred(archive: Path) -> None:
    told, counters = ask(archive, "trace", trace_of(61_803))
    assert [event["event_type"] for event in told["events"]] == ["signal", "latency"]
    assert 0 < counters["blocks_read"] < counters["blocks_found"] / 100


def test_a_prefix_of_a_trace_opens_no_more(archive: Path) -> None:
    told, counters = ask(archive, "trace", trace_of(31_415)[:12].upper())
    assert told["trace_id"] == trace_of(31_415)
    assert 0 < counters["blocks_read"] < counters["blocks_found"] / 100


def test_a_window_inflates_the_blocks_of_that_window_only(archive: Path) -> None:
    """300 seconds are 348 latencies, less than half of one block: at most two blocks can hold them."""
    until = START + 12 * 3600 * SECOND
    told, counters = ask(archive, "summarize", "--window", "300", "--until", format_ts(until))
    ticks = [tick for tick in range(TICKS) if until - 300 * SECOND <= START + tick * STEP + 9 < until]
    values = [latency_of(tick) for tick in ticks]
    stage = next(row for row in told["stages"] if row["stage"] == "ws_to_book_update_ms")
    assert stage["count"] == len(values)
    assert stage["p99"] == pytest.approx(float(np.percentile(values, 99)), abs=1e-9)
    assert 1 <= counters["blocks_read"] <= 2
    assert counters["lines_read"] < 20_000


def test_what_an_archive_holds_is_told_without_inflating_anything(archive: Path) -> None:
    told, counters = ask(archive, "info")
    assert told["coverage"]["events"] == EVENTS
    assert (counters["blocks_read"], counters["bytes_inflated"]) == (0, 0)
