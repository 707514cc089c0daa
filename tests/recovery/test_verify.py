"""What verify finds, against what gzip and json say of the archive before it was damaged."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import textwrap
import zlib
from pathlib import Path
from typing import Any

import pytest

from polyrecord.errors import ArchiveMissing
from polyrecord.format.constants import FOOTER_SIZE
from polyrecord.record.identity import write_manifest
from polyrecord.record.recovery import recover_dead
from polyrecord.times import SECOND, parse_ts
from polyrecord.upkeep.verify import Verification, verify
from tests.read.archives import ArchiveMaker, Given
from tests.recovery import crashed
from tests.recovery.crashed import OTHER, WRITER, block_offsets, open_shards, sealed_shards
from tests.transfer.recordings import Lost
from tests.transfer.recordings import record as record_with_losses


def lines_by_gzip(root: Path) -> int:
    return sum(len(gzip.decompress(path.read_bytes()).splitlines()) for path in sealed_shards(root))


def whole(root: Path, count: int = 60, **more: int) -> Path:
    """A recording that ended in order."""
    return crashed.record(root, count, crashed=False, **more)  # type: ignore[arg-type]


def told(found: Verification) -> list[str]:
    return [problem.what for problem in found.problems]


def test_a_whole_archive_is_sound_and_every_event_is_counted(tmp_path: Path) -> None:
    root = whole(tmp_path, shard_events=7)
    crashed.record(root, 20, OTHER, crashed=False)

    found = verify(root)

    assert told(found) == []
    assert found.events == lines_by_gzip(root) == 80
    assert (found.writers, found.shards, found.open_shards) == (2, len(sealed_shards(root)), 0)
    assert (found.lost, found.unknown, found.coverage.unclean, found.loses) == (0, 0, (), False)


def test_declared_losses_are_no_finding(tmp_path: Path) -> None:
    root = record_with_losses(tmp_path, losses=[Lost(10, "signal", 3), Lost(50, "orderbook_snapshot", 8)])

    found = verify(root)

    assert told(found) == []
    assert (found.lost, found.unknown) == (11, 0)


def test_an_import_whose_times_go_back_over_midnight_is_sound(tmp_path: Path) -> None:
    midnight = parse_ts("2026-11-21T00:00:00Z")
    events = [Given(midnight + (1 if at % 3 else -1) * (at + 1) * SECOND) for at in range(90)]
    ArchiveMaker(tmp_path).write(events, "import.0123456789abcdef", block_bytes=300, shard_events=20)

    found = verify(tmp_path)

    assert (told(found), found.events) == ([], 90)


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    """One byte of a sealed shard at a time; what is lost is said, and nothing that is there."""
    root = whole(tmp_path / "a", 8)
    shard = sealed_shards(root)[0]
    data = shard.read_bytes()
    assert verify(root).count == 0
    chosen = random.Random(7).sample(range(len(data)), 150)
    for at in [*chosen, *range(16), len(data) - FOOTER_SIZE, len(data) - 1]:
        shard.write_bytes(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
        found = verify(root)
        assert found.count, f"flip at {at} of {shard.name}"
        if found.events < 8:
            assert found.loses, f"flip at {at}"
            assert found.lost_events in {0, 8 - found.events}
    shard.write_bytes(data)


def test_a_damaged_block_is_told_with_place_bytes_and_events(tmp_path: Path) -> None:
    root = whole(tmp_path)
    shard = sealed_shards(root)[0]
    data, (_, second, third, *_) = bytearray(shard.read_bytes()), block_offsets(shard)
    lost = next(content for at, _, content in crashed.members(bytes(data)) if at == second).count(b"\n")
    data[third - 20] ^= 0xFF
    shard.write_bytes(data)

    found = verify(root)

    (problem,) = found.problems
    assert (root / problem.path, problem.offset, problem.bytes) == (shard, second, third - second)
    assert (problem.events, problem.loses) == (lost, True)
    assert (found.events, found.unknown, found.loses) == (60 - lost, lost, True)


def test_bytes_cut_out_and_bytes_put_in_cost_the_blocks_they_touch(tmp_path: Path) -> None:
    root = whole(tmp_path)
    shard = sealed_shards(root)[0]
    data, (_, second, third, *_) = shard.read_bytes(), block_offsets(shard)
    lost = next(content for at, _, content in crashed.members(data) if at == second).count(b"\n")

    shard.write_bytes(data[: third - 30] + data[third - 10 :])
    found = verify(root)
    assert found.loses
    assert (found.events, found.unknown) == (60 - lost, lost)

    shard.write_bytes(data[:second] + b"garbage" + data[second:])
    found = verify(root)
    assert (found.events, found.unknown, found.loses) == (60, 0, False)
    assert found.count


def test_a_shard_cut_short_has_lost_what_was_behind(tmp_path: Path) -> None:
    root = whole(tmp_path)
    shard = sealed_shards(root)[0]
    data, (_, second, *_) = shard.read_bytes(), block_offsets(shard)
    shard.write_bytes(data[:second])

    found = verify(root)

    kept = sum(len(crashed.lines_of(path)) for path in sealed_shards(root))
    assert found.loses
    assert (found.events, found.unknown) == (kept, 60 - kept)


def test_a_shard_that_was_taken_away_is_missed_by_number_and_ordinal(tmp_path: Path) -> None:
    root = whole(tmp_path, shard_events=5)
    middle = sealed_shards(root)[1]
    gone = len(crashed.lines_of(middle))
    middle.unlink()

    found = verify(root)

    assert "shard of this number is missing" in told(found)
    assert (found.lost_events, found.unknown) == (gone, gone)


def test_a_stream_that_was_taken_away_is_missed_by_seq(tmp_path: Path) -> None:
    root = whole(tmp_path)
    gone = sum(len(crashed.lines_of(path)) for path in sealed_shards(root) if "books" in path.name)
    shutil.rmtree(root / "data/books")

    found = verify(root)

    assert (found.lost_events, gone) == (15, 15)
    assert [problem.path.parent.name for problem in found.problems] == ["_writers"]


def test_an_end_that_was_taken_away_is_missed_by_what_the_manifest_says(tmp_path: Path) -> None:
    """The last shard of the only stream: no later number would tell."""
    root = crashed.record(tmp_path, 20, crashed=False, shard_events=5, types=("signal",))
    content = crashed.manifest(root)
    write_manifest(root, WRITER, {**content, "streams": {"data/events": {"shards": 4, "events": 20,
                                                                        "last_ordinal": 20}}})  # fmt: skip
    assert verify(root).count == 0
    last = sealed_shards(root)[-1]
    gone = len(crashed.lines_of(last))
    last.unlink()

    assert verify(root).lost_events == gone


def test_what_a_crash_took_from_the_end_is_no_finding_after_recovery(tmp_path: Path) -> None:
    root = crashed.record(tmp_path, step=20_000_000)
    torn = open_shards(root)[0]
    torn.write_bytes(torn.read_bytes()[:-30])
    list(recover_dead(root))

    found = verify(root)

    assert told(found) == []
    assert found.coverage.unclean == (WRITER,)
    assert found.events == sum(len(crashed.lines_of(path)) for path in sealed_shards(root))


def test_a_shard_that_recovery_removed_is_no_gap_in_the_numbers(tmp_path: Path) -> None:
    root = crashed.record(tmp_path, 12, shard_events=5, types=("signal",))
    (last,) = open_shards(root)
    last.write_bytes(b"")
    third = last.with_name(last.name.replace("0003", "0004"))
    shutil.copy(sealed_shards(root)[0], third)
    third.unlink()
    list(recover_dead(root))

    assert told(verify(root)) == []


def test_open_shards_of_the_dead_are_a_finding_with_what_to_do(tmp_path: Path) -> None:
    root = crashed.record(tmp_path, types=("signal",))
    (shard,) = open_shards(root)
    size = shard.stat().st_size
    shard.write_bytes(shard.read_bytes()[:-10])

    found = verify(root)

    (problem,) = found.problems
    assert (problem.hint, problem.loses) == ("polyrecord seal", False)
    assert problem.offset == block_offsets(shard)[-1]
    assert problem.bytes == size - 10 - block_offsets(shard)[-1]
    assert found.open_shards == 1


def test_the_same_seq_twice_is_found(tmp_path: Path) -> None:
    root = whole(tmp_path)
    shard = sealed_shards(root)[0]
    copy = shard.with_name(shard.name.replace("0001", "0002"))
    shutil.copy(shard, copy)

    found = verify(root)

    assert "15 of its seqs are in this archive already" in told(found)
    assert not found.loses


def test_events_of_another_day_are_found(tmp_path: Path) -> None:
    root = whole(tmp_path)
    shard = sealed_shards(root)[0]
    folder = shard.parent.with_name("date=2026-11-21")
    folder.mkdir()
    shard.rename(folder / shard.name)

    assert any("in a shard of 2026-11-21" in what for what in told(verify(root)))


def test_what_an_index_leaves_out_is_found(tmp_path: Path) -> None:
    """A trace that no index lists cannot be found by `polyrecord trace`."""
    from polyrecord.format.block import BlockIndex, pack_block, parse_header
    from polyrecord.format.content import inflate
    from polyrecord.format.directory_builder import DirectoryBuilder

    root = whole(tmp_path, 4)
    shard = next(path for path in sealed_shards(root) if "events" in path.name)
    offset, member, _ = next(crashed.members(shard.read_bytes()))
    header = parse_header(member)
    index = BlockIndex(
        header.events, header.first_seq, header.last_seq, header.first_ordinal, header.last_ordinal,
        header.min_ts, header.max_ts, header.types,
    )  # fmt: skip
    bare = pack_block(inflate(member, header), index)
    builder = DirectoryBuilder()
    builder.add(offset, parse_header(bare), int.from_bytes(bare[-8:-4], "little"))
    shard.write_bytes(bare + builder.ending(clean=True))

    assert sorted(told(verify(root))) == [
        "1 trace ids of its lines are not in its index",
        f"{header.events} values of its lines are not in its index",
    ]


@pytest.mark.parametrize("field", ["events", "first_seq", "last_ordinal", "max_ts", "lost", "content_crc"])
def test_a_directory_that_differs_from_its_blocks_is_found(tmp_path: Path, field: str) -> None:
    from dataclasses import replace

    from polyrecord.format.block import parse_header
    from polyrecord.format.directory_builder import DirectoryBuilder

    root = whole(tmp_path, 4)
    shard = sealed_shards(root)[0]
    offset, member, _ = next(crashed.members(shard.read_bytes()))
    header, crc = parse_header(member), int.from_bytes(member[-8:-4], "little")
    if field == "content_crc":
        crc ^= 1
    else:
        header = replace(header, **{field: getattr(header, field) + 1})
    builder = DirectoryBuilder()
    builder.add(offset, header, crc)
    shard.write_bytes(member + builder.ending(clean=True))

    words = field.replace("content_crc", "content CRC")
    assert any(f"another {words} than the block" in what for what in told(verify(root)))


def test_zeros_behind_the_end_are_a_finding(tmp_path: Path) -> None:
    root = whole(tmp_path)
    shard = sealed_shards(root)[0]
    shard.write_bytes(shard.read_bytes() + bytes(100))

    found = verify(root)

    assert (found.events, found.loses) == (60, False)
    assert any("zero bytes" in what for what in told(found))


def test_an_empty_sealed_shard_is_lost_data(tmp_path: Path) -> None:
    root = whole(tmp_path)
    sealed_shards(root)[0].write_bytes(b"")

    assert verify(root).loses


def test_links_pipes_and_foreign_names_are_told_and_not_followed(tmp_path: Path) -> None:
    outside = whole(tmp_path / "outside")
    root = whole(tmp_path / "a")
    day = sealed_shards(root)[0].parent
    (day / "notes.txt").write_text("x")
    (day / sealed_shards(root)[0].name.replace("0001", "0007")).symlink_to(sealed_shards(outside)[0])
    os.mkfifo(day / sealed_shards(root)[0].name.replace("0001", "0008"))
    (root / "data/linked").symlink_to(outside / "data/events")
    (root / "data/Not a stream").mkdir()

    found = verify(root)

    assert sorted(told(found)) == [
        "a symbolic link; it is not followed",
        "a symbolic link; it is not followed",
        "neither a file nor a directory; readers ignore it",
        "not a name of this format; readers ignore it",
        "not the name of a stream",
    ]
    assert (found.events, found.loses) == (60, False)


def test_a_shard_that_may_not_be_read_is_lost_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from polyrecord.upkeep import shard_check

    root = whole(tmp_path)
    monkeypatch.setattr(shard_check, "read_at", _eio)

    found = verify(root)

    assert found.loses
    assert all("cannot be read: Input/output error" in what for what in told(found) if "missing" not in what)


def _eio(*_: object) -> bytes:
    raise OSError(5, "Input/output error")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
def test_a_manifest_that_cannot_be_read_is_a_finding(tmp_path: Path, content: bytes) -> None:
    root = whole(tmp_path)
    (root / "logs/_writers" / f"{WRITER}.json").write_bytes(content)

    found = verify(root)

    assert told(found) == ["manifest cannot be read"]


def test_a_writer_without_a_manifest_is_a_finding(tmp_path: Path) -> None:
    root = whole(tmp_path)
    (root / "logs/_writers" / f"{WRITER}.json").unlink()

    assert told(verify(root)) == ["writer has no manifest"]


def test_lines_that_are_no_events_are_found(tmp_path: Path) -> None:
    from polyrecord.format.block import BlockIndex, pack_block, parse_header
    from polyrecord.format.directory_builder import DirectoryBuilder

    root = whole(tmp_path, 4)
    shard = sealed_shards(root)[0]
    offset, member, content = next(crashed.members(shard.read_bytes()))
    h = parse_header(member)
    broken = content[:-1] + b" trailing\n"
    index = BlockIndex(
        h.events, h.first_seq, h.last_seq, h.first_ordinal, h.last_ordinal, h.min_ts, h.max_ts, h.types,
        trace_keys=h.trace_keys, value_keys=h.value_keys,
    )  # fmt: skip
    packed = pack_block(broken, index)
    builder = DirectoryBuilder()
    builder.add(offset, parse_header(packed), int.from_bytes(packed[-8:-4], "little"))
    shard.write_bytes(packed + builder.ending(clean=True))

    assert any("are no events" in what for what in told(verify(root)))


def test_plain_shards_of_other_writers_are_read_and_counted(tmp_path: Path) -> None:
    root = whole(tmp_path)
    line = b'{"ts":"2026-11-20T12:00:00.000000000Z","seq":1,"event_type":"x","data":{}}'
    path = ArchiveMaker(root).plain([line] * 3, writer="import.plain")

    found = verify(root)
    assert (found.events, found.loses) == (63, False)

    path.write_bytes(path.read_bytes()[:-4])
    assert verify(root).loses


def test_there_is_no_archive_to_verify(tmp_path: Path) -> None:
    with pytest.raises(ArchiveMissing):
        verify(tmp_path)


RECORDER = """
import sys, time
from polyrecord import EventRecorder
with EventRecorder(sys.argv[1], flush_interval=0.02, buffer_bytes=200_000) as recorder:
    for number in range(100_000_000):
        recorder.record("signal", {"n": number})
        recorder.record("orderbook_snapshot", {"n": number})
        if number % 500 == 0:
            time.sleep(0.001)
        if number == 2000:
            recorder.flush().wait(30)
            print("ready", flush=True)
