"""Small blocks of sealed shards become large ones, and nobody loses a line by it (docs/decisions/0005)."""

from __future__ import annotations

import asyncio
import fcntl
import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from polyrecord.cli.repack_ import repack_command
from polyrecord.errors import DataError
from polyrecord.format import join
from polyrecord.format.block import parse_header
from polyrecord.format.block_keys import BlockKeys
from polyrecord.format.constants import UNINDEXED
from polyrecord.format.directory import Footer
from polyrecord.format.directory_builder import DirectoryBuilder
from polyrecord.format.layout import ShardName
from polyrecord.ids import value_key
from polyrecord.read.archive import Archive
from polyrecord.read.blocks import lines as read_lines
from polyrecord.read.coverage import coverage
from polyrecord.read.explain import Explain
from polyrecord.read.files import OpenFiles
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.read.shard import open_shard
from polyrecord.read.tail.feed import Feed
from polyrecord.read.tail.last import last_lines
from polyrecord.record.recovery.recover import recover_dead
from polyrecord.record.shard_file import ShardFile
from polyrecord.times import SECOND
from polyrecord.upkeep.repack import repack, repack_shard
from polyrecord.upkeep.salvage import salvage
from polyrecord.upkeep.verify import verify
from tests.format.samples import block
from tests.hostile.corruptions import place, sample
from tests.read.archives import NOON, RECORDER, ArchiveMaker, Given, open_again
from tests.read.test_damage import flip
from tests.transfer.recordings import cut_out

SIZE = 2000


def slow_bot(root: Path, count: int = SIZE, **options: object) -> ArchiveMaker:
    """Sealed shards of blocks of a few lines, in two streams."""
    maker = ArchiveMaker(root)
    events = [
        Given(
            NOON + at * SECOND, "signal" if at % 3 else "book", b'{"n":%d,"order_id":"A-%d"}' % (at, at % 7),
            trace_id=f"{at // 2:032x}", stream=None if at % 3 else "data/books",
        )
        for at in range(count)
    ]  # fmt: skip
    maker.write(events, block_bytes=800, **options)  # type: ignore[arg-type]
    return maker


def replayed(root: Path, selection: Selection | None = None) -> tuple[list[bytes], Explain]:
    explain = Explain()
    return list(Replay(Archive(root), selection or Selection(), explain=explain).lines()), explain


def footers(root: Path) -> dict[str, Footer]:
    found = {}
    for info in Archive(root).shards():
        index = open_shard(info, Explain(strict=True))
        assert index is not None
        assert index.footer is not None
        found[str(info.name.path)] = index.footer
    return found


def shards(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted((root / "data").rglob("*")) if path.is_file()}


def test_lines_and_totals_stay_and_bytes_go(tmp_path: Path) -> None:
    maker = slow_bot(tmp_path)
    expected, before = maker.read(), footers(tmp_path)
    size = sum(map(len, shards(tmp_path).values()))
    answer = repack(tmp_path)
    assert maker.read() == expected == replayed(tmp_path)[0]
    assert len(answer.shards) == answer.looked == len(before) == 2
    assert (answer.before, answer.after) == (size, sum(map(len, shards(tmp_path).values())))
    assert answer.after < answer.before / 2
    for path, footer in footers(tmp_path).items():
        old = before[path]
        for name in ("flags", "events", "content_length", "first_seq", "last_seq", "first_ordinal",
                     "last_ordinal", "min_ts", "max_ts", "lost"):  # fmt: skip
            assert getattr(footer, name) == getattr(old, name), name
        assert footer.blocks < old.blocks / 10
    assert verify(tmp_path).problems == ()


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    slow_bot(tmp_path)
    repack(tmp_path)
    before = {path: path.stat() for path in shards(tmp_path)}
    answer = repack(tmp_path)
    assert (answer.shards, answer.left) == ([], [])
    assert {path: path.stat() for path in shards(tmp_path)} == before


def test_a_dry_run_tells_the_same_and_touches_nothing(tmp_path: Path) -> None:
    slow_bot(tmp_path)
    before = shards(tmp_path)
    dry = repack(tmp_path, dry_run=True)
    assert shards(tmp_path) == before
    assert repack(tmp_path).shards == dry.shards


