"""What of a directory is a log, in an order that does not depend on the file system."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from polyrecord.errors import UsageError
from polyrecord.foreign.layouts import Layout, find_logs
from tests.foreign.days import metastacker_day, polyarb_day, polytraders_day, put

LINE = {"ts": 1763640000, "type": "a"}


def names(layout: Layout | None) -> list[str]:
    assert layout is not None
    return [str(log.place) for log in layout.logs]


def test_polyarb_has_its_metrics_rotated_ones_first_and_its_events_by_date(tmp_path: Path) -> None:
    polyarb_day(tmp_path)

    layout = find_logs(tmp_path)

    assert layout is not None
    assert layout.system == "PolyArb-X"
    assert names(layout) == [
        "data/events/20260203/events.jsonl.gz",
        "data/events/20260204/events.jsonl",
        "logs/metrics.jsonl.2026-02-02.gz",
        "logs/metrics.jsonl",
        "logs/telemetry.jsonl",
    ]
    assert [log.types for log in layout.logs] == [None, None, {"latency"}, {"latency"}, None]


def test_metastacker_has_a_folder_per_topic_and_date_and_its_snapshots(tmp_path: Path) -> None:
    written = metastacker_day(tmp_path)

    layout = find_logs(tmp_path)

    assert layout is not None
    assert layout.system == "MetaStackerBandit"
    assert [name.rpartition("/")[2] for name in names(layout) if "/costs/" in name or "/risk/" in name] == [
        "costs_20251220_120000.jsonl.gz", "costs.jsonl.gz", "risk.1.jsonl.gz", "risk.jsonl.gz",
    ]  # fmt: skip
    identities = {log.format.identity for log in layout.logs}
    topics = {f"metastacker {topic}" for topic in written if topic != "snapshot"}
    assert identities == topics | {"metastacker snapshot 1h", "metastacker snapshot 24h"}


def test_polytraders_is_a_folder_of_decision_logs(tmp_path: Path) -> None:
    polytraders_day(tmp_path)

    layout = find_logs(tmp_path)

    assert layout is not None
    assert layout.system == "Polytraders decisions"
    assert names(layout)[:2] == ["risk.liquidity_guard.jsonl.1.gz", "risk.liquidity_guard.jsonl"]


@pytest.mark.parametrize("inside", ["paper_trading_outputs", "paper_trading_outputs/logs/costs", "."])
def test_a_layout_is_known_from_inside_too(inside: str, tmp_path: Path) -> None:
    metastacker_day(tmp_path)

    layout = find_logs(tmp_path / inside)

    assert layout is not None
    assert layout.system == "MetaStackerBandit"


def test_rotated_logs_stand_before_the_current_the_oldest_first(tmp_path: Path) -> None:
    for name in (
        "bot.jsonl",
        "bot.jsonl.1",
        "bot.jsonl.2.gz",
        "bot.jsonl.10.gz",
        "a_20260102.gz",
        "a_20260101.gz",
    ):
        put(tmp_path / name, [LINE])

    assert names(find_logs(tmp_path)) == [
        "a_20260101.gz", "a_20260102.gz", "bot.jsonl.10.gz", "bot.jsonl.2.gz", "bot.jsonl.1", "bot.jsonl",
    ]  # fmt: skip


def test_files_of_such_names_that_say_something_else_are_not_of_that_system(tmp_path: Path) -> None:
    """Naive times of another system would else be taken for Indian ones."""
    put(tmp_path / "logs" / "orders" / "date=2025-12-20" / "orders.jsonl", [LINE])
    put(tmp_path / "logs" / "metrics.jsonl", [LINE])

    assert find_logs(tmp_path) is None
    layout = find_logs(tmp_path / "logs")

    assert layout is not None
    assert (layout.system, names(layout)) == ("JSON lines", ["metrics.jsonl"])


def test_what_is_left_out_is_said_with_the_reason(tmp_path: Path) -> None:
    put(tmp_path / "bot.jsonl", [LINE])
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "notes.log").write_text("hello\n")
    (tmp_path / "ours.jsonl").write_text(
        '{"ts":"2026-04-18T22:13:48.425000000Z","seq":1,"event_type":"note","data":{}}\n'
    )
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")

    layout = find_logs(tmp_path)

    assert layout is not None
    assert names(layout) == ["bot.jsonl"]
    assert [(str(place), why) for place, why in layout.left_out] == [
        ("empty.jsonl", "empty"),
        ("notes.log", "not a log of a known format"),
        ("ours.jsonl", "event lines of ours"),
    ]


def test_a_folder_that_cannot_be_read_is_left_out_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "bot.jsonl", [LINE])
    (tmp_path / "closed").mkdir()
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    layout = find_logs(tmp_path)

    assert layout is not None
    assert [(str(place), why) for place, why in layout.left_out] == [
        ("closed", "cannot be read: Permission denied")
    ]


def test_links_are_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere" / "bot.jsonl", [LINE])
    put(tmp_path / "bot" / "a.jsonl", [LINE])
    (tmp_path / "bot" / "b.jsonl").symlink_to(tmp_path / "elsewhere" / "bot.jsonl")
    (tmp_path / "bot" / "logs").symlink_to(tmp_path / "elsewhere")

    assert names(find_logs(tmp_path / "bot")) == ["a.jsonl"]


def test_a_forced_format_takes_all_that_looks_like_a_log(tmp_path: Path) -> None:
    put(tmp_path / "deep" / "er" / "bot.jsonl", [LINE])
    (tmp_path / "frames.gz").write_bytes(gzip.compress(b"x"))
    (tmp_path / "readme.md").write_text("hello")

    layout = find_logs(tmp_path, forced="hftbacktest")

    assert layout is not None
    assert {log.format.name for log in layout.logs} == {"hftbacktest"}
    assert names(layout) == ["frames.gz", "deep/er/bot.jsonl"]
    with pytest.raises(UsageError, match="not a format"):
        find_logs(tmp_path, forced="xml")


def test_named_fields_hold_for_every_log_of_a_directory(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", [{"when": 1763640000, "what": "a"}])
    put(tmp_path / "b.jsonl", [{"when": 1763640000, "what": "b"}])
    put(tmp_path / "c.jsonl", [{"other": 1763640000}])

    layout = find_logs(tmp_path, ts="when:s", event_type="what")

    assert names(layout) == ["a.jsonl", "b.jsonl"]
    assert layout is not None
    assert {log.format.identity for log in layout.logs} == {"generic ts=when:s type=what trace="}
