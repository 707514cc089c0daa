"""Folders that come and go while somebody looks: a writer removes the one it wrote to when it seals."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from polyrecord.importers.earlier import remove_leftovers
from polyrecord.read.archive import Archive
from polyrecord.record.bulk import BulkWriter


@contextmanager
def coming_and_going(folder: Path) -> Iterator[None]:
    stopped = threading.Event()

    def toggle() -> None:
        while not stopped.is_set():
            folder.mkdir(exist_ok=True)
            folder.rmdir()

    thread = threading.Thread(target=toggle)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


def test_a_folder_that_vanishes_while_it_is_looked_into_holds_nothing(tmp_path: Path) -> None:
    date = tmp_path / "data" / "events" / "date=2026-11-20"
    date.mkdir(parents=True)
    with coming_and_going(date / "_open"):
        for number in range(200):
            assert not Archive(tmp_path).has_shards()
            remove_leftovers(tmp_path, f"import.{number:016x}")
        for number in range(20):
            BulkWriter(tmp_path, f"import.{number:016x}", kind="import").discard()