def test_keys_and_windows_find_the_same(tmp_path: Path) -> None:
    slow_bot(tmp_path)
    asked = [
        Selection(trace=f"{500:032x}"), Selection(value="A-3"), Selection(types=frozenset({"book"})),
        Selection(since_ns=NOON + 100 * SECOND, until_ns=NOON + 200 * SECOND),
    ]  # fmt: skip
    before = [replayed(tmp_path, selection)[0] for selection in asked]
    assert all(before)
    repack(tmp_path)
    assert [replayed(tmp_path, selection)[0] for selection in asked] == before


def test_gaps_and_declared_losses_stay_told(tmp_path: Path) -> None:
    """Ordinals jump between blocks; in one large block they are missing inside it."""
    content, lines = sample(1, sealed=True)
    path = place(tmp_path, content, sealed=True)
    before = coverage(Archive(tmp_path))
    assert before.unknown == 5
    assert repack(tmp_path).shards[0].blocks_after == 1
    after = coverage(Archive(tmp_path))
    assert (after.events, after.lost, after.unknown) == (before.events, before.lost, before.unknown)
    assert gzip.decompress(path.read_bytes()).splitlines() == lines


def test_open_shards_are_not_touched(tmp_path: Path) -> None:
    maker = slow_bot(tmp_path)
    for path in shards(tmp_path):
        open_again(path)
    before = shards(tmp_path)
    answer = repack(tmp_path)
    assert (answer.looked, answer.shards) == (0, [])
    assert shards(tmp_path) == before
    assert maker.read()


def test_large_blocks_are_left_as_they_are(tmp_path: Path) -> None:
    ArchiveMaker(tmp_path).signals(5000, block_bytes=90_000)
    before = shards(tmp_path)
    assert repack(tmp_path).shards == []
    assert repack(tmp_path, min_block=200_000).shards != []
    assert shards(tmp_path) != before


def test_only_the_streams_asked_for(tmp_path: Path) -> None:
    slow_bot(tmp_path)
    assert [shard.name.stream for shard in repack(tmp_path, ["data/books"]).shards] == ["data/books"]


@pytest.mark.parametrize("where", ["content", "header", "directory", "footer"])
def test_a_damaged_shard_is_left_alone_and_told(tmp_path: Path, where: str) -> None:
    slow_bot(tmp_path)
    path, other = shards(tmp_path)
    size = path.stat().st_size
    flip(path, {"content": 1000, "header": 40, "directory": size - 1000, "footer": size - 60}[where])
    before = path.read_bytes()
    answer = repack(tmp_path)
    assert path.read_bytes() == before
    assert [(tmp_path / left.name.path, "damaged" in left.reason) for left in answer.left] == [(path, True)]
    assert [tmp_path / shard.name.path for shard in answer.shards] == [other]


def test_no_file_is_left_beside_and_modes_stay(tmp_path: Path) -> None:
    slow_bot(tmp_path)
    names = set(shards(tmp_path))
    for path in names:
        path.chmod(0o600)
    repack(tmp_path)
    assert set(shards(tmp_path)) == names
    assert {path.stat().st_mode & 0o777 for path in names} == {0o600}


def test_what_an_earlier_run_left_is_removed_unless_a_process_is_at_it(tmp_path: Path) -> None:
    slow_bot(tmp_path)
    first, second = shards(tmp_path)
    left = [path.with_name(f".{path.name}.repack") for path in (first, second)]
    for path in left:
        path.write_bytes(b"half a shard")
    with left[1].open("rb") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)
        answer = repack(tmp_path)
    assert [path.exists() for path in left] == [False, True]
    assert left[1].read_bytes() == b"half a shard"
    assert [one.reason for one in answer.left] == ["another process rewrites this shard"]
    repack(tmp_path)
    assert not left[1].exists()


def test_a_shard_deleted_meanwhile_stays_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_bot(tmp_path)
    (info, _) = Archive(tmp_path).shards()

    def delete(*_: object) -> bool:
        info.path.unlink()
        return True

    monkeypatch.setattr("polyrecord.upkeep.repack.is_same", delete)
    with pytest.raises(DataError, match="meanwhile"):
        repack_shard(tmp_path, info.name)
    assert not info.path.exists()


