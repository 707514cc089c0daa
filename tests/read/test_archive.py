"""Which files of a directory are shards, and what is said when there are none."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyrecord.errors import ArchiveMissing, DataError
from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.times import parse_ts
from tests.read.archives import NOON, ArchiveMaker, Given

DAY = 86_400 * 10**9


def test_a_missing_directory_a_file_and_an_empty_directory_are_no_archive(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty/data/events").mkdir(parents=True)
    for name, what in [
        ("none", "no such directory"),
        ("file", "not a directory"),
        ("empty", "no recorded events"),
    ]:
        with pytest.raises(ArchiveMissing, match=what) as raised:
            Archive(tmp_path / name).shards()
        assert raised.value.hint is not None
        assert str(tmp_path / name) in str(raised.value)


def test_what_cannot_be_listed_is_a_data_error(
    archive: ArchiveMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.signals(1)

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("polyrecord.read.archive.os.scandir", refuse)
    with pytest.raises(DataError, match="Permission denied"):
        Archive(archive.root).shards()


def test_the_root_comes_from_the_environment(archive: ArchiveMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.signals(1)
    monkeypatch.setenv("POLYRECORD_ROOT", str(archive.root))
    assert len(Archive().shards()) == 1
    monkeypatch.delenv("POLYRECORD_ROOT")
    monkeypatch.chdir(archive.root)
    assert len(Archive().shards()) == 1


def test_days_outside_the_window_and_other_streams_are_passed_over(archive: ArchiveMaker) -> None:
    archive.write([Given(NOON + day * DAY, stream=s) for day in range(5) for s in ("data/events", "data/x")])
    midnight = parse_ts("2026-11-22")
    window = Selection(midnight, midnight + DAY, streams=frozenset({"data/x"}))
    explain = Explain()
    (info,) = Archive(archive.root).shards(window, explain)
    assert (info.name.date, info.name.stream) == ("2026-11-22", "data/x")
    assert explain.shards_found == 1
    assert Archive(archive.root).shards(Selection(since_ns=midnight + 100 * DAY)) == []


def test_foreign_names_are_counted_and_ignored(archive: ArchiveMaker) -> None:
    (path,) = archive.signals(1)
    for name in ("notes.txt", "events-w-1.jsonl.gz", "books-w-0001.jsonl.gz", f".{path.name}.tmp"):
        (path.parent / name).write_text("x")
    (archive.root / "data/events/2026").mkdir()
    (archive.root / "data/.gitkeep").touch()
    explain = Explain()
    (info,) = Archive(archive.root).shards(explain=explain)
    assert info.path == path
    assert explain.names_ignored == 5


def test_no_symbolic_link_is_followed(archive: ArchiveMaker, tmp_path: Path) -> None:
    """Of a file, of a stream, of an `_open` folder, of a whole tree."""
    outside = ArchiveMaker(tmp_path / "outside")
    (secret,) = outside.signals(1, "w")
    (path,) = archive.signals(1)
    (path.parent / secret.name).symlink_to(secret)
    (path.parent / "_open").symlink_to(secret.parent)
    (archive.root / "data/other").symlink_to(outside.root / "data/events")
    (archive.root / "logs").rename(tmp_path / "away")
    (archive.root / "logs").symlink_to(outside.root / "data")
    assert [info.path for info in Archive(archive.root).shards()] == [path]


def test_the_root_itself_may_be_a_link(archive: ArchiveMaker, tmp_path: Path) -> None:
    archive.signals(1)
    (tmp_path / "link").symlink_to(archive.root)
    assert len(Archive(tmp_path / "link").shards()) == 1
