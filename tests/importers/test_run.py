"""A file is imported once, whole or its rest, and nothing but its events is added."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import DataError, RecorderError, UsageError
from polyrecord.foreign.formats import Format, choose_format
from polyrecord.importers.run import import_file
from tests.importers.archives import events, lines_of, run, shards

S = 1_776_550_428
KILLED_HALFWAY = """
import os, sys
from pathlib import Path
from polyrecord.foreign.formats import Format, choose_format
from polyrecord.importers.run import import_file

def die_late(step, done, total):
    if step == "importing" and done > total * 0.9:
        os._exit(9)

choose = lambda _: choose_format("generic")
import_file(Path(sys.argv[1]), sys.argv[2], choose, on_reject=print, on_progress=die_late)
"""


def line(n: int, **more: object) -> bytes:
    return json.dumps({"ts": S + n, "n": n, **more}).encode() + b"\n"


def log(count: int) -> bytes:
    return b"".join(line(n) for n in range(count))


def numbers(root: Path) -> list[int]:
    """What was imported, in the order of the archive."""
    return [event["data"]["n"] for event in events(root)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "archive"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.log"


class TestOnce:
    def test_a_second_run_adds_nothing_and_reports_the_same_counts(self, root: Path, path: Path) -> None:
        path.write_bytes(log(10) + b"oops\n\n" + line(10, bad=float("nan")))

        first, rejects = run(root, path)
        before = {shard: shard.read_bytes() for shard in shards(root)}
        second, again = run(root, path)

        assert (first.added, second.added) == (11, 0)
        assert first.tally == second.tally
        assert first.tally.as_json() == {
            "read": 12, "kept": 11, "rejected": 1, "blank": 1, "rewritten": 1,
            "events_by_type": {"imported": 11}, "reasons": {"not JSON": 1},
        }  # fmt: skip
        assert [(number, reject.reason) for number, reject in rejects] == [(11, "not JSON")]
        assert again == []
        assert {shard: shard.read_bytes() for shard in shards(root)} == before
        assert numbers(root) == [*range(11)]

    def test_name_and_compression_do_not_make_another_file(self, root: Path, path: Path) -> None:
        path.write_bytes(log(10))
        run(root, path)
        packed = path.with_name("other")
        packed.write_bytes(gzip.compress(log(10)))

        report, _ = run(root, packed)

        assert report.added == 0
        assert len(lines_of(root)) == 10

    def test_another_mapping_makes_other_events(self, root: Path, path: Path) -> None:
        path.write_bytes(log(10))
        run(root, path)

        report, _ = run(root, path, ts="n:s")

        assert report.added == 10
        assert len(lines_of(root)) == 20

    def test_an_empty_file_is_no_obstacle_to_what_comes_later(self, root: Path, path: Path) -> None:
        path.write_bytes(b"")
        assert run(root, path)[0].added == 0
        path.write_bytes(log(3))

        report, _ = run(root, path)

        assert (report.added, report.start, numbers(root)) == (3, 0, [0, 1, 2])


class TestGrowth:
    def test_of_a_file_that_grew_only_the_rest_is_added(self, root: Path, path: Path) -> None:
        path.write_bytes(log(10) + b"oops\n")
        first, _ = run(root, path)
        path.write_bytes(log(10) + b"oops\n" + line(10) + b"again\n" + line(11))

        second, rejects = run(root, path)

        assert (second.added, second.writer == first.writer) == (2, False)
        assert (second.tally.read, second.tally.kept, second.tally.rejected) == (14, 12, 2)
        assert [number for number, _ in rejects] == [13]
        assert sorted(numbers(root)) == [*range(12)]
        assert run(root, path)[0].added == 0

    def test_a_file_that_begins_differently_is_another_file(self, root: Path, path: Path) -> None:
        path.write_bytes(log(3))
        run(root, path)
        path.write_bytes(line(7) + log(3))

        assert run(root, path)[0].added == 4

    def test_a_half_written_last_line_is_taken_when_it_is_whole(self, root: Path, path: Path) -> None:
        path.write_bytes(log(3) + line(3)[:9])
        first, rejects = run(root, path)
        path.write_bytes(log(5))

        second, _ = run(root, path)

        assert (first.added, first.tally.rejected, rejects[0][0]) == (3, 1, 4)
        assert (second.added, second.tally.read, second.tally.rejected) == (2, 5, 0)
        assert sorted(numbers(root)) == [*range(5)]

    def test_a_last_line_without_line_feed_is_taken_once(self, root: Path, path: Path) -> None:
        path.write_bytes(log(3)[:-1])
        first, _ = run(root, path)
        path.write_bytes(log(5))

        second, _ = run(root, path)

        assert (first.added, second.added, second.tally.kept) == (3, 2, 5)
        assert sorted(numbers(root)) == [*range(5)]

    def test_a_cut_frame_is_never_kept(self, root: Path, path: Path) -> None:
        path.write_bytes(b'1723161254024619568 {"a":1}\n1723161254024619569 {"a"')
        report, rejects = run(root, path, "hftbacktest")

        assert (report.added, rejects[0][1].reason) == (1, "cut off")

        path.write_bytes(b'1723161254024619568 {"a":1}\n1723161254024619569 {"a":2}')
        assert run(root, path, "hftbacktest")[0].added == 1
        assert sorted(event["data"]["frame"] for event in events(root)) == ['{"a":1}', '{"a":2}']

    def test_a_header_holds_for_what_is_added_later(self, root: Path, path: Path) -> None:
        header = b'{"t":"header","exchange":"DERIBIT","recorded":1626993723.1}\n'
        path.write_bytes(header)
        run(root, path, "cryptofeed")
        path.write_bytes(header + b'{"t":"recv","conn":"ws","ts":1626993724.1}\n')

        run(root, path, "cryptofeed")

        assert {event["data"]["source"] for event in events(root)} == {"cryptofeed:DERIBIT"}

    @given(st.lists(st.integers(0, 12), min_size=1).map(sorted), st.integers(0, 40))
    def test_however_it_grows_every_line_is_imported_once(
        self, tmp_path_factory: pytest.TempPathFactory, sizes: list[int], cut: int
    ) -> None:
        """The file is seen several times while it grows, each time with a last line cut anywhere."""
        folder = tmp_path_factory.mktemp("growth")
        for size in [*sizes, 13]:
            content = log(size) + (line(size)[:cut] if size < 13 else b"")
            (folder / "bot.log").write_bytes(content)
            run(folder / "archive", folder / "bot.log")

        assert sorted(numbers(folder / "archive")) == [*range(13)]


def generic(_: bytes) -> Format:
    return choose_format("generic")


class TestInterrupted:
    @pytest.mark.parametrize("grown", [False, True])
    @pytest.mark.parametrize("sealed", [False, True])
    def test_a_killed_import_is_done_again_from_the_start(
        self, root: Path, path: Path, grown: bool, sealed: bool
    ) -> None:
        content = b"".join(line(n, random=os.urandom(600).hex()) for n in range(2_000))
        path.write_bytes(content)
        died = subprocess.run([sys.executable, "-c", KILLED_HALFWAY, root, path], check=False)
        assert died.returncode == 9
        (left,) = shards(root)
        assert left.parent.name == "_open"
        if sealed:
            shutil.move(left, left.parent.parent / left.name)
        if grown:
            path.write_bytes(content + line(2_000))

        report, _ = run(root, path)

        assert report.added == report.tally.kept == 2_000 + grown
        assert numbers(root) == [*range(2_000 + grown)]
        assert not list(root.rglob("_open"))
        assert len(list((root / "logs" / "_writers").glob("*.json"))) == 1

    def test_a_file_that_changes_meanwhile_leaves_nothing(self, root: Path, path: Path) -> None:
        path.write_bytes(log(10))

        def change(step: str, done: int, total: int) -> None:
            if step == "reading" and done == total:
                path.write_bytes(log(10).replace(b"n", b"m"))

        with pytest.raises(DataError, match="changed while it was imported"):
            import_file(
                root, str(path), lambda _: choose_format("generic"), on_reject=print, on_progress=change
            )
        assert shards(root) == []
        assert run(root, path)[0].added == 10

    def test_a_file_that_grows_meanwhile_is_imported_as_it_was(self, root: Path, path: Path) -> None:
        path.write_bytes(log(20_000))

        def grow(step: str, done: int, total: int) -> None:
            if step == "importing":
                path.write_bytes(log(20_002))

        report = import_file(
            root, str(path), lambda _: choose_format("generic"), on_reject=print, on_progress=grow
        )

        assert (report.added, report.tally.rejected) == (20_000, 0)
        assert run(root, path)[0].added == 2

    def test_an_archive_that_cannot_be_written_is_an_error(self, root: Path, path: Path) -> None:
        path.write_bytes(log(1))
        root.write_bytes(b"a file in the way")

        with pytest.raises(RecorderError, match="cannot write the archive"):
            run(root, path)


class TestGone:
    """Events of an earlier import that somebody deleted come back when the file is imported again."""

    def two_dates(self, path: Path, count: int = 20) -> None:
        path.write_bytes(b"".join(line(n * 10_000) for n in range(count)))

    def test_a_date_that_was_deleted_comes_back(self, root: Path, path: Path) -> None:
        self.two_dates(path)
        first, _ = run(root, path)
        gone = shards(root)[0]
        left = len(lines_of(root))
        shutil.rmtree(gone.parent)
        missing = left - len(lines_of(root))

        second, _ = run(root, path)
        third, _ = run(root, path)

        assert (second.missing, second.added, third.missing, third.added) == (missing, 20, 0, 0)
        assert second.tally == first.tally
        assert numbers(root) == [n * 10_000 for n in range(20)]

    def test_of_a_file_that_grew_all_of_it_comes_back(self, root: Path, path: Path) -> None:
        for count in (10, 20):
            self.two_dates(path, count)
            run(root, path)
        shards(root)[0].unlink()
        self.two_dates(path, 30)

        report, _ = run(root, path)

        assert (report.missing > 0, report.added) == (True, 30)
        assert sorted(numbers(root)) == [n * 10_000 for n in range(30)]
        assert run(root, path)[0].added == 0

    def test_what_another_file_brought_is_left_alone(self, root: Path, path: Path) -> None:
        other = path.with_name("other.log")
        other.write_bytes(log(5))
        self.two_dates(path)
        run(root, other)
        report, _ = run(root, path)
        for shard in root.rglob(f"*{report.writer}*.jsonl.gz"):
            shard.unlink()

        run(root, path)

        assert len(numbers(root)) == 25
        assert run(root, other)[0].added == 0


class TestRejects:
    def test_they_are_kept_with_their_line_and_reason_and_once(self, root: Path, path: Path) -> None:
        path.write_bytes(log(1) + b"oops\n" + b'{"ts":1776550428,"s":"\xff"}\n' + b"x" * 9000 + b"\n")

        first, _ = run(root, path)
        again, _ = run(root, path)

        assert first.rejects == again.rejects == root / "logs" / "_rejects" / f"{first.writer}.jsonl"
        kept = [json.loads(text) for text in first.rejects.read_bytes().splitlines()]
        assert [(reject["line"], reject["reason"]) for reject in kept] == [(n, "not JSON") for n in (2, 3, 4)]
        assert kept[0]["text"] == "oops"
        assert b64decode(kept[1]["base64"]) == b'{"ts":1776550428,"s":"\xff"}'
        assert len(kept[2]["text"]) == 4096

    def test_without_any_there_is_no_file(self, root: Path, path: Path) -> None:
        path.write_bytes(log(1))

        report, _ = run(root, path)

        assert report.rejects is None
        assert not (root / "logs" / "_rejects").exists()


class TestContent:
    def test_events_keep_source_order_and_their_own_dates(self, root: Path, path: Path) -> None:
        """Times that go back, over three dates and before 1970."""
        times = [S, S - 86_400, S + 5, -5, S - 86_399]
        path.write_bytes(b"".join(b'{"ts":%d,"n":%d}\n' % (ts, n) for n, ts in enumerate(times)))

        run(root, path, ts="ts:s")

        assert numbers(root) == [*range(5)]
        for shard in shards(root):
            for text in gzip.decompress(shard.read_bytes()).splitlines():
                assert f"date={json.loads(text)['ts'][:10]}" == shard.parent.name

    def test_a_ten_megabyte_line_comes_back(self, root: Path, path: Path) -> None:
        big = line(1, text="x" * 10_000_000)
        path.write_bytes(log(1) + big + line(2))

        run(root, path)

        data = [text.partition(b'"data":')[2] for text in lines_of(root)]
        assert data[1] == big[:-1] + b"}\n"

    def test_a_line_beyond_the_limit_is_rejected_and_the_rest_is_kept(
        self, root: Path, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path.write_bytes(log(1) + line(1, text="x" * 1000) + line(2))
        monkeypatch.setattr("polyrecord.importers.content.split_lines.__defaults__", (500,))

        report, rejects = run(root, path)

        assert (report.added, rejects[0][0], rejects[0][1].reason) == (2, 2, "line too long")

    def test_of_a_truncated_gzip_file_the_readable_lines_are_kept(self, root: Path, path: Path) -> None:
        content = b"".join(line(n, random=os.urandom(100).hex()) for n in range(5_000))
        packed = gzip.compress(content)
        path.write_bytes(packed[: len(packed) // 2])
        first, _ = run(root, path)
        path.write_bytes(packed)
        second, _ = run(root, path)

        assert first.damage is not None
        assert 1_000 < first.added < 4_000
        assert (second.damage, second.added) == (None, 5_000 - first.added)
        assert sorted(numbers(root)) == [*range(5_000)]

    def test_mapping_options_belong_to_generic(self) -> None:
        with pytest.raises(UsageError, match="are for other formats"):
            choose_format("cryptofeed", ts="ts:s")
        with pytest.raises(UsageError, match="not a format"):
            choose_format("xml")