_CRASH = """
import os, pathlib, sys
from polyrecord.record import files
from polyrecord.upkeep import replacing
from polyrecord.upkeep.repack import repack
left = [int(sys.argv[2])]
def dying(call):
    def step(*arguments, **names):
        left[0] -= 1
        if left[0] == 0: os._exit(9)
        result = call(*arguments, **names)
        left[0] -= 1
        if left[0] == 0: os._exit(9)
        return result
    return step
replacing.write_all = dying(replacing.write_all)
replacing.sync_directory = dying(replacing.sync_directory)
os.fsync = dying(os.fsync)
pathlib.Path.rename = dying(pathlib.Path.rename)
pathlib.Path.unlink = dying(pathlib.Path.unlink)
repack(pathlib.Path(sys.argv[1]))
"""


def test_a_crash_at_any_step_leaves_the_old_file_or_the_new_one(tmp_path: Path) -> None:
    maker = slow_bot(tmp_path, 400)
    expected, step, crashes = maker.read(), 1, 0
    originals = shards(tmp_path)
    while True:
        for path, content in originals.items():
            path.write_bytes(content)
        done = subprocess.run([sys.executable, "-c", _CRASH, str(tmp_path), str(step)], check=False)
        got, explain = replayed(tmp_path)
        assert (got, explain.damage) == (expected, [])
        if done.returncode == 0:
            break
        assert done.returncode == 9
        crashes += 1
        step += 1 if step < 4 else 3
    assert crashes > 5
    repack(tmp_path)
    assert set(shards(tmp_path)) == set(originals)
    assert maker.read() == expected


@pytest.mark.parametrize("at", [1, 700, 1999])
def test_a_replay_goes_on_over_it(tmp_path: Path, at: int) -> None:
    expected = slow_bot(tmp_path).read()
    explain = Explain()
    replay = Replay(Archive(tmp_path), Selection(), explain=explain).lines()
    got = [next(replay) for _ in range(at)]
    assert len(repack(tmp_path).shards) == 2
    got += replay
    assert got == expected
    assert explain.damage == []


class _Forgetful(OpenFiles):
    """Keeps no file open: as if a thousand others were read by turns."""

    def read_at(self, *arguments: object) -> bytes:
        try:
            return super().read_at(*arguments)  # type: ignore[arg-type]
        finally:
            self.close()


@pytest.mark.parametrize("at", [1, 700, 1999])
def test_a_replay_that_opens_the_new_file_finds_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    monkeypatch.setattr("polyrecord.read.fetch.OpenFiles", _Forgetful)
    expected = slow_bot(tmp_path).read()
    for selection in (Selection(), Selection(types=frozenset({"book"}))):
        explain = Explain()
        wanted = [line for line in expected if not selection.types or b'"event_type":"book"' in line]
        replay = Replay(Archive(tmp_path), selection, explain=explain).lines()
        got = [next(replay) for _ in range(min(at, len(wanted)))]
        repack(tmp_path)
        got += replay
        assert got == wanted
        assert explain.damage == []


def test_an_async_replay_goes_on_over_it(tmp_path: Path) -> None:
    expected = slow_bot(tmp_path).read()

    async def collect() -> list[bytes]:
        got: list[bytes] = []
        async for event in Replay(Archive(tmp_path), Selection()):
            got.append(event.line)
            if len(got) == 300:
                repack(tmp_path)
        return got

    assert asyncio.run(collect()) == expected


def test_blocks_without_order_and_the_last_lines_survive_it(tmp_path: Path) -> None:
    expected = slow_bot(tmp_path).read()
    explain = Explain()
    unordered = read_lines(Archive(tmp_path), Selection(), explain)
    got = [next(unordered)]
    repack(tmp_path)
    got += unordered
    assert sorted(got) == sorted(expected)
    assert last_lines(Archive(tmp_path), Selection(), 50, explain) == expected[-50:]
    assert explain.damage == []


def polled(feed: Feed) -> Iterator[bytes]:
    for batch in feed.poll(at_once=True):
        yield from batch.lines


def test_a_follower_survives_it_before_in_between_and_after(tmp_path: Path) -> None:
    expected = slow_bot(tmp_path).read()
    for taken in (1, 500, 2000):
        explain = Explain()
        feed = Feed(tmp_path, Selection(), explain)
        batches = feed.poll(at_once=True)
        first = next(batches)
        repack(tmp_path)
        got = [*first.lines, *(line for batch in batches for line in batch.lines), *polled(feed)]
        assert got == expected
        position = dict(first.moved_by(min(taken, len(first.lines))))
        again = Feed(tmp_path, Selection(), explain, position)
        rest = list(polled(again))
        assert rest == expected[min(taken, len(first.lines)) :]
        assert explain.damage == []


