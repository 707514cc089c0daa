"""Everything readable of a damaged archive comes into the new one, nothing wrong does; it is read back."""

from __future__ import annotations

import gzip
import json
import os
import random
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from polyrecord.errors import ArchiveMissing, DataError, UsageError
from polyrecord.read.archive import Archive
from polyrecord.read.coverage import coverage
from polyrecord.record.shard_file import ShardFile
from polyrecord.upkeep import salvage as salvage_module
from polyrecord.upkeep.salvage import look, salvage
from polyrecord.upkeep.salvage_tally import Salvaged
from polyrecord.upkeep.verify import verify
from tests.read.archives import ArchiveMaker
from tests.recovery import crashed
from tests.recovery.crashed import OTHER, WRITER, block_offsets, open_shards, sealed_shards, tree

Key = tuple[str, str, int]


def lines(root: Path) -> dict[Key, bytes]:
    """Every line of an undamaged archive by stream, writer and seq, with gzip and json alone."""
    found = {}
    for path in root.rglob("*.jsonl.gz"):
        stream, writer, _ = path.name.split("-")
        for line in gzip.decompress(path.read_bytes()).splitlines():
            found[stream, writer, json.loads(line)["seq"]] = line
    return found


def blocks(root: Path) -> dict[Key, list[tuple[Path, int, int]]]:
    """Where the block of each event lies."""
    found: dict[Key, list[tuple[Path, int, int]]] = {}
    for path in sealed_shards(root):
        stream, writer, _ = path.name.split("-")
        for at, member, content in crashed.members(path.read_bytes()):
            for line in content.splitlines():
                key = stream, writer, json.loads(line)["seq"]
                found.setdefault(key, []).append((path, at, at + len(member)))
    return found


