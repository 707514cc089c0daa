"""Logs are read where they lie, and every command counts what other tools count in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from polyrecord.errors import ArchiveMissing, DataError, UsageError
from polyrecord.foreign.layouts import find_logs
from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.read.sources import How, open_source
from polyrecord.times import parse_ts
from tests.foreign.days import TRACES, metastacker_day, polyarb_day, polytraders_day, put
from tests.foreign.table import cases_of, generated_cases, rows_of

DAYS = {
    "PolyArb-X": polyarb_day, "MetaStackerBandit": metastacker_day, "Polytraders decisions": polytraders_day,
}  # fmt: skip


def counted(root: Path, selection: Selection | None = None) -> Counter[str]:
    return Counter(event.event_type for event in Replay(open_source(root), selection or Selection()))


@pytest.mark.parametrize("system", DAYS)
def test_a_day_is_recognised_by_its_layout_and_all_of_it_is_read(system: str, tmp_path: Path) -> None:
    written = DAYS[system](tmp_path)

    source = open_source(tmp_path)

    assert len(source.notes) == 1
    assert source.notes[0].startswith(f"reading {system} in ")
    assert counted(tmp_path) == written


def test_every_command_counts_in_generated_days_what_other_tools_do(
    tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    require_tool("jq")

    rows = rows_of(generated_cases(tmp_path))

    assert [(row.name, str(cell)) for row in rows for cell in row.cells if cell.differs] == []
    assert sum(cell.ours is not None for row in rows for cell in row.cells) == 20


def test_every_command_counts_in_a_recorded_bot_what_other_tools_do(
    recordings: Path, require_tool: Callable[[str], str]
) -> None:
    require_tool("jq")
    cases = [case for case in cases_of(recordings) if "late-entry.jsonl" in case.name]

    (row,) = rows_of(cases)

    assert [str(cell) for cell in row.cells if cell.differs] == []
    assert counted_by_type(recordings) == {
        "remaining": 1394, "btc_ticker": 1394, "orderbook_snapshot": 1393, "market_price": 734,
        "strategy": 126, "slot": 2,
    }  # fmt: skip


def counted_by_type(recordings: Path) -> Counter[str]:
    source = open_source(files=[recordings / "pm_bot_0xcyda" / "late-entry.jsonl"])
    return Counter(event.event_type for event in Replay(source, Selection()))


def test_logs_of_a_date_are_not_opened_for_another(tmp_path: Path) -> None:
    polyarb_day(tmp_path)
    selection = Selection(since_ns=parse_ts("2026-02-10"), types=frozenset({"signal"}))

    explain = Explain()
    events = list(Replay(open_source(tmp_path), selection, explain=explain))

    assert events == []
    assert explain.shards_found == 1, "telemetry has no date, metrics hold no signals"


def test_a_directory_with_shards_of_ours_is_our_archive_whatever_lies_beside_them(tmp_path: Path) -> None:
    from polyrecord import EventRecorder

    polyarb_day(tmp_path)
    with EventRecorder(tmp_path) as recorder:
        recorder.record("note", {})

    assert isinstance(open_source(tmp_path), Archive)
    assert counted(tmp_path) == {"note": 1}
    forced = open_source(tmp_path, how=How("polyarb"))
    assert len(list(Replay(forced, Selection(types=frozenset({"signal"}))))) == TRACES


def test_several_files_of_several_formats_are_one_source(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", [{"ts": 1763640000 + n, "type": "a"} for n in range(0, 10, 2)])
    (tmp_path / "b.csv").write_text(
        "time_seconds,event_type\n" + "".join(f"{1763640001 + n},b\n" for n in range(0, 10, 2))
    )

    source = open_source(files=[tmp_path / "a.jsonl", tmp_path / "b.csv"])

    assert [event.event_type for event in Replay(source, Selection())] == ["a", "b"] * 5
    assert [note.rpartition(" as ")[2] for note in source.notes] == ["JSON lines", "CSV"]


def test_shards_and_logs_may_be_read_together(tmp_path: Path) -> None:
    from polyrecord import EventRecorder

    with EventRecorder(tmp_path / "ours") as recorder:
        recorder.record("note", {})
    (shard,) = (tmp_path / "ours").rglob("*.jsonl.gz")
    put(tmp_path / "a.jsonl", [{"ts": 1763640000, "type": "a"}])

    source = open_source(files=[shard, tmp_path / "a.jsonl"])

    assert [event.event_type for event in Replay(source, Selection())] == ["a", "note"]


@pytest.mark.parametrize(("name", "content", "error", "message"), [
    ("bot.txt", b"hello\nworld\n", UsageError, "not a log of a known format"),
    ("bot.jsonl", b'{"a":1}\n', UsageError, "not a log of a known format"),
    ("empty.jsonl", b"", UsageError, "file is empty"),
])  # fmt: skip
def test_what_is_no_log_is_refused_with_the_formats_there_are(
    name: str, content: bytes, error: type[Exception], message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(error, match=message) as refused:
        open_source(files=[tmp_path / name])

    assert "generic" in (getattr(refused.value, "hint", "") or "")


def test_a_directory_in_place_of_a_file_and_a_file_in_place_of_a_directory_are_told_apart(
    tmp_path: Path,
) -> None:
    put(tmp_path / "a.jsonl", [{"ts": 1763640000}])

    with pytest.raises(UsageError, match="a directory, not a file"):
        open_source(files=[tmp_path])
    with pytest.raises(ArchiveMissing, match="not a directory"):
        open_source(tmp_path / "a.jsonl")


def test_a_file_that_cannot_be_opened_is_an_error_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "a.jsonl", [{"ts": 1763640000}])

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match="cannot be read: Permission denied"):
        open_source(files=[tmp_path / "a.jsonl"])


def test_links_are_not_followed_below_a_directory(tmp_path: Path) -> None:
    put(tmp_path / "logs" / "a.jsonl", [{"ts": 1763640000}])
    (tmp_path / "logs" / "b.jsonl").symlink_to(tmp_path / "logs" / "a.jsonl")

    layout = find_logs(tmp_path / "logs")

    assert layout is not None
    assert [log.place.name for log in layout.logs] == ["a.jsonl"]


def test_a_cut_last_frame_is_no_event_in_place_as_it_is_none_imported(tmp_path: Path) -> None:
    path = tmp_path / "frames"
    path.write_bytes(b'1723161254024619568 {"a":1}\n1723161254036052868 {"a"')
    explain = Explain()

    events = list(Replay(open_source(files=[path]), Selection(), explain=explain))

    assert (len(events), explain.torn_bytes) == (1, 24)


def test_a_directory_of_json_lines_may_be_told_where_its_times_are(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", [{"at": 1763640000 + n, "what": "tick"} for n in range(3)])

    source = open_source(tmp_path, how=How(ts="at:s", type_field="what"))

    assert Counter(event.event_type for event in Replay(source, Selection())) == {"tick": 3}