"""


def test_a_bot_that_records_meanwhile_gives_no_false_findings(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(RECORDER), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        events = 0
        for _ in range(3):
            found = verify(tmp_path)
            assert told(found) == []
            assert found.events >= events > -1
            events = found.events
        assert events
    finally:
        process.kill()
        process.communicate()


def test_the_first_problems_are_kept_and_all_are_counted(tmp_path: Path) -> None:
    from pathlib import PurePosixPath

    from polyrecord.upkeep.problems import MOST_KEPT, Problem, Problems

    problems = Problems()
    for _ in range(MOST_KEPT + 5):
        problems.add(Problem(PurePosixPath("a"), "x"))
    problems.add(Problem(PurePosixPath("b"), "y", events=2, loses=True))

    assert (problems.count, problems.losing, problems.lost_events) == (MOST_KEPT + 6, 1, 2)
    assert len(problems.kept) == MOST_KEPT
    assert any(problem.loses for problem in problems.kept)


def test_every_line_is_what_json_says(tmp_path: Path) -> None:
    """The oracle itself: as many lines as events, each with its seq once."""
    root = whole(tmp_path)
    seqs = [
        json.loads(line)["seq"]
        for path in sealed_shards(root)
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    assert sorted(seqs) == list(range(1, verify(root).events + 1))


def test_what_was_pruned_is_counted_and_no_finding(tmp_path: Path) -> None:
    root = whole(tmp_path, shard_events=5)
    gone = [sealed_shards(root)[0], sealed_shards(root)[-1]]
    entries = [ledger_entry(root, path) for path in gone]
    (root / "logs/_pruned").mkdir()
    (root / "logs/_pruned/p.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    assert told(verify(root)) == []

    for path in gone:
        path.unlink()
    found = verify(root)

    assert told(found) == []
    assert found.coverage.pruned == sum(entry["events"] for entry in entries)
    assert (found.events + found.coverage.pruned, found.unknown) == (60, 0)

    sealed_shards(root)[2].unlink()
    assert verify(root).loses


def ledger_entry(root: Path, path: Path) -> dict[str, Any]:
    """What the deletion ledger says of a shard, by gzip and json alone but for its name."""
    events = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    number = int(path.name.split("-")[2].removesuffix(".jsonl.gz"))
    stream = "/".join(path.relative_to(root).parts[:2])
    before = sum(
        len(crashed.lines_of(other)) for other in sealed_shards(root)
        if other.parent.parent == path.parent.parent and other.name < path.name
    )  # fmt: skip
    return {
        "at": "2026-11-21T00:00:00.000000000Z", "reason": "age", "stream": stream, "writer": WRITER,
        "number": number, "date": "2026-11-20", "bytes": path.stat().st_size, "events": len(events),
        "first_seq": events[0]["seq"], "last_seq": events[-1]["seq"], "first_ordinal": before + 1,
        "last_ordinal": before + len(events), "min_ts": 0, "max_ts": 0, "lost": 0, "fingerprint": "00",
        "clean": False,
    }  # fmt: skip


def test_a_block_that_claims_a_gigabyte_is_looked_at_in_little_memory(tmp_path: Path) -> None:
    """A bomb, as an open shard and as a sealed one: 1 MiB at a time is inflated, and it is told."""
    import tracemalloc

    from polyrecord.format.block import pack_member

    root = crashed.record(tmp_path, types=("signal",))
    (shard,) = open_shards(root)
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    deflated = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(200)) + bomb.flush()
    fields = struct.Struct("<BBHIIIQQQQqqIHHII")
    length = 16 + fields.size + 4 + len(deflated) + 8
    claim = (1 << 30) - 1
    payload = fields.pack(
        1, 0, 0, length, claim, 1, 61, 61, 61, 61, crashed.NOON, crashed.NOON, 0, 0, 0, 0, 0
    )
    shard.write_bytes(shard.read_bytes() + pack_member(payload, deflated, 0, claim))
    tracemalloc.start()

    found = verify(root)
    (outcome,) = recover_dead(root)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20
    assert (found.events, found.loses) == (60, True)
    assert (outcome.events, outcome.torn_bytes) == (60, length)


def test_an_event_that_is_there_twice_is_counted_once(tmp_path: Path) -> None:
    (path,) = sealed_shards(crashed.record(tmp_path, 40, crashed=False, types=("signal",)))
    data, (first, second, *_) = path.read_bytes(), block_offsets(path)
    path.write_bytes(data[:second] + data[first:])

    found = verify(tmp_path)

    assert (found.events, found.unknown, found.loses) == (40, 0, False)
    assert any("in this archive already" in what for what in told(found))


@pytest.mark.parametrize("block", [0, 1, 4])
def test_lines_that_only_lost_their_header_are_not_lost(tmp_path: Path, block: int) -> None:
    """An open shard has no directory: the lines themselves tell which they are."""
    (path,) = open_shards(crashed.record(tmp_path, 40, types=("signal",)))
    data, offsets = bytearray(path.read_bytes()), block_offsets(path)
    for at in offsets[block : block + 2]:
        data[at + 40] ^= 0xFF  # its first seq
    path.write_bytes(data)

    found = verify(tmp_path)

    assert len(offsets) > 6
    assert (found.events, found.unknown, found.lost_events, found.loses) == (40, 0, 0, False)
    assert told(found).count("block header is damaged") == 2


def test_damage_beside_a_block_without_header_costs_what_it_touches(tmp_path: Path) -> None:
    (path,) = open_shards(crashed.record(tmp_path, 40, types=("signal",)))
    data, (_, second, third, fourth, *_) = bytearray(path.read_bytes()), block_offsets(path)
    (gone,) = (c.count(b"\n") for at, _, c in crashed.members(bytes(data)) if at == third)
    data[second + 40] ^= 0xFF
    data[third:fourth] = b"\xff" * (fourth - third)
    path.write_bytes(data)

    found = verify(tmp_path)

    assert (found.events, found.unknown, found.lost_events) == (40 - gone, gone, gone)


def test_a_header_that_lies_under_a_right_crc_costs_nothing_the_directory_knows(tmp_path: Path) -> None:
    """It claims contents of 4 GiB."""
    (path,) = sealed_shards(crashed.record(tmp_path, 40, crashed=False, types=("signal",)))
    data = bytearray(path.read_bytes())
    end = 16 + int.from_bytes(data[14:16], "little")
    data[24:28] = b"\xff\xff\xff\xff"
    data[end - 4 : end] = zlib.crc32(data[: end - 4]).to_bytes(4, "little")
    path.write_bytes(data)

    found = verify(tmp_path)

    assert (found.events, found.unknown, found.loses) == (40, 0, False)
    assert "block does not hold what its header says" in told(found)


def test_an_archive_of_which_all_was_pruned_is_sound(tmp_path: Path) -> None:
    from polyrecord.upkeep.prune import prune
    from polyrecord.upkeep.retention import Retention, policy_of

    whole(tmp_path, 60)
    prune(tmp_path, Retention({"*": policy_of(1, None, None)}), parse_ts("2027-01-01T00:00:00Z"), force=True)

    assert sealed_shards(tmp_path) == []
    found = verify(tmp_path)
    assert (found.events, found.coverage.pruned, found.unknown, told(found)) == (0, 60, 0, [])
