"""Open shards of dead writers are cut at the last good block, sealed and told of."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from polyrecord.format.constants import FOOTER_SIZE
from polyrecord.format.directory import parse_footer
from polyrecord.read.archive import Archive
from polyrecord.read.coverage import coverage
from polyrecord.read.explain import Explain
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.record.recovery import RecoveredWriter, recover_dead
from tests.recovery import crashed
from tests.recovery.crashed import WRITER, block_offsets, lines_of, open_shards, sealed_shards


def recovered(root: Path) -> RecoveredWriter:
    """The one writer that was recovered, without failures."""
    (outcome,) = recover_dead(root)
    assert outcome.failed == ()
    return outcome


def one_stream(root: Path, count: int = 12) -> Path:
    """An archive with one open shard of small blocks; the shard."""
    (shard,) = open_shards(crashed.record(root, count, types=("signal",), block_bytes=400))
    return shard


def quarantined(root: Path) -> bytes:
    """The bytes in the quarantine; they are of one cut."""
    kept = list((root / "logs/_quarantine" / WRITER).glob("*.bin"))
    assert len(kept) <= 1
    return kept[0].read_bytes() if kept else b""


def report(root: Path) -> dict[str, object]:
    (place,) = (root / "logs/_quarantine" / WRITER).glob("*.json")
    content: dict[str, object] = json.loads(place.read_text())
    return content


def test_whole_shards_are_sealed_with_every_line_and_without_clean(tmp_path: Path) -> None:
    root = crashed.record(tmp_path / "a")
    before = {path.name: lines_of(path) for path in open_shards(root)}

    outcome = recovered(root)

    assert open_shards(root) == []
    assert {path.name: lines_of(path) for path in sealed_shards(root)} == before
    assert (outcome.shards, outcome.events, outcome.torn_bytes) == (len(before), 60, 0)
    assert outcome.last_seq == 60
    for path in sealed_shards(root):
        assert not parse_footer(path.read_bytes()[-FOOTER_SIZE:]).clean
    assert not (root / "logs/_quarantine").exists()
    explain = Explain(strict=True)
    assert len(list(Replay(Archive(root), Selection(), explain=explain).lines())) == 60
    assert coverage(Archive(root)).unclean == (WRITER,)


def test_a_shard_torn_at_any_byte_of_its_last_block_keeps_all_before_it(tmp_path: Path) -> None:
    shard = one_stream(tmp_path / "whole")
    data, (*_, last, end) = shard.read_bytes(), block_offsets(shard)
    kept = lines_of(shard)[: -len(list(crashed.members(data))[-1][2].splitlines())]
    for at in range(last, end):
        root = tmp_path / f"torn-{at}"
        shutil.copytree(tmp_path / "whole", root)
        open_shards(root)[0].write_bytes(data[:at])

        outcome = recovered(root)

        (sealed,) = sealed_shards(root)
        assert lines_of(sealed) == kept
        assert sealed.read_bytes()[:last] == data[:last]
        assert outcome.torn_bytes == at - last
        assert outcome.events == len(kept)
        assert quarantined(root) == data[last:at].rstrip(b"\0")


def test_zeros_after_the_last_block_are_cut_and_counted(tmp_path: Path) -> None:
    shard = one_stream(tmp_path)
    before = lines_of(shard)
    shard.write_bytes(shard.read_bytes() + bytes(5000))

    outcome = recovered(tmp_path)

    assert lines_of(sealed_shards(tmp_path)[0]) == before
    assert outcome.torn_bytes == 5000
    assert (report(tmp_path)["zeros"], report(tmp_path)["file"]) == (5000, None)


def test_zero_pages_inside_the_last_block_take_that_block_only(tmp_path: Path) -> None:
    """As after a power cut: the size is there, some pages are not."""
    shard = one_stream(tmp_path)
    data, (*_, last, end) = bytearray(shard.read_bytes()), block_offsets(shard)
    middle = end - 40
    data[middle : middle + 20] = bytes(20)
    shard.write_bytes(data)
    expected = b"".join(content for at, _, content in crashed.members(bytes(data)) if at < last).splitlines()

    outcome = recovered(tmp_path)

    assert lines_of(sealed_shards(tmp_path)[0]) == expected
    assert outcome.torn_bytes == end - last
    assert quarantined(tmp_path) == bytes(data[last:]).rstrip(b"\0")


def test_damage_among_good_blocks_stays_and_is_told(tmp_path: Path) -> None:
    shard = one_stream(tmp_path)
    data, (_, second, third, *_) = bytearray(shard.read_bytes()), block_offsets(shard)
    lost = next(content for at, _, content in crashed.members(bytes(data)) if at == second).splitlines()
    whole = lines_of(shard)
    data[second : second + 30] = bytes(30)
    shard.write_bytes(data)

    outcome = recovered(tmp_path)

    assert outcome.damaged_bytes == third - second
    assert outcome.torn_bytes == 0
    assert outcome.events == len(whole) - len(lost)
    assert report(tmp_path)["damage"] == [
        {"offset": second, "bytes": third - second, "reason": "no member starts here"}
    ]
    explain = Explain()
    lines = list(Replay(Archive(tmp_path), Selection(), explain=explain).lines())
    assert lines == [line for line in whole if line not in lost]
    assert coverage(Archive(tmp_path)).unknown == len(lost)


def test_a_block_with_bad_contents_among_good_ones_stays_a_finding(tmp_path: Path) -> None:
    shard = one_stream(tmp_path)
    data, (_, second, third, *_) = bytearray(shard.read_bytes()), block_offsets(shard)
    data[third - 20] ^= 0xFF
    shard.write_bytes(data)

    outcome = recovered(tmp_path)

    explain = Explain()
    lines = list(Replay(Archive(tmp_path), Selection(), explain=explain).lines())
    assert [(finding.offset, finding.bytes) for finding in explain.damage] == [(second, third - second)]
    assert len(lines) == outcome.events


@pytest.mark.parametrize("content", [b"", bytes(4096), b"\x1f\x8b\x08\x04", b"no block at all" * 9])
def test_a_shard_without_a_block_is_removed_and_its_bytes_kept(tmp_path: Path, content: bytes) -> None:
    crashed.record(tmp_path, 12, shard_events=5, types=("signal",))
    (last,) = open_shards(tmp_path)
    last.write_bytes(content)
    sealed = sealed_shards(tmp_path)

    outcome = recovered(tmp_path)

    assert open_shards(tmp_path) == []
    assert sealed_shards(tmp_path) == sealed
    assert (outcome.shards, outcome.removed, outcome.torn_bytes) == (0, 1, len(content))
    assert quarantined(tmp_path) == content.rstrip(b"\0")
    assert (report(tmp_path)["removed"], report(tmp_path)["bytes"]) == (True, len(content))
    assert coverage(Archive(tmp_path)).unclean == (WRITER,)


def test_an_end_that_was_written_but_not_moved_is_only_moved(tmp_path: Path) -> None:
    """Killed between the footer and the rename of an orderly close: CLEAN stays."""
    crashed.record(tmp_path, crashed=False, types=("signal",))
    (sealed,) = sealed_shards(tmp_path)
    data = sealed.read_bytes()
    (sealed.parent / "_open").mkdir()
    sealed.rename(sealed.parent / "_open" / sealed.name)

    outcome = recovered(tmp_path)

    assert sealed.read_bytes() == data
    assert outcome.torn_bytes == 0
    assert crashed.manifest(tmp_path)["recovered"]["clean"] is True


def test_an_end_that_is_torn_is_written_again_and_is_no_loss(tmp_path: Path) -> None:
    crashed.record(tmp_path / "a", crashed=False, types=("signal",), block_bytes=2000)
    (sealed,) = sealed_shards(tmp_path / "a")
    data, end = sealed.read_bytes(), block_offsets(sealed)[-1]
    (sealed.parent / "_open").mkdir()
    shard = sealed.rename(sealed.parent / "_open" / sealed.name)
    for number, at in enumerate(range(end, len(data), 37)):
        root = tmp_path / f"b{number}"
        shutil.copytree(tmp_path / "a", root)
        (root / shard.relative_to(tmp_path / "a")).write_bytes(data[:at])

        assert recovered(root).torn_bytes == 0
        (again,) = sealed_shards(root)
        assert again.read_bytes()[:end] == data[:end]
        assert not parse_footer(again.read_bytes()[-FOOTER_SIZE:]).clean
        assert not (root / "logs/_quarantine").exists()


def test_foreign_gzip_in_an_open_shard_is_left_and_told(tmp_path: Path) -> None:
    """A directory would hide lines that are in no block of ours, such as those of a later version."""
    import gzip

    shard = one_stream(tmp_path)
    shard.write_bytes(shard.read_bytes() + gzip.compress(b'{"ts":"2026-11-20T12:01:00Z","seq":99}\n'))
    before = shard.read_bytes()

    (outcome,) = recover_dead(tmp_path)

    assert [failed.path for failed in outcome.failed] == [shard]
    assert "not in blocks of ours" in outcome.failed[0].reason
    assert shard.read_bytes() == before


def test_one_shard_that_cannot_be_sealed_keeps_no_other_from_it(tmp_path: Path) -> None:
    root = crashed.record(tmp_path)
    first, *others = open_shards(root)
    (first.parent.parent / first.name).write_bytes(b"in the way")

    (outcome,) = recover_dead(root)

    assert [failed.path for failed in outcome.failed] == [first]
    assert open_shards(root) == [first]
    assert outcome.shards == len(others)
    assert (first.parent.parent / first.name).read_bytes() == b"in the way"


def test_the_manifest_keeps_what_it_said_and_tells_what_was_recovered(tmp_path: Path) -> None:
    shard = one_stream(tmp_path)
    with shard.open("ab") as file:
        file.write(b"\x1f\x8b\x08\x04torn")
    before = crashed.manifest(tmp_path)

    (outcome,) = recover_dead(tmp_path, skip="20261120t130000.host.9.cccc")

    after = crashed.manifest(tmp_path)
    told = after.pop("recovered")
    assert after == before
    assert (told["by"], told["reason"]) == ("20261120t130000.host.9.cccc", "dead")
    assert told["torn_bytes"] == outcome.torn_bytes == 8
    assert told["clean"] is False
    (entry,) = told["shards"]
    assert (tmp_path / entry["path"]).exists()


def test_the_event_fits_its_type(tmp_path: Path) -> None:
    from polyrecord.events.catalogue import CATALOGUE

    shard = one_stream(tmp_path)
    with shard.open("ab") as file:
        file.write(b"torn")

    data = recovered(tmp_path).event_data()

    CATALOGUE["recovered"].model.model_validate(data, strict=True)
    assert data["quarantine"] == [f"data-events-0001-{shard_end(tmp_path)}.json"]


def shard_end(root: Path) -> int:
    return block_offsets(sealed_shards(root)[0])[-1]


def test_files_are_readable_by_owner_and_group_only(tmp_path: Path) -> None:
    shard = one_stream(tmp_path)
    with shard.open("ab") as file:
        file.write(b"torn")

    recovered(tmp_path)

    for path in (tmp_path / "logs/_quarantine").rglob("*"):
        assert path.stat().st_mode & 0o777 == (0o750 if path.is_dir() else 0o640)


def test_a_last_block_whose_frame_is_damaged_is_kept(tmp_path: Path) -> None:
    """What can be put back is no torn tail: header and lines are proven by their own sums."""
    shard = one_stream(tmp_path)
    data, (*_, last, _) = bytearray(shard.read_bytes()), block_offsets(shard)
    events = len(lines_of(shard))
    data[last + 4] ^= 0xFF
    shard.write_bytes(data)

    outcome = recovered(tmp_path)

    assert (outcome.events, outcome.torn_bytes) == (events, 0)


def test_lines_that_only_their_own_checksum_proves_are_not_cut_off(tmp_path: Path) -> None:
    """Their header is gone, so no directory could list them; `polyrecord recover` saves them."""
    shard = one_stream(tmp_path)
    data, (*_, last, _) = bytearray(shard.read_bytes()), block_offsets(shard)
    data[last + 40] ^= 0xFF
    shard.write_bytes(data)

    (outcome,) = recover_dead(tmp_path)

    assert [failed.path for failed in outcome.failed] == [shard]
    assert shard.read_bytes() == bytes(data)