def test_a_follower_of_a_shard_that_is_sealed_and_repacked_between_two_looks(tmp_path: Path) -> None:
    """It has seen half of it open; of the blocks of the new file it takes what it has not seen."""
    maker = slow_bot(tmp_path)
    expected, explain = maker.read(), Explain()
    originals = shards(tmp_path)
    opened = [open_again(path) for path in originals]
    for path, content in zip(opened, originals.values(), strict=True):
        path.write_bytes(content[: len(content) // 2])
    feed = Feed(tmp_path, Selection(), explain)
    got = list(polled(feed))
    assert 0 < len(got) < len(expected)
    for path, (sealed, content) in zip(opened, originals.items(), strict=True):
        path.write_bytes(content)
        path.rename(sealed)
    repack(tmp_path)
    got += polled(feed)
    assert sorted(got) == sorted(expected)
    assert len(got) == len(set(got))
    assert explain.damage == []


def test_a_recorder_that_joins_blocks_of_an_open_shard_disturbs_nobody(tmp_path: Path) -> None:
    """The follower has seen half of what is then one block, and some that it holds back."""
    root = tmp_path / "archive"
    name = ShardName("data/events", RECORDER, 1, "2026-11-20", sealed=False)
    content = [(member, parse_header(member)) for member in (block(first, 3) for first in range(1, 301, 3))]
    shard = ShardFile(root, name, 0)
    for member, _ in content[:50]:
        shard.append(member)
    explain = Explain()
    feed = Feed(root, Selection(), explain)
    got = list(polled(feed))
    replay = Replay(Archive(root), Selection(), explain=explain).lines()
    replayed_lines = [next(replay)]
    for member, _ in content[50:70]:
        shard.append(member)
    shard.join_blocks()
    assert shard.blocks < 10
    got += polled(feed)
    for member, _ in content[70:]:
        shard.append(member)
    got += polled(feed)
    shard.join_blocks()
    shard.seal(clean=True)
    got += polled(feed)
    replayed_lines += replay
    expected = b"".join(gzip.decompress(member) for member, _ in content).splitlines()
    assert got == expected
    assert replayed_lines == expected[: len(replayed_lines)]
    assert len(replayed_lines) == 150
    assert explain.damage == []


def test_the_command_reports_and_exits_by_what_it_found(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(repack_command)
    slow_bot(tmp_path)
    run = CliRunner().invoke(app, ["--root", str(tmp_path), "--format", "json"])
    document = json.loads(run.stdout)
    assert run.exit_code == 0
    assert document["looked"] == len(document["shards"]) == 2
    assert document["after"] < document["before"] / 2
    run = CliRunner().invoke(app, ["--root", str(tmp_path)])
    assert "0 of 2 sealed shards rewritten" in run.stdout
    slow_bot(tmp_path / "other")
    flip(min(shards(tmp_path / "other")), 1000)
    run = CliRunner().invoke(app, ["--root", str(tmp_path / "other")])
    assert run.exit_code == 3
    assert "1 of 2 sealed shards rewritten" in run.stdout


def test_keys_are_left_to_the_directory_and_found_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_bot(tmp_path)
    asked = [Selection(trace="0000"), Selection(value="A-3"), Selection(trace="none")]
    events = [Given(NOON + at * SECOND, trace_id=f"{at * 2654435761 % (1 << 32):08x}") for at in range(SIZE)]
    ArchiveMaker(tmp_path).write(events, "20261120t110000.host.2.bbbb", block_bytes=800)
    before = [replayed(tmp_path, selection)[0] for selection in asked]
    one = Selection(trace=events[700].trace_id, exact=True)
    (line,) = replayed(tmp_path, one)[0]
    monkeypatch.setattr(join, "MOST_CONTENT", 20_000)
    repack(tmp_path)
    for info in Archive(tmp_path).shards():
        index = open_shard(info, Explain())
        assert index is not None
        assert index.table.has_keys
        for record in index.records():
            header = parse_header(info.path.read_bytes()[record[0] : record[0] + record[1]])
            assert header.flags & UNINDEXED
            assert not record[4] & UNINDEXED
            assert (len(header.trace_keys), len(header.value_keys)) == (0, 0)
    assert [replayed(tmp_path, selection)[0] for selection in asked] == before
    found, explain = replayed(tmp_path, one)
    assert found == [line]
    assert explain.blocks_read == 1
    assert explain.skipped_by_key == explain.blocks_found - 1 > 20


def test_verify_works_the_keys_out_from_the_lines(tmp_path: Path) -> None:
    """A table that names too few blocks would hide a trace."""
    slow_bot(tmp_path)
    repack(tmp_path)
    assert verify(tmp_path).problems == ()
    (info, *_) = Archive(tmp_path).shards()
    index = open_shard(info, Explain())
    assert index is not None
    assert index.footer is not None
    data, builder = info.path.read_bytes(), DirectoryBuilder()
    for record in index.records():
        header = parse_header(data[record[0] : record[0] + record[1]])
        builder.add(record[0], header, record[12], BlockKeys(0, (), [], []))
    info.path.write_bytes(data[: index.footer.directory_offset] + builder.ending(clean=index.footer.clean))
    assert any("keys of block 0 are not in the directory" in one.what for one in verify(tmp_path).problems)


def test_large_blocks_that_list_many_keys_are_relabelled_not_compressed_anew(tmp_path: Path) -> None:
    events = [Given(NOON + at, trace_id=f"{at * 2654435761 % (1 << 32):08x}") for at in range(6000)]
    maker = ArchiveMaker(tmp_path)
    maker.write(events, block_bytes=400_000)
    expected, (info,) = maker.read(), Archive(tmp_path).shards()
    old = info.path.read_bytes()
    answer = repack(tmp_path)
    new = info.path.read_bytes()
    assert len(answer.shards) == 1
    assert len(new) < len(old)
    assert maker.read() == expected
    one, other = parse_header(old), parse_header(new)
    deflated = old[one.member_length - 1000 : one.member_length]
    assert new[other.member_length - 1000 : other.member_length] == deflated
    assert repack(tmp_path).shards == []


def test_repacked_shards_are_repacked_again_with_the_keys_of_their_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_bot(tmp_path)
    selection = Selection(value="A-3")
    before = replayed(tmp_path, selection)[0]
    with monkeypatch.context() as patch:
        patch.setattr(join, "MOST_CONTENT", 20_000)
        repack(tmp_path)
    first = {path: len(data) for path, data in shards(tmp_path).items()}
    assert repack(tmp_path).shards
    assert all(len(data) < first[path] for path, data in shards(tmp_path).items())
    assert verify(tmp_path).problems == ()
    assert replayed(tmp_path, selection)[0] == before


def listed(root: Path, value: str) -> tuple[int, int]:
    """How many blocks there are, and how many may hold a value by their directories."""
    blocks = found = 0
    for info in Archive(root).shards():
        index = open_shard(info, Explain())
        assert index is not None
        assert index.table.has_keys
        assert not any(record[4] & UNINDEXED for record in index.records())
        blocks += index.table.blocks
        found += len(index.table.blocks_with_value(value_key(value)))
    return blocks, found


@pytest.mark.parametrize("make", ["cut", "salvage", "recover"])
def test_what_is_made_of_a_repacked_shard_has_its_keys_again(
    tmp_path: Path, make: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out = tmp_path / "a", tmp_path / "b"
    events = [Given(NOON + at * SECOND, data=b'{"order_id":"A-%d"}' % at) for at in range(SIZE)]
    ArchiveMaker(root).write(events, block_bytes=800)
    monkeypatch.setattr(join, "MOST_CONTENT", 20_000)
    repack(root)
    (info,) = Archive(root).shards()
    if make == "cut":
        cut_out(root, out)
    elif make == "salvage":
        flip(info.path, 3_000)
        salvage(root, out)
    else:
        out = root
        open_again(info.path)
        assert [found.writer for found in recover_dead(root, everywhere=True)] == [RECORDER]
    blocks, found = listed(out, "A-1900")
    assert blocks == {"cut": 1, "salvage": 10, "recover": 11}[make]
    assert found == 1