def whole(root: Path, count: int = 80) -> Path:
    crashed.record(root, count, crashed=False, shard_events=15)
    return crashed.record(root, count // 2, OTHER, crashed=False)


def test_a_whole_archive_is_copied_as_it_is(tmp_path: Path) -> None:
    root = whole(tmp_path / "a")

    done = salvage(root, tmp_path / "b")

    assert (done.count, done.loses, done.copied) == (0, False, done.shards)
    assert done.events == len(lines(root))
    shards = {name: data for name, data in tree(root).items() if name.endswith(".gz")}
    assert {name: data for name, data in tree(tmp_path / "b").items() if name.endswith(".gz")} == shards
    assert verify(tmp_path / "b").count == 0


@pytest.mark.parametrize("seed", range(12))
def test_of_an_archive_with_many_damages_every_undamaged_event_is_kept_and_none_is_wrong(
    tmp_path: Path, seed: int
) -> None:
    root = whole(tmp_path / "a")
    expected, places = lines(root), blocks(root)
    touched = damage(root, random.Random(seed))
    undamaged = {key for key, where in places.items() if not any(_touches(touched, *one) for one in where)}
    before = tree(root)

    done = salvage(root, tmp_path / "b")

    found = lines(tmp_path / "b")
    assert undamaged <= found.keys()
    assert all(expected[key] == line for key, line in found.items())
    assert done.events == len(found)
    unknown = any(problem.events is None for problem in done.problems)
    assert done.loses is (len(found) < len(expected)) or unknown
    assert done.loses or len(found) == len(expected)
    assert tree(root) == before
    assert [one.what for one in verify(tmp_path / "b").problems if one.kind == "bytes"] == []


def _touches(touched: list[tuple[Path, int, int]], path: Path, start: int, end: int) -> bool:
    return any(path == other and first < end and start < last for other, first, last in touched)


def damage(root: Path, dice: random.Random) -> list[tuple[Path, int, int]]:
    """Damage most shards; which bytes of the files, as they were, it touched."""
    touched = []
    for path in sealed_shards(root):
        data = path.read_bytes()
        at = dice.randrange(len(data))
        length = dice.randrange(1, 60)
        kind = dice.choice(["flip", "cut", "insert", "zero", "truncate", "none"])
        end = {"insert": at + 1, "truncate": len(data), "flip": at + 1, "none": at}.get(kind, at + length)
        middle = {
            "flip": bytes([data[at] ^ dice.randrange(1, 256)]) + data[at + 1 :],
            "cut": data[at + length :],
            "insert": dice.randbytes(length) + data[at:],
            "zero": bytes(min(length, len(data) - at)) + data[at + length :],
            "truncate": b"",
            "none": data[at:],
        }[kind]
        path.write_bytes(data[:at] + middle)
        touched.append((path, at, end))
    return touched


def test_lines_of_a_block_that_lost_its_header_only_are_saved(tmp_path: Path) -> None:
    """gzip still reads them, and its CRC says that they are right."""
    root = whole(tmp_path / "a")
    shard = sealed_shards(root)[0]
    expected, data, second = lines(root), bytearray(shard.read_bytes()), block_offsets(shard)[1]
    data[second + 40] ^= 0xFF
    shard.write_bytes(data)

    done = salvage(root, tmp_path / "b")

    assert lines(tmp_path / "b") == expected
    assert done.loses is False
    assert verify(tmp_path / "b").count == 0


def test_shards_keep_names_numbers_and_ordinals(tmp_path: Path) -> None:
    root = whole(tmp_path / "a")
    shard = sealed_shards(root)[0]
    data, second = bytearray(shard.read_bytes()), block_offsets(shard)[1]
    member = next(member for at, member, _ in crashed.members(bytes(data)) if at == second)
    lost = len(zlib.decompress(member, 31).splitlines())
    data[second + len(member) - 12] ^= 0xFF
    shard.write_bytes(data)

    done = salvage(root, tmp_path / "b")

    names = {path.relative_to(root) for path in sealed_shards(root)}
    assert {path.relative_to(tmp_path / "b") for path in sealed_shards(tmp_path / "b")} == names
    assert (done.lost_events, verify(tmp_path / "b").lost_events) == (lost, lost)
    assert coverage(Archive(tmp_path / "b")).unknown == lost
    assert done.copied == done.shards - 1


def test_what_was_lost_at_the_end_of_a_stream_stays_known(tmp_path: Path) -> None:
    root = crashed.record(tmp_path / "a", 20, crashed=False, types=("signal",), block_bytes=500)
    (shard,) = sealed_shards(root)
    data, (*_, last, end) = bytearray(shard.read_bytes()), block_offsets(shard)
    lost = len(list(crashed.members(bytes(data)))[-3][2].splitlines())
    assert lost
    data[end - 12] ^= 0xFF
    shard.write_bytes(data)

    done = salvage(root, tmp_path / "b")

    assert (done.events, done.lost_events) == (20 - lost, lost)
    assert verify(tmp_path / "b").lost_events == lost
    assert last


def test_a_block_that_is_there_twice_is_kept_once(tmp_path: Path) -> None:
    root = whole(tmp_path / "a")
    expected, shard = lines(root), sealed_shards(root)[0]
    data, (_, second, third, *_) = shard.read_bytes(), block_offsets(shard)
    shard.write_bytes(data[:third] + data[second:third] + data[third:])

    done = salvage(root, tmp_path / "b")

    assert lines(tmp_path / "b") == expected
    assert "a block that is there twice" in [problem.what for problem in done.problems]
    assert done.loses is False


def test_a_block_of_another_shard_does_not_take_the_place_of_those_it_covers(tmp_path: Path) -> None:
    root = whole(tmp_path / "a")
    mine = next(path for path in sealed_shards(root) if OTHER in path.name and "events" in path.name)
    theirs = next(path for path in sealed_shards(root) if WRITER in path.name and "events" in path.name)
    expected = lines(root)
    stranger = theirs.read_bytes()[: block_offsets(theirs)[1]]
    mine.write_bytes(stranger + mine.read_bytes())

    done = salvage(root, tmp_path / "b")

    assert done.count
    found = lines(tmp_path / "b")
    assert sum(found[key] == expected[key] for key in found) == len(found)


def test_whole_blocks_of_open_shards_are_taken_and_sealed(tmp_path: Path) -> None:
    root = crashed.record(tmp_path / "a")
    expected = [line for path in open_shards(root) for line in crashed.lines_of(path)]
    torn = open_shards(root)[0]
    torn.write_bytes(torn.read_bytes() + b"\x1f\x8b\x08\x04torn")

    done = salvage(root, tmp_path / "b")

    assert open_shards(tmp_path / "b") == []
    assert sorted(lines(tmp_path / "b").values()) == sorted(expected)
    assert done.events == 60
    assert coverage(Archive(tmp_path / "b")).unclean == (WRITER,)


def test_plain_gzip_of_other_writers_comes_along(tmp_path: Path) -> None:
    root = whole(tmp_path / "a")
    line = b'{"ts":"2026-11-20T12:00:00.000000000Z","seq":%d,"event_type":"x","data":{}}'
    path = ArchiveMaker(root).plain([line % seq for seq in (1, 2, 3)], writer="import.plain")
    assert salvage(root, tmp_path / "b").events == len(lines(root))

    path.write_bytes(path.read_bytes() + gzip.compress(line % 4 + b"\n")[:-3])
    done = salvage(root, tmp_path / "c")

    assert done.loses
    assert lines(tmp_path / "c") == lines(tmp_path / "b")


def test_ledgers_and_manifests_come_along(tmp_path: Path) -> None:
    root = whole(tmp_path / "a")
    for name in (
        "_pruned/x.jsonl",
        f"_runs/{WRITER}.jsonl",
        "_rejects/y.jsonl",
        f"_quarantine/{WRITER}/z.bin",
    ):
        place = root / "logs" / name
        place.parent.mkdir(parents=True)
        place.write_text("{}\n")
    (root / "logs/_runs/link").symlink_to("/etc/passwd")
    (root / "logs/_cursors").mkdir()
    (root / "logs/_cursors/c.json").write_text("{}")

    salvage(root, tmp_path / "b")

    copied = {name for name in tree(tmp_path / "b") if "/_" in name and "_writers" not in name}
    assert copied == {
        "logs/_pruned/x.jsonl", f"logs/_runs/{WRITER}.jsonl", "logs/_rejects/y.jsonl",
        f"logs/_quarantine/{WRITER}/z.bin",
    }  # fmt: skip
    manifest, before = crashed.manifest(tmp_path / "b"), crashed.manifest(root)
    assert {name: value for name, value in manifest.items() if name != "salvaged"} == before
    assert manifest["salvaged"]["clean"] is True


def test_a_dry_run_says_the_same_and_writes_nothing(tmp_path: Path) -> None:
    root = whole(tmp_path / "a")
    damage(root, random.Random(3))
    before = tree(tmp_path)

    told = look(root)

    assert tree(tmp_path) == before
    done = salvage(root, tmp_path / "b")
    assert _counts(told) == _counts(done)
    assert told.problems == done.problems


def _counts(done: Salvaged) -> tuple[int, ...]:
    return done.events, done.shards, done.copied, done.rescued, done.losing, done.lost_events


def flips(member: bytes) -> bytes:
    return member[:-12] + bytes([member[-12] ^ 0xFF]) + member[-11:]


def test_an_output_that_cannot_be_read_back_makes_it_fail_and_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that changes what it is given: the new archive is read before it is called good."""
    root = whole(tmp_path / "a")
    damage(root, random.Random(3))
    before = tree(tmp_path)
    real = ShardFile.seal

    def seal(self: ShardFile, *, clean: bool) -> Path:
        path = real(self, clean=clean)
        path.write_bytes(flips(path.read_bytes()))
        return path

    monkeypatch.setattr(ShardFile, "seal", seal)

    with pytest.raises(DataError, match="not good"):
        salvage(root, tmp_path / "b")

    assert tree(tmp_path) == before
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("fault", ["copy_lost", "copy_short", "shard_lost"])
def test_an_output_with_something_left_out_makes_it_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    root = whole(tmp_path / "a")
    faults: dict[str, Callable[..., object]] = {
        "copy_lost": lambda descriptor, to: None,
        "copy_short": lambda descriptor, to: to.write_bytes(os.pread(descriptor, 300, 0)),
    }
    if fault == "shard_lost":
        monkeypatch.setattr(salvage_module._Salvage, "_mend", lambda *_: None)
        monkeypatch.setattr(salvage_module._Salvage, "_copy", lambda *_: None)
    else:
        monkeypatch.setattr(salvage_module, "copy_bytes", faults[fault])

    with pytest.raises(DataError):
        salvage(root, tmp_path / "b")

    assert not (tmp_path / "b").exists()


def test_nothing_is_written_into_the_damaged_archive_or_over_something(tmp_path: Path) -> None:
    root = whole(tmp_path / "a")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("x")
    (tmp_path / "link").symlink_to(root)
    before = tree(tmp_path)
    for out in (root, root / "b", root / "data/b", tmp_path / "full", tmp_path / "link" / "b"):
        with pytest.raises(UsageError):
            salvage(root, out)
    with pytest.raises(ArchiveMissing):
        salvage(tmp_path / "none", tmp_path / "b")
    assert tree(tmp_path) == before


def test_of_an_archive_with_nothing_readable_nothing_is_kept(tmp_path: Path) -> None:
    root = crashed.record(tmp_path / "a", 8, crashed=False)
    for path in sealed_shards(root):
        path.write_bytes(b"\xff" * 500)

    done = salvage(root, tmp_path / "b")

    assert (done.events, done.shards, done.loses) == (0, 0, True)
    assert sealed_shards(tmp_path / "b") == []
