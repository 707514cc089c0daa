"""HdrHistogram logs: what is written is what the reference reads, whatever stages are called."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.cli.app import main
from polyrecord.derived.buckets import DIGITS, HIGHEST_NS, INDEXES, LOWEST_NS, index_of
from polyrecord.derived.hlog import Interval, encode, log_lines, tag_of
from polyrecord.derived.rollup import FEW_IN_A_MINUTE, rolled_up
from tests.derived.roll_archive import DAY, FIRST, HOUR, MINUTE, STAGES, Latencies, Latency, some_latencies

Log: TypeAlias = list[tuple[str, float, float, dict[int, int]]]  # tag, from, to in s, counts
Export: TypeAlias = Callable[..., Log]
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
COUNTS = st.dictionaries(st.integers(0, INDEXES - 1), st.integers(1, 1 << 40), min_size=1, max_size=60)
LINE = re.compile(r"Tag=([^, \r\n]+),(\d+\.\d{3}),(\d+\.\d{3}),(\d+\.\d{3}),([A-Za-z0-9+/]+=*)\Z")


def decoded(text: str) -> dict[int, int]:
    """The counts by index of a payload, as the Python port of the reference reads them."""
    histogram = HdrHistogram.decode(text)
    assert (histogram.lowest_trackable_value, histogram.highest_trackable_value) == (LOWEST_NS, HIGHEST_NS)
    assert histogram.significant_figures == DIGITS
    counts = np.ctypeslib.as_array(histogram.counts)
    return {int(at): int(counts[at]) for at in np.flatnonzero(counts)}


def encoded(counts: dict[int, int]) -> str:
    return encode(sorted(counts), [counts[at] for at in sorted(counts)])


@given(COUNTS)
def test_the_reference_decodes_the_counts(counts: dict[int, int]) -> None:
    assert decoded(encoded(counts)) == counts


def test_the_frame_of_a_payload_is_the_reference_s() -> None:
    """But for the lengths: where a single count is 0 the Python port writes a run, Java and this a 0."""
    reference = HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)
    reference.record_value(5)
    ours, theirs = base64.b64decode(encode([5], [1])), base64.b64decode(reference.encode())
    assert ours[:4] == theirs[:4]
    assert struct.unpack(">I", ours[4:8]) == (len(ours) - 8,)
    assert zlib.decompress(ours[8:]) == zlib.decompress(theirs[8:])
    assert zlib.decompress(base64.b64decode(encode([1, 3], [1, 2]))[8:])[40:] == bytes([0, 2, 0, 4])


@given(TEXTS.filter(bool), st.none() | TEXTS)
def test_a_tag_breaks_no_line(stage: str, strategy: str | None) -> None:
    line = list(log_lines([Interval(0, 1, tag_of(stage, strategy), [1], [1])], 0, []))[-1]
    assert LINE.match(line)


@given(st.tuples(st.text("a/*-%2A"), st.none() | st.text("a/*-%2A"), st.booleans()), st.data())
def test_different_names_have_different_tags(some: tuple[str, str | None, bool], data: st.DataObject) -> None:
    other = data.draw(st.tuples(st.text("a/*-%2A"), st.none() | st.text("a/*-%2A"), st.booleans()))
    alike = [(stage, None if rest else strategy, rest) for stage, strategy, rest in (some, other)]
    tags = [tag_of(stage, strategy, rest=rest) for stage, strategy, rest in alike]
    assert (tags[0] == tags[1]) == (alike[0] == alike[1])


def test_a_log_begins_as_the_format_says() -> None:
    lines = list(
        log_lines(
            [Interval(90_000_000_000, 150_000_000_000, "a_ms", [index_of(5_000_000)], [2])],
            30_000_000_000,
            ["told"],
        )
    )
    assert lines[:5] == [
        "#[told]",
        "#[Histogram log format version 1.3]",
        "#[BaseTime: 30.000 (seconds since epoch)]",
        "#[StartTime: 30.000 (seconds since epoch), 1970-01-01T00:00:30Z]",
        '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"',
    ]
    assert lines[5].startswith("Tag=a_ms,60.000,60.000,5.001,HISTFAAAA")


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Latencies:
    """Two hosts over two days, one of them with minutes, and hostile names."""
    latencies = Latencies(tmp_path_factory.mktemp("days"))
    latencies.record("host1", some_latencies(1, FIRST, 2 * DAY, 1_000, ["a, b", "c"]))
    latencies.record("host2", some_latencies(2, FIRST + HOUR, 10 * MINUTE, 20 * FEW_IN_A_MINUTE))
    latencies.record(
        "host3", [Latency(FIRST + at, {"x y,\n_ms": value}) for at, value in enumerate([1, -1, 1e10])]
    )
    latencies.compact()
    return latencies


@pytest.fixture
def export(days: Latencies, tmp_path: Path) -> Export:
    """Runs the command; the intervals of its log: tag, start and end in s since the epoch, counts."""

    def run(*arguments: str) -> Log:
        out = tmp_path / "out.hlog"
        main(["export", "hlog", "--root", str(days.root), "-o", str(out), *arguments])
        return read(out)

    return run


def read(path: Path) -> Log:
    told, base = [], 0.0
    for line in path.read_text().splitlines():
        if line.startswith("#[BaseTime: "):
            base = float(line.split()[1])
        elif match := LINE.match(line):
            tag, start, length, _, payload = match.groups()
            told.append((tag, base + float(start), base + float(start) + float(length), decoded(payload)))
    return told


def added(found: Log, tag: str) -> dict[int, int]:
    counts: dict[int, int] = {}
    for _, _, _, part in (each for each in found if each[0] == tag):
        for at, n in part.items():
            counts[at] = counts.get(at, 0) + n
    return counts


def expected(values: np.ndarray) -> dict[int, int]:
    indexes, counts = np.unique(
        [index_of(round(value * 1e6)) for value in values.tolist()], return_counts=True
    )
    return dict(zip(indexes.tolist(), counts.tolist(), strict=True))


@pytest.mark.parametrize("interval", ["minute", "hour", "day"])
def test_every_measurement_is_in_the_log_once(days: Latencies, export: Export, interval: str) -> None:
    found = export("--interval", interval)
    for stage in STAGES:
        assert added(found, stage) == expected(days.values(stage))


def test_an_interval_is_the_whole_period_or_what_the_window_leaves_of_it(export: Export) -> None:
    found = export("--interval", "hour", "--since", "2026-05-27T01:30:00Z", "--until", "2026-05-27T03:10:00Z")
    first = FIRST // 1_000_000_000
    assert sorted({(start - first, end - first) for _, start, end, _ in found}) == [
        (5_400.0, 7_200.0), (7_200.0, 10_800.0), (10_800.0, 11_400.0),
    ]  # fmt: skip


def test_intervals_are_in_the_order_of_time(export: Export) -> None:
    starts = [start for _, start, _, _ in export("--interval", "hour", "--by-strategy")]
    assert starts == sorted(starts)


def test_stages_and_strategies_are_told_apart_by_tags(export: Export) -> None:
    found = export("--interval", "day", "--by-strategy", "--stage", STAGES[0], "--stage", "x y,\n_ms")
    assert {tag for tag, *_ in found} == {
        "x%20y%2C%0A_ms", *(f"{STAGES[0]}/{name}" for name in ("a%2C%20b", "c", "atomic", "maker"))
    }  # fmt: skip


def test_what_is_in_no_histogram_is_told(export: Export, capsys: pytest.CaptureFixture[str]) -> None:
    found = export("--stage", "x y,\n_ms", "--interval", "day")
    assert [sum(counts.values()) for *_, counts in found] == [1]
    told = capsys.readouterr().err
    assert "1 measurements are below 0" in told
    assert "1 measurements are over 73 minutes" in told


def test_conditions_and_damaged_roll_ups_are_answered_from_lines(days: Latencies, export: Export) -> None:
    found = export("--interval", "day", "--where", "strategy=c", "--stage", STAGES[0])
    of_c = [
        each.data for each in days.all() if isinstance(each.data, dict) and each.data.get("strategy") == "c"
    ]
    assert sum(added(found, STAGES[0]).values()) == len(of_c)
    path = next(path for shard in days.shards() if (path := rolled_up(shard)) is not None)
    whole = path.read_bytes()
    path.write_bytes(b"PAR1" * 9)
    try:
        assert added(export("--interval", "day"), STAGES[0]) == expected(days.values(STAGES[0]))
    finally:
        path.write_bytes(whole)


def test_an_unknown_interval_is_refused(days: Latencies, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "hlog", "--root", str(days.root), "--interval", "fortnight"]) == 2
    assert "not an interval: 'fortnight'" in capsys.readouterr().err


def test_an_unknown_format_is_refused(days: Latencies, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "parquet", "--root", str(days.root)]) == 2
    assert "not a format to export: 'parquet'" in capsys.readouterr().err
